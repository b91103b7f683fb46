"""Which channel of a reference is learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retake.domain.progress import Progress
from retake.media.audio import read_audio
from retake.speakers.channels import RATE, choose_channel, judge

PRESENTER = Path(__file__).resolve().parent.parent / "daemon" / "retake" / "assets" / "presenter" / "presenter.mp4"
Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def voice() -> Samples:
    return read_audio(PRESENTER, RATE, seconds=10.0)


def noisy(voice: Samples, level: float = 0.02) -> Samples:
    return (voice + level * np.random.default_rng(0).standard_normal(len(voice))).astype(np.float32)


def chosen(*channels: Samples) -> int | None:
    return judge(channels, Progress()).channel


def test_channels_that_hold_the_same_are_mixed(voice: Samples):
    assert chosen(voice, voice) is None
    assert chosen(voice, 0.5 * voice) is None


@pytest.mark.parametrize("swap", [False, True])
def test_the_microphone_that_is_worn_wins_over_the_camera(voice: Samples, swap: bool):
    camera = noisy(np.roll(voice, RATE // 100), 0.03)
    pair = (camera, voice) if swap else (voice, camera)
    choice = judge(pair, Progress())
    assert choice.channel == int(swap)
    assert choice.note is not None
    assert ("right" if swap else "left") in choice.note.message


def test_a_dead_channel_is_not_mixed_in(voice: Samples):
    assert chosen(np.zeros_like(voice), voice) == 1
    assert chosen(voice, (1e-4 * np.random.default_rng(0).standard_normal(len(voice))).astype(np.float32)) == 0


def test_opposite_and_delayed_channels_would_cancel(voice: Samples):
    assert chosen(voice, -voice) in (0, 1)
    assert chosen(voice, np.roll(voice, 8)) in (0, 1)


def test_silence_everywhere_chooses_nothing(voice: Samples):
    assert chosen(np.zeros_like(voice), np.zeros_like(voice)) is None


def test_a_file_is_read_channel_by_channel(voice: Samples, tmp_path: Path):
    path = tmp_path / "two.wav"
    _write(path, np.stack([noisy(voice, 0.03), voice]))
    left, right = (read_audio(path, RATE, channel=number) for number in (0, 1))
    assert np.abs(right - voice).max() < 1e-3
    assert np.std(left - voice) > 0.02
    assert np.abs(read_audio(path, RATE) - (left + right) / 2).max() < 1e-3
    assert np.abs(read_audio(path, RATE, channel=5) - (left + right) / 2).max() < 1e-3, "a channel that is not there is none"
    assert choose_channel(path, 60.0, Progress()).channel == 1


def test_one_channel_needs_no_choice():
    assert choose_channel(PRESENTER, 5.0, Progress()).channel is None


def _write(path: Path, channels: Samples) -> None:
    import wave

    coded = np.clip(np.rint(channels.T * 32767), -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(coded.tobytes())
