"""What lips engines hear: the mel spectrogram against its definition, written out; windows at any rate."""

from __future__ import annotations

import math

import numpy as np
import pytest

from retake.domain.rate import FrameRate
from retake.face.lips_sound import COLUMNS, RATE, at_16_khz, mel_spectrogram, window_starts, windows


def slaney_mel(hertz: float) -> float:
    return 3 * hertz / 200 if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


def slaney_hertz(mel: float) -> float:
    return 200 * mel / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def defined(samples: np.ndarray, column: int) -> np.ndarray:
    """One column, number by number as the settings of Wav2Lip's training say."""
    sharp = [float(samples[0])] + [float(samples[i]) - 0.97 * float(samples[i - 1]) for i in range(1, len(samples))]
    last = len(sharp) - 1

    def at(place: int) -> float:  # mirrored at both ends
        place = -place if place < 0 else place
        return sharp[2 * last - place if place > last else place]

    frame = np.array([at(200 * column - 400 + i) * (0.5 - 0.5 * math.cos(2 * math.pi * i / 800)) for i in range(800)])
    strength = np.array([abs(np.sum(frame * np.exp(-2j * np.pi * k * np.arange(800) / 800))) for k in range(401)])
    low, high = slaney_mel(55), slaney_mel(7600)
    edges = [slaney_hertz(low + (high - low) * i / 81) for i in range(82)]
    out = np.zeros(80)
    for band in range(80):
        a, b, c = edges[band : band + 3]
        energy = 0.0
        for k in range(401):
            hertz = 20.0 * k
            if a < hertz <= b:
                energy += strength[k] * (hertz - a) / (b - a)
            elif b < hertz < c:
                energy += strength[k] * (c - hertz) / (c - b)
        decibels = 20 * math.log10(max(1e-5, energy * 2 / (c - a))) - 20
        out[band] = min(4.0, max(-4.0, 8 * (decibels + 100) / 100 - 4))
    return out


def voice(seconds: float = 1.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * 130 * k * t + k) / k for k in range(1, 40))
    noise = np.random.default_rng(0).normal(0, 0.01, len(t))
    return (0.2 * wave * (1 + np.sin(2 * np.pi * 3 * t)) + noise).astype(np.float32)


@pytest.mark.parametrize("column", [0, 1, 2, 37, 79, 80])
def test_the_spectrogram_is_the_one_that_is_defined(column: int) -> None:
    sound = voice()
    mel = mel_spectrogram(sound)
    assert mel.shape == (80, 81)
    np.testing.assert_allclose(mel[:, column], defined(sound, column), atol=2e-4)
    assert mel[:, column].max() - mel[:, column].min() > 1


def test_it_agrees_with_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    sound = voice(2.0)
    sharp = np.append(sound[:1], sound[1:] - 0.97 * sound[:-1]).astype(np.float64)
    strength = np.abs(librosa.stft(sharp, n_fft=800, hop_length=200, win_length=800, pad_mode="reflect"))
    bands = librosa.filters.mel(sr=RATE, n_fft=800, n_mels=80, fmin=55, fmax=7600)
    level = 20 * np.log10(np.maximum(1e-5, bands @ strength)) - 20
    np.testing.assert_allclose(mel_spectrogram(sound), np.clip(8 * (level + 100) / 100 - 4, -4, 4), atol=2e-3)


def test_silence_and_numbers_that_are_none_are_the_lowest_level() -> None:
    assert (mel_spectrogram(np.zeros(3000, np.float32)) == -4).all()
    broken = np.full(3000, np.nan, np.float32)
    broken[7] = np.inf
    assert (mel_spectrogram(broken) == -4).all()


@pytest.mark.parametrize("count", [0, 1, 399, 400, 401, 2999])
def test_short_sounds(count: int) -> None:
    mel = mel_spectrogram(voice()[:count])
    assert mel.shape == (80, 1 + count // 200) and np.isfinite(mel).all()
    cut = windows(mel, np.arange(5), FrameRate(25))
    assert cut.shape == (5, 80, COLUMNS) and np.isfinite(cut).all()


def test_a_long_sound_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = voice(3.0)
    whole = mel_spectrogram(sound)
    monkeypatch.setattr("retake.face.lips_sound._BLOCK", 7)
    np.testing.assert_allclose(mel_spectrogram(sound), whole, atol=1e-5)


@pytest.mark.parametrize("rate", [FrameRate(25), FrameRate(24000, 1001), FrameRate(30000, 1001), FrameRate(50), FrameRate(60), FrameRate(25, 2)])
def test_windows_begin_where_their_frame_does(rate: FrameRate) -> None:
    frames = np.arange(0, 200_000, 997)
    starts = window_starts(frames, rate)
    exact = frames * 80 * rate.denominator / rate.numerator
    assert ((exact - starts >= -1e-6) & (exact - starts < 1)).all()
    mel = np.tile(np.arange(400, dtype=np.float32), (80, 1))
    cut = windows(mel, np.arange(30), rate)
    np.testing.assert_array_equal(cut[:, 0, 0], window_starts(np.arange(30), rate))
    np.testing.assert_array_equal(cut[3, 5], cut[3, 0, 0] + np.arange(COLUMNS))


def test_frames_behind_the_sound_have_its_last_window() -> None:
    mel = np.tile(np.arange(40, dtype=np.float32), (80, 1))
    cut = windows(mel, np.array([0, 100]), FrameRate(25))
    assert cut[0, 0, 0] == 0 and cut[1, 0, -1] == 39


def test_other_rates_are_brought_to_16_khz() -> None:
    t = np.arange(48000) / 48000
    out = at_16_khz(np.sin(2 * np.pi * 440 * t).astype(np.float32), 48000)
    assert len(out) == 16000
    assert np.abs(np.fft.rfft(out)).argmax() == 440
