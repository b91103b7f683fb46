"""What stages tell about themselves, and how they learn that they should stop."""

from __future__ import annotations

import pytest

from retake.domain.errors import Cancelled
from retake.domain.progress import Progress


def test_frames_are_a_fraction_and_a_count_of_the_stage() -> None:
    told: list[tuple[str, float, str]] = []

    def listen(stage: str, fraction: float, detail: str) -> None:
        told.append((stage, fraction, detail))

    progress = Progress(listen)
    progress.stage("Rendering")
    progress.frames(30, 120, "30 frames")
    assert progress.done_frames == 30
    assert told == [("Rendering", 0.0, ""), ("Rendering", 0.25, "30 frames")]
    progress.stage("Measuring")
    assert progress.done_frames == 0


def test_nobody_may_know_how_many_frames_there_are() -> None:
    told: list[float] = []

    def listen(stage: str, fraction: float, detail: str) -> None:
        told.append(fraction)

    Progress(listen).frames(30, 0)
    assert told == [0.0]


@pytest.mark.parametrize("safe_point", ["check", "stage", "report", "frames"])
def test_every_word_is_a_safe_point(safe_point: str) -> None:
    progress = Progress()
    progress.cancel()
    arguments = {"check": (), "stage": ("Rendering",), "report": (0.5,), "frames": (1, 2)}[safe_point]
    with pytest.raises(Cancelled):
        getattr(progress, safe_point)(*arguments)
