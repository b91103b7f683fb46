"""Moving what lies behind a point of a timeline: time is opened or closed there on a track, without cutting any clip.

A clip that lies across the point stays whole, and so do clips that a dissolve joins; what lies behind them moves. Whatever could not move as it
should is returned, so that people are told.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import opentimelineio as otio

from .measuring import exact_rate, frames, length, range_of, time_of, whole


@dataclass(frozen=True)
class Clock:
    """A timeline's frame rate: exact, and the float that stands for it in its times."""

    rate: Fraction
    written: float


@dataclass(frozen=True)
class Stayed:
    """Something that did not move as it should: it lies across the point (by 0), or moved by so many frames too few."""

    item: otio.core.Composable
    by: int = 0


def move_behind(track: otio.schema.Track, point: int, change: int, clock: Clock) -> list[Stayed]:
    """Move everything of `track` behind frame `point` by `change` frames; for a negative one, the time before `point` goes.

    Gaps grow, shrink, come and go; nothing else changes.
    """
    if change == 0:
        return []
    return _open(track, point, change, clock) if change > 0 else _close(track, point, -change, clock)


def move_markers(
    stack: otio.schema.Stack, point: int, change: int, clock: Clock, *, but: otio.schema.Marker | None = None
) -> list[otio.schema.Marker]:
    """The same for the markers of a stack, but for the marker `but`. Returns those that lie across the point: they keep their length."""
    across: list[otio.schema.Marker] = []
    offset = frames(stack.source_range.start_time, clock.rate) if stack.source_range is not None else Fraction(0)
    gone = point + min(change, 0)
    for marker in stack.markers:
        if marker is but:
            continue
        span = marker.marked_range
        begin = whole(frames(span.start_time, clock.rate) - offset)
        end = begin + whole(frames(span.duration, clock.rate) if span.duration.value else Fraction(0))
        if begin >= point:
            moved = begin + change
        elif begin > gone:
            moved = gone  # it lay in the time that went
        else:
            if end > point:
                across.append(marker)
            continue
        marker.marked_range = otio.opentime.TimeRange(time_of(moved + whole(offset), clock.written), span.duration)
    return across


def set_length(item: otio.core.Item, count: Fraction, clock: Clock) -> None:
    """Make `item` last `count` frames, from where it begins."""
    if count.denominator == 1:
        start = item.source_range.start_time if item.source_range is not None else time_of(0, clock.written)
        same = exact_rate(start.rate) == clock.rate
        begin = start if same else time_of(0, clock.written)
        item.source_range = otio.opentime.TimeRange(begin, time_of(int(count), begin.rate if same else clock.written))
        return
    rate = item.source_range.duration.rate if item.source_range is not None else clock.written
    own = exact_rate(rate) or Fraction(rate).limit_denominator(1001)
    item.source_range = otio.opentime.TimeRange(
        otio.opentime.RationalTime(0, rate), otio.opentime.RationalTime(float(count * own / clock.rate), rate)
    )


def new_gap(count: Fraction | int, clock: Clock) -> otio.schema.Gap:
    gap = otio.schema.Gap(source_range=range_of(0, 0, clock.written))
    set_length(gap, Fraction(count), clock)
    return gap


def _open(track: otio.schema.Track, point: int, count: int, clock: Clock) -> list[Stayed]:
    stayed: list[Stayed] = []
    begin = Fraction(0)
    for index, item in enumerate(track):
        if isinstance(item, otio.schema.Transition):
            continue
        span = length(item, clock.rate)
        end = begin + span
        if isinstance(item, otio.schema.Gap) and end >= point:
            set_length(item, span + count, clock)
            return stayed
        if begin >= point and not (index > 0 and isinstance(track[index - 1], otio.schema.Transition)):
            track.insert(index, new_gap(count, clock))
            return stayed
        if end > point:
            stayed.append(Stayed(item, 0 if begin < point else count))
        begin = end
    return stayed


def _close(track: otio.schema.Track, point: int, count: int, clock: Clock) -> list[Stayed]:
    stayed: list[Stayed] = []
    left = Fraction(count)
    gone = point - count  # the time from here to `point` goes
    begin, index = Fraction(0), 0
    while index < len(track) and left > 0:
        item = track[index]
        if isinstance(item, otio.schema.Transition):
            index += 1
            continue
        span = length(item, clock.rate)
        end = begin + span
        if isinstance(item, otio.schema.Gap):
            usable = min(left, end - max(begin, Fraction(gone)), span - _needed(track, index, clock))
            if usable > 0:
                left -= usable
                if usable == span:
                    del track[index]
                    index -= 1
                else:
                    set_length(item, span - usable, clock)
        elif end > gone:
            stayed.append(Stayed(item, 0 if begin < point else whole(left)))
        begin = end
        index += 1
    return stayed


def _needed(track: otio.schema.Track, index: int, clock: Clock) -> Fraction:
    """Frames of a gap that transitions beside it cover; a gap that a transition needs never goes wholly."""
    out = Fraction(0)
    for item in list(track)[max(0, index - 1) : index]:
        if isinstance(item, otio.schema.Transition):
            out += max(Fraction(1), _frames(item.out_offset, clock))
    for item in list(track)[index + 1 : index + 2]:
        if isinstance(item, otio.schema.Transition):
            out += max(Fraction(1), _frames(item.in_offset, clock))
    return out


def _frames(time: otio.opentime.RationalTime | None, clock: Clock) -> Fraction:
    return frames(time, clock.rate) if time is not None else Fraction(0)
