"""Loudness and peaks by ITU-R BS.1770-4: measuring them, and holding peaks. Memory does not grow with what lies between the samples."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import resample_poly, sosfilt

Samples = NDArray[np.float32]
SILENT = -70.0  # LUFS: the absolute gate of the standard; nothing quieter is measured
CEILING = -1.0  # dBTP that players and codecs need (EBU R 128)
_BLOCK = 0.4  # s, a measuring block of the standard
_STEP = 0.1  # s from one block to the next
_OFFSET = -0.691  # LU, which makes a full-scale sine of 1 kHz in one channel -3.01 LUFS
_RELATIVE_GATE = -10.0  # LU below the mean of the blocks above the absolute gate
_OVERSAMPLING = 4
_LOOKAHEAD = 0.005  # s over which the limiter lowers the gain before a peak
_PIECE = 1 << 18  # samples looked at at a time
_OVERLAP = 64  # samples around a piece that its interpolation sees


def loudness(samples: Samples, rate: int) -> float:
    """Integrated loudness in LUFS, SILENT where there is nothing to measure. Sounds shorter than a block of 0.4 s are repeated to fill one."""
    samples = np.asarray(samples)
    if not len(samples) or max(float(samples.max()), -float(samples.min())) < 1e-7:
        return SILENT
    least = int(np.ceil(_BLOCK * rate)) + 1
    power = _block_powers(np.resize(samples, least) if len(samples) < least else samples, rate)
    level = _OFFSET + 10.0 * np.log10(np.maximum(power, 1e-20))
    heard = level >= SILENT
    if not heard.any():
        return SILENT
    gate = _OFFSET + 10.0 * np.log10(power[heard].mean()) + _RELATIVE_GATE
    return max(SILENT, float(_OFFSET + 10.0 * np.log10(power[heard & (level > gate)].mean())))


def _block_powers(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Mean square of the weighted sound in each block of 0.4 s, one every 0.1 s."""
    count = round((len(samples) / rate - _BLOCK) / _STEP) + 1
    starts = (np.arange(count) * _STEP * rate).astype(np.int64)
    ends = np.minimum(((np.arange(count) * _STEP + _BLOCK) * rate).astype(np.int64), len(samples))
    sums = np.zeros((2, count))  # of squares up to each start and each end
    filters = _weighting(rate)
    state = np.zeros((len(filters), 2))
    total = 0.0
    for first in range(0, len(samples), _PIECE):
        weighted, state = sosfilt(filters, np.asarray(samples[first : first + _PIECE], np.float64), zi=state)
        running = np.concatenate([[0.0], np.cumsum(weighted**2)]) + total
        for row, edges in zip(sums, (starts, ends), strict=True):
            inside = (edges >= first) & (edges <= first + len(weighted))
            row[inside] = running[edges[inside] - first]
        total = float(running[-1])
    return (sums[1] - sums[0]) / (_BLOCK * rate)


@lru_cache(maxsize=8)
def _weighting(rate: int) -> NDArray[np.float64]:
    """The standard's K-weighting at any rate, as second-order sections: a shelf of 4 dB from 1.5 kHz on, a high pass at 38 Hz.

    The standard gives coefficients for 48 kHz only; these are the equivalent analogue filters through R. Bristow-Johnson's cookbook formulae.
    """
    gain = 10 ** (4.0 / 40.0)
    turn = 2 * np.pi * 1500.0 / rate
    cosine, slope = np.cos(turn), 2 * np.sqrt(gain) * np.sin(turn) / (2 * np.sqrt(0.5))
    up, down = gain + 1, gain - 1
    shelf = [
        gain * (up + down * cosine + slope), -2 * gain * (down + up * cosine), gain * (up + down * cosine - slope),
        up - down * cosine + slope, 2 * (down - up * cosine), up - down * cosine - slope,
    ]  # fmt: skip
    turn = 2 * np.pi * 38.0 / rate
    cosine, width = np.cos(turn), np.sin(turn)  # Q = 1/2
    high = [(1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2, 1 + width, -2 * cosine, 1 - width]
    return np.array([np.array(shelf) / shelf[3], np.array(high) / high[3]])


def _peaks(samples: Samples) -> Iterator[Samples]:
    """For each sample the largest magnitude between it and the next (four times oversampled), piece by piece."""
    for start in range(0, len(samples), _PIECE):
        before = min(start, _OVERLAP)
        piece = np.asarray(samples[start - before : start + _PIECE + _OVERLAP], np.float32)
        own = min(_PIECE, len(samples) - start)
        over = np.abs(resample_poly(piece, _OVERSAMPLING, 1))[: len(piece) * _OVERSAMPLING]
        envelope = over.reshape(-1, _OVERSAMPLING).max(1)[before : before + own]
        yield np.maximum(envelope, np.abs(piece[before : before + own]))


def true_peak(samples: Samples) -> float:
    """Peak between the samples too, in dBTP (four times oversampled, BS.1770-4 annex 2); -inf for silence."""
    peak = max((float(piece.max()) for piece in _peaks(samples)), default=0.0)
    return 20.0 * np.log10(peak) if peak > 0 else float("-inf")


def limit(samples: Samples, rate: int, ceiling: float = CEILING) -> Samples:
    """Lower peaks above `ceiling` dBTP with a look-ahead gain; sound without such peaks comes back unchanged.

    The gain is the least that any peak within 5 ms asks for, smoothed over the same 5 ms, so that it is down when the peak comes.
    """
    sound = np.asarray(samples, np.float32)
    bound = np.float32(10.0 ** (ceiling / 20.0))
    if true_peak(sound) <= ceiling:
        return sound
    envelope = np.empty_like(sound)
    at = 0
    for piece in _peaks(sound):
        envelope[at : at + len(piece)] = piece
        at += len(piece)
    width = 2 * round(_LOOKAHEAD * rate) + 1
    out = np.empty_like(sound)
    for start in range(0, len(sound), _PIECE):  # the filters work in double precision, with copies
        low, end = max(0, start - width), min(len(sound), start + _PIECE)
        needed = bound / np.maximum(maximum_filter1d(envelope[low : end + width], width), bound)
        gain = uniform_filter1d(needed, width, mode="nearest")[start - low : end - low]
        out[start:end] = sound[start:end] * gain.astype(np.float32)
    left = true_peak(out)
    return out if left <= ceiling else out * np.float32(10.0 ** ((ceiling - left) / 20.0))
