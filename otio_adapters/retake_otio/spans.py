"""Times of a whole timeline at once: which rates it uses, moving all of them, and what lies where."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import unquote, urlsplit

import opentimelineio as otio

from .measuring import exact_rate
from .reading import TimelineError

RationalTime = otio.opentime.RationalTime
TimeRange = otio.opentime.TimeRange


@dataclass(frozen=True)
class Laid:
    """One clip as it lies in the edit, in whole frames of the timeline's rate."""

    kind: str  # of the track
    start: int  # in the timeline
    frames: int
    media: str  # path or address, empty without media
    source: int  # first frame shown, counted from the media's first one


def span(start: float, frames: float, rate: float) -> otio.opentime.TimeRange:
    return TimeRange(RationalTime(start, rate), RationalTime(frames, rate))


def items_of(timeline: otio.schema.Timeline) -> Iterator[otio.core.Composable]:
    """Everything in the tracks, the tracks included."""
    yield timeline.tracks
    yield from timeline.tracks.find_children()


def rates_of(timeline: otio.schema.Timeline) -> set[Fraction]:
    """The exact frame rates at which something of the edit is cut (ranges of media are not counted); 0 stands for what is no frame rate."""
    out: set[Fraction] = set()
    for item in items_of(timeline):
        times: list[otio.opentime.RationalTime] = []
        if isinstance(item, otio.core.Item) and item.source_range is not None:
            times = [item.source_range.duration]
        elif isinstance(item, otio.schema.Clip):
            times = [item.available_range().duration] if item.media_reference.available_range is not None else []
        elif isinstance(item, otio.schema.Transition):
            times = [time for time in (item.in_offset, item.out_offset) if time.value]
        out |= {exact_rate(time.rate) or Fraction(0) for time in times if time.value > 0}
    if timeline.global_start_time is not None and timeline.global_start_time.value:
        out.add(exact_rate(timeline.global_start_time.rate) or Fraction(0))
    return out


def rate_of(timeline: otio.schema.Timeline) -> Fraction:
    """The one frame rate of a timeline. Raises TimelineError (mixed_rates, no_rate)."""
    rates = rates_of(timeline)
    if len(rates) > 1:
        names = ", ".join(f"{float(rate):g}" for rate in sorted(rates))
        raise TimelineError(f"The timeline mixes frame rates ({names}).", "Conform it to one rate in the editor and export it again.", "mixed_rates")
    found = next(iter(rates), Fraction(0))
    if not found:
        raise TimelineError("The timeline has no clip with a duration, or no frame rate.", "Put clips with a duration into it.", "no_rate")
    return found


def map_times(timeline: otio.schema.Timeline, change: Callable[[otio.opentime.RationalTime], otio.opentime.RationalTime]) -> None:
    """Replace every time of `timeline`, those of markers, transitions and media included, by what `change` makes of it."""

    def changed(old: otio.opentime.TimeRange) -> otio.opentime.TimeRange:
        return TimeRange(change(old.start_time), change(old.duration))

    if timeline.global_start_time is not None:
        timeline.global_start_time = change(timeline.global_start_time)
    for item in items_of(timeline):
        if isinstance(item, otio.schema.Transition):
            item.in_offset, item.out_offset = change(item.in_offset), change(item.out_offset)
            continue
        if not isinstance(item, otio.core.Item):
            continue
        if item.source_range is not None:
            item.source_range = changed(item.source_range)
        for marker in item.markers:
            marker.marked_range = changed(marker.marked_range)
        if isinstance(item, otio.schema.Clip):
            references = item.media_references()
            for reference in references.values():
                if reference.available_range is not None:
                    reference.available_range = changed(reference.available_range)
            item.set_media_references(references, item.active_media_reference_key)


def relabel(timeline: otio.schema.Timeline, rate: float) -> None:
    """Call the frames of `timeline`, which stay the same ones, frames of `rate`."""

    def change(time: otio.opentime.RationalTime) -> otio.opentime.RationalTime:
        return RationalTime(time.value, rate)

    map_times(timeline, change)


def to_rate(timeline: otio.schema.Timeline, rate: Fraction) -> None:
    """Say every time in frames of `rate`: those of media at other rates too, and rates that were written as 29.97 exactly."""

    def change(time: otio.opentime.RationalTime) -> otio.opentime.RationalTime:
        if exact_rate(time.rate) == rate or not time.rate:
            return RationalTime(time.value, float(rate))
        return RationalTime(time.value * float(rate) / time.rate, float(rate))

    map_times(timeline, change)


def layout(timeline: otio.schema.Timeline) -> list[Laid]:
    """What lies where, in the order of tracks and times."""
    out: list[Laid] = []
    for track in timeline.tracks:
        for clip in track.find_clips():
            where = clip.transformed_time_range(clip.trimmed_range(), timeline.tracks)
            reference = clip.media_reference
            address = reference.target_url if isinstance(reference, otio.schema.ExternalReference) else ""
            first = clip.trimmed_range().start_time.value
            if reference.available_range is not None:
                begin = reference.available_range.start_time
                first -= begin.rescaled_to(clip.trimmed_range().start_time.rate).value
            kind = str(track.kind)
            out.append(Laid(kind, _whole(where.start_time.value), _whole(where.duration.value), local_path(address), _whole(first)))
    return sorted(out, key=_place)


def local_path(address: str) -> str:
    """The path that a file:// address or a plain path names; other addresses as they are."""
    parts = urlsplit(address)
    if parts.scheme.lower() != "file":
        return address
    path = unquote(parts.path)
    if len(path) > 2 and path[0] == "/" and path[2] == ":":  # file:///C:/...
        path = path[1:]
    return path if parts.netloc in {"", "localhost"} else f"//{parts.netloc}{path}"


def _whole(value: float) -> int:
    return math.floor(value + 0.5)


def _place(laid: Laid) -> tuple[str, int, int, str, int]:
    return laid.kind, laid.start, laid.frames, laid.media, laid.source
