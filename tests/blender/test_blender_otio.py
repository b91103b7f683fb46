"""The timeline out to OpenTimelineIO and back, by the zip as users install it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import opentimelineio as otio
from host import Blender
from test_blender_placing import sample

from retake_otio.lines import find_lines


def test_there_and_back(blender: Callable[..., Blender], tmp_path: Path) -> None:
    samples = {
        "plain": sample(tmp_path / "plain.mp4", rate="30000/1001"),
        "handles": sample(tmp_path / "handles.mp4", rate="30000/1001", handles=12),
    }
    seen: dict[str, Any] = blender().run("model_otio", case="there_and_back", samples=samples, folder=str(tmp_path), seconds=90)
    assert seen["said"] == ["'plain colour' (color) has no counterpart in OpenTimelineIO and was left out."]
    assert seen["ids"] is True
    assert seen["rate"] == "30000/1001"
    # The first frame of the edit was 1 and is 1 again.
    assert [line[:5] for line in seen["lines"]] == [["TEXT", "FILLED", 31, 75, 2], ["TEXT", "EMPTY", 121, 50, 0], ["MARKER", "EMPTY", 201, 40, 0]]
    assert seen["lines"][2][5] == ("A marker's line, " * 8).strip()
    assert seen["picture"][1:] == [31, 106, 19]
    assert seen["takes"] == [["plain", 0, 0], ["handles", 3, 12]]
    assert seen["shown"] == "handles"
    assert seen["came"][1:] == ["2 clips that are no lines were left out."]  # the other movie, and the sound

    timeline = otio.adapters.read_from_file(str(tmp_path / "edit.otio"))
    assert timeline.global_start_time.value == 1
    lines = find_lines(timeline)
    assert [(line.start, line.frames, line.state) for line in lines] == [(30, 75, "filled"), (120, 50, "missing"), (200, 40, "missing")]
    assert lines[0].clip is not None
    assert lines[0].clip.source_range.start_time.value == 12


def test_dissolves_there_and_back(blender: Callable[..., Blender], tmp_path: Path) -> None:
    made = sample(tmp_path / "handles.mp4", handles=12)
    seen: dict[str, Any] = blender().run("model_otio", case="dissolves", sample=made, folder=str(tmp_path), seconds=90)
    assert [sentence for sentence in seen["said"] if "cross" in sentence] == ["'far' (cross) has no counterpart in OpenTimelineIO and was left out."]
    assert seen["after"] == seen["before"]
    assert seen["crosses"] == [[72, 81, "l1", "l2"]]
    assert not any("transition" in sentence for sentence in seen["came"])

    timeline = otio.adapters.read_from_file(str(tmp_path / "mixed.otio"))
    (transition,) = [child for child in timeline.find_children() if isinstance(child, otio.schema.Transition)]
    assert (transition.in_offset.value, transition.out_offset.value) == (4, 5)
    assert [(line.start, line.frames) for line in find_lines(timeline)] == [(0, 75), (75, 75), (310, 50)]


def test_what_cannot_be_read_is_refused(blender: Callable[..., Blender], tmp_path: Path) -> None:
    seen = blender().run("model_otio", case="refusals", folder=str(tmp_path), seconds=90)
    assert seen["strips"] == 0
    assert all(len(seen[name]) == 2 and all(seen[name]) for name in ("bad.otio", "a.doc", "absent.otio"))
    assert seen["srt"] == [[126, 50, "Hello there."]]
    assert "could not be written" in seen["nowhere"]
