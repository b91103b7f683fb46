"""Dynamic time warping, vectorised along anti-diagonals (Sakoe and Chiba 1978)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDEWAYS = 1.3  # weight of steps that stretch one side: without it a path wanders where both sides are flat
_DIAGONAL, _FIRST, _SECOND = 0, 1, 2


def warp(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[NDArray[np.int64], float]:
    """Map each frame of `second` to a frame of `first`.

    Args:
        first, second: (n, d) and (m, d) features; distance is Euclidean.

    Returns:
        (m,) int64 non-decreasing indices into `first` (the last one on the path where several match), and the mean cost of the path.

    Time and memory grow with n * m: about 0.2 s and 30 MB for 20 s against 20 s at 12.5 ms.
    """
    n, m = len(first), len(second)
    if n == 0 or m == 0:
        raise ValueError("nothing to align")
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None, :] - 2.0 * (first @ second.T)
    cost = np.sqrt(np.maximum(squares, 0)).astype(np.float32).ravel()
    steps = np.zeros((n + m - 1, n), np.int8)  # which way each cell was reached, one row an anti-diagonal, indexed by the row in `first`
    last = np.full(n + 1, np.inf, np.float32)  # sums on the previous diagonal, shifted by one so that index 0 stands for row -1
    before = np.full(n + 1, np.inf, np.float32)  # and on the one before it
    for diagonal in range(n + m - 1):
        low, high = max(0, diagonal - m + 1), min(n - 1, diagonal)
        here = cost[low * m + diagonal - low :: max(1, m - 1)][: high - low + 1] if m > 1 else cost[low : high + 1]
        total = np.full(n + 1, np.inf, np.float32)
        if diagonal == 0:
            total[1] = here[0]
        else:
            choices = np.stack([before[low : high + 1] + here, last[low : high + 1] + SIDEWAYS * here, last[low + 1 : high + 2] + SIDEWAYS * here])
            best = choices.argmin(0)
            steps[diagonal, low : high + 1] = best
            total[low + 1 : high + 2] = np.take_along_axis(choices, best[None], 0)[0]
        before, last = last, total
    mapping = np.zeros(m, np.int64)
    i, j, length = n - 1, m - 1, 0
    mapping[j] = i
    while i or j:
        step = steps[i + j, i]
        if step == _DIAGONAL:
            i, j = i - 1, j - 1
        elif step == _FIRST:
            i -= 1
        else:
            j -= 1
        mapping[j] = max(mapping[j], i)
        length += 1
    return mapping, float(last[n]) / max(1, length + 1)
