"""Lists of written texts and how they are read, and how a reading is compared with them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from retake.speech.pronounce import dictionary
from retake.speech.text import normalise

DATA = Path(__file__).parent / "data"
_WORD = re.compile(r"[^\W\d_]+(?:[.'][^\W\d_]+)*")
_LETTERS = re.compile(r"([A-Za-z]{2,8}?)('?s)?")


@dataclass(frozen=True)
class Case:
    """A written text and its readings, each right."""

    written: str
    said: tuple[str, ...]


def cases(name: str) -> list[Case]:
    """The cases of a list in tests/data; lines without an arrow are remarks."""
    out: list[Case] = []
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        written, arrow, said = line.partition(" => ")
        if arrow:
            out.append(Case(written, tuple(part.strip() for part in said.split(" | "))))
    return out


@lru_cache(maxsize=10_000)
def _sounds(text: str) -> str:
    """Phonemes of `text` without stress and spaces."""
    said = dictionary()(text, normalize_text=False)
    return "".join(c for c in str(said[0] if isinstance(said, tuple) else said) if c.isalpha() and c not in "ˈˌ")


def _heard(word: str) -> str:
    """A spoken word in lower case; letters stand alone where the dictionary in fact says them one by one."""
    if word == "eh":
        return "a"  # the letter A, which alone would be read as the article
    if "." in word:
        return " ".join(word.replace(".", " ").lower().split())
    match = _LETTERS.fullmatch(word)
    if match is not None and sum(c.isupper() for c in match[1]) >= 2 and len(match[1]) > 1:
        spelled = ".".join(match[1].upper())
        ending = match[2] or ""
        plain = _sounds(match[1])
        if plain == _sounds(spelled):
            joined = " ".join(match[1].lower())
            return joined + (" s" if ending == "s" else ending)
    return word.lower()


def heard(written: str) -> str:
    """What is said for `written`, as the lists write it."""
    return " ".join(_heard(word) for word in _WORD.findall(normalise(written).replace("-", " ")))
