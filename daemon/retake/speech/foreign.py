"""Text in another language than English is noticed: by its alphabet, or by its commonest words.

For Latin script, words that a language cannot do without are counted against those of English (McNamee, "Language identification: a solved problem
suitable for undergraduate instruction", 2005, finds that enough for whole sentences). Names and loan words in an English sentence must not be taken
for another language, so that one is noticed only where its words outweigh the English ones clearly.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from retake.domain.hints import shown

_WORDS = Path(__file__).parent.parent / "assets" / "common_words.txt"
# They stand before names in any language: "Vincent van Gogh", "Los Angeles", "Charles de Gaulle".
_OF_NAMES = frozenset(
    [
        "a", "al", "da", "das", "de", "dei", "del", "della", "den", "der", "des", "di", "do", "dos", "du", "e", "el", "en", "il", "la", "las", "le",
        "les", "los", "na", "no", "o", "van", "von", "y", "zu",
    ]
)  # fmt: skip
_LETTERS = {"de": "ß", "es": "ñ¿¡", "pt": "ãõ", "pl": "łżźśńąę", "cs": "řěů", "tr": "ığş", "hu": "őű", "fr": "œ"}
_ALPHABETS = {
    "CYRILLIC": "ru", "GREEK": "el", "ARABIC": "ar", "HANGUL": "ko", "HIRAGANA": "ja", "KATAKANA": "ja", "CJK": "zh", "DEVANAGARI": "hi",
    "HEBREW": "he", "THAI": "th",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
LEAST = 2.0  # more words of the language than of English
PART = 0.3  # of all words


def noticed(text: str) -> str | None:
    """The tag of the language that `text` is written in, where that is clearly not English; None otherwise. Hints are not looked at.

    >>> noticed("Guten Morgen, wie geht es Ihnen heute?"), noticed("We had a rendezvous at the Café de Flore in Paris.")
    ('de', None)
    """
    text = unicodedata.normalize("NFC", shown(text))
    return _by_alphabet(text) or _by_words(text)


def _by_alphabet(text: str) -> str | None:
    letters = [character for character in text if character.isalpha()]
    found = [tag for character in letters if (tag := _ALPHABETS.get(unicodedata.name(character, "?").split()[0])) is not None]
    if len(found) < 2 or len(found) * 2 < len(letters):
        return None
    if "ja" in found:  # its signs are Chinese ones for the greater part
        return "ja"
    if any(letter in text for letter in "іїєґІЇЄҐ"):
        return "uk"
    return max(sorted(set(found)), key=found.count)


@lru_cache(maxsize=1)
def _lists() -> dict[str, frozenset[str]]:
    """The commonest words by language."""
    out: dict[str, frozenset[str]] = {}
    for part in _WORDS.read_text(encoding="utf-8").split("\n[")[1:]:
        tag, _, words = part.partition("]")
        out[tag] = frozenset(words.split())
    return out


def _by_words(text: str) -> str | None:
    written = _WORD.findall(text.replace("’", "'"))
    lists = dict(_lists())
    english = lists.pop("en")
    best: tuple[float, str] | None = None
    for tag, words in lists.items():
        own, other = _counted(written, words, english, tag)
        marks = min(2, sum(letter in _LETTERS.get(tag, "") for letter in text.lower()))
        if marks + len(own) - other >= LEAST and marks + len(own) >= PART * len(written):
            likely = marks + sum(1 / sum(word in one for one in lists.values()) for word in own)
            best = max(best or (0.0, ""), (likely, tag))
    return best[1] if best else None


def _counted(written: list[str], words: frozenset[str], english: frozenset[str], tag: str) -> tuple[set[str], int]:
    """The words of a language in a text, each once, and how many there are of English; those of both count for neither."""
    own: set[str] = set()
    other = 0
    for place, word in enumerate(written):
        low = word.lower()
        following = written[place + 1] if place + 1 < len(written) else ""
        if low not in words:
            other += low in english or low.partition("'")[0] in english
        elif low not in english and not (tag != "de" and _in_a_name(word, following, place)):  # German writes all nouns with a capital
            own.add(low)
    return own, other


def _in_a_name(word: str, following: str, place: int) -> bool:
    return (word.lower() in _OF_NAMES and following[:1].isupper()) or (place > 0 and word[0].isupper())
