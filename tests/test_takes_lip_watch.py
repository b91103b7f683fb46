"""Lips are watched while the frames pass: nothing is lost on the way, and closures are found where they are."""

from __future__ import annotations

import json
from collections.abc import Generator
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from retake.domain.phones import FROM_MISAKI, SILENCE
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.timing import Phone, Timing
from retake.domain.track import FaceTrack
from retake.media.reader import read_frames
from retake.speakers.track import track_faces
from retake.takes.lip_watch import MOST, LipWatch
from retake.takes.standard import OwnMouth

RATE = FrameRate(25)
PRESENTER = Path(str(resources.files("retake") / "assets" / "presenter"))
SECONDS = 4.0


def presenter_timing() -> Timing:
    entries = json.loads((PRESENTER / "phones.json").read_text("utf-8"))["phones"]
    return Timing(tuple(Phone(FROM_MISAKI.get(e["phone"], (SILENCE,))[0], e["start"], e["end"]) for e in entries if e["start"] < SECONDS), ())


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    return list(read_frames(PRESENTER / "presenter.mp4", seconds=SECONDS))


@pytest.fixture(scope="module")
def track() -> FaceTrack:
    whole = track_faces(PRESENTER / "presenter.mp4", RATE, Progress())
    count = round(SECONDS * 25)
    return FaceTrack(whole.landmarks[:count], whole.blendshapes[:count], whole.faces[:count], RATE, whole.width, whole.height)


def test_the_presenters_own_closures_are_seen_and_every_frame_comes_through(frames: list[np.ndarray], track: FaceTrack) -> None:
    timing = presenter_timing()
    watch = LipWatch(timing, RATE, len(frames), own=OwnMouth.of(track, timing))
    passed = list(watch.through(iter(frames)))
    assert len(passed) == len(frames)
    assert all(a is b for a, b in zip(passed, frames, strict=True))
    figures = watch.figures()
    assert figures["closures_seen"] == sum(p.symbol in {"P", "B", "M"} for p in timing.phones)
    assert figures["lips_closed"] is not None
    assert figures["lips_closed"] >= 0.8


def test_open_lips_are_told_from_closed_ones(frames: list[np.ndarray], track: FaceTrack) -> None:
    """The frame with the widest mouth, shown throughout: no closure is left."""
    timing = presenter_timing()
    widest = int(np.linalg.norm(track.landmarks[:, 13] - track.landmarks[:, 14], axis=1).argmax())
    watch = LipWatch(timing, RATE, len(frames), own=OwnMouth.of(track, timing))
    for _ in watch.through(frames[widest] for _ in frames):
        pass
    assert watch.figures()["lips_closed"] == 0.0


def test_without_closures_nothing_is_measured(frames: list[np.ndarray], track: FaceTrack) -> None:
    watch = LipWatch(Timing((Phone("AA", 0.0, 1.0),), ()), RATE, 5, own=OwnMouth.of(track, presenter_timing()))
    assert len(list(watch.through(iter(frames[:5])))) == 5
    assert watch.figures() == {"lips_closed": None, "closures_seen": 0}


def test_a_long_take_is_sampled(track: FaceTrack) -> None:
    timing = Timing(tuple(Phone("M" if i % 2 else "AA", i * 0.1, (i + 1) * 0.1) for i in range(2000)), ())
    watch = LipWatch(timing, RATE, 5000, own=OwnMouth.of(track, presenter_timing()))
    wanted = watch.wanted
    assert 0 < len(wanted) <= MOST
    assert min(wanted) < 50
    assert max(wanted) > 4900


def test_giving_up_closes_what_is_behind(track: FaceTrack) -> None:
    closed: list[bool] = []

    def source() -> Generator[np.ndarray, None, None]:
        try:
            while True:
                yield np.zeros((8, 8, 3), np.uint8)
        finally:
            closed.append(True)

    watch = LipWatch(presenter_timing(), RATE, 100, own=OwnMouth.of(track, presenter_timing()))
    through = watch.through(source())
    next(through)
    through.close()
    assert closed == [True]
