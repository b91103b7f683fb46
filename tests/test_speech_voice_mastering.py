"""Loudness and peaks of finished speech."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from retake.speech.hibari_net import BINS
from retake.speech.loudness import CEILING, loudness, true_peak
from retake.speech.mastering import master
from retake.speech.perform import ROOM_PIECE, room_tone

RATE = 24000


def speechlike(seconds: float) -> np.ndarray:
    """Bursts of noise with single sharp peaks."""
    random = np.random.default_rng(0)
    noise = random.standard_normal(round(seconds * RATE)) * 0.05
    syllables = np.clip(np.sin(2 * np.pi * 3 * np.arange(len(noise)) / RATE), 0, 1)
    spikes = (random.random(len(noise)) < 0.001) * random.standard_normal(len(noise)) * 0.3
    return (noise * syllables + spikes).astype(np.float32)


@pytest.mark.parametrize("target", [-30.0, -23.0, -16.0])
def test_reaches_the_target_without_clipping(target: float) -> None:
    out = master(speechlike(4.0), RATE, target)
    assert abs(loudness(out, RATE) - target) < 0.5
    assert true_peak(out) <= CEILING + 0.01


def test_without_a_target_peaks_are_held_all_the_same() -> None:
    quiet = speechlike(1.0) * 0.3
    assert np.array_equal(master(quiet, RATE, None), quiet)
    assert np.abs(master(quiet * 20, RATE, None)).max() <= 10 ** (-1 / 20)


def test_silence_stays_silence() -> None:
    assert not master(np.zeros(RATE, np.float32), RATE, -20.0).any()


def test_the_room_goes_on_evenly_beyond_a_minute() -> None:
    room = torch.full((BINS,), -6.0)
    tone = room_tone(room, ROOM_PIECE + 2 * RATE, 0)
    assert len(tone) == ROOM_PIECE + 2 * RATE
    levels = np.sqrt((tone[ROOM_PIECE - RATE : ROOM_PIECE + RATE].reshape(-1, RATE // 20) ** 2).mean(1))
    assert levels.min() / levels.max() > 0.8
