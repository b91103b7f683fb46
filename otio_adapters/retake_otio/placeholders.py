"""Placeholders: clips of a timeline that say which line belongs there, and how a take is put into their place.

A clip is a placeholder if one of these asks for a line:
* a GeneratorReference of kind "retake.line" among its media references, with the line as its parameters;
* `metadata["retake"]` of the clip, with "text" or "audio", if the clip shows no other media;
* `metadata["retake"]` of one of its markers, with "text" or "audio", unless the marker itself is script text (then see `lines`).
A marker counts more than the clip, and the clip more than the generator reference, since that is what people and scripts edit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeGuard

import opentimelineio as otio

from retake_client.convention import read_marker

from .clip_takes import add_take
from .measuring import check_one_rate, exact_rate, rates_in
from .reading import TimelineError
from .timeline import FORMAT, GENERATOR_KIND, METADATA, JsonValue, TakeMedia

# What a placeholder may say about its line, and of which type it is.
WORDS = {"text": str, "audio": str, "speaker": str, "style": str, "language": str, "voice_engine": str, "lips_engine": str, "conform": str}
NUMBERS = {"seed": int, "width": int, "height": int}
MOST = 10_000  # placeholders in one timeline
EXAMPLE = 'a clip with a duration and the metadata {"retake": {"text": "Hello there.", "speaker": "anna"}}'


@dataclass(frozen=True)
class Placeholder:
    """A clip that waits for a take.

    key: tells it from the others of its timeline, as long as that does not change.
    label: what people call it, for messages.
    wants: what it says about its line (the names of WORDS and NUMBERS), as far as it says something.
    line: the line's id, if it has one.
    frames, rate: how long it is in the edit.
    """

    key: str
    clip: otio.schema.Clip
    label: str
    wants: dict[str, str | int]
    line: str | None
    frames: int
    rate: Fraction


def find_placeholders(timeline: otio.schema.Timeline) -> list[Placeholder]:
    """The placeholders of `timeline`, those of the first track first; hold on to the timeline while using them.

    Raises TimelineError: no_placeholders, too_many_lines, mixed_rates, bad_placeholder (naming the clip).
    """
    out = [found for number, clip in enumerate(timeline.find_clips(), 1) if (found := placeholder_of(clip, number)) is not None]
    if not out:
        raise TimelineError("No clip of the timeline asks for a line.", f"A placeholder is {EXAMPLE}.", "no_placeholders")
    if len(out) > MOST:
        raise TimelineError(f"The timeline has {len(out)} placeholders.", f"Fill at most {MOST} at once.", "too_many_lines")
    _check_rates(out)
    return out


def fill_placeholder(placeholder: Placeholder, take: TakeMedia, *, line: str, parameters: Mapping[str, JsonValue]) -> None:
    """Put `take` into the place of `placeholder`, as its active media.

    The clip keeps its length, place, effects, markers, other media references and takes. It then shows the take from its first frame, so its
    markers, which count in the media's time, move with it.

    Args:
        line: the line's id.
        parameters: everything needed to make the take again, as plain JSON; other parameters of the generator reference stay.

    Raises TimelineError (take_does_not_match) for a take that is not as long as the placeholder.
    """
    if (take.slot, take.rate) != (placeholder.frames, placeholder.rate):
        raise does_not_match(placeholder.label, placeholder.frames, placeholder.rate, take)
    add_take(placeholder.clip, take, line=line, parameters=parameters, start=take.handles, count=take.slot)


def does_not_match(label: str, count: int, rate: Fraction, take: TakeMedia) -> TimelineError:
    """A take that is not as long as its place."""
    return TimelineError(
        f"{label} lasts {count} frames at {rate}, and its take {take.slot} at {take.rate}.",
        "The timeline changed meanwhile: fill it again.",
        "take_does_not_match",
    )


def placeholder_of(clip: otio.schema.Clip, number: int) -> Placeholder | None:
    """The placeholder that clip `number` of its timeline is, or None. Raises TimelineError (bad_placeholder, newer_timeline)."""
    label = f"Clip '{clip.name}'" if clip.name.strip() else f"Clip {number}"
    wants, asks = _wants(clip, label)
    if not asks:
        return None
    frames, rate = _length(clip, label)
    own = clip.metadata.get(METADATA)
    return Placeholder(f"{number:05d}", clip, label, wants, line_of(own) if isinstance(own, Mapping) else None, frames, rate)


def _wants(clip: otio.schema.Clip, label: str) -> tuple[dict[str, str | int], bool]:
    """What the clip says about its line, and whether it asks for one."""
    references = clip.media_references().values()
    generators = [reference for reference in references if _is_line(reference)]
    sources: list[Mapping[str, Any]] = [reference.parameters for reference in generators[:1]]
    asks = bool(sources)
    own = clip.metadata.get(METADATA)
    if isinstance(own, Mapping):
        check_format(own, label)
        sources.append(own)
        shown = clip.media_reference
        asks |= names_line(own) and isinstance(shown, otio.schema.MissingReference | otio.schema.GeneratorReference | None)
    marked = [marker.metadata[METADATA] for marker in clip.markers if METADATA in marker.metadata and not _is_script(marker)]
    # Script text makes the marker itself a line (see lines.find_lines).
    lines = [content for content in marked if isinstance(content, Mapping) and names_line(content)]
    if len(lines) > 1:
        raise TimelineError(f"{label} has {len(lines)} markers with a line.", "Keep one, or cut the clip between them.", "bad_placeholder")
    wants: dict[str, str | int] = {}
    for source in [*sources, *lines]:
        wants |= read_wants(source, label)
    return wants, asks or bool(lines)


def _is_line(reference: otio.core.MediaReference) -> TypeGuard[otio.schema.GeneratorReference]:
    return isinstance(reference, otio.schema.GeneratorReference) and reference.generator_kind == GENERATOR_KIND


def _is_script(marker: otio.schema.Marker) -> bool:
    script = read_marker(marker.name, marker.comment)
    return script is not None and bool(script.text)


def names_line(content: Mapping[str, Any]) -> bool:
    return content.get("text") is not None or content.get("audio") is not None


def check_format(content: Mapping[str, Any], label: str) -> None:
    version = content.get("format", FORMAT)
    if not isinstance(version, int | float) or version > FORMAT:
        raise TimelineError(f"{label} was written by a newer version of Retake.", "Update Retake.", "newer_timeline")


def read_wants(source: Mapping[str, Any], label: str) -> dict[str, str | int]:
    """The known names of `source`; others are somebody else's."""
    out: dict[str, str | int] = {}
    for name, kind in (*WORDS.items(), *NUMBERS.items()):
        value: Any = source.get(name)
        if value is None:
            continue
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)  # programs that know only one kind of number
        if not isinstance(value, kind) or isinstance(value, bool):
            meant = "number" if kind is int else "text"
            raise TimelineError(f"{label}: '{name}' is no {meant}.", f"Write it as in {EXAMPLE}.", "bad_placeholder")
        out[name] = value
    return out


