"""The tracks "Retake", "Retake 2", ...: where the takes of markers lie, each at its exact frame with gaps between them."""

from __future__ import annotations

import re
from fractions import Fraction

import opentimelineio as otio

from .measuring import index_in, length, start_in
from .ripple import Clock, new_gap, set_length

NAME = "Retake"
_NAMES = re.compile(r"Retake(?: ([2-9]|[1-9][0-9]{1,3}))?")


def is_own(track: otio.core.SerializableObject | None) -> bool:
    """Whether `track` is one of them."""
    kind = getattr(track, "kind", None)
    return (
        isinstance(track, otio.schema.Track) and kind == otio.schema.TrackKind.Video and _NAMES.fullmatch(str(getattr(track, "name", ""))) is not None
    )


def place(timeline: otio.schema.Timeline, clip: otio.schema.Clip, start: int, clock: Clock) -> otio.schema.Track:
    """Put `clip` on the first of the tracks that has room from its frame `start` on, or on a further one; returns it. Nothing else moves."""
    count = length(clip, clock.rate)
    own = [track for track in timeline.tracks if is_own(track)]
    for track in own:
        if _put(track, clip, Fraction(start), count, clock):
            return track
    names = {track.name for track in timeline.tracks}
    number = next(number for number in range(1, len(names) + 2) if _name(number) not in names)
    track = otio.schema.Track(_name(number), kind=otio.schema.TrackKind.Video)
    videos = [
        index for index, other in enumerate(timeline.tracks) if isinstance(other, otio.schema.Track) and other.kind == otio.schema.TrackKind.Video
    ]
    timeline.tracks.insert(videos[-1] + 1 if videos else 0, track)
    _put(track, clip, Fraction(start), count, clock)
    return track


def take_out(clip: otio.schema.Clip, clock: Clock) -> None:
    """Remove `clip` from its track; what lies behind it stays where it is."""
    track = clip.parent()
    assert isinstance(track, otio.schema.Track)
    index = index_in(track, clip)
    hole = length(clip, clock.rate)
    del track[index]
    if index == len(track):
        while len(track) and isinstance(track[-1], otio.schema.Gap):
            del track[-1]
        return
    behind = track[index]
    before = track[index - 1] if index > 0 else None
    if isinstance(behind, otio.schema.Gap):
        hole += length(behind, clock.rate)
        del track[index]
        if index == len(track):
            while len(track) and isinstance(track[-1], otio.schema.Gap):
                del track[-1]
            return
    if isinstance(before, otio.schema.Gap):
        set_length(before, length(before, clock.rate) + hole, clock)
    else:
        track.insert(index, new_gap(hole, clock))


def _name(number: int) -> str:
    return NAME if number == 1 else f"{NAME} {number}"


def _put(track: otio.schema.Track, clip: otio.schema.Clip, start: Fraction, count: Fraction, clock: Clock) -> bool:
    end = start_in(track, len(track), clock.rate)
    if start >= end:
        if len(track) and isinstance(track[-1], otio.schema.Transition):
            return False
        if start > end:
            track.append(new_gap(start - end, clock))
        track.append(clip)
        return True
    begin = Fraction(0)
    for index, item in enumerate(track):
        span = length(item, clock.rate)
        if isinstance(item, otio.schema.Gap) and begin <= start and start + count <= begin + span:
            beside = [track[other] for other in (index - 1, index + 1) if 0 <= other < len(track)]
            if any(isinstance(other, otio.schema.Transition) for other in beside):
                return False
            behind = begin + span - start - count
            if behind > 0:
                track.insert(index + 1, new_gap(behind, clock))
            track.insert(index + 1, clip)
            if start > begin:
                set_length(item, start - begin, clock)
            else:
                del track[index]
            return True
        begin += span
    return False
