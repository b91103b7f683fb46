"""The takes of a clip: which there are, one more, another one shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from .measuring import exact_rate, index_in, range_of, whole
from .reading import TimelineError
from .timeline import FORMAT, GENERATOR_KEY, GENERATOR_KIND, METADATA, TAKE_KEY, JsonValue, TakeMedia, generator_reference, take_reference

FILLER = "filler"  # in a gap's metadata: it stands for frames that the take before it does not have


@dataclass(frozen=True)
class TakeOfClip:
    """A take among a clip's media.

    frames: all of them; `handles` before and behind what is meant to be shown.
    seed, text: with what it was made, where the timeline says so.
    number: counts up from 1 as takes are added; 0 where that is not known.
    """

    id: str
    url: str
    frames: int
    rate: Fraction
    handles: int
    seed: int | None
    text: str | None
    number: int
    active: bool

    @property
    def slot(self) -> int:
        return self.frames - 2 * self.handles


def takes_of(clip: otio.schema.Clip) -> list[TakeOfClip]:
    """The takes of `clip`, oldest first as far as that is known."""
    out: list[TakeOfClip] = []
    active = clip.active_media_reference_key
    for key, reference in clip.media_references().items():
        own = reference.metadata.get(METADATA)
        if not isinstance(reference, otio.schema.ExternalReference) or not isinstance(own, Mapping) or not isinstance(own.get("take"), str):
            continue
        span = reference.available_range
        rate = exact_rate(span.duration.rate) if span is not None else None
        if span is None or rate is None:
            continue  # of another program's making: nothing is known of it
        seed, text = own.get("seed"), own.get("text")
        out.append(
            TakeOfClip(
                own["take"],
                reference.target_url,
                round(span.duration.value),
                rate,
                _count(own.get("handles")),
                int(seed) if isinstance(seed, int) else None,
                text if isinstance(text, str) else None,
                _count(own.get("number")),
                key == active,
            )
        )
    return sorted(out, key=lambda take: (take.number, take.id))


def add_take(clip: otio.schema.Clip, take: TakeMedia, *, line: str, parameters: Mapping[str, JsonValue], start: int, count: int) -> None:
    """Give `clip` one more take and show it: `count` frames of it from frame `start` on.

    All other media references, effects and metadata stay. Markers of clips count in the media's time, so they move with it.

    Args:
        line: the line's id.
        parameters: everything needed to make the take again, as plain JSON; other parameters of the generator reference stay.
    """
    references = dict(clip.media_references())
    numbers = {known.id: known.number for known in takes_of(clip)}
    number = numbers.get(take.id) or max(numbers.values(), default=0) + 1
    before: dict[str, JsonValue] = {}
    for key, reference in list(references.items()):
        if isinstance(reference, otio.schema.GeneratorReference) and reference.generator_kind == GENERATOR_KIND:
            before |= plain(reference.parameters)
            del references[key]
    references[GENERATOR_KEY] = generator_reference(line, {**before, **parameters}, take)
    made = take_reference(take)
    made.metadata[METADATA]["number"] = number
    key = TAKE_KEY.format(id=take.id)
    references[key] = made
    show(clip, start, count)
    clip.set_media_references(references, key)
    own = clip.metadata.get(METADATA)
    clip.metadata[METADATA] = {**(plain(own) if isinstance(own, Mapping) else {}), "format": FORMAT, "line": line}


def switch_take(clip: otio.schema.Clip, identifier: str) -> list[str]:
    """Show the take with that id. The clip keeps its place, and its length as far as the take reaches; what was trimmed by hand stays trimmed.

    Returns sentences about what could not be done. Raises TimelineError (unknown_take), naming the takes that there are.
    """
    known = {take.id: take for take in takes_of(clip)}
    if identifier not in known:
        names = ", ".join(known) or "none"
        raise TimelineError(f"'{clip.name}' has no take '{identifier}'.", f"Its takes: {names}.", "unknown_take")
    chosen = known[identifier]
    shown = clip.trimmed_range()
    rate = shown.duration.rate
    held = round(shown.duration.value)
    current = next((take for take in known.values() if take.active), None)
    trimmed = round(shown.start_time.value) - (current.handles if current is not None else round(shown.start_time.value))
    wanted = held + _filler_behind(clip)
    count = min(wanted, chosen.frames)
    start = min(max(0, chosen.handles + trimmed), chosen.frames - count)
    show(clip, start, count)
    clip.active_media_reference_key = TAKE_KEY.format(id=identifier)
    _fill_behind(clip, wanted - count, rate)
    if count == wanted:
        return []
    return [f"The take is {wanted - count} frames shorter than its place: a gap of that length follows, and nothing behind it moves."]


def show(clip: otio.schema.Clip, start: int, count: int) -> None:
    """Have `clip` show `count` frames of its media from frame `start` on; its markers stay where they are in the edit."""
    shown = clip.trimmed_range()
    rate = shown.duration.rate
    moved_by = start - shown.start_time.value_rescaled_to(rate)
    for marker in clip.markers:
        old = marker.marked_range
        begin = old.start_time.value + otio.opentime.RationalTime(moved_by, rate).value_rescaled_to(old.start_time.rate)
        marker.marked_range = otio.opentime.TimeRange(otio.opentime.RationalTime(begin, old.start_time.rate), old.duration)
    clip.source_range = range_of(start, count, rate)


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """The library's dictionaries as Python's."""
    return {str(name): _plain_value(item) for name, item in value.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain(value)
    return [_plain_value(item) for item in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e9 else 0


def _behind(clip: otio.schema.Clip) -> tuple[otio.schema.Track | None, int, otio.schema.Gap | None]:
    """The clip's track, its number there, and the gap behind it that is ours."""
    track = clip.parent()
    if not isinstance(track, otio.schema.Track):
        return None, 0, None
    index = index_in(track, clip)
    for behind in list(track)[index + 1 : index + 2]:
        if isinstance(behind, otio.schema.Gap):
            own = behind.metadata.get(METADATA)
            return track, index, behind if isinstance(own, Mapping) and own.get(FILLER) is True else None
    return track, index, None


def _filler_behind(clip: otio.schema.Clip) -> int:
    gap = _behind(clip)[2]
    return whole(Fraction(gap.source_range.duration.value)) if gap is not None and gap.source_range is not None else 0


def _fill_behind(clip: otio.schema.Clip, count: int, rate: float) -> None:
    track, index, gap = _behind(clip)
    if track is None:
        return
    if gap is not None:
        del track[index + 1]
    if count > 0:
        track.insert(index + 1, otio.schema.Gap(source_range=range_of(0, count, rate), metadata={METADATA: {FILLER: True}}))
