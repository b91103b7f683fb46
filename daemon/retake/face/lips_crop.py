"""Faces cut out for a lips engine of its own process, and its mouths put back.

Crops follow the head and not the jaw: their corners are points of the person's template, moved by the steadied pose of each frame, so that they
neither shake nor grow when the mouth opens. They are read at fractions of a pixel, smoothed where they shrink, repeated beyond the picture's edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retake.domain.motion import MotionPath
from retake.engines.manifest import Lips

from .background import Background
from .blend import colour_shift, multiband, soft_mask
from .canonical import MOUTH, to_image
from .geometry import Geometry
from .warp import Box, Image

Array = NDArray[np.float32]

# The outline of the face, clockwise from the top of the forehead.
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127,
    162, 21, 54, 103, 67, 109,
)  # fmt: skip
_HIGH, _BROW, _NOSE = 10, 151, 5  # top and middle of the forehead; the lower end of the nose's bridge
SMALLEST = 24  # pixels: a face of which less is seen is left as it is
# Lengths in IOD.
FEATHER = 0.16
UNDER = 0.14  # how far below the jaw the mask reaches: a mouth that opens takes the chin along
_EDGE = 0.06  # share of a crop's side over which the mask ends at the latest
_REACH = 0.3


@dataclass(frozen=True)
class Crop:
    """A rectangle of a picture in pixels; corners may lie between pixels and outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def usable(self) -> bool:
        return math.isfinite(self.width) and min(self.width, self.height) >= SMALLEST


def crops(path: MotionPath, geometry: Geometry, wanted: Lips) -> list[Crop]:
    """Where the face of each frame of a take is cut out; all NaN where there is none. In a transition, between those of both frames."""
    points = geometry.template[[*OVAL, _HIGH, _BROW, _NOSE]]
    main = _boxes(points, geometry, path.source, wanted)
    other = _boxes(points, geometry, np.maximum(path.other, 0), wanted)
    mixed = (path.other >= 0) & ~np.isnan(main[:, 0]) & ~np.isnan(other[:, 0])
    share = np.where(mixed, path.weight, 0)[:, None]
    out = np.where(mixed[:, None], (1 - share) * main + share * np.nan_to_num(other), main)
    return [Crop(*(float(side) for side in row)) for row in out]


def _boxes(points: Array, geometry: Geometry, frames: NDArray[np.integer], wanted: Lips) -> NDArray[np.float64]:
    """(n, 4) left, top, right, bottom."""
    places = to_image(np.broadcast_to(points, (len(frames), *points.shape)), geometry.pose[frames])[..., :2].astype(np.float64)
    oval, (high, brow, nose) = places[:, :-3], (places[:, -3], places[:, -2], places[:, -1])
    chin = oval[..., 1].max(1)
    top = (high[:, 1] + brow[:, 1]) / 2 if wanted.top == "forehead" else 2 * nose[:, 1] - chin
    return np.stack([oval[..., 0].min(1), top, oval[..., 0].max(1), chin + wanted.below * (chin - top)], 1)


def cut(image: Image, crop: Crop, size: int) -> Image:
    """(size, size, 3): the crop, brought to a square."""
    finer = min(8, max(1, math.ceil(max(crop.width, crop.height) / size)))
    side = size * finer
    matrix = np.array([[crop.width / side, 0, crop.left], [0, crop.height / side, crop.top]])
    matrix[:, 2] += matrix[:, :2].sum(1) / 2 - 0.5  # corners of pixels to their middles
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    out = cv2.warpAffine(image, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out if finer == 1 else cv2.resize(out, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def paste(scene: Background, drawn: Image, crop: Crop, share: float = 1.0) -> None:
    """Put the mouth and jaw of a drawn crop into a picture that has a face, in place. Nothing changes outside the face's lower part.

    Args:
        drawn: (size, size, 3) of that crop.
        share: how much of it is seen, 0..1.
    """
    image, points, iod = scene.image, scene.points, scene.iod
    height, width = image.shape[:2]
    box = _outer(crop).inside(width, height)
    if points is None or share <= 0 or min(box.width, box.height) < 8:
        return
    under = np.asarray(box.cut(image), np.uint8)
    patch = _brought(drawn, crop, box)
    mask = lower_mask(points, box, crop, iod)
    change = colour_shift(patch, under, np.where(mask < 0.9, mask, 0).astype(np.float32), _REACH * iod)
    bands = int(np.clip(round(np.log2(max(1.0, 0.07 * iod))), 1, 5))
    mixed = multiband(patch.astype(np.float32) + change, under.astype(np.float32), mask, bands)
    # Bands reach a little beyond the mask; they end before the part that is written does.
    near = np.minimum(1, 4 * cv2.blur((mask > 0).astype(np.float32), (2**bands + 1, 2**bands + 1)))[..., None]
    mixed = under + (mixed - under) * near * np.float32(share)
    box.cut(image)[...] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def lower_mask(points: Array, box: Box, crop: Crop, iod: float) -> Array:
    """(box.height, box.width) weights 0..1: mouth, jaw and what is just below it, soft at the edge, 0 at the sides of the crop."""
    jaw = points[: len(MOUTH)] - np.array([box.left, box.top], np.float32)
    outline = np.concatenate([jaw, jaw + np.array([0.0, UNDER * iod], np.float32)])
    mask = soft_mask(outline, (box.height, box.width), FEATHER * iod)
    x = (np.arange(box.width) + box.left + 0.5 - crop.left) / crop.width
    y = (np.arange(box.height) + box.top + 0.5 - crop.top) / crop.height
    return (mask * _ends(y)[:, None] * _ends(x)[None]).astype(np.float32)


def _ends(at: NDArray[np.floating]) -> NDArray[np.floating]:
    weight = np.clip(np.minimum(at, 1 - at) / _EDGE, 0, 1)
    return weight * weight * (3 - 2 * weight)


def _outer(crop: Crop) -> Box:
    left, top = math.floor(crop.left), math.floor(crop.top)
    return Box(left, top, math.ceil(crop.right) - left, math.ceil(crop.bottom) - top)


def _brought(drawn: Image, crop: Crop, box: Box) -> Image:
    """The drawn square back at the place and the size that it was cut from: (box.height, box.width, 3)."""
    size = drawn.shape[0]
    width, height = (min(size, max(8, round(side))) for side in (crop.width, crop.height))
    if (width, height) != (size, size):  # smaller in the picture than it was drawn
        drawn = np.asarray(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    across, down = width / crop.width, height / crop.height
    matrix = np.array([[across, 0, (box.left + 0.5 - crop.left) * across - 0.5], [0, down, (box.top + 0.5 - crop.top) * down - 0.5]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(drawn, matrix, (box.width, box.height), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)
