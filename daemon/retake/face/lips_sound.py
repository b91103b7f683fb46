"""What a lips engine of its own process hears of each frame: the mel spectrogram that Wav2Lip was trained on, cut into windows.

Prajwal et al. 2020 (ACM Multimedia), with the figures of their published settings: 16 kHz, pre-emphasis 0.97, Hann windows of 800 samples every 200,
80 bands from 55 to 7600 Hz on Slaney's scale with bands of equal area, amplitude in dB above -100 with 20 dB as the reference, brought to +-4.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import soxr
from numpy.typing import NDArray

from retake.domain.rate import FrameRate

Array = NDArray[np.float32]

RATE = 16000  # Hz
BANDS = 80
COLUMNS = 16  # of a window, 12.5 ms each
PER_SECOND = 80  # columns
LIMIT = 4.0
_FFT, _HOP = 800, RATE // PER_SECOND
_LOW, _HIGH = 55.0, 7600.0
_PREEMPHASIS = 0.97
_REFERENCE_DB, _FLOOR_DB = 20.0, -100.0
_BLOCK = 4096  # columns at a time: a take may last for minutes


def at_16_khz(samples: Array, rate: int) -> Array:
    """Mono sound at RATE."""
    return np.asarray(soxr.resample(samples, rate, RATE), np.float32) if rate != RATE else samples.astype(np.float32)


def mel_spectrogram(samples: Array) -> Array:
    """(n,) sound at RATE -> (BANDS, 1 + n // 200) in -LIMIT..LIMIT. Digital silence is -LIMIT throughout; numbers that are none count as silence."""
    clean = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float64)
    sharp = np.append(clean[:1], clean[1:] - _PREEMPHASIS * clean[:-1])
    count = 1 + len(sharp) // _HOP
    # A window is centred on its column; the sound is mirrored at its ends, and where it is too short for that, silence follows.
    half = _FFT // 2
    padded = np.pad(sharp, half, mode="reflect") if len(sharp) > half else np.pad(sharp, (half, half + _FFT))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP][:count]
    bands = _bands()
    out = np.empty((BANDS, count), np.float32)
    for start in range(0, count, _BLOCK):
        strength = np.abs(np.fft.rfft(frames[start : start + _BLOCK] * window, axis=1))
        level = 20 * np.log10(np.maximum(10 ** (_FLOOR_DB / 20), bands @ strength.T)) - _REFERENCE_DB
        out[:, start : start + _BLOCK] = np.clip(2 * LIMIT * (level - _FLOOR_DB) / -_FLOOR_DB - LIMIT, -LIMIT, LIMIT)
    return out


def window_starts(frames: NDArray[np.integer], rate: FrameRate) -> NDArray[np.int64]:
    """First column of the window of each frame number: where the frame begins, rounded down; exact at any rate."""
    return frames.astype(np.int64) * PER_SECOND * rate.denominator // rate.numerator


def windows(mel: Array, frames: NDArray[np.integer], rate: FrameRate) -> Array:
    """(k,) frame numbers -> (k, BANDS, COLUMNS); the last window serves all frames behind it, silence follows a sound that is shorter than one."""
    missing = COLUMNS - mel.shape[1]
    if missing > 0:
        mel = np.pad(mel, ((0, 0), (0, missing)), constant_values=-LIMIT)
    starts = np.clip(window_starts(frames, rate), 0, mel.shape[1] - COLUMNS)
    return mel[:, starts[:, None] + np.arange(COLUMNS)].transpose(1, 0, 2).astype(np.float32)


@lru_cache(maxsize=1)
def _bands() -> NDArray[np.float64]:
    """(BANDS, _FFT // 2 + 1) triangles of equal area on Slaney's mel scale (Auditory Toolbox, 1998)."""
    edges = _hertz(np.linspace(_mels(_LOW), _mels(_HIGH), BANDS + 2))
    bins = np.arange(_FFT // 2 + 1) * (RATE / _FFT)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    return np.maximum(0.0, np.minimum(rising, falling)) * 2 / (right - left)


# Slaney's scale is linear up to 1 kHz and logarithmic above, with 27 steps for a factor of 6.4.
_LINEAR, _BREAK = 200.0 / 3, 1000.0
_STEP = np.log(6.4) / 27


def _mels(hertz: float) -> float:
    return hertz / _LINEAR if hertz < _BREAK else _BREAK / _LINEAR + float(np.log(hertz / _BREAK)) / _STEP


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    first = _BREAK / _LINEAR
    return np.where(mels < first, mels * _LINEAR, _BREAK * np.exp(_STEP * (mels - first)))
