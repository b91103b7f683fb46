"""Timelines of takes: clips that know both how their picture is made and where it has been made.

A clip carries two kinds of media references under their own keys: a GeneratorReference that describes the line (so that it can be made
again), and one ExternalReference for each take. The active key chooses what editors show. The generator reference stays after rendering.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

GENERATOR_KIND = "retake.line"
GENERATOR_KEY = "retake_line"
TAKE_KEY = "take_{id}"
METADATA = "retake"
FORMAT = 1  # of the metadata; readers refuse newer ones

JsonValue = str | int | float | bool | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


@dataclass(frozen=True)
class TakeMedia:
    """A rendered take on the disk: `frames` frames at exactly `rate`, numbered from 0. `handles` of them lie before and as many behind its slot."""

    id: str
    path: Path
    frames: int
    rate: Fraction
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    handles: int = 0

    @property
    def slot(self) -> int:
        """Frames that a timeline shows, from frame number `handles` on."""
        return self.frames - 2 * self.handles


def line_clip(
    *,
    line_id: str,
    name: str,
    parameters: Mapping[str, JsonValue],
    takes: Sequence[TakeMedia],
    active: str | None = None,
) -> otio.schema.Clip:
    """A clip for one line of a script.

    Args:
        line_id: identifies the line for as long as the timeline lives, however its text changes.
        name: shown by editors, usually the beginning of the text.
        parameters: everything needed to make the line again (text, speaker, seed, ...), as plain JSON.
        takes: at least one, oldest first, all at the same rate.
        active: id of the take to show; the last one if not given.

    Raises ValueError for no takes, mixed rates or an unknown active take.
    """
    if not takes:
        raise ValueError("a line needs a take to be put on a timeline")
    rates = {take.rate for take in takes}
    if len(rates) > 1:
        raise ValueError(f"the takes of one line must have one frame rate, not {', '.join(sorted(map(str, rates)))}")
    by_id = {take.id: take for take in takes}
    chosen = takes[-1].id if active is None else active
    if chosen not in by_id:
        raise ValueError(f"there is no take '{chosen}'; known takes are {', '.join(by_id)}")
    references: dict[str, otio.core.MediaReference] = {GENERATOR_KEY: generator_reference(line_id, parameters, by_id[chosen])}
    for take in takes:
        references[TAKE_KEY.format(id=take.id)] = take_reference(take)
    clip = otio.schema.Clip(name=name, source_range=slot_range(by_id[chosen]), metadata={METADATA: {"format": FORMAT, "line": line_id}})
    clip.set_media_references(references, TAKE_KEY.format(id=chosen))
    return clip


def build_timeline(name: str, clips: Sequence[otio.schema.Clip], metadata: Mapping[str, JsonValue] | None = None) -> otio.schema.Timeline:
    """A timeline with `clips` one after the other on one video track, starting at frame 0.

    Raises ValueError for clips of different frame rates: adding their times would silently give nonsense.
    """
    rates = {clip.source_range.duration.rate for clip in clips if clip.source_range is not None}
    if len(rates) > 1:
        raise ValueError(f"all clips of a timeline must have one frame rate, not {', '.join(str(rate) for rate in sorted(rates))}")
    track = otio.schema.Track(name="Lines", kind=otio.schema.TrackKind.Video, children=list(clips))
    timeline = otio.schema.Timeline(name=name, metadata={METADATA: {"format": FORMAT, **dict(metadata or {})}})
    if rates:
        timeline.global_start_time = otio.opentime.RationalTime(0, rates.pop())
    timeline.tracks.append(track)
    return timeline


def write_timeline(path: Path, timeline: otio.schema.Timeline) -> None:
    """Write native OpenTimelineIO JSON to `path` (which callers make appear atomically); raises OSError."""
    path.write_text(otio.adapters.write_to_string(timeline, adapter_name="otio_json", indent=2) + "\n", encoding="utf-8", newline="\n")


def line_id(clip: otio.schema.Clip) -> str | None:
    """The line that `clip` shows, or None for a clip of somebody else's."""
    own = clip.metadata.get(METADATA)
    return str(own["line"]) if isinstance(own, Mapping) and "line" in own else None


def line_parameters(clip: otio.schema.Clip) -> dict[str, Any] | None:
    """What the line's generator reference asks for, or None for a clip of somebody else's."""
    reference = clip.media_references().get(GENERATOR_KEY)
    if not isinstance(reference, otio.schema.GeneratorReference) or reference.generator_kind != GENERATOR_KIND:
        return None
    return {str(name): value for name, value in reference.parameters.items()}


def generator_reference(line: str, parameters: Mapping[str, JsonValue], take: TakeMedia) -> otio.schema.GeneratorReference:
    """How the line is made, as long as `take`."""
    return otio.schema.GeneratorReference(
        name="retake line",
        generator_kind=GENERATOR_KIND,
        available_range=_range(take),  # importers refuse references without one
        parameters=dict(parameters),
        metadata={METADATA: {"format": FORMAT, "line": line}},
    )


def take_reference(take: TakeMedia) -> otio.schema.ExternalReference:
    """Where the take is."""
    return otio.schema.ExternalReference(
        # A plain absolute path: editors that import timelines look for exactly this file; a file:// address with escaped spaces is not found by all.
        target_url=take.path.absolute().as_posix(),
        available_range=_range(take),
        metadata={METADATA: {"format": FORMAT, "take": take.id, **({"handles": take.handles} if take.handles else {}), **dict(take.metadata)}},
    )


def slot_range(take: TakeMedia) -> otio.opentime.TimeRange:
    """What a clip shows of the take: all of it but the handles."""
    rate = float(take.rate)
    return otio.opentime.TimeRange(otio.opentime.RationalTime(take.handles, rate), otio.opentime.RationalTime(take.slot, rate))


def _range(take: TakeMedia) -> otio.opentime.TimeRange:
    rate = float(take.rate)
    return otio.opentime.TimeRange(otio.opentime.RationalTime(0, rate), otio.opentime.RationalTime(take.frames, rate))
