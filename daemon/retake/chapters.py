"""A transcript as lines of a timeline, and its chapters as markers on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from retake import fill
from retake.domain.errors import RetakeError
from retake.script.answers import Chapters, speakable
from retake.speech.text import sentences_of

if TYPE_CHECKING:
    from opentimelineio.schema import Marker, Timeline

    from retake_otio import Line

PLAIN = (".txt", "")  # no document of lines: its sentences are the lines
MOST_SENTENCES = 3000
_CHAPTER = "chapter"  # in the metadata of markers of ours, by which they are found again


@dataclass(frozen=True)
class Transcript:
    """Words in their order, and the timeline that holds them. `lines` belong to `timeline`, which has to be held on to."""

    timeline: Timeline
    lines: tuple[Line, ...]

    @property
    def sentences(self) -> list[str]:
        return [" ".join(str(line.wants["text"]).split()) for line in self.lines]


@dataclass(frozen=True)
class Placed:
    """A chapter where it begins: seconds from the beginning of the timeline, and the number of its first line, from 1."""

    title: str
    seconds: float
    first: int


def read(path: Path, *, rate: Fraction, speaker: str = "") -> Transcript:
    """The words of captions, of a script document, of any timeline, or of plain text (whose lines are as long as they may take to say).

    Args:
        rate: frames per second, where the file does not say it.
        speaker: of the lines of a plain text.

    Raises RetakeError as `fill.load`; no_words, transcript_too_long.
    """
    timeline = from_text(path.read_text(encoding="utf-8-sig"), rate, speaker) if path.suffix.lower() in PLAIN else fill.load(path, rate)
    return of_timeline(timeline, path.name)


def of_timeline(timeline: Timeline, name: str) -> Transcript:
    """The words of a timeline's lines. Raises RetakeError (no_words, transcript_too_long)."""
    lines = tuple(line for line in fill.lines_of(timeline, name, refused=[]) if str(line.wants.get("text", "")).strip())
    if not lines:
        raise RetakeError(f"{name}: There are no words in it.", "Give captions, a script, a timeline with lines, or plain text.", code="no_words")
    if len(lines) > MOST_SENTENCES:
        raise RetakeError(f"{name}: It has {len(lines)} lines.", f"Give at most {MOST_SENTENCES} at once.", code="transcript_too_long")
    return Transcript(timeline, lines)


def from_text(text: str, rate: Fraction, speaker: str = "") -> Timeline:
    """A timeline of one placeholder for each sentence. Raises RetakeError (no_words)."""
    from retake_otio.script_adapter import read_from_string
    from retake_otio.script_text import written_line

    paragraphs = (" ".join(paragraph.split()) for paragraph in text.replace("\r\n", "\n").split("\n\n"))
    sentences = [sentence for paragraph in paragraphs if paragraph for sentence in sentences_of(paragraph)]
    if not any(sign.isalnum() for sentence in sentences for sign in sentence):
        raise RetakeError("There are no words in the text.", "Give the transcript.", code="no_words")
    return read_from_string("\n\n".join(written_line(None, sentence) for sentence in sentences), str(rate), speaker or None)


def mark(transcript: Transcript, chapters: Chapters) -> list[Placed]:
    """Lay a marker at the first line of every chapter, in place of those of an earlier time; a chapter's title can ask for no line."""
    import opentimelineio as otio

    from retake_otio.timeline import FORMAT, METADATA

    stack = transcript.timeline.tracks
    kept = [marker for marker in stack.markers if not _is_ours(marker)]
    del stack.markers[:]
    stack.markers.extend(kept)
    placed: list[Placed] = []
    for chapter in chapters.chapters:
        line = transcript.lines[chapter.first - 1]
        title = speakable(chapter.title) or f"Chapter {len(placed) + 1}"
        where = otio.opentime.TimeRange(otio.opentime.RationalTime(line.start, line.written), otio.opentime.RationalTime(0, line.written))
        marker = otio.schema.Marker(name=title, marked_range=where, color=otio.schema.MarkerColor.CYAN)
        marker.metadata[METADATA] = {"format": FORMAT, _CHAPTER: len(placed) + 1}
        stack.markers.append(marker)
        placed.append(Placed(title, float(line.start / line.rate), chapter.first))
    return placed


def listed(placed: Sequence[Placed]) -> list[str]:
    """Chapters as video sites read them in a description: "0:00 Opening"; hours where there are any."""
    long = bool(placed) and placed[-1].seconds >= 3600
    return [f"{_clock(chapter.seconds, long)} {chapter.title}" for chapter in placed]


def _clock(seconds: float, long: bool) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}" if long else f"{whole // 60}:{whole % 60:02d}"


def _is_ours(marker: Marker) -> bool:
    from retake_otio.timeline import METADATA

    own = marker.metadata.get(METADATA)
    return own is not None and _CHAPTER in own
