"""Loudness and peaks of finished speech."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import resample_poly

from retake.speech.mastering import CEILING, limit, loudness, master, true_peaks

RATE = 24000


def speechlike(seconds: float, crest: float = 1.0) -> np.ndarray:
    """Bursts of noise; `crest` sharpens single peaks."""
    random = np.random.default_rng(0)
    noise = random.standard_normal(round(seconds * RATE)) * 0.05
    syllables = np.clip(np.sin(2 * np.pi * 3 * np.arange(len(noise)) / RATE), 0, 1)
    spikes = (random.random(len(noise)) < 0.001) * random.standard_normal(len(noise)) * crest * 0.3
    return (noise * syllables + spikes).astype(np.float32)


@pytest.mark.parametrize("target", [-30.0, -23.0, -16.0])
def test_reaches_the_target_without_clipping(target: float) -> None:
    out = master(speechlike(4.0), RATE, target)
    measured = loudness(out, RATE)
    assert measured is not None and abs(measured - target) < 0.5
    assert np.abs(resample_poly(out, 8, 1)).max() <= CEILING * 1.02


def test_limiter_leaves_quiet_sound_alone() -> None:
    quiet = speechlike(1.0, crest=0.1)
    assert np.array_equal(limit(quiet, RATE), quiet)


def test_limiter_holds_peaks_between_samples() -> None:
    time = np.arange(RATE) / RATE
    between = np.sin(2 * np.pi * RATE / 4 * time + np.pi / 4).astype(np.float32) * 1.3  # samples at 0.92, the wave at 1.3
    assert np.abs(between).max() < 0.95 < true_peaks(between)[100:-100].max()
    assert true_peaks(limit(between, RATE)).max() <= CEILING * 1.01


def test_true_peaks_do_not_depend_on_blocks() -> None:
    long = speechlike(12.0)
    assert np.allclose(true_peaks(long)[RATE : 2 * RATE], true_peaks(long[: 3 * RATE])[RATE : 2 * RATE], atol=1e-4)


def test_silence_and_snippets_have_no_loudness() -> None:
    assert loudness(np.zeros(RATE, np.float32), RATE) is None
    assert loudness(np.ones(100, np.float32), RATE) is None
    assert np.array_equal(master(np.zeros(RATE, np.float32), RATE, -20.0), np.zeros(RATE, np.float32))
