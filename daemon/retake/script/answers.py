"""What the language model may answer, and that it can be spoken. Its words are data: nothing in them is followed."""

from __future__ import annotations

import re
import unicodedata

from pydantic import BaseModel, ConfigDict, Field

MOST_LINES = 400


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True)


class WrittenLine(_Shape):
    """One line: what is said in one breath or two."""

    text: str = Field(min_length=1, max_length=2000, description="what is said, plain words")


class WrittenScript(_Shape):
    """A script as it was asked for."""

    title: str = Field(max_length=200, description="a few words")
    lines: tuple[WrittenLine, ...] = Field(min_length=1, max_length=MOST_LINES)


class KeptLine(_Shape):
    """A line of a given script, said anew."""

    number: int = Field(ge=1, description="of the line in the given script")
    text: str = Field(min_length=1, max_length=2000, description="what is said instead, plain words")


class KeptLines(_Shape):
    """A given script in other words; lines that are left out are cut."""

    lines: tuple[KeptLine, ...] = Field(min_length=1, max_length=MOST_LINES)


class Variants(_Shape):
    """Several scripts for the same purpose."""

    variants: tuple[WrittenScript, ...] = Field(min_length=1, max_length=10)


class Chapter(_Shape):
    """Where a chapter begins."""

    title: str = Field(min_length=1, max_length=120)
    first: int = Field(ge=1, description="number of its first sentence")


class Chapters(_Shape):
    """The chapters of a transcript."""

    title: str = Field(max_length=200)
    chapters: tuple[Chapter, ...] = Field(min_length=1, max_length=200)


_SPEAKER = re.compile(r"^\s*@?[A-Za-z0-9][\w-]{0,62}\s*:\s+(?=\S)")
_BULLET = re.compile(r"^\s*(?:[-*+•–>#]+|\d{1,3}[.)])\s+")
_STAGE = re.compile(r"\((?:[a-z]+ing\b|smil|paus|beat|laugh|music|cut to)[^)]{0,80}\)|<[^>]{0,200}>", re.IGNORECASE)
_MARKUP = re.compile(r"(\*\*|__|`+|~~)")


def speakable(text: str, *, speaker: str = "") -> str:
    """A line of an answer as it may stand in a script: one paragraph, without markup, stage directions, a name before it or control characters.

    Hints of how words are said (`*word*`, `[pause]`, `[SQL](say: sequel)`) stay: they were asked for.
    """
    plain = "".join(" " if unicodedata.category(sign) in {"Cc", "Cf", "Zl", "Zp", "Co", "Cs"} else sign for sign in text)
    plain = _MARKUP.sub("", _STAGE.sub(" ", plain))
    plain = " ".join(_BULLET.sub("", plain).split())
    named = _SPEAKER.match(plain)
    if named and (plain.lstrip().startswith("@") or (speaker and named[0].strip(" @:").casefold() == speaker.casefold())):
        plain = plain[named.end() :]
    return plain.lstrip("@#>").strip()
