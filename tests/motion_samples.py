"""Made-up references for the tests of the motion graph: a face of random points that sways, blinks and is cut, and what the camera sees of it."""

from __future__ import annotations

import numpy as np

from retake.domain.phones import SILENCE
from retake.domain.rate import FrameRate
from retake.domain.speech import Speech
from retake.domain.timing import Phone, Timing
from retake.domain.track import FaceTrack
from retake.face.canonical import LIPS

SIZE = 256
BLINK_EVERY = 80  # frames


def sway(n: int, rate: float, size: float, seed: int) -> np.ndarray:
    """(n, 2) smooth movement in pixels without a period: a few slow sines."""
    random = np.random.default_rng(seed)
    seconds = np.arange(n)[:, None] / rate
    out = np.zeros((n, 2))
    for frequency in (0.11, 0.23, 0.41):
        out += random.uniform(0.5, 1, 2) * np.sin(2 * np.pi * (frequency * random.uniform(0.8, 1.2, 2) * seconds + random.random(2)))
    return size * out / 3


def reference(
    seconds: float,
    *,
    rate: FrameRate = FrameRate(25),  # noqa: B008 (a frozen value)
    movement: float = 3.0,
    cuts: tuple[int, ...] = (),
    faceless: tuple[tuple[int, int], ...] = (),
    seed: int = 0,
) -> tuple[FaceTrack, np.ndarray]:
    """A track and thumbnails. Eyes are 80 px apart; at each of `cuts` the head leaps by a tenth of that and the light changes."""
    n = rate.frames(seconds)
    random = np.random.default_rng(seed)
    face = random.uniform(-60, 60, (478, 3))
    face[33], face[263] = (-40, -20, 0), (40, -20, 0)
    face[list(LIPS)] = random.uniform((-20, 25, -5), (20, 45, 5), (len(LIPS), 3))
    shift = np.zeros((n, 3))
    shift[:, :2] = sway(n, float(rate), movement, seed)
    shot = np.searchsorted(np.array(cuts), np.arange(n), side="right")
    shift[:, 0] += shot * 8.0
    landmarks = face[None] + shift[:, None] + SIZE / 2 + random.normal(0, 0.1, (n, 478, 3))
    blendshapes = np.zeros((n, 52), np.float32)
    blend_blinks(blendshapes, n)
    faces = np.ones(n, np.uint8)
    for begin, end in faceless:
        landmarks[begin:end] = np.nan
        blendshapes[begin:end] = np.nan
        faces[begin:end] = 0
    y, x = np.mgrid[:64, :64]
    centre = (shift[:, :2] + SIZE / 2) * (64 / SIZE)
    distance = np.hypot(x[None] - centre[:, :1, None], y[None] - centre[:, 1:, None])
    light = 100 + 25.0 * (shot % 2)
    small = np.clip(light[:, None, None] + 90 * np.exp(-((distance / 18) ** 2)), 0, 255).astype(np.uint8)
    return FaceTrack(landmarks.astype(np.float32), blendshapes, faces, rate, SIZE, SIZE), small


def blend_blinks(blendshapes: np.ndarray, n: int) -> None:
    for peak in range(BLINK_EVERY // 2, n, BLINK_EVERY):
        for offset, closed in ((-2, 0.3), (-1, 0.7), (0, 0.9), (1, 0.7), (2, 0.3)):
            if 0 <= peak + offset < n:
                blendshapes[peak + offset, 9:11] = closed


def speech(seconds: float, pauses: tuple[tuple[float, float], ...] = ()) -> Speech:
    """Silent samples with a timing that speaks except in `pauses`."""
    phones: list[Phone] = []
    at = 0.0
    for begin, end in pauses:
        phones += [Phone("AA", at, begin), Phone(SILENCE, begin, end)]
        at = end
    phones.append(Phone("AA", at, seconds))
    return Speech(np.zeros(round(seconds * 100), np.float32), 100, Timing(tuple(p for p in phones if p.end > p.start), ()))
