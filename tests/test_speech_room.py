"""The reference's room under a take: as loud and of the same colour wherever the speech is quieter, nothing where it is louder."""

from __future__ import annotations

import numpy as np
import pytest

from retake.domain.progress import Progress
from retake.speech.mastering import master
from retake.speech.room import Room, lay_room, room_of

RATE = 24000


def level(samples: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-14))


def reference(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Bursts of a tone with `noise` dB of noise under all of it, and the noise."""
    random = np.random.default_rng(0)
    seconds = np.arange(8 * RATE) / RATE
    under = random.standard_normal(len(seconds)) * 10 ** (noise / 20)
    return (0.3 * np.sin(2 * np.pi * 300 * seconds) * (seconds % 2 < 1.2) + under).astype(np.float32), under


@pytest.mark.parametrize("noise", [-50.0, -65.0])
def test_silence_becomes_the_room(noise: float) -> None:
    sound, _ = reference(noise)
    room = room_of(sound, RATE)
    assert room is not None and room.level == pytest.approx(noise, abs=1.0)
    laid = lay_room(np.zeros(5 * RATE, np.float32), RATE, room, 0, Progress())
    assert laid.shape == (5 * RATE,) and laid.dtype == np.float32
    for start in range(0, 5 * RATE, RATE // 2):
        assert level(laid[start : start + RATE // 2]) == pytest.approx(room.level, abs=1.5)
    assert np.array_equal(laid, lay_room(np.zeros(5 * RATE, np.float32), RATE, room, 0, Progress()))
    assert not np.array_equal(laid, lay_room(np.zeros(5 * RATE, np.float32), RATE, room, 1, Progress()))


def test_a_floor_that_is_there_already_stays_and_none_jumps() -> None:
    sound, under = reference(-50.0)
    room = room_of(sound, RATE)
    assert room is not None
    half = under.astype(np.float32).copy()
    half[4 * RATE :] = 0
    laid = lay_room(half, RATE, room, 0, Progress())
    levels = [level(laid[start : start + RATE // 4]) for start in range(RATE, 7 * RATE, RATE // 4)]
    assert max(levels) - min(levels) < 2.5


def test_loud_sound_is_left_alone() -> None:
    room = room_of(reference(-55.0)[0], RATE)
    assert room is not None
    loud = (np.random.default_rng(3).standard_normal(3 * RATE) * 0.1).astype(np.float32)
    laid = lay_room(loud, RATE, room, 0, Progress())
    assert level(laid - loud) < room.level - 20


def test_there_may_be_no_room() -> None:
    assert room_of(np.zeros(RATE, np.float32), RATE) is None
    assert room_of(reference(-130.0)[0], RATE) is None  # digital silence between the words
    assert room_of(np.ones(10, np.float32), RATE) is None
    tiny = lay_room(np.zeros(10, np.float32), RATE, Room(np.full(513, 1e-9)), 0, Progress())
    assert len(tiny) == 10 and np.isfinite(tiny).all()


def test_an_offset_is_taken_away_and_a_clean_sound_left_as_it_is() -> None:
    tone = (0.2 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)).astype(np.float32)
    assert abs(float(master(tone + np.float32(0.05), RATE, None).mean())) < 2e-3
    assert np.array_equal(master(tone, RATE, None), tone)
