"""Sentences that the adapted decoder must still speak clearly: in every step of training, next to the reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from retake.domain.progress import Progress

from .hibari_net import FRAMES_PER_STEP, Spectra, VoiceNet
from .material import read_script
from .pitch_map import PitchMap
from .synthesis import Synthesiser, pulse_spectrum
from .tape import Tape

# Every phone of English several times, in many neighbourhoods (after the idea of the Harvard sentences, IEEE 1969).
REHEARSAL = (
    "The boy was there when the sun rose, and a large size in stockings is hard to sell.",
    "Four hours of steady work faced us, so we chose the right road through the valley.",
    "A pot of tea helps to pass the evening; the juice of lemons makes fine punch.",
    "Rice is often served in round bowls, while the box was thrown beside the parked truck.",
    "She asked whether those vague measures were usual for young children, though they enjoyed the voyage.",
    "What joy there is in living, and how much change each good choice could bring!",
    "Glue the sheet to the dark blue background; these days a chicken leg is a rare dish.",
    "The hogs were fed chopped corn and garbage, yet both thieves thought nothing of it.",
)
QUIETEST = -6.0  # natural log; magnitudes below do not count in rehearsal


@torch.no_grad()
def rehearse(
    base: Synthesiser,
    warped: VoiceNet,
    phonemise: Callable[[str], str],
    pace: float,
    *,
    offsets: NDArray[np.float32],
    pitch: PitchMap,
    progress: Progress,
) -> Tape:
    """Rehearsal sentences at the person's pace; the target is what the warped base voice makes of them, corrected phone by phone."""
    script = read_script(base, [phonemise(sentence) for sentence in REHEARSAL], pace)
    progress.check()
    content = script.content[:, script.index]
    told, energy = torch.from_numpy(script.pitch), torch.from_numpy(script.energy)
    spectra = warped.decode(content[None], told[None], energy[None])
    progress.check()
    track = offsets[script.sounding()][script.index.numpy()].repeat(FRAMES_PER_STEP, 0).T
    correction = torch.from_numpy(gaussian_filter1d(track, 1.5, axis=1))
    teacher = torch.cat([spectra.log_harmonic[0], spectra.log_noise[0], spectra.log_free[0]]) + correction.repeat(3, 1)
    return Tape(
        content, told, energy, pulse_spectrum(pitch.to_person(script.pitch)), torch.zeros(0), teacher.clamp(min=QUIETEST), np.ones(content.shape[-1])
    )


def rehearsal_loss(spectra: Spectra, practice: Tape, length: int) -> Tensor:
    """Mean distance of log gains over `length` steps."""
    made = torch.cat([spectra.log_harmonic, spectra.log_noise, spectra.log_free], 1).clamp(min=QUIETEST)
    return (made - practice.teacher[..., : length * FRAMES_PER_STEP]).abs().mean()
