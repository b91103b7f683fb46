"""What editors do to a timeline that nobody foresaw, in real Blender."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from host import Blender
from test_blender_placing import sample


def test_cut_and_copied_lines_are_told_apart(blender: Callable[..., Blender], tmp_path: Path) -> None:
    seen = blender(RETAKE_HOME=str(tmp_path / "none")).run("model_edges", case="copies", sample=sample(tmp_path / "take.mp4"))
    assert seen["cut"] == [["FILLED", 1, 75, 2]]  # one line in two pieces
    assert seen["copied"] == [["FILLED", 1, 75, 2], ["FILLED", 201, 30, 1]]
    assert seen["asked"] == 0
    assert seen["revised"] == [["Hello everyone.", "FILLED", 2], ["Something else.", "UNDER_WAY", 1]]
    assert seen["ids"] == 2


def test_linked_scenes_are_left_alone(blender: Callable[..., Blender], tmp_path: Path) -> None:
    seen = blender(RETAKE_HOME=str(tmp_path / "none")).run("model_edges", case="linked", folder=str(tmp_path))
    assert (seen["orders"], seen["progress"], seen["poll"], seen["still"]) == (1, 0, False, 1)


def test_odd_rates_frames_names_and_locks(blender: Callable[..., Blender], tmp_path: Path) -> None:
    seen = blender(RETAKE_HOME=str(tmp_path / "none")).run("model_edges", case="odd")
    assert seen["rates"] == ["24000/1001", "30000/1001", "60000/1001", "12", "25/2"]
    assert seen["lines"] == [[-100, True], [-20, True]]
    assert seen["reports"] == [1, 1]
    assert seen["locked"] == ["CANCELLED"]


def test_disabled_and_enabled_again_with_orders_under_way(blender: Callable[..., Blender], tmp_path: Path) -> None:
    seen = blender(RETAKE_HOME=str(tmp_path / "none")).run("model_edges", case="disabled")
    assert seen["without"] is False
    assert len(seen["asked"]) == 1
    assert seen["after"] == seen["asked"]
    assert seen["state"] == [["UNDER_WAY", 1, 75, 0]]
