"""Where the face is in every frame of a reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rate import FrameRate


@dataclass(frozen=True)
class FaceTrack:
    """Landmarks of one face over a constant-rate video.

    landmarks: (n, 478, 3) float32, MediaPipe order, pixels of the upright picture (z in the same unit); NaN rows where no face was found.
    blendshapes: (n, 52) float32 in MediaPipe's order, NaN rows likewise.
    faces: (n,) uint8, number of faces that were found in each frame.
    """

    landmarks: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    faces: NDArray[np.uint8]
    rate: FrameRate
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.landmarks)

    @property
    def found(self) -> NDArray[np.bool_]:
        """(n,) True where there are landmarks."""
        return ~np.isnan(self.landmarks[:, 0, 0])
