"""The pictures behind the mouth: reference frames along a motion path, with their landmarks, and mixtures at its transitions."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from retake.domain.motion import MotionPath
from retake.media.prefetch import close_source

from .canonical import MOUTH, to_image
from .geometry import PINS, RING, Geometry
from .warp import Box, Image, ThinPlate, enlarge, pull

Array = NDArray[np.float32]

# Steps of a grid over the whole picture when two frames are brought together, in IOD.
MIX_STEP = 0.25
FLOW_SIDE = 384  # pixels of the longer side at which optical flow is looked for


class FrameReader(Protocol):
    """Random access to pictures, each the caller's own, cheap going forwards at two places (`media.reference.ReferenceFrames`)."""

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
    """Frames to be read for `path`, each list in the order of the take: (source, other)."""
    if len(path) and (int(path.source.min()) < 0 or int(max(path.source.max(), path.other.max())) >= length):
        raise ValueError(f"the path leaves the reference's {length} frames")
    return [int(i) for i in path.source], [int(i) for i in path.other if i >= 0]


def rotations(path: MotionPath, geometry: Geometry) -> tuple[Array, NDArray[np.bool_]]:
    """How the head is turned in each frame of the take (n, 3, 3), and whether there is a face to draw on (n,)."""
    return geometry.pose.rotation[path.source], geometry.found[path.source]


def backgrounds(path: MotionPath, shapes: Array, geometry: Geometry, frames: FrameReader) -> Generator[Background, None, None]:
    """Pictures of the take in order.

    In a transition both frames are warped to landmarks between theirs, then mixed along the optical flow that remains (hair,
    shoulders): a dissolve of heads in two places would show both. Without a face in one of the two, only the flow helps.

    Args:
        path: of n frames.
        shapes: (n, len(MOUTH), 3) canonical target shapes, of a head at its usual (`Geometry.turned`).
        geometry: of the reference.
        frames: the reference; its pictures are changed in place.
    """
    sources, others = reads(path, len(geometry))
    found = geometry.found
    with ExitStack() as readers:
        # Their decoders work ahead in threads, which must have ended before the reference is closed.
        main, side = frames.read(sources), frames.read(others)
        readers.callback(close_source, main)
        readers.callback(close_source, side)
        for i, source in enumerate(sources):
            image = next(main)
            other = int(path.other[i])
            shape = shapes[i : i + 1]
            here = np.array([source])
            points = geometry.points(here)[0] if found[source] else None
            target = _target(shape, here, geometry) if found[source] else None
            scale = 1 / float(geometry.pose.scale[source])
            if other >= 0:
                second_image = next(side)
                weight = float(path.weight[i])
                if points is not None and target is not None and found[other]:
                    there = np.array([other])
                    other_points = geometry.points(there)[0]
                    mixed = (1 - weight) * points + weight * other_points
                    away = _target(shape, there, geometry)
                    target = (target + np.float32(weight) * (away - target)).astype(np.float32)
                    image = _bring(image, points, mixed, scale)
                    second_image = _bring(second_image, other_points, mixed, scale)
                    points = mixed
                image = _dissolve(image, second_image, weight)
            yield Background(image, points, target, scale)


def _target(shape: Array, frame: NDArray[np.integer], geometry: Geometry) -> Array:
    """(1, len(MOUTH), 3) shape of a head at its usual -> (len(MOUTH), 2) pixels in one frame."""
    return np.asarray(to_image(shape + geometry.turned(frame), geometry.pose[frame])[0, :, :2], np.float32)


def _dissolve(image: Image, other: Image, weight: float) -> Image:
    """Mix two pictures of nearly the same scene, each moved towards the other along their optical flow by its share."""
    height, width = image.shape[:2]
    small = min(1.0, FLOW_SIDE / max(height, width))
    size = (max(32, round(width * small)), max(32, round(height * small)))
    grey = [cv2.cvtColor(cv2.resize(x, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY) for x in (image, other)]
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = finder.calc(grey[0], grey[1], np.zeros((size[1], size[0], 2), np.float32))
    # Smoothed: where the scenes differ (a blink) flow tears, and a torn picture is worse than a mixed one.
    flow = cv2.GaussianBlur(flow, (0, 0), 3.0)
    flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * np.array([width / size[0], height / size[1]], np.float32)
    share = np.float32(weight)
    ours, theirs = pull(image, -share * flow, 0, 0), pull(other, (1 - share) * flow, 0, 0)
    return (ours * (1 - share) + theirs * share + np.float32(0.5)).astype(np.uint8)


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
    nodes = plate.at_grid(plate.solve(np.concatenate([points[used], border]) - goal), box, step)
    return pull(image, enlarge(nodes, step, box), 0, 0)
