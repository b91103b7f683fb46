"""Loudness by ITU-R BS.1770-4: measuring it, and bringing sound to a target without clipping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import resample_poly

Samples = NDArray[np.float32]
SILENT = -70.0  # LUFS: the absolute gate of the standard; nothing quieter is measured
CEILING = -1.0  # dBTP that players and codecs need (EBU R 128)
_BLOCK = 0.4  # s, a measuring block of the standard
_OVERSAMPLING = 4
_LOOKAHEAD = 0.005  # s over which the limiter lowers the gain before a peak


def loudness(samples: Samples, rate: int) -> float:
    """Integrated loudness in LUFS, SILENT where there is nothing to measure. Sounds shorter than a block of 0.4 s are repeated to fill one."""
    import pyloudnorm

    sound = np.asarray(samples, np.float64)
    if not len(sound) or float(np.abs(sound).max()) < 1e-7:
        return SILENT
    least = int(np.ceil(_BLOCK * rate)) + 1
    if len(sound) < least:
        sound = np.resize(sound, least)
    measured = float(pyloudnorm.Meter(rate).integrated_loudness(sound))
    return max(SILENT, measured) if np.isfinite(measured) else SILENT


def true_peak(samples: Samples) -> float:
    """Peak between the samples too, in dBTP (four times oversampled, BS.1770-4 annex 2); -inf for silence."""
    if not len(samples):
        return float("-inf")
    peak = 0.0
    step = 1 << 18
    for start in range(0, len(samples), step):  # pieces with some overlap: memory does not grow with the oversampled sound
        piece = np.asarray(samples[max(0, start - 64) : start + step + 64], np.float32)
        peak = max(peak, float(np.abs(resample_poly(piece, _OVERSAMPLING, 1)).max()))
    return 20.0 * np.log10(peak) if peak > 0 else float("-inf")


def limit(samples: Samples, rate: int, ceiling: float = CEILING) -> Samples:
    """Lower peaks above `ceiling` dBTP with a look-ahead gain; sound without such peaks comes back unchanged.

    The gain is the least that any peak within 5 ms asks for, smoothed over the same 5 ms, so that it is down when the peak comes.
    """
    sound = np.asarray(samples, np.float32)
    bound = 10.0 ** (ceiling / 20.0)
    if true_peak(sound) <= ceiling:
        return sound
    over = resample_poly(sound, _OVERSAMPLING, 1)[: len(sound) * _OVERSAMPLING]
    envelope = np.abs(over).reshape(-1, _OVERSAMPLING).max(1)
    envelope = np.maximum(envelope, np.abs(sound))
    width = 2 * round(_LOOKAHEAD * rate) + 1
    needed = bound / np.maximum(maximum_filter1d(envelope, width), bound)
    out = sound * uniform_filter1d(needed, width, mode="nearest").astype(np.float32)
    left = true_peak(out)
    return out if left <= ceiling else out * np.float32(10.0 ** ((ceiling - left) / 20.0))


@dataclass(frozen=True)
class Matched:
    """Sound at its target loudness, and what was done: gain in dB, and whether peaks had to be limited."""

    samples: Samples
    gain: float
    limited: bool


def match(samples: Samples, rate: int, target: float, *, ceiling: float = CEILING, most: float = 30.0) -> Matched:
    """Bring sound to `target` LUFS, never raising it by more than `most` dB; silence stays silence."""
    measured = loudness(samples, rate)
    if measured <= SILENT:
        return Matched(np.asarray(samples, np.float32), 0.0, False)
    gain = min(most, target - measured)
    raised = np.asarray(samples, np.float32) * np.float32(10.0 ** (gain / 20.0))
    limited = limit(raised, rate, ceiling)
    return Matched(limited, gain, limited is not raised)
