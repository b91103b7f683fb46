"""Where things lie in a timeline, in whole frames at its one exact rate. OpenTimelineIO's own sums are floats; here they are fractions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import opentimelineio as otio

from .reading import TimelineError

# Rates are floats in OTIO; this close to a rate that editors know it is that rate (23.98 for 24000/1001).
_SAME_RATE = 0.006
_WHOLE = Fraction(1, 1000)  # frames; floats of other programs are that exact


def exact_rate(rate: float) -> Fraction | None:
    """The exact frame rate that a float stands for, 1 to 240; None for something else."""
    if not (math.isfinite(rate) and 1.0 <= rate <= 240.0):
        return None
    near = otio.opentime.RationalTime.nearest_smpte_timecode_rate(rate)
    if near and abs(near - rate) < _SAME_RATE:
        return Fraction(near).limit_denominator(1001)
    return Fraction(rate).limit_denominator(1001)


def frames(time: otio.opentime.RationalTime, rate: Fraction) -> Fraction:
    """`time` in frames at `rate`, exact; not always whole. Raises TimelineError (bad_times) for what is no time."""
    if not (math.isfinite(time.value) and math.isfinite(time.rate) and time.rate > 0):
        raise TimelineError(f"The timeline holds a time of {time.value:g} at {time.rate:g} frames per second.", "Export it again.", "bad_times")
    own = exact_rate(time.rate) or Fraction(time.rate).limit_denominator(1001)
    value = Fraction(time.value)
    near = Fraction(round(value))
    if abs(value - near) <= _WHOLE:
        value = near
    return value * rate / own


def whole(value: Fraction) -> int:
    """The nearest whole frame; halves upwards."""
    return math.floor(value + Fraction(1, 2))


def time_of(count: int, rate: float) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(count, rate)


def range_of(start: int, count: int, rate: float) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(time_of(start, rate), time_of(count, rate))


def length(item: otio.core.Composable, rate: Fraction) -> Fraction:
    """How long `item` is in the edit, in frames at `rate`; transitions take no time of their own. Raises TimelineError (bad_times)."""
    if isinstance(item, otio.schema.Transition):
        return Fraction(0)
    span = getattr(item, "source_range", None)
    if span is not None:
        found = frames(span.duration, rate)
        if found < 0:
            name = f"'{item.name}'" if item.name else "An item"
            raise TimelineError(f"{name} of the timeline lasts {float(found):g} frames.", "Remove it and export again.", "bad_times")
        return found
    if isinstance(item, otio.schema.Track):
        return sum((length(child, rate) for child in item), Fraction(0))
    if isinstance(item, otio.schema.Stack):
        return max((length(child, rate) for child in item), default=Fraction(0))
    try:
        return frames(item.duration(), rate)
    except (ValueError, otio.exceptions.OTIOError) as error:
        name = f"'{item.name}'" if item.name else "An item"
        raise TimelineError(f"{name} of the timeline has no duration.", "Give every clip a source range.", "bad_times") from error


def start_in(track: otio.schema.Track, index: int, rate: Fraction) -> Fraction:
    """Frame of `track` at which its item number `index` begins."""
    return sum((length(item, rate) for item in list(track)[:index]), Fraction(0))


def index_in(parent: otio.core.Composition, item: otio.core.Composable) -> int:
    """Number of `item` in `parent`: this very object, since equal ones may lie beside it."""
    for index, child in enumerate(parent):
        if child is item:
            return index
    raise ValueError("the item does not lie in its parent")


def start_of(item: otio.core.Composable, rate: Fraction) -> Fraction:
    """Frame from the timeline's start at which `item` begins, through all compound clips around it; before zero where it is cut off."""
    begin = Fraction(0)
    child = item
    while (parent := child.parent()) is not None:
        if isinstance(parent, otio.schema.Track):
            begin += start_in(parent, index_in(parent, child), rate)
        if parent.source_range is not None:
            begin -= frames(parent.source_range.start_time, rate)
        child = parent
    return begin


def before_start(stack: otio.core.Composition, rate: Fraction) -> int:
    """Frames of `stack` that lie before its first one that is shown."""
    return whole(frames(stack.source_range.start_time, rate)) if stack.source_range is not None else 0


def rates_in(track: otio.core.Composition) -> Iterable[tuple[Fraction, float]]:
    """The exact rates of a track's items, each with the float that stands for it there."""
    for item in track:
        span = getattr(item, "source_range", None)
        if span is not None and span.duration.value > 0:
            yield exact_rate(span.duration.rate) or Fraction(0), span.duration.rate


def timeline_rate(timeline: otio.schema.Timeline) -> tuple[Fraction, float] | None:
    """The one frame rate of `timeline`'s picture, exact and as its floats have it; None for a timeline without any time.

    Raises TimelineError (mixed_rates).
    """
    found: dict[Fraction, float] = {}
    for track in timeline.video_tracks():
        for exact, written in rates_in(track):
            found.setdefault(exact, written)
    if not found:
        others = [timeline.global_start_time] if timeline.global_start_time is not None else []
        others += [marker.marked_range.start_time for marker in timeline.tracks.markers]
        for time in others:
            exact = exact_rate(time.rate)
            if exact is not None:
                return exact, time.rate
        return None
    check_one_rate(found)
    return next(iter(found.items()))


def check_one_rate(rates: Iterable[Fraction]) -> None:
    """Times of different rates cannot be added, so that nobody could say where a clip begins. Raises TimelineError (mixed_rates)."""
    different = sorted(set(rates))
    if len(different) > 1:
        names = ", ".join(f"{float(rate):g}" for rate in different)
        raise TimelineError(f"The timeline mixes frame rates ({names}).", "Conform it to one rate in the editor and export it again.", "mixed_rates")
