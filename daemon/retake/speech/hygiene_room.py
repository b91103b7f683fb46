"""The quiet room of a recording, put where something is left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .activity import STEP
from .hygiene_record import LeftOut
from .spectrogram import Overlap

Samples = NDArray[np.float32]
_FADE = 0.02  # s
_LENGTH = 2048


def quiet_room(samples: Samples, rate: int, left_out: Sequence[LeftOut], pauses: NDArray[np.bool_]) -> Samples:
    """Replace stretches by noise like that of the `pauses` (steps of 10 ms), faded in and out; by silence where there are no pauses."""
    out = samples.copy()
    tone = _room_tone(samples, rate, pauses)
    fade = round(_FADE * rate)
    for part in left_out:
        first, last = max(0, round(part.start * rate)), min(len(out), round(part.end * rate))
        if last - first < 2 * fade:
            continue
        weight = np.ones(last - first, np.float32)
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)).astype(np.float32)
        if first > 0:
            weight[:fade] = ramp
        if last < len(out):
            weight[-fade:] = ramp[::-1]
        # Two sounds that have nothing in common keep their level where their powers add up to one.
        out[first:last] = out[first:last] * np.sqrt(1 - weight) + tone[first:last] * np.sqrt(weight)
    return out


def _room_tone(samples: Samples, rate: int, pauses: NDArray[np.bool_]) -> Samples:
    overlap = Overlap(_LENGTH)
    spectra = overlap.split(samples)
    at = np.clip((overlap.centres(len(spectra), rate) / STEP).astype(int), 0, len(pauses) - 1)
    power = np.abs(spectra[pauses[at]]) ** 2
    if len(power) < 4:
        return np.zeros_like(samples)
    quieter = power[power.sum(1) <= np.median(power.sum(1))]  # the louder half of pauses is breath
    random = np.random.default_rng(0)
    white = overlap.split(random.standard_normal(len(samples)).astype(np.float32))
    scale = np.sqrt(quieter.mean(0) / (np.abs(white) ** 2).mean(0))
    return overlap.join(white * scale.astype(np.float32), len(samples))
