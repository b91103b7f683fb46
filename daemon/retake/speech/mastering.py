"""Level of finished speech: integrated loudness on target, true peaks below the ceiling."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import resample_poly

CEILING = 10 ** (-1.0 / 20)  # -1 dBTP, what broadcasters ask for (EBU R 128)
SHORTEST = 0.4  # s, one gating block of BS.1770
_LOOKAHEAD = 0.005  # s
_OVERSAMPLING = 4
_BLOCK = 1 << 18


def loudness(samples: NDArray[np.float32], rate: int) -> float | None:
    """Integrated loudness in LUFS (ITU-R BS.1770-4); None where there is too little sound to measure."""
    import pyloudnorm

    if len(samples) < SHORTEST * rate + 1:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of silence
        value = float(pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64)))
    return value if np.isfinite(value) and value > -70.0 else None


def true_peaks(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) largest magnitude around each sample, between samples too (four-fold oversampling, as BS.1770 measures)."""
    out = np.empty(len(samples), np.float32)
    margin = 64
    for start in range(0, len(samples), _BLOCK):
        low, high = max(0, start - margin), min(len(samples), start + _BLOCK + margin)
        fine = np.abs(resample_poly(samples[low:high], _OVERSAMPLING, 1))
        each = fine.reshape(-1, _OVERSAMPLING).max(1)
        out[start : start + _BLOCK] = each[start - low :][: min(_BLOCK, len(samples) - start)]
    return np.maximum(out, np.abs(samples))


def limit(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Hold true peaks below the ceiling: gain falls ahead of a peak and recovers after it, over 5 ms each, with no step."""
    peaks = true_peaks(samples)
    if not len(peaks) or peaks.max() <= CEILING:
        return samples
    reach = max(1, int(_LOOKAHEAD * rate))
    needed = maximum_filter1d(peaks, 2 * reach + 1)
    # A little lower than the ceiling: four-fold oversampling still misses the tip of the sharpest peaks.
    gain = np.minimum(1.0, CEILING * 0.98 / np.maximum(needed, 1e-9))
    window = np.hanning(2 * reach + 3)[1:-1]
    padded = np.pad(gain, reach, mode="edge")
    smooth = np.convolve(padded, window / window.sum(), "valid")
    return (samples * smooth).astype(np.float32)


def master(samples: NDArray[np.float32], rate: int, target: float | None) -> NDArray[np.float32]:
    """Bring speech to `target` LUFS without peaks above -1 dBTP. Without a target, or with too little sound, only peaks are held."""
    if target is None:
        return limit(samples, rate)
    out = samples
    gain = 1.0
    for _ in range(3):  # limiting takes a little loudness away, which the next round gives back
        measured = loudness(out, rate)
        if measured is None or abs(measured - target) < 0.05:
            break
        gain *= 10 ** ((target - measured) / 20)
        out = limit((samples * gain).astype(np.float32), rate)
    return limit(out, rate)
