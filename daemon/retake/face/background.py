"""The pictures behind the mouth: reference frames along a motion path, with their landmarks, and mixtures at its transitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retake.domain.motion import MotionPath

from .canonical import MOUTH, to_image
from .geometry import PINS, RING, Geometry
from .warp import Box, Image, ThinPlate, enlarge, pull

Array = NDArray[np.float32]

# Steps of a grid over the whole picture when two frames are brought together, in IOD.
MIX_STEP = 0.25


class FrameReader(Protocol):
    """Random access to pictures, cheap going forwards (`media.reference.ReferenceFrames`)."""

    def read(self, indices: Iterable[int]) -> Iterator[Image]: ...


@dataclass
class Background:
    """One picture of the take before the mouth is drawn.

    points: (MOUTH + PINS + RING, 2) pixels: where they lie in this picture; None without a face.
    target: (len(MOUTH), 2) pixels: where the wanted mouth belongs.
    iod: inter-ocular distance in pixels.
    """

    image: Image
    points: Array | None
    target: Array | None
    iod: float


def reads(path: MotionPath, length: int) -> tuple[list[int], list[int]]:
    """Frames that two readers have to bring for `path`, each in the order of the take: (source, other)."""
    if len(path) and (int(path.source.min()) < 0 or int(max(path.source.max(), path.other.max())) >= length):
        raise ValueError(f"the path leaves the reference's {length} frames")
    return [int(i) for i in path.source], [int(i) for i in path.other if i >= 0]


def rotations(path: MotionPath, geometry: Geometry) -> tuple[Array, NDArray[np.bool_]]:
    """How the head is turned in each frame of the take (n, 3, 3), and whether there is a face to draw on (n,)."""
    return geometry.pose.rotation[path.source], geometry.found[path.source]


def backgrounds(path: MotionPath, shapes: Array, geometry: Geometry, first: FrameReader, second: FrameReader) -> Iterator[Background]:
    """Pictures of the take in order.

    In a transition both frames are warped to landmarks between theirs, then mixed: a dissolve of heads in two places would
    show both. Frames without a face in one of the two are dissolved as they are.

    Args:
        path: of n frames.
        shapes: (n, len(MOUTH), 3) canonical target shapes.
        geometry: of the reference.
        first, second: independent readers of the reference.
    """
    sources, others = reads(path, len(geometry))
    main, side = first.read(sources), second.read(others)
    found = geometry.found
    for i, source in enumerate(sources):
        image = next(main)
        other = int(path.other[i])
        shape = shapes[i : i + 1]
        here = np.array([source])
        points = geometry.points(here)[0] if found[source] else None
        target = to_image(shape, geometry.pose[here])[0, :, :2] if found[source] else None
        scale = 1 / float(geometry.pose.scale[source])
        if other >= 0:
            second_image = next(side)
            weight = float(path.weight[i])
            if points is not None and target is not None and found[other]:
                there = np.array([other])
                other_points = geometry.points(there)[0]
                mixed = (1 - weight) * points + weight * other_points
                away = to_image(shape, geometry.pose[there])[0, :, :2]
                target = (target + np.float32(weight) * (away - target)).astype(np.float32)
                image = _bring(image, points, mixed, scale)
                second_image = _bring(second_image, other_points, mixed, scale)
                points = mixed
            image = (image * np.float32(1 - weight) + second_image * np.float32(weight) + np.float32(0.5)).astype(np.uint8)
        yield Background(image, points, target, scale)


def _bring(image: Image, points: Array, places: Array, iod: float) -> Image:
    """Warp a whole picture so that its `points` come to lie at `places`; the picture's border stays."""
    height, width = image.shape[:2]
    used = np.r_[0 : len(MOUTH) : 4, len(MOUTH) : len(MOUTH) + len(PINS), len(MOUTH) + len(PINS) : len(MOUTH) + len(PINS) + len(RING)]
    x, y = np.linspace(0, width - 1, 7), np.linspace(0, height - 1, 7)
    border = np.concatenate([np.c_[x, 0 * x], np.c_[x, 0 * x + height - 1], np.c_[0 * y, y], np.c_[0 * y + width - 1, y]])
    goal = np.concatenate([places[used], border])
    plate = ThinPlate(goal, np.full(len(goal), 1e-3))
    box = Box(0, 0, width, height)
    step = max(4.0, MIX_STEP * iod)
    nodes = plate.grid(box, step) @ plate.solve(np.concatenate([points[used], border]) - goal)
    return pull(image, enlarge(nodes, step, box), 0, 0)
