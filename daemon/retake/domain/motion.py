"""A motion path: which frame of the reference stands behind each frame of the take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class MotionPath:
    """For every frame of a take, the reference frames that make its background.

    source: (n,) int32 index into the reference's constant-rate frames.
    other: (n,) int32 second frame of a transition, -1 where there is none.
    weight: (n,) float32 in [0, 1], share of `other` (0 where there is none).
    seams: frame numbers of the take at which the path jumps.
    """

    source: NDArray[np.int32]
    other: NDArray[np.int32]
    weight: NDArray[np.float32]
    seams: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.source) == len(self.other) == len(self.weight):
            raise ValueError("source, other and weight must have one entry a frame")

    def __len__(self) -> int:
        return len(self.source)
