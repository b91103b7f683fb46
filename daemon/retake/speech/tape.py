"""Speech laid out in time to be trained on, and windows drawn from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .hibari_net import FRAMES_PER_STEP, HOP
from .material import Material


@dataclass(frozen=True)
class Tape:
    """Inputs and targets laid out in time, (..., steps) or (..., frames) each."""

    content: Tensor
    pitch: Tensor
    energy: Tensor
    pulses: Tensor
    samples: Tensor
    teacher: Tensor  # log gains of the warped base voice, (3 * BINS, frames); empty for the reference
    weights: NDArray[np.float64]  # of each possible start

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.content, self.pitch, self.energy


def lay_out(material: Material, told: Tensor) -> Tape:
    """The reference; `told` (frames,) is the pitch that the decoder is told."""
    spoken = ~material.quiet[: material.steps * FRAMES_PER_STEP : FRAMES_PER_STEP]
    return Tape(
        content=material.script.content[:, torch.from_numpy(material.index)],
        pitch=told,
        energy=torch.from_numpy(material.energy),
        pulses=material.pulses,
        samples=torch.from_numpy(material.samples),
        teacher=torch.zeros(0),
        weights=spoken.astype(np.float64),
    )


def windows(choose: np.random.Generator, tape: Tape, count: int, length: int) -> Tape:
    """A batch of windows of `length` steps; starts are drawn in proportion to the speech in the window."""
    total = tape.content.shape[-1]
    length = min(length, total)
    speech = np.convolve(tape.weights, np.ones(length), "valid") + 1e-6
    starts = choose.choice(len(speech), count, p=speech / speech.sum())

    def cut(signal: Tensor, scale: int) -> Tensor:
        return torch.stack([signal[..., start * scale : (start + length) * scale] for start in starts]) if signal.numel() else signal

    frames = FRAMES_PER_STEP
    return Tape(
        cut(tape.content, 1), cut(tape.pitch, frames), cut(tape.energy, frames), cut(tape.pulses, frames),
        cut(tape.samples, frames * HOP), cut(tape.teacher, frames), tape.weights,
    )  # fmt: skip
