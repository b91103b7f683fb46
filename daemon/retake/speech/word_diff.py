"""Which words of a text changed: old and new words compared, whatever their punctuation and capitals.

Hints count (docs/pronunciation.md): a word that is to be said or stressed otherwise, or has another pause
behind it, has changed although it is written as before.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from retake.domain.hints import LINK, PAUSE, SAY, STRESSED, shown

_HELD = 0xF0000  # private characters that stand for hints while words are parted
_HELD_ANY = re.compile("[\U000f0000-\U000ffffd]")
_ABBREVIATED = re.compile(r"(?:\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|No|Gen|Col|Capt|Lt|Rev))\.[\"')\]]*$")
_SENTENCE_END = re.compile(r"[.!?…][\"')\]”’]*$")
_PHRASE_END = re.compile(r"[.!?…,;:—–][\"')\]”’]*$|\s[—–-]$")


@dataclass(frozen=True)
class WrittenWord:
    """One word of a text.

    raw: as in the text, with its hints and whatever signs without letters follow it. written: for readers, with punctuation. key: what is compared.
    pause: seconds of silence that the text asks for after it (0 the speaker's own), None for nothing.
    """

    raw: str
    written: str
    key: str
    pause: float | None = None

    @property
    def ends_sentence(self) -> bool:
        return bool(_SENTENCE_END.search(self.written)) and not _ABBREVIATED.search(self.written)

    @property
    def ends_phrase(self) -> bool:
        """Whether a reader would pause after it."""
        return self.pause is not None or (bool(_PHRASE_END.search(self.written)) and not _ABBREVIATED.search(self.written))


@dataclass(frozen=True)
class Change:
    """Words old_start..old_end of the old text are replaced by new_start..new_end of the new one; either may be empty, not both."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def key_of(written: str) -> str:
    """What two writings of a word are compared by: its letters and figures (and signs that are read out), in small letters.

    >>> key_of('"Friday,"') == key_of("friday") != key_of("Fridays")
    True
    """
    text = unicodedata.normalize("NFKC", written).casefold().replace("’", "'")
    kept = "".join(c for c in text if c.isalnum() or c in "&@%$€£#+=°'./:-")
    return kept.strip("'./:-") or "".join(text.split())


def words_of(text: str) -> list[WrittenWord]:
    """The words of a text in order, each with its hints. Signs alone ("—") belong to the word before (or after, at the start)."""
    out: list[WrittenWord] = []
    waiting = ""
    for raw in _parted(text):
        if match := PAUSE.fullmatch(raw):
            if out:
                last, seconds = out[-1], _seconds(match[1])
                out[-1] = WrittenWord(f"{last.raw} {raw}", last.written, f"{last.key}\0{seconds:g} s", (last.pause or 0.0) + seconds)
            else:
                waiting += f"{raw} "
            continue
        written = shown(raw)
        if any(c.isalnum() for c in written) or any(c in "&@%$€£#+=" for c in written):
            out.append(WrittenWord(f"{waiting}{raw}", shown(f"{waiting}{raw}"), _key(raw, written)))
            waiting = ""
        elif out:
            last = out[-1]
            out[-1] = WrittenWord(f"{last.raw} {raw}", f"{last.written} {written}", last.key, last.pause)
        else:
            waiting += f"{raw} "
    return out


def changes(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """Where two lists of keys differ, in order. Between two changes at least one word is kept.

    Longest common blocks (difflib, Ratcliff and Obershelp), so that a phrase that moved is one deletion and one insertion.
    """
    found = SequenceMatcher(None, list(old), list(new), autojunk=False).get_opcodes()
    return [Change(a, b, c, d) for kind, a, b, c, d in found if kind != "equal"]


def share_changed(found: Sequence[Change], old: int, new: int) -> float:
    """Share of words that changed (0..1), of the longer text."""
    changed = sum(max(one.old_end - one.old_start, one.new_end - one.new_start) for one in found)
    return min(1.0, changed / max(1, old, new))


def _parted(text: str) -> list[str]:
    """`text` at its spaces, with the stars of stressed phrases at every word of theirs. Hints stay whole."""
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match[0])
        return chr(_HELD + len(held) - 1)

    def hold_pause(match: re.Match[str]) -> str:
        return f" {hold(match)} "

    def give(match: re.Match[str]) -> str:
        return held[ord(match[0]) - _HELD]

    hidden = _HELD_ANY.sub("", text)
    hidden = PAUSE.sub(hold_pause, LINK.sub(lambda match: match[1], SAY.sub(hold, hidden)))
    hidden = STRESSED.sub(lambda match: " ".join(f"*{word}*" for word in match[2].split()), hidden)
    return [_HELD_ANY.sub(give, word) for word in hidden.split()]


def _key(raw: str, written: str) -> str:
    key = key_of(written)
    if say := SAY.search(raw):
        key += f"\0{' '.join(say[3].split()).casefold()}"
    return key + ("\0*" if STRESSED.search(raw) else "")


def _seconds(asked: str) -> float:
    number = re.search(r"\d+(?:[.,]\d+)?|[.,]\d+", asked)
    if number is None:
        return 0.0
    return float(number[0].replace(",", ".")) / (1000 if "ms" in asked.casefold() else 1)
