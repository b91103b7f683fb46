"""A timeline with everything that the convention knows, for tests of formats."""

from __future__ import annotations

import copy
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from retake_otio import GENERATOR_KEY, GENERATOR_KIND, TakeMedia, line_clip

Time, Range = otio.opentime.RationalTime, otio.opentime.TimeRange


def span(start: float, frames: float, rate: float) -> otio.opentime.TimeRange:
    return Range(Time(start, rate), Time(frames, rate))


def placeholder(line: str, rate: float, frames: int = 50, **parameters: object) -> otio.schema.Clip:
    clip = otio.schema.Clip("waits", source_range=span(0, frames, rate), metadata={"retake": {"format": 1, "line": line}})
    generator = otio.schema.GeneratorReference(generator_kind=GENERATOR_KIND, parameters=parameters, available_range=span(0, frames, rate))
    clip.set_media_references({GENERATOR_KEY: generator}, GENERATOR_KEY)
    return clip


def edit(folder: Path, rate: Fraction = Fraction(25), *, files: bool = True) -> otio.schema.Timeline:
    """A filled clip with three takes of which the second shows, trimmed by its handles and marked; a placeholder; footage with its own timecode;
    a second track with the same clip again; a line in a marker of the timeline."""
    r = float(rate)
    paths = {name: folder / f"täke {name}'s.mp4" for name in "abc"} | {"footage": folder / "footage.mov"}
    for name, path in paths.items():
        if files:
            path.write_bytes(name.encode())
    takes = [TakeMedia(name, paths[name], 90, rate, {"synthetic": True}) for name in "abc"]
    parameters = {"text": 'It\'s Ünïcode <&> "quoted"', "speaker": "anna", "seed": 3}
    filled = line_clip(line_id="id-1", name='It\'s Ünïcode "<&>"', parameters=parameters, takes=takes, active="b")
    filled.source_range = span(10, 60, r)
    filled.metadata["other"] = {"a": [1, {"b": None}]}
    filled.markers.append(
        otio.schema.Marker("note", span(20, 5, r), color=otio.schema.MarkerColor.GREEN, metadata={"x": 1}, comment="A comment, with ünïcode.")
    )
    footage = otio.schema.Clip("footage", otio.schema.ExternalReference(str(paths["footage"]), span(86400, 200, r)), span(86412, 40, r))
    timeline = otio.schema.Timeline("cut ä", global_start_time=Time(round(3600 * rate), r), metadata={"keep": {"me": 1}})
    gap = otio.schema.Gap(source_range=span(0, 29, r))
    timeline.tracks.append(otio.schema.Track("Pictures", [gap, filled, placeholder("id-2", r, text="Later.", speaker="ben"), footage]))
    timeline.tracks.append(otio.schema.Track("Over", [otio.schema.Gap(source_range=span(0, 100, r)), copy.deepcopy(filled)]))
    marker = otio.schema.Marker("@anna: From a marker.", span(40, 20, r), metadata={"retake": {"line": "id-3"}})
    timeline.tracks.markers.append(marker)
    return timeline
