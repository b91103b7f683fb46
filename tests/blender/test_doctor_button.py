"""The doctor in Blender, where no daemon is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from host import Blender


def test_the_doctor_names_what_is_wrong(blender: Callable[..., Blender], tmp_path: Path) -> None:
    answer = blender(RETAKE_HOME=str(tmp_path / "nothing")).run("doctor")
    assert answer["operator"] == ["FINISHED"]
    assert "The doctor is looking" in answer["running"]
    bad = [finding for finding in answer["findings"] if finding[1] == "BAD"]
    assert bad, answer
    assert all(remedy for _, _, _, remedy in bad)
    assert "Doctor: " in answer["drawn"]
