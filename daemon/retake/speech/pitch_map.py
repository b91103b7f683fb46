"""How high, how lively and how fast a person speaks, beside the base voice saying the same words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .hibari_net import FRAMES_PER_STEP
from .material import PITCHED, Material


@dataclass(frozen=True)
class PitchMap:
    """Between the base voice's pitch and the person's, on a log scale: medians, and how much wider the person's range is."""

    base: float  # ln Hz
    person: float  # ln Hz
    spread: float

    def to_person(self, pitch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Base contour (Hz) -> the person's."""
        return _map_voiced(pitch, self.base, self.person, self.spread)

    def to_base(self, pitch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The person's contour (Hz) -> the base voice's range."""
        return _map_voiced(pitch, self.person, self.base, 1.0 / self.spread)


def measure_pitch(material: Material) -> PitchMap:
    """Compare the reference's pitch with the base voice's, phone by phone: what either voices that the other does not is left out."""
    script = material.script
    voiced = material.heard > PITCHED
    owner = script.index.numpy().repeat(FRAMES_PER_STEP)[voiced]
    count = np.bincount(owner, minlength=len(script.ids))
    mean = np.bincount(owner, np.log(material.heard[voiced]), len(script.ids)) / np.maximum(count, 1)
    sounding = material.index.repeat(FRAMES_PER_STEP)
    both = (material.pitch > PITCHED) & ~material.quiet & (count[sounding] > 0)
    if both.sum() < 20:
        centre = float(np.median(np.log(material.heard[voiced]))) if voiced.any() else np.log(200.0)
        return PitchMap(centre, centre, 1.0)
    person, base = np.log(material.pitch[both]), mean[sounding[both]]
    # Ranges of means over phones on either side: single frames would make the reference's look wider.
    own = np.bincount(sounding[both], person, len(script.ids)) / np.maximum(np.bincount(sounding[both], minlength=len(script.ids)), 1)
    ranges = [float(np.percentile(x, 90) - np.percentile(x, 10)) for x in (own[sounding[both]], base)]
    return PitchMap(float(np.median(base)), float(np.median(person)), float(np.clip(ranges[0] / max(ranges[1], 1e-3), 0.5, 1.5)))


def measure_pace(material: Material) -> float:
    """Speaking rate of the person relative to the base voice (above 1: faster), pauses left out."""
    silent = ~material.script.spoken()
    steps = np.bincount(material.index, minlength=len(silent))
    quiet_steps = material.quiet[: len(material.index) * FRAMES_PER_STEP : FRAMES_PER_STEP]
    steps -= np.bincount(material.index[quiet_steps], minlength=len(silent))
    final = np.append(silent[1:], True) & ~silent  # a last phone carries part of the pause in the base voice's durations
    usable = ~silent & ~final
    return float(np.clip(material.script.durations[usable].sum() / max(1, steps[usable].sum()), 0.75, 1.35))


def _map_voiced(pitch: NDArray[np.float32], source: float, target: float, spread: float) -> NDArray[np.float32]:
    mapped = np.exp((np.log(np.maximum(pitch, PITCHED)) - source) * spread + target)
    return np.where(pitch > PITCHED, mapped, pitch).astype(np.float32)
