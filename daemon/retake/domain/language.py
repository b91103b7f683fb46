"""Languages by their tags (BCP 47), as requests name them."""

from __future__ import annotations

import re

from .errors import RetakeError

NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "ms": "Malay", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish",
    "sw": "Swahili", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8}){0,3}")
_BY_NAME = {name.lower(): tag for tag, name in NAMES.items()}


def language_tag(value: str) -> str:
    """``de``, ``DE``, ``de_DE`` or ``German`` -> the tag in lower case. Raises RetakeError (bad_language) for what cannot be one.

    >>> language_tag("Pt_BR"), language_tag("german")
    ('pt-br', 'de')
    """
    plain = value.strip().lower().replace("_", "-")
    tag = _BY_NAME.get(plain, plain)
    if not _TAG.fullmatch(tag):
        raise RetakeError(
            f"'{value[:40]}' is no language.",
            "Give its tag, for example en, de or pt-br; 'retake engines list' shows who speaks what.",
            code="bad_language",
        )
    return tag


def primary(tag: str) -> str:
    """``zh-cn`` -> ``zh``."""
    return tag.partition("-")[0]


def language_name(tag: str) -> str:
    """``de`` -> "German (de)"; a tag without a name here stands for itself."""
    name = NAMES.get(primary(tag))
    return f"{name} ({tag})" if name else f"'{tag}'"


def spoken_as(tag: str, languages: tuple[str, ...] | list[str]) -> str | None:
    """What an engine that speaks `languages` (none listed: any) calls `tag`; None where it does not speak it.

    >>> spoken_as("zh", ["en", "zh-cn"]), spoken_as("de-at", ["de"]), spoken_as("fr", ["en"])
    ('zh-cn', 'de', None)
    """
    if not languages or tag in languages:
        return tag
    for known in languages:
        if known == primary(tag):
            return known
    return next((known for known in languages if primary(known) == tag), None)
