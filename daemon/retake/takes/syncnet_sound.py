"""What SyncNet hears: 13 cepstral coefficients (MFCC), 100 a second (Chung & Zisserman 2016, "Out of time").

The figures are the usual ones of speech recognition that its authors' tool has by default: windows of 25 ms every 10 ms without tapering, 26 bands
up to 8 kHz, 512 points, pre-emphasis 0.97, coefficients lifted by 22, the first one replaced by the logarithm of the energy.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

RATE = 16000  # Hz
PER_SECOND = 100
COEFFICIENTS = 13
_LENGTH, _STEP, _FFT, _BANDS = 400, 160, 512, 26
_PREEMPHASIS, _LIFTER = 0.97, 22
_BLOCK = 6000  # windows at a time


def mfcc(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n,) sound in -1..1 at RATE -> (COEFFICIENTS, frames). As many frames as cover the sound; zeros follow it."""
    whole = np.round(np.clip(np.nan_to_num(samples), -1, 1) * 32767).astype(np.float64)  # the tool reads files of 16 bit numbers
    sharp = np.append(whole[:1], whole[1:] - _PREEMPHASIS * whole[:-1])
    count = 1 if len(sharp) <= _LENGTH else 1 + math.ceil((len(sharp) - _LENGTH) / _STEP)
    padded = np.zeros((count - 1) * _STEP + _LENGTH)
    padded[: len(sharp)] = sharp
    frames = np.lib.stride_tricks.sliding_window_view(padded, _LENGTH)[::_STEP]
    bands = _bands()
    lift = 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / _LIFTER)
    tiny = np.finfo(np.float64).eps
    out = np.empty((COEFFICIENTS, count), np.float32)
    for start in range(0, count, _BLOCK):
        power = np.abs(np.fft.rfft(frames[start : start + _BLOCK], _FFT, axis=1)) ** 2 / _FFT
        energy = power.sum(1)
        level = np.log(np.where(power @ bands.T == 0, tiny, power @ bands.T))
        found = np.asarray(dct(level, type=2, axis=1, norm="ortho"))[:, :COEFFICIENTS] * lift
        found[:, 0] = np.log(np.where(energy == 0, tiny, energy))
        out[:, start : start + _BLOCK] = found.T
    return out


def _bands() -> NDArray[np.float64]:
    """(_BANDS, _FFT // 2 + 1) triangles, evenly spaced on the mel scale of O'Shaughnessy 1987, with corners at whole bins."""
    highest = 2595 * math.log10(1 + RATE / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, highest, _BANDS + 2) / 2595) - 1)
    corners = np.floor((_FFT + 1) * hertz / RATE).astype(int)
    out = np.zeros((_BANDS, _FFT // 2 + 1))
    for band, (low, middle, high) in enumerate(zip(corners[:-2], corners[1:-1], corners[2:], strict=True)):
        out[band, low:middle] = (np.arange(low, middle) - low) / max(1, middle - low)
        out[band, middle:high] = (high - np.arange(middle, high)) / max(1, high - middle)
    return out
