"""Takes put into their places: what is missing, and how a line and its slot get along.

fit      the take lasts exactly as long as its slot
keep     the same, while the words keep their pace: what is too long ends in the take's handle
ripple   the clip becomes as long as its take, and everything behind it moves, on all tracks
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import opentimelineio as otio

from .clip_takes import add_take, plain, takes_of
from .lines import MARKER_FRAMES, Line
from .measuring import before_start, range_of, start_of, time_of, whole
from .neighbours import handles_wanted, overlapped
from .own_track import is_own, place, take_out
from .placeholders import does_not_match
from .ripple import Clock, Stayed, move_behind, move_markers
from .timeline import FORMAT, METADATA, JsonValue, TakeMedia

Conform = Literal["fit", "keep", "ripple"]
CONFORMS: tuple[Conform, ...] = ("fit", "keep", "ripple")


@dataclass(frozen=True)
class Note:
    """Something that people should know about one line of a filled timeline."""

    label: str
    text: str

    def __str__(self) -> str:
        return f"{self.label}: {self.text}"


@dataclass(frozen=True)
class Filling:
    """A take for a line.

    line: the line's id, which stays.
    parameters: everything needed to make the take again, as plain JSON.
    """

    take: TakeMedia
    line: str
    parameters: Mapping[str, JsonValue]
    conform: Conform = "fit"


def missing(lines: Iterable[Line]) -> list[Line]:
    """The lines that have no take yet and may be given one."""
    return [line for line in lines if line.state == "missing"]


def fill_lines(timeline: otio.schema.Timeline, lines: Sequence[Line], fillings: Mapping[str, Filling]) -> list[Note]:
    """Put takes into the places of lines, the last ones first, so that nothing moves before it is reached.

    Args:
        lines: of `find_lines` of this very timeline; read it again afterwards.
        fillings: by the keys of lines; lines without one stay as they are.

    Returns notes in the order of the lines. Raises TimelineError (take_does_not_match), ValueError for a key that no line has.
    """
    unknown = sorted(fillings.keys() - {line.key for line in lines})
    if unknown:
        raise ValueError(f"the timeline has no lines {', '.join(unknown)}")
    said = [fill_line(timeline, line, fillings[line.key]) for line in reversed(lines) if line.key in fillings]
    return [note for notes in reversed(said) for note in notes]


def fill_line(timeline: otio.schema.Timeline, line: Line, filling: Filling) -> list[Note]:
    """Put one take into the place of `line`: into its clip, or into a new one on the track "Retake" at its marker.

    Clips keep their effects, markers, other media references, metadata and takes. With "ripple" everything behind moves. Returns what people should
    know. Raises TimelineError (take_does_not_match) for a take that is not as long as its slot where the slot stays.
    """
    take = filling.take
    clock = Clock(line.rate, line.written)
    slot = line.frames if line.frames is not None else take.slot
    if take.rate != line.rate or (filling.conform != "ripple" and take.slot != slot):
        raise does_not_match(line.label, slot, line.rate, take)
    notes: list[str] = []
    if line.marker is None:
        assert line.clip is not None
        notes += _into_clip(timeline, line, filling, clock)
    else:
        notes += _at_marker(timeline, line, filling, clock)
    return [Note(line.label, note) for note in notes]


def _into_clip(timeline: otio.schema.Timeline, line: Line, filling: Filling, clock: Clock) -> list[str]:
    clip, take = line.clip, filling.take
    assert clip is not None
    held = round(clip.trimmed_range().duration.value)
    end = whole(start_of(clip, clock.rate)) + held
    add_take(clip, take, line=filling.line, parameters=filling.parameters, start=take.handles, count=take.slot)
    notes = _ripple(timeline, clip, end, take.slot - held, clock, marker=line.marker)
    return notes + _about_dissolves(clip, take, clock)


def _at_marker(timeline: otio.schema.Timeline, line: Line, filling: Filling, clock: Clock) -> list[str]:
    """The take of a marker: its clip is made, or changed in place where that moves nothing but what shall move."""
    marker, take = line.marker, filling.take
    assert marker is not None
    notes: list[str] = []
    clip = line.clip
    asked = line.frames
    if clip is None:
        start = line.start
        change = take.slot - asked if filling.conform == "ripple" and asked is not None else 0
        if change:
            notes += _move(timeline.tracks, start + (asked or 0), change, clock, marker=marker, but=None)
        clip = _new_clip(line, filling)
        place(timeline, clip, start + before_start(timeline.tracks, clock.rate), clock)
    elif filling.conform == "ripple" and asked is not None:
        notes += _into_clip(timeline, line, filling, clock)
    else:
        start = whole(start_of(clip, clock.rate))
        held = round(clip.trimmed_range().duration.value)
        room = clip.parent() if is_own(clip.parent()) else None
        if held != take.slot and room is not None:  # nothing behind it on its track moves, as the marker's own clip lies above the edit
            take_out(clip, clock)
        add_take(clip, take, line=filling.line, parameters=filling.parameters, start=take.handles, count=take.slot)
        if held != take.slot and room is not None:
            place(timeline, clip, start + before_start(timeline.tracks, clock.rate), clock)
        elif held != take.slot:
            notes += _ripple(timeline, clip, start + held, take.slot - held, clock, marker=marker)
        notes += _about_dissolves(clip, take, clock)
    if asked is not None and filling.conform == "ripple":
        marker.marked_range = otio.opentime.TimeRange(marker.marked_range.start_time, time_of(take.slot, clock.written))
        asked = take.slot
    own = marker.metadata.get(METADATA)
    marker.metadata[METADATA] = {**(plain(own) if isinstance(own, Mapping) else {}), "format": FORMAT, "line": filling.line}
    clip.metadata[METADATA][MARKER_FRAMES] = asked or 0
    return notes


def _new_clip(line: Line, filling: Filling) -> otio.schema.Clip:
    text = filling.parameters.get("text")
    name = " ".join(text.split())[:60] if isinstance(text, str) and text.strip() else line.label
    clip = otio.schema.Clip(name=name, source_range=range_of(0, filling.take.slot, line.written))
    add_take(clip, filling.take, line=filling.line, parameters=filling.parameters, start=filling.take.handles, count=filling.take.slot)
    return clip


def _ripple(
    timeline: otio.schema.Timeline, clip: otio.schema.Clip, end: int, change: int, clock: Clock, *, marker: otio.schema.Marker | None
) -> list[str]:
    """The clip became `change` frames longer; it ended at frame `end` of the timeline."""
    if change == 0:
        return []
    notes: list[str] = []
    track = clip.parent()
    assert isinstance(track, otio.schema.Track)
    stack = track.parent()
    if stack is None or track.source_range is not None:
        return ["It lies in a compound clip that is cut to a length of its own: nothing outside of it moves."]
    point = end
    if stack is timeline.tracks:
        shown = stack.source_range
        if shown is not None:
            stack.source_range = otio.opentime.TimeRange(shown.start_time, shown.duration + time_of(change, clock.written))
    else:
        point = whole(end - start_of(stack, clock.rate))
        notes.append("It lies in a compound clip: what lies behind that in the edit may have to be moved by hand.")
    if not isinstance(stack, otio.schema.Stack):
        return notes
    return notes + _move(stack, point, change, clock, marker=marker, but=track)


def _move(
    stack: otio.schema.Stack,
    point: int,
    change: int,
    clock: Clock,
    *,
    marker: otio.schema.Marker | None,
    but: otio.schema.Track | None,
) -> list[str]:
    """Move everything behind `point` on all tracks of `stack` but one, and the markers of the stack."""
    notes: list[str] = []
    hidden = before_start(stack, clock.rate)
    for number, track in enumerate(stack, 1):
        if track is but or not isinstance(track, otio.schema.Track):
            continue
        name = f"track '{track.name}'" if track.name.strip() else f"track {number}"
        notes += [_about(stayed, name, change) for stayed in move_behind(track, point + hidden, change, clock)]
    for across in move_markers(stack, point, change, clock, but=marker):
        notes.append(f"The marker '{across.name or across.comment}' lies across the point from which things move; it keeps its length.")
    return notes


def _about(stayed: Stayed, track: str, change: int) -> str:
    what = "compound clip" if isinstance(stayed.item, otio.schema.Stack | otio.schema.Track) else "clip"
    name = f"The {what} '{stayed.item.name}' on {track}" if stayed.item.name.strip() else f"A {what} on {track}"
    if not stayed.by:
        return f"{name} lies across the point from which things move by {change:+d} frames; it stays whole."
    return f"{name} moves {stayed.by} frames too little, since there is no gap to {'open' if change > 0 else 'close'} before it."


def _about_dissolves(clip: otio.schema.Clip, take: TakeMedia, clock: Clock) -> list[str]:
    notes: list[str] = []
    wanted = handles_wanted(clip, clock.rate)
    if wanted > take.handles:
        notes.append(f"A dissolve beside it shows {wanted} frames beyond its end, and the take has handles of {take.handles}.")
    covered = overlapped(clip, clock.rate)
    if covered > take.slot:
        notes.append(f"The dissolves beside it cover {covered} frames, and it lasts {take.slot}: shorten them.")
    return notes


def lock(line: Line, locked: bool) -> None:
    """Keep a line from being filled again together with others, or let it be."""
    for target in (line.clip, line.marker):
        if target is not None:
            own = target.metadata.get(METADATA)
            target.metadata[METADATA] = {**(plain(own) if isinstance(own, Mapping) else {}), "format": FORMAT, "locked": locked}


def unused_seed(line: Line) -> int:
    """A seed with which no take of the line was made: another reading, and the same one whoever asks. 0 for a line without takes."""
    made = takes_of(line.clip) if line.clip is not None else []
    if not made:
        asked = line.wants.get("seed")
        return asked if isinstance(asked, int) else 0
    seeds = [take.seed for take in made if take.seed is not None]
    seeds += [seed for seed in (line.wants.get("seed"),) if isinstance(seed, int)]
    return (max(seeds, default=0) + 1) % 2**31
