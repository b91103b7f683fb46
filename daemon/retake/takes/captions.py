"""Captions from the times of the words, as SubRip (.srt).

Limits follow common broadcast practice: two lines of 42 characters, at least a second on screen, at most seven, never two at once.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retake.domain.timing import Word

LINE_CHARACTERS = 42
LINES = 2
LEAST_SECONDS = 1.0
MOST_SECONDS = 7.0
PAUSE_SECONDS = 0.7  # a silence this long separates two captions
LINGER_SECONDS = 0.3  # a caption stays a moment after its last word
_SENTENCE_ENDS = (".", "!", "?", "…", ".”", '."', '!"', '?"')
_CLAUSE_ENDS = (",", ";", ":", "–", "—")


@dataclass(frozen=True)
class Caption:
    """Lines of text on screen from `start` to `end`, in whole milliseconds from the first picture."""

    lines: tuple[str, ...]
    start: int
    end: int


def make_captions(words: Sequence[Word], *, duration: float) -> list[Caption]:
    """Group `words` into captions.

    Args:
        words: in order; seconds from the first picture.
        duration: seconds of the clip; no caption lasts longer.
    """
    groups = _groups([word for word in words if word.text.strip()])
    end_of_clip = _milliseconds(duration)
    starts = [min(_milliseconds(group[0].start), end_of_clip) for group in groups]
    captions: list[Caption] = []
    for i, group in enumerate(groups):
        latest = min(end_of_clip, starts[i + 1]) if i + 1 < len(groups) else end_of_clip
        wanted = max(_milliseconds(group[-1].end + LINGER_SECONDS), starts[i] + _milliseconds(LEAST_SECONDS))
        end = min(latest, wanted)
        if end > starts[i]:
            captions.append(Caption(_lines([word.text.strip() for word in group]), starts[i], end))
    return captions


def srt(captions: Sequence[Caption]) -> str:
    """The captions as the text of a .srt file."""
    blocks = [
        f"{number}\n{_clock(caption.start)} --> {_clock(caption.end)}\n" + "\n".join(html.escape(line, quote=False) for line in caption.lines) + "\n"
        for number, caption in enumerate(captions, start=1)
    ]
    return "\n".join(blocks)


def write_srt(path: Path, words: Sequence[Word], *, duration: float) -> list[Caption]:
    """Write captions for `words` to `path`, complete or not at all; a clip without words gets an empty file. Returns them."""
    from retake.media.files import atomic_text

    captions = make_captions(words, duration=duration)
    atomic_text(path, srt(captions))
    return captions


def _groups(words: Sequence[Word]) -> list[list[Word]]:
    """Cut the words where a caption must end, preferring ends of sentences, then of clauses, to mere lack of space."""
    out: list[list[Word]] = []
    group: list[Word] = []
    for word in words:
        if group and (word.start - group[-1].end >= PAUSE_SECONDS or _full([*group, word])):
            cut = len(group) if word.start - group[-1].end >= PAUSE_SECONDS else _best_cut(group)
            out.append(group[:cut])
            group = group[cut:]
            if group and _full([*group, word]):
                out.append(group)
                group = []
        group.append(word)
        if word.text.rstrip().endswith(_SENTENCE_ENDS) and group[-1].end - group[0].start >= LEAST_SECONDS:
            out.append(group)
            group = []
    if group:
        out.append(group)
    return out


def _full(words: Sequence[Word]) -> bool:
    return words[-1].end - words[0].start > MOST_SECONDS or len(_wrap([word.text.strip() for word in words])) > LINES


def _best_cut(group: Sequence[Word]) -> int:
    """Number of words to keep: up to the last clause that ends in the second half, else all."""
    for count in range(len(group) - 1, len(group) // 2, -1):
        if group[count - 1].text.rstrip().endswith(_CLAUSE_ENDS + _SENTENCE_ENDS):
            return count
    return len(group)


def _wrap(words: Sequence[str]) -> list[str]:
    """Greedy lines; a word longer than a line is cut, since nothing may run out of the picture."""
    lines: list[str] = []
    line = ""
    for word in words:
        while len(word) > LINE_CHARACTERS:
            room = LINE_CHARACTERS - len(line) - 1 if line else LINE_CHARACTERS
            if room < 8:
                lines.append(line)
                line, room = "", LINE_CHARACTERS
            line = f"{line} {word[:room]}".strip()
            word = word[room:]
            lines.append(line)
            line = ""
        if not line:
            line = word
        elif len(line) + 1 + len(word) <= LINE_CHARACTERS:
            line = f"{line} {word}"
        else:
            lines.append(line)
            line = word
    if line:
        lines.append(line)
    return lines


def _lines(words: Sequence[str]) -> tuple[str, ...]:
    """One line if it fits, else two of similar length."""
    greedy = _wrap(words)
    if len(greedy) != LINES:
        return tuple(greedy)
    best: tuple[str, ...] = tuple(greedy)
    for cut in range(1, len(words)):
        upper, lower = " ".join(words[:cut]), " ".join(words[cut:])
        fits = max(len(upper), len(lower)) <= LINE_CHARACTERS
        if fits and abs(len(upper) - len(lower)) < abs(len(best[0]) - len(best[1])):
            best = (upper, lower)
    return best


def _milliseconds(seconds: float) -> int:
    """Whole milliseconds, halves upwards; the small term undoes the binary error of figures like 1.0005."""
    return max(0, math.floor(seconds * 1000 + 0.5 + 1e-7))


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d},{rest:03d}"
