"""The lines of a timeline: its placeholders, and its markers that hold script text. docs/otio.md has the convention."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import opentimelineio as otio

from retake_client.convention import read_marker

from .clip_takes import takes_of
from .measuring import check_one_rate, frames, rates_in, start_of, timeline_rate, whole
from .neighbours import handles_wanted
from .placeholders import MOST, Placeholder, check_format, line_of, names_line, placeholder_of, read_wants
from .reading import TimelineError
from .timeline import METADATA

Kind = Literal["placeholder", "clip marker", "timeline marker"]
State = Literal["missing", "filled", "locked"]
MARKER_FRAMES = "marker_frames"  # in a clip's metadata: how long its marker was when it was filled


@dataclass(frozen=True)
class Line:
    """One line of a timeline. It refers to parts of the timeline, which has to be held on to.

    key: tells it from the others of its timeline, as long as that does not change.
    label: what people call it, for messages.
    wants: what it says about its line (the names of placeholders.WORDS and NUMBERS), as far as it says something.
    line: its id, if it has one.
    start: frame from the timeline's start; below zero for what a compound clip cuts off.
    frames: the time to fit; None: as long as the words take (a marker without a duration).
    rate: exact; `written`: the float that stands for it in this timeline.
    handles: frames that dissolves beside its clip need before and behind.
    clip: the placeholder, or what a marker was filled with; None: nothing yet.
    marker, owner: the marker, and the clip or stack that it lies on; None for a placeholder without one.
    doubt: a sentence for people where the text may be meant otherwise.
    """

    key: str
    kind: Kind
    label: str
    wants: dict[str, str | int]
    line: str | None
    start: int
    frames: int | None
    rate: Fraction
    written: float
    handles: int = 0
    locked: bool = False
    clip: otio.schema.Clip | None = None
    marker: otio.schema.Marker | None = None
    owner: otio.core.Item | None = None
    doubt: str = ""

    @property
    def state(self) -> State:
        if self.locked:
            return "locked"
        return "filled" if self.clip is not None and takes_of(self.clip) else "missing"

    @property
    def id(self) -> str:
        """Its id; one that follows from its place where it has none, so that reading the same timeline again finds the same lines."""
        return self.line or hashlib.sha256(f"{self.key} {self.label}".encode()).hexdigest()[:12]


def find_lines(timeline: otio.schema.Timeline, *, markers: bool = True, refused: list[TimelineError] | None = None) -> list[Line]:
    """The lines of `timeline` in the order in which they begin; none where there is none.

    Args:
        markers: with False, placeholders only.
        refused: takes what is wrong with single lines (bad_placeholder), which are left out then; None: that is raised.

    Raises TimelineError: too_many_lines, mixed_rates, bad_times, bad_placeholder, newer_timeline (naming the clip or marker).
    """
    placeholders = list(_placeholders(timeline, refused))
    marked = list(_marked(timeline, refused)) if markers else []
    if len(placeholders) + len(marked) > MOST:
        raise TimelineError(
            f"The timeline has {len(placeholders) + len(marked)} lines.", f"Fill at most {MOST} at once: split the timeline.", "too_many_lines"
        )
    clock = _clock(timeline, placeholders, marked)
    if clock is None:
        return []
    out = [_placeholder_line(found, clock) for found in placeholders]
    own = {line.line: number for number, line in reversed(list(enumerate(out))) if line.line is not None}
    for found in marked:
        line = _marker_line(found, clock)
        if line is None:
            continue
        number = own.pop(line.line, None) if line.line is not None else None
        if number is None:
            out.append(line)
        else:
            out[number] = _filled_marker(line, out[number])
    return sorted(out, key=lambda line: (line.start, line.key))


@dataclass(frozen=True)
class _Marked:
    key: str
    label: str
    wants: dict[str, str | int]
    line: str | None
    locked: bool
    doubt: str
    marker: otio.schema.Marker
    owner: otio.core.Item


def _placeholders(timeline: otio.schema.Timeline, refused: list[TimelineError] | None) -> Iterator[Placeholder]:
    for number, clip in enumerate(timeline.find_clips(), 1):
        found = None
        with _set_aside(refused):
            found = placeholder_of(clip, number)
        if found is not None:
            yield found


@contextmanager
def _set_aside(refused: list[TimelineError] | None) -> Iterator[None]:
    """What is wrong with one line goes into `refused`, where somebody wants it there."""
    try:
        yield
    except TimelineError as error:
        if refused is None or error.code != "bad_placeholder":
            raise
        refused.append(error)


def _marked(timeline: otio.schema.Timeline, refused: list[TimelineError] | None) -> Iterator[_Marked]:
    """Markers that hold a line: all of them where they lie on the timeline, those with script text where they lie on clips."""
    owners: list[otio.core.Item] = [timeline.tracks, *timeline.find_clips()]
    number = 0
    for owner in owners:
        for marker in owner.markers:
            number += 1
            own = marker.metadata.get(METADATA)
            said: Mapping[str, Any] = own if isinstance(own, Mapping) else {}
            script = read_marker(marker.name, marker.comment)
            if script is not None and not script.text:
                script = None
            if script is None and not (owner is timeline.tracks and names_line(said)):
                continue  # a clip's marker with nothing but metadata makes its clip a placeholder
            words = marker.name.strip() or marker.comment.strip() or str(said.get("text") or said.get("audio"))
            label = f"Marker '{_short(words)}'"
            check_format(said, label)
            wants: dict[str, str | int] = {} if script is None else {"text": script.text}
            if script is not None and script.speaker is not None:
                wants["speaker"] = script.speaker
            doubt = script.doubt if script is not None and not names_line(said) else ""
            own_words = None
            with _set_aside(refused):
                own_words = read_wants(said, label)
            if own_words is not None:
                yield _Marked(f"m{number:05d}", label, wants | own_words, line_of(said), said.get("locked") is True, doubt, marker, owner)


def _clock(timeline: otio.schema.Timeline, placeholders: list[Placeholder], marked: list[_Marked]) -> tuple[Fraction, float] | None:
    """The rate of the lines: that of the tracks that they lie in; other tracks may have others."""
    rates: dict[Fraction, float] = {}
    seen: list[otio.core.Composition] = []
    clips = [found.clip for found in placeholders] + [found.owner for found in marked if found.owner is not timeline.tracks]
    for clip in clips:
        track = clip.parent()
        if track is None or any(track is known for known in seen):
            continue
        seen.append(track)
        for exact, written in rates_in(track):
            rates.setdefault(exact, written)
    for found in placeholders:
        rates.setdefault(found.rate, float(found.rate))
    check_one_rate(rates)
    if rates:
        return next(iter(rates.items()))
    return timeline_rate(timeline) if marked else None


def _placeholder_line(found: Placeholder, clock: tuple[Fraction, float]) -> Line:
    own = found.clip.metadata.get(METADATA)
    return Line(
        found.key,
        "placeholder",
        found.label,
        found.wants,
        found.line,
        whole(start_of(found.clip, found.rate)),
        found.frames,
        found.rate,
        clock[1],
        handles_wanted(found.clip, found.rate),
        isinstance(own, Mapping) and own.get("locked") is True,
        found.clip,
    )


def marked_range(marker: otio.schema.Marker, owner: otio.core.Item, rate: Fraction) -> tuple[int, int] | None:
    """Where a marker lies: frame from the timeline's start, and how many frames it lasts. None for one that its clip does not show.

    Markers of clips count in the media's time. Raises TimelineError (bad_times).
    """
    begin = frames(marker.marked_range.start_time, rate)
    last = frames(marker.marked_range.duration, rate) if marker.marked_range.duration.value else Fraction(0)
    if isinstance(owner, otio.schema.Clip):
        shown = owner.trimmed_range()
        inside = begin - frames(shown.start_time, rate)
        if not 0 <= inside < frames(shown.duration, rate):
            return None
        return whole(start_of(owner, rate) + inside), whole(last)
    if owner.source_range is not None:
        begin -= frames(owner.source_range.start_time, rate)
    return (whole(begin), whole(last)) if begin >= 0 else None


def _marker_line(found: _Marked, clock: tuple[Fraction, float]) -> Line | None:
    rate, written = clock
    place = marked_range(found.marker, found.owner, rate)
    if place is None:
        return None
    start, last = place
    return Line(
        found.key,
        "clip marker" if isinstance(found.owner, otio.schema.Clip) else "timeline marker",
        found.label,
        found.wants,
        found.line,
        start,
        last if last > 1 else None,
        rate,
        written,
        locked=found.locked,
        marker=found.marker,
        owner=found.owner,
        doubt=found.doubt,
    )


def _filled_marker(line: Line, placed: Line) -> Line:
    """A marker and the clip that it was filled with: one line. The marker says what is said, the edit where it lies."""
    assert placed.clip is not None
    own = placed.clip.metadata.get(METADATA)
    before = own.get(MARKER_FRAMES) if isinstance(own, Mapping) else None
    now = line.frames or 0
    # A marker that was made longer or shorter since asks for that; otherwise the clip may have been trimmed by hand.
    count = placed.frames if before is None or before == now else line.frames
    if line.frames is None and any(take.active and take.slot == placed.frames for take in takes_of(placed.clip)):
        count = None  # nor was it: other words may take as long as they do
    wants = {**placed.wants, **line.wants}
    if "audio" in line.wants and "text" not in line.wants:
        wants.pop("text", None)
    if "text" in line.wants and "audio" not in line.wants:
        wants.pop("audio", None)
    return Line(
        placed.key,
        line.kind,
        line.label,
        wants,
        line.line,
        placed.start,
        count,
        line.rate,
        placed.written,
        placed.handles,
        line.locked or placed.locked,
        placed.clip,
        line.marker,
        line.owner,
        line.doubt,
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:39] + "…"
