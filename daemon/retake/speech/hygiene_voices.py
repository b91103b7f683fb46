"""Another person in a recording: stretches of speech whose voice is far from the voice that speaks most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retake.domain.progress import Progress

from .activity import STEP
from .voiceprint import RATE, embed

_LENGTH, _HOP = 1.6, 0.4  # s of speech (pauses left out) that a voice is told by, and how far the next such window is

_UNLIKE, _STILL_UNLIKE = 0.57, 0.66  # cosine with the main voice


@dataclass(frozen=True)
class VoiceWindows:
    """Windows of speech: from where to where in the recording (s), and how alike each is to the voice that speaks most (cosine)."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    alike: NDArray[np.float64]
    vectors: NDArray[np.float32]


def voice_windows(samples: NDArray[np.float32], rate: int, talking: NDArray[np.bool_], progress: Progress | None = None) -> VoiceWindows:
    """Compare the voices of all windows. `talking`: (n,) in steps of 10 ms.

    The main voice is the mean of the half of the windows that agree most with each other, found from the window that has most friends: a second
    person who speaks less than half of the time cannot pull it over.
    """
    import soxr

    progress = progress or Progress()
    sound = np.asarray(samples if rate == RATE else soxr.resample(samples, rate, RATE), np.float32)
    step = round(STEP * RATE)
    spoken = np.flatnonzero(talking[: len(sound) // step])
    length, hop = round(_LENGTH / STEP), round(_HOP / STEP)
    starts, ends, vectors = [], [], []
    for first in range(0, max(1, len(spoken) - length + 1), hop):
        steps = spoken[first : first + length]
        if len(steps) < length // 2:
            break
        progress.check()
        part = sound[(steps[:, None] * step + np.arange(step)[None]).ravel()]
        try:
            vectors.append(embed(part, RATE))
        except ValueError:
            continue
        starts.append(steps[0] * STEP)
        ends.append((steps[-1] + 1) * STEP)
    if not vectors:
        return VoiceWindows(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros((0, 256), np.float32))
    found = np.array(vectors)
    return VoiceWindows(np.array(starts), np.array(ends), (found @ main_voice(found)).astype(np.float64), found)


def main_voice(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(256,) unit vector of the voice that speaks most."""
    likeness = vectors @ vectors.T
    half = max(1, len(vectors) // 2)
    centre = vectors[int(np.argmax(np.sort(likeness, axis=1)[:, -half:].mean(1)))]
    for _ in range(5):
        nearest = np.argsort(-(vectors @ centre), kind="stable")[:half]
        centre = vectors[nearest].mean(0)
        centre = centre / np.linalg.norm(centre)
    return centre.astype(np.float32)


def other_voices(found: VoiceWindows, steps: int) -> NDArray[np.bool_]:
    """(steps,) of 10 ms, True where somebody else speaks.

    Three windows in a row (2.4 s of speech) whose mean is far from the main voice, in itself and for this recording, begin such a stretch;
    single windows of one person fall as low, three in a row did not (docs/reference-hygiene.md). It goes on as far as windows stay unlike.
    """
    out = np.zeros(steps, np.bool_)
    count = len(found.alike)
    if count < 5:
        return out
    usual = float(np.median(found.alike))
    means = np.convolve(found.alike, np.full(3, 1 / 3), "valid")
    unlike = found.alike < min(_STILL_UNLIKE, usual - 0.15)
    for first in np.flatnonzero(means < min(_UNLIKE, usual - 0.2)):
        low, high = int(first), int(first) + 3
        while low > 0 and unlike[low - 1]:
            low -= 1
        while high < count and unlike[high]:
            high += 1
        while high - low > 2 and not unlike[low]:
            low += 1
        while high - low > 2 and not unlike[high - 1]:
            high -= 1
        out[round(found.start[low] / STEP) : round(found.end[high - 1] / STEP)] = True
    return out
