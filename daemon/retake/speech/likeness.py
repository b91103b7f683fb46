"""How far speech in training is from sounding like the person, as a loss.

The spectral loss compares frame by frame, with the person's own melody; this one asks what is heard of the speaker in speech as it will be
spoken: other words, the base voice's melody. By itself it could be satisfied by tricks, so it is given little weight (docs/voice.md).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from . import voiceprint
from .hibari_net import RATE
from .voiceprint_torch import FRAMES, Voiceprint

FAINT = 3.5  # log10 units of power under the loudest frame: pauses, which say nothing of the speaker


class Likeness:
    """Distance, 0 to 2, from the voice of a reference. Raises ValueError where the reference holds too little speech."""

    def __init__(self, reference: NDArray[np.float32], windows: int) -> None:
        self._target = torch.from_numpy(voiceprint.embed(reference, RATE))
        self._network = Voiceprint()
        self._windows = windows

    def __call__(self, samples: Tensor) -> Tensor:
        """Of speech (batch, n) at 24 kHz, all of it taken as one recording without its pauses."""
        mel = self._network.mel(samples)
        loud = mel.detach().amax(-1)
        frames = mel[loud > loud.max() - FAINT]
        if len(frames) < FRAMES:
            return samples.new_zeros(())
        starts = np.linspace(0, len(frames) - FRAMES, self._windows).round().astype(np.int64)
        views = torch.stack([frames[start : start + FRAMES] for start in starts])
        return 1 - functional.normalize(self._network(views).mean(0), dim=0) @ self._target
