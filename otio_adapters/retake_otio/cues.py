"""SubRip captions (.srt): text <-> cues with their times in milliseconds. Standard library only, shared with whoever reads captions."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .reading import TimelineError

_TIMES = re.compile(r"\s*(\d{1,3}):([0-5]?\d):([0-5]?\d)[,.](\d{1,3})\s*-->\s*(\d{1,3}):([0-5]?\d):([0-5]?\d)[,.](\d{1,3})(?:\s+.*)?")
_MARKS = re.compile(r"</?[a-zA-Z][^<>]*>|\{\\[^{}]*\}")
_REMEDY = "Write HH:MM:SS,mmm --> HH:MM:SS,mmm."
_LINE_ENDS = re.compile(r"\r\n?")


@dataclass(frozen=True)
class Cue:
    """One caption. start, end: milliseconds; number: counted from 1; line: of the file, where its times stand."""

    start: int
    end: int
    text: str
    number: int
    line: int

    @property
    def label(self) -> str:
        return f"Cue {self.number} (line {self.line})"


def parse_cues(text: str) -> list[Cue]:
    """The cues in the order of their times; those without a letter or digit ("♪", "...") are left out, and marks (<i>, {\\an8}) taken away.

    Numbers of cues may be missing or wrong: the times tell where a cue begins. Raises TimelineError (bad_srt) naming the line of the file.
    """
    lines = _LINE_ENDS.sub("\n", text.removeprefix("\ufeff")).split("\n")
    out: list[Cue] = []
    heads = [index for index, line in enumerate(lines) if "-->" in line]
    if any(line.strip() for line in lines) and not heads:
        raise TimelineError("Line 1: this is no subtitle file, there are no times.", _REMEDY, "bad_srt")
    for position, index in enumerate(heads):
        match = _TIMES.fullmatch(lines[index])
        if match is None:
            raise TimelineError(f"Line {index + 1}: these times cannot be read.", _REMEDY, "bad_srt")
        following = position + 1 < len(heads)
        words = _words(lines[index + 1 : heads[position + 1] if following else len(lines)], numbered=following)
        cue = Cue(_milliseconds(*match.groups()[:4]), _milliseconds(*match.groups()[4:]), words, position + 1, index + 1)
        if cue.end <= cue.start:
            raise TimelineError(f"{cue.label} ends before it begins.", "Correct its times.", "bad_srt")
        if any(character.isalnum() for character in words):
            out.append(cue)
    return sorted(out, key=_start)


def format_cues(cues: Iterable[tuple[int, int, str]]) -> str:
    """The text of an .srt file from start and end (milliseconds) and text of each cue."""
    parts: list[str] = []
    for number, (start, end, text) in enumerate(cues, 1):
        parts.append(f"{number}\n{_time(start)} --> {_time(end)}\n{_escaped(text)}\n")
    return "\n".join(parts)


def _start(cue: Cue) -> int:
    return cue.start


def _words(lines: list[str], *, numbered: bool) -> str:
    """The cue's text, its marks taken away; `numbered`: the last line may be the next cue's number."""
    lines = [line.strip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if numbered and lines and lines[-1].isdigit() and (len(lines) == 1 or not lines[-2]):
        lines.pop()
    spoken = [html.unescape(_MARKS.sub("", line)).strip().removeprefix("- ") for line in lines]
    return " ".join(" ".join(spoken).split())


def _escaped(text: str) -> str:
    """Text that is read again as it is: what would be a mark is written so that players show it and readers do not take it away."""
    words = " ".join(text.split()).replace("-->", "->")
    words = words.replace("&", "&amp;") if html.unescape(words) != words else words
    return re.sub(r"<(?=/?[a-zA-Z])", "&lt;", words).replace("{\\", "&#123;\\")


def _milliseconds(hours: str, minutes: str, seconds: str, fraction: str) -> int:
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))


def _time(milliseconds: int) -> str:
    seconds, fraction = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{fraction:03d}"
