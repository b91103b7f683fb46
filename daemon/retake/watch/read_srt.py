"""Subtitles: one line a cue, fitted to the cue."""

from __future__ import annotations

import html
import re

from retake.domain.errors import RetakeError
from retake.watch.wish import MOST_CLIPS, Cue, Drop, Options, Wish, nothing_to_say, too_many

_TIMES = re.compile(r"\s*(\d{1,3}):([0-5]?\d):([0-5]?\d)[,.](\d{1,3})\s*-->\s*(\d{1,3}):([0-5]?\d):([0-5]?\d)[,.](\d{1,3})(?:\s+.*)?")
_MARKS = re.compile(r"</?[a-zA-Z][^<>]*>|\{\\[^{}]*\}")
_SHORTEST = 0.2  # seconds; nothing can be said in less
_REMEDY = "Write HH:MM:SS,mmm --> HH:MM:SS,mmm."


def read_srt(text: str, name: str) -> Drop:
    """Cues in the order of their times. Cues without a word ("♪", "...") are left out.

    One person cannot say two lines at once: a cue that begins before the one before has ended cuts that one short.

    Raises RetakeError (bad_srt) naming the line of the file, and the cue where its times cannot be.
    """
    cues = sorted(_cues(text), key=_start)
    wishes: list[Wish] = []
    for position, (cue, words, label) in enumerate(cues):
        end = min(cue.end, cues[position + 1][0].start) if position + 1 < len(cues) else cue.end
        if end - cue.start < _SHORTEST:
            raise RetakeError(
                f"{label} lasts {max(0.0, end - cue.start):.2f} s until its end or the next cue.",
                "Give it more time, or put both texts into one cue.",
                code="bad_srt",
            )
        number = len(wishes) + 1
        wishes.append(Wish(number, label[0].lower() + label[1:], words, Options(), Cue(cue.start, end)))
    if not wishes:
        raise nothing_to_say(name, "Write a number, the times and the text of each cue.")
    if len(wishes) > MOST_CLIPS:
        raise too_many(name, len(wishes))
    return Drop(tuple(wishes), "", together=True)


def _start(found: tuple[Cue, str, str]) -> float:
    return found[0].start


def _cues(text: str) -> list[tuple[Cue, str, str]]:
    """Times, words and a name for messages of every cue that says something."""
    lines = text.split("\n")
    out: list[tuple[Cue, str, str]] = []
    heads = [index for index, line in enumerate(lines) if "-->" in line]
    if lines and any(line.strip() for line in lines) and not heads:
        raise RetakeError("Line 1: this is no subtitle file, there are no times.", _REMEDY, code="bad_srt")
    for position, index in enumerate(heads):
        match = _TIMES.fullmatch(lines[index])
        if match is None:
            raise RetakeError(f"Line {index + 1}: these times cannot be read.", _REMEDY, code="bad_srt")
        start, end = _seconds(*match.groups()[:4]), _seconds(*match.groups()[4:])
        label = f"Cue {position + 1} (line {index + 1})"
        if end <= start:
            raise RetakeError(f"{label} ends before it begins.", "Correct its times.", code="bad_srt")
        last = heads[position + 1] if position + 1 < len(heads) else len(lines)
        words = _words(lines[index + 1 : last], numbered=position + 1 < len(heads))
        if any(character.isalnum() for character in words):
            out.append((Cue(start, end), words, label))
    return out


def _words(lines: list[str], *, numbered: bool) -> str:
    """The cue's text, its marks taken away; `numbered`: the last line may be the next cue's number."""
    lines = [line.strip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if numbered and lines and lines[-1].isdigit() and (len(lines) == 1 or not lines[-2]):
        lines.pop()
    spoken = [html.unescape(_MARKS.sub("", line)).strip().removeprefix("- ") for line in lines]
    return " ".join(" ".join(spoken).split())


def _seconds(hours: str, minutes: str, seconds: str, fraction: str) -> float:
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000
