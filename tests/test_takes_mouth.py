"""Figures of a moving mouth, on mouths whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest

from retake.domain.phones import SILENCE
from retake.domain.rate import FrameRate
from retake.domain.timing import Phone, Timing
from retake.face.canonical import INDEX, INNER_LOWER, INNER_UPPER, MOUTH
from retake.takes.mouth import compare, measure_mouth

RATE = FrameRate(25)
FRAMES = 100
TIMING = Timing((Phone("AA", 0.0, 0.8), Phone("M", 0.8, 1.0), Phone("AA", 1.0, 2.0), Phone(SILENCE, 2.0, 4.0)), ())


def mouths(gap: np.ndarray) -> np.ndarray:
    """Mouth shapes whose inner lips are `gap` apart."""
    shapes = np.zeros((len(gap), len(MOUTH), 3), np.float32)
    for upper, lower in zip(INNER_UPPER, INNER_LOWER, strict=True):
        shapes[:, INDEX[upper], 1] = -gap / 2
        shapes[:, INDEX[lower], 1] = gap / 2
    return shapes


def speaking(closes: bool = True, fidgets: float = 0.0) -> np.ndarray:
    times = (np.arange(FRAMES) + 0.5) / 25
    gap = np.full(FRAMES, 0.1)
    gap[(times > 0.8) & (times < 1.0)] = 0.0 if closes else 0.05
    pause = times >= 2.0
    gap[pause] = 0.002 + fidgets * (np.arange(pause.sum()) % 2)
    return mouths(gap)


def test_the_open_gap_is_that_of_open_vowels() -> None:
    assert measure_mouth(speaking(), RATE, TIMING).open_gap == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize(("closes", "share"), [(True, 1.0), (False, 0.0)])
def test_closure_tells_whether_the_lips_meet_on_m(closes: bool, share: float) -> None:
    figures = measure_mouth(speaking(closes), RATE, TIMING)
    assert figures.closures == 1
    assert figures.closure == share


def test_fidgeting_in_a_pause_is_seen_and_stillness_is_not() -> None:
    assert measure_mouth(speaking(), RATE, TIMING).pause_speed == pytest.approx(0.0, abs=1e-6)
    assert measure_mouth(speaking(fidgets=0.02), RATE, TIMING).pause_speed > 0.02


def test_frames_without_a_face_do_not_count() -> None:
    shapes = speaking()
    shapes[30:50] = np.nan
    figures = measure_mouth(shapes, RATE, TIMING)
    assert figures.frames == FRAMES - 20
    assert np.isfinite(figures.movement)


def test_a_mouth_compared_with_itself_is_alike_in_everything() -> None:
    real = measure_mouth(speaking(fidgets=0.01), RATE, TIMING)
    assert compare(real, real) == {"closure": 1.0, "closure_reference": 1.0, "amplitude": 1.0, "jitter": 1.0, "silence": 1.0, "closures": 1}


def test_what_cannot_be_measured_is_none_and_not_a_number() -> None:
    empty = measure_mouth(np.full((FRAMES, len(MOUTH), 3), np.nan, np.float32), RATE, TIMING)
    real = measure_mouth(speaking(), RATE, TIMING)
    assert compare(empty, real)["closure"] is None
    assert compare(empty, real)["amplitude"] is None
