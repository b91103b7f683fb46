"""Finished speech brought to the loudness of the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .loudness import SILENT, limit, loudness

CLOSE_ENOUGH = 0.1  # LU
ROUNDS = 4


def master(samples: NDArray[np.float32], rate: int, target: float | None) -> NDArray[np.float32]:
    """Bring speech to `target` LUFS without peaks above -1 dBTP. Without a target, or with silence, only peaks are held.

    Limiting takes some loudness away, which further rounds give back: a reference with a compressed voice is reached all the same.
    """
    samples = np.asarray(samples, np.float32)
    out = samples
    gain = 0.0
    for _ in range(ROUNDS if target is not None else 0):
        measured = loudness(out, rate)
        if target is None or measured <= SILENT or abs(measured - target) < CLOSE_ENOUGH:
            break
        gain += target - measured
        out = limit(samples * np.float32(10 ** (gain / 20)), rate)
    return limit(out, rate)