def line_of(said: Mapping[str, Any]) -> str | None:
    """The id in the metadata of a clip or marker, if there is one."""
    found = said.get("line")
    return found if isinstance(found, str) and 0 < len(found) <= 64 and found.isprintable() else None


def _length(clip: otio.schema.Clip, label: str) -> tuple[int, Fraction]:
    """How long the clip is in the edit: whole frames, and their exact rate."""
    for effect in clip.effects:
        if isinstance(effect, otio.schema.TimeEffect) and getattr(effect, "time_scalar", 1.0) != 1.0:
            raise TimelineError(f"{label} is shown at another speed.", "Remove the change of speed.", "bad_placeholder")
    try:
        duration = clip.trimmed_range().duration
    except (ValueError, otio.exceptions.OTIOError) as error:
        raise TimelineError(f"{label} has no duration.", "Give the clip a source range.", "bad_placeholder") from error
    rate = exact_rate(duration.rate)
    if rate is None:
        raise TimelineError(f"{label} has the frame rate {duration.rate:g}.", "Use 1 to 240 frames per second.", "bad_placeholder")
    if not math.isfinite(duration.value) or abs(duration.value - round(duration.value)) > 1e-3 or round(duration.value) < 1:
        raise TimelineError(f"{label} lasts {duration.value:g} frames.", "Give it a whole number of frames.", "bad_placeholder")
    return round(duration.value), rate


def _check_rates(placeholders: Iterable[Placeholder]) -> None:
    """Times of different rates cannot be added, so that nobody could say where a clip begins."""
    rates: set[Fraction] = set()
    seen: list[otio.core.Composition] = []
    for placeholder in placeholders:
        rates.add(placeholder.rate)
        track = placeholder.clip.parent()
        if track is None or any(track is known for known in seen):
            continue
        seen.append(track)
        rates.update(exact for exact, _ in rates_in(track))
    check_one_rate(rates)
