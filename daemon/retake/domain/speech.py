"""Speech: sound and the times of its phones and words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .timing import Timing


@dataclass(frozen=True)
class Speech:
    """`samples` is mono float32 in [-1, 1], shape (n,), at `rate` Hz; `timing` counts from its first sample."""

    samples: NDArray[np.float32]
    rate: int
    timing: Timing
    engine: str = ""  # name and version of what made it, or "recording"

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.rate
