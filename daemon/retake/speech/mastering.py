"""Finished speech brought to the loudness of the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from .loudness import SILENT, limit, loudness

CLOSE_ENOUGH = 0.1  # LU
ROUNDS = 4
LOWEST = 35.0  # Hz; the lowest voices begin at 60
SETTLED = 0.2  # s after which the filter has forgotten what was before
PIECE = 1 << 20  # samples filtered at a time
UNHEARD = 0.01  # share of the power; speech without a fault has less down there


def master(samples: NDArray[np.float32], rate: int, target: float | None) -> NDArray[np.float32]:
    """Bring speech to `target` LUFS without peaks above -1 dBTP. Without a target, or with silence, only peaks are held.

    What lies below every voice (a constant offset, which decoders leave in short sentences) is taken away first: it takes room from the peaks and
    clicks at cuts.
    Limiting takes some loudness away, which further rounds give back: a reference with a compressed voice is reached all the same.
    """
    samples = out = _without_rumble(np.asarray(samples, np.float32), rate)
    gain = 0.0
    for _ in range(ROUNDS if target is not None else 0):
        measured = loudness(out, rate)
        if target is None or measured <= SILENT or abs(measured - target) < CLOSE_ENOUGH:
            break
        gain += target - measured
        out = limit(samples * np.float32(10 ** (gain / 20)), rate)
    return limit(out, rate)


def _without_rumble(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Samples without what lies below LOWEST, with no shift in time; those that have next to nothing there come back as they are."""
    if not len(samples) or not np.isfinite(samples).all():
        return samples
    high = np.asarray(butter(2, LOWEST, "highpass", fs=rate, output="sos"))
    out = np.empty_like(samples)
    reach = round(SETTLED * rate)
    for start in range(0, len(samples), PIECE):  # the filter works in double precision, with copies
        low, end = max(0, start - reach), min(len(samples), start + PIECE)
        part = samples[low : end + reach].astype(np.float64)
        padding = min(len(part) - 1, reach)
        out[start:end] = sosfiltfilt(high, part, padtype="constant", padlen=padding)[start - low : end - low]
    kept = float(np.mean((samples - out) ** 2, dtype=np.float64))
    return samples if kept < UNHEARD * float(np.mean(samples**2, dtype=np.float64)) else out
