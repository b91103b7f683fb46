"""The lag between sound and picture: found, signed, and doubted where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from retake.domain.phones import SILENCE, VOWELS
from retake.domain.rate import FrameRate
from retake.domain.timing import Phone, Timing
from retake.face.canonical import MOUTH, RIGID
from retake.face.prior import load_prior
from retake.face.sync import estimate_lag

RATE = FrameRate(25)
SAMPLE_RATE = 8000


def talk(seconds: float, seed: int) -> Timing:
    """Random phones with pauses."""
    random = np.random.default_rng(seed)
    symbols = "B AA S UW T AE M IY F OW R AH K W EY P IH N SH AO L D".split()  # noqa: SIM905
    phones, at = [], 0.0
    while at < seconds:
        silent = random.random() < 0.06
        length = float(random.uniform(0.2, 0.5) if silent else random.uniform(0.05, 0.14))
        phones.append(Phone(SILENCE if silent else str(random.choice(symbols)), at, at + length))
        at += length
    return Timing(tuple(phones), ())


def seen(timing: Timing, seconds: float, late: float = 0.0) -> np.ndarray:
    """Canonical landmarks of somebody who says it, the picture `late` seconds after the sound."""
    prior, frames = load_prior(), RATE.frames(seconds)
    random = np.random.default_rng(1)
    face = random.normal(0, 0.1, (478, 3)).astype(np.float32)
    face[list(RIGID)] = prior.rigid
    rows = np.repeat(face[None], frames, 0)
    rows[:, list(MOUTH)] += prior.offsets(timing, 0.02 - late, 4 * frames)[::4]
    return (rows + random.normal(0, 0.004, rows.shape)).astype(np.float32)


def heard(timing: Timing, seconds: float) -> np.ndarray:
    random = np.random.default_rng(2)
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    loud = np.full(len(at), 1e-4)
    for phone in timing.phones:
        loud[(at >= phone.start) & (at < phone.end)] = 0.3 if phone.symbol in VOWELS else 0.001 if phone.symbol == SILENCE else 0.05
    return (loud * random.normal(0, 1, len(at))).astype(np.float32)


@pytest.mark.parametrize("late", [-0.2, -0.04, 0.0, 0.09, 0.25])
def test_the_lag_is_found(late: float) -> None:
    timing = talk(10, 5)
    lag, confidence = estimate_lag(seen(timing, 10, late), RATE, heard(timing, 10), SAMPLE_RATE, timing)
    assert lag == pytest.approx(late, abs=0.02)
    assert confidence > 0.8


def test_loudness_alone_finds_it_roughly() -> None:
    timing = talk(16, 5)
    lag, _ = estimate_lag(seen(timing, 16, 0.1), RATE, heard(timing, 16), SAMPLE_RATE, None)
    assert lag == pytest.approx(0.1, abs=0.08)


def test_another_sound_is_not_believed() -> None:
    """Pauses may fall together by chance, so one pairing proves little; in general the sound of something else is doubted."""
    rows = seen(talk(20, 5), 20)
    found = []
    for seed in range(11, 20):
        other = talk(20, seed)
        found.append(estimate_lag(rows, RATE, heard(other, 20), SAMPLE_RATE, other)[1])
    assert np.median(found) < 0.2
    assert max(found) < 0.6


def test_missing_faces_short_clips_and_silence() -> None:
    timing = talk(10, 5)
    rows = seen(timing, 10)
    rows[30:60] = np.nan
    lag, confidence = estimate_lag(rows, RATE, heard(timing, 10), SAMPLE_RATE, timing)
    assert abs(lag) < 0.02
    assert confidence > 0.8
    assert estimate_lag(rows[:40], RATE, heard(timing, 2), SAMPLE_RATE, timing) == (0.0, 0.0)
    assert estimate_lag(rows, RATE, np.zeros(0, np.float32), SAMPLE_RATE, None) == (0.0, 0.0)
    assert estimate_lag(rows, RATE, np.zeros(80000, np.float32), SAMPLE_RATE, None)[1] < 0.2
