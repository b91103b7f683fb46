"""From a person's canonical space to the common frontal space in which the prior was learnt, and back.

A person's canonical space keeps the head's attitude of their own template; two people's mouths can only be compared after both are
turned the same way. The stable points decide (similarity of Umeyama 1991), so that nothing depends on the mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canonical import MOUTH, RIGID, similarity

Array = NDArray[np.float32]


@dataclass(frozen=True)
class MouthSpace:
    """common = scale * rotation @ own + shift. Movements (differences of points) only turn and scale."""

    scale: float
    rotation: Array
    shift: Array

    @classmethod
    def of(cls, canonical: Array, rigid: Array) -> MouthSpace:
        """From a person's canonical landmarks (n, 478, 3), NaN rows allowed, and the common space's stable points."""
        mean = np.nanmean(canonical[:, list(RIGID)].astype(np.float64), axis=0)
        scale, rotation, shift = similarity(mean.astype(np.float32), rigid)
        return cls(float(scale), rotation, shift)

    def to_common(self, canonical: Array) -> Array:
        """(n, 478, 3) canonical landmarks -> (n, len(MOUTH), 3) mouths in the common space."""
        return (self.scale * canonical[:, list(MOUTH)] @ self.rotation.T + self.shift).astype(np.float32)

    def to_own(self, mouths: Array) -> Array:
        """(n, len(MOUTH), 3) in the common space -> the same in the person's canonical space."""
        return ((mouths - self.shift) @ self.rotation / self.scale).astype(np.float32)
