"""Speech made faster or slower at the same pitch, for engines that know one pace only.

Waveform similarity overlap-add (Verhelst and Roelands 1993, ICASSP): windows are taken at the new pace, each moved by a few milliseconds to where
it continues the wave that is there already.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
_WINDOW = 0.030  # s; two to six periods of a voice
_SEARCH = 0.008  # s; more than half a period of a low one
SLOWEST, FASTEST = 0.5, 2.0  # beyond, it no longer sounds like somebody speaking


def stretch(samples: Samples, rate: int, pace: float) -> Samples:
    """`samples` (n,) mono at `pace` times the speed: about n / pace samples. `pace` is held within SLOWEST and FASTEST."""
    pace = min(FASTEST, max(SLOWEST, pace))
    half = round(_WINDOW * rate / 2)
    reach = round(_SEARCH * rate)
    if abs(pace - 1.0) < 1e-3 or len(samples) < 6 * half:
        return samples
    length = round(len(samples) / pace)
    # Silence around, so that every window exists.
    source = np.pad(np.asarray(samples, np.float32), (half + reach, 3 * half + reach + 1))
    window = (0.5 - 0.5 * np.cos(np.pi * (np.arange(2 * half) + 0.5) / half)).astype(np.float32)
    out = np.zeros(length + 4 * half, np.float32)
    at = reach  # where the last window was taken; the wave goes on half a window later
    for place in range(0, length + half, half):
        wanted = min(round(place * pace) + reach, len(source) - 2 * half - reach)
        start = wanted
        if place:
            following = source[at + half : at + 3 * half]
            if len(following) == 2 * half:
                around = source[wanted - reach : wanted + reach + 2 * half]
                start = wanted - reach + _most_alike(around, following)
        out[place : place + 2 * half] += window * source[start : start + 2 * half]
        at = start
    return out[half : half + length]


def _most_alike(around: Samples, wanted: Samples) -> int:
    """Offset in `around` at which it looks most like `wanted` (normalised cross-correlation)."""
    products = np.correlate(around, wanted, mode="valid")
    sums = np.concatenate([[0.0], np.cumsum(np.square(around, dtype=np.float64))])
    energy = sums[len(wanted) :] - sums[: -len(wanted)]
    return int(np.argmax(products / np.sqrt(energy + 1e-9)))
