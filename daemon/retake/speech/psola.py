"""Pitch moved without moving formants or time: pitch-synchronous overlap-add (Moulines and Charpentier 1990, Speech Communication 9).

Windows of two periods are taken around marks that follow the voice's own periods, and laid down again closer together or further apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Curve = NDArray[np.float64]
FURTHEST = 0.26  # ln units: four and a half semitones; beyond, the voice sounds processed
_UNVOICED = 0.006  # s between marks where there is no period
_UNNOTICED = 0.008  # ln units: less than people hear
_SURE = 0.45  # correlation of neighbouring periods from which sound counts as voiced


def move_pitch(samples: Samples, rate: int, hertz: Curve, offset: Curve) -> Samples:
    """`samples` (n,) with its pitch moved by `offset`.

    Args:
        hertz: (n,) the pitch at every sample; values where nothing is voiced do not matter, but are positive.
        offset: (n,) natural logarithm of the factor, held within ±FURTHEST.

    Returns:
        (n,); the same array where no offset would be heard. Unvoiced sound keeps its samples up to rounding.
    """
    if len(samples) < round(0.03 * rate) or float(np.abs(offset).max(initial=0.0)) < _UNNOTICED:
        return samples
    factor = np.exp(np.clip(offset, -FURTHEST, FURTHEST))
    marks, periods, voiced = _marks(samples, rate, hertz)
    out = np.zeros(len(samples) + 2 * (rate // 20))
    weight = np.zeros_like(out)
    pad = rate // 20
    source = np.pad(samples.astype(np.float64), pad)
    at = float(marks[0])
    while at < marks[-1] + 1:
        near = int(np.argmin(np.abs(marks - at)))
        half = int(min(periods[near], pad - 1))
        window = np.hanning(2 * half + 1)
        centre = int(marks[near])
        # Unvoiced sound is not moved at all: its window stays where it was taken.
        place = round(at) if voiced[near] else centre
        out[pad + place - half : pad + place + half + 1] += window * source[pad + centre - half : pad + centre + half + 1]
        weight[pad + place - half : pad + place + half + 1] += window
        step = periods[near] / (factor[min(centre, len(factor) - 1)] if voiced[near] else 1.0)
        at = at + step if voiced[near] else float(marks[min(near + 1, len(marks) - 1)]) + (near + 1 >= len(marks)) * step
    whole = weight > 1e-3
    made = np.where(whole, out / np.maximum(weight, 0.35), source)
    return made[pad : pad + len(samples)].astype(np.float32)


def _marks(samples: Samples, rate: int, hertz: Curve) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Places a period apart that follow the wave, the period at each, and whether the sound repeats itself there."""
    marks: list[int] = [0]
    periods: list[int] = []
    voiced: list[bool] = []
    last = len(samples) - 1
    while True:
        here = marks[-1]
        period = round(rate / float(hertz[min(here, last)]))
        step, sure = _next(samples, here, period)
        periods.append(step if sure else round(_UNVOICED * rate))
        voiced.append(sure)
        if here + periods[-1] > last:
            break
        marks.append(here + periods[-1])
    return np.array(marks), np.array(periods), np.array(voiced)


def _next(samples: Samples, here: int, period: int) -> tuple[int, bool]:
    """Length of the period at `here`, near `period`, and whether it is one."""
    reach = max(1, period // 5)
    own = samples[max(0, here - period // 2) : here + period // 2]
    start = max(0, here - period // 2) + period - reach
    around = samples[start : start + len(own) + 2 * reach]
    if len(own) < period // 2 or len(around) < len(own) + 2 * reach:
        return period, False
    products = np.correlate(around, own, mode="valid")
    sums = np.concatenate([[0.0], np.cumsum(np.square(around, dtype=np.float64))])
    energy = np.sqrt((sums[len(own) :] - sums[: -len(own)]) * float(np.square(own, dtype=np.float64).sum()) + 1e-12)
    alike = products / energy
    best = int(np.argmax(alike))
    return period - reach + best, bool(alike[best] >= _SURE)
