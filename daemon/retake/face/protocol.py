"""What the pipeline needs from an engine that makes the mouth move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retake.domain.motion import MotionPath
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.speech import Speech

Image = NDArray[np.uint8]


class LipsEngine(Protocol):
    """Draws a person saying something over frames of their own reference."""

    @property
    def name(self) -> str:
        """For example "embedded"."""
        ...

    @property
    def version(self) -> str:
        """Part of cache keys: it changes whenever the picture does."""
        ...

    def render(self, speaker: Path, path: MotionPath, speech: Speech, rate: FrameRate, progress: Progress) -> Iterator[Image]:
        """Frames of the take in order, one for each entry of `path`: (height, width, 3) uint8 RGB at the reference's size.

        Args:
            speaker: the speaker's folder, holding the normalised reference and everything this engine stored at enrolment.
            path: the background, at the take's rate.
            speech: what is heard; frame i shows the mouth at (i + 0.5) / rate seconds.
            rate: the take's frame rate.

        Lazy: memory does not grow with the length of the take. Frames in which the reference has no face come through unchanged.
        """
        ...
