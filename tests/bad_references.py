"""References that cannot work, and some that nearly can, made of the presenter. Small pictures: they are looked at, not learnt from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from media_samples import make_video
from numpy.typing import NDArray
from scipy.spatial import Delaunay

import retake
from retake.engines.landmarks import FaceDetector
from retake.media.audio import read_audio
from retake.media.reader import read_frames

PRESENTER = Path(retake.__file__).parent / "assets" / "presenter" / "presenter.mp4"
SIDE = 256  # pixels
FPS, SOUND_RATE = 25, 48000

Picture = NDArray[np.uint8]
Sound = NDArray[np.float32]


class Presenter:
    """The presenter's first pictures and all of their sound, read once."""

    def __init__(self, seconds: float = 8.0) -> None:
        self.pictures: list[Picture] = list(read_frames(PRESENTER, max_side=SIDE, seconds=seconds))
        self.sound: Sound = read_audio(PRESENTER, SOUND_RATE)

    def video(self, path: Path, seconds: float, *, picture: Callable[[int], Picture] | None = None, sound: Sound | None = None) -> Path:
        """Write `seconds` of the presenter; `picture` gives other pictures by their number, `sound` another sound."""
        draw = picture or self.picture
        height, width, _ = draw(0).shape
        heard = (self.sound if sound is None else sound)[: round(seconds * SOUND_RATE)]
        return make_video(path, rate=FPS, frames=round(seconds * FPS), size=(width, height), picture=draw, sound=heard, sound_rate=SOUND_RATE)

    def picture(self, number: int) -> Picture:
        return self.pictures[number % len(self.pictures)]

    def twice(self, number: int) -> Picture:
        """Two people side by side."""
        one = self.picture(number)
        return np.hstack([one, one[:, ::-1]])

    def turned(self, degrees: float) -> Callable[[int], Picture]:
        """The face alone, turned away to the side: the mesh of its points in one picture is turned, and every picture is drawn onto it."""
        with FaceDetector(1) as detector:
            face = detector.detect(self.pictures[0], 0).landmarks[0].astype(np.float64)
        middle = face.mean(0)
        x, y, z = (face - middle).T
        angle = np.radians(degrees)
        moved = np.stack([x * np.cos(angle) + z * np.sin(angle), y], 1) + middle[:2]
        near = x * np.sin(angle) - z * np.cos(angle)
        triangles = Delaunay(face[:, :2]).simplices
        where = np.full((SIDE, SIDE, 2), -1.0, np.float32)  # of each pixel in the straight picture; -1 beside the face
        for triangle in triangles[np.argsort(near[triangles].mean(1))]:  # the nearest last, over the others
            mask = np.zeros((SIDE, SIDE), np.uint8)
            cv2.fillConvexPoly(mask, moved[triangle].round().astype(np.int32), 1)
            rows, columns = np.nonzero(mask)
            corners = np.c_[moved[triangle], np.ones(3)]
            if len(rows) and abs(np.linalg.det(corners)) > 1e-3:
                where[rows, columns] = np.c_[columns, rows, np.ones(len(rows))] @ np.linalg.solve(corners, face[triangle, :2])

        def draw(number: int) -> Picture:
            picture = cv2.remap(self.picture(number), where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderValue=(90, 90, 90))
            return np.asarray(picture, np.uint8)

        return draw


def grey(number: int) -> Picture:
    """Nobody."""
    return np.full((SIDE, SIDE, 3), 120, np.uint8)


def chords(seconds: float) -> Sound:
    """Music without a voice: four chords of decaying harmonic tones, two a second, over a beat of noise."""
    time = np.arange(round(0.5 * SOUND_RATE)) / SOUND_RATE
    noise = np.random.default_rng(0)
    bars: list[Sound] = []
    for number in range(round(seconds / 0.5)):
        root = (220.0, 174.6, 261.6, 196.0)[number // 2 % 4]
        bar = np.zeros(len(time))
        for interval in (1.0, 1.26, 1.498):
            for harmonic in range(1, 6):
                bar += np.sin(2 * np.pi * root * interval * harmonic * time) * np.exp(-3 * time) / harmonic
        bar = 0.08 * bar + 0.05 * noise.standard_normal(len(time)) * np.exp(-40 * time)
        bars.append(bar.astype(np.float32))
    return np.concatenate(bars)
