"""Thin-plate splines: pictures pulled smoothly so that landmarks land where they are wanted.

A spline maps points of the picture to be made to points of the picture that is read (the direction `cv2.remap` wants).
It is evaluated on a coarse grid and enlarged, since it is smooth: the cost hardly grows with the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Field = NDArray[np.float32]


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels; `left` and `top` may lie outside the picture."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    def inside(self, width: int, height: int) -> Box:
        """The part that lies within a picture of that size; may be empty."""
        left, top = max(0, self.left), max(0, self.top)
        return Box(left, top, max(0, min(width, self.right) - left), max(0, min(height, self.bottom) - top))

    def cut(self, image: NDArray[np.generic]) -> NDArray[np.generic]:
        """View of the part of an image (h, w, ...); the box must lie within it."""
        return image[self.top : self.bottom, self.left : self.right]


def box_around(points: NDArray[np.floating], left: float, top: float, right: float, bottom: float) -> Box:
    """Smallest box holding (k, 2) points with the margins given, in pixels."""
    low, high = points.min(0), points.max(0)
    x, y = int(np.floor(low[0] - left)), int(np.floor(low[1] - top))
    return Box(x, y, int(np.ceil(high[0] + right)) - x + 1, int(np.ceil(high[1] + bottom)) - y + 1)


class ThinPlate:
    """Thin-plate spline with fixed places and any number of values at them (Bookstein 1989, IEEE TPAMI 11(6)).

    Two warps to the same target are solved together: factorising the system is the expensive part.

    Args:
        places: (k, 2) pixels.
        slack: (k,) how freely each place may be missed, in the unit of the kernel (0: met exactly; 1e-3: noise of a landmark is smoothed away).
    """

    def __init__(self, places: NDArray[np.floating], slack: NDArray[np.floating]) -> None:
        self._mean = places.mean(0)
        self._scale = float(places.std()) + 1e-6
        self._places = (places.astype(np.float64) - self._mean) / self._scale
        k = len(places)
        system = np.zeros((k + 3, k + 3))
        system[:k, :k] = _kernel(self._places, self._places)
        # Coinciding places would make the system singular: lips that touch do coincide.
        system[np.arange(k), np.arange(k)] += np.maximum(slack, 1e-6)
        system[:k, k] = 1
        system[:k, k + 1 :] = self._places
        system[k:, :k] = system[:k, k:].T
        self._system = system

    def solve(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """(k, c) values at the places -> (k + 3, c) coefficients for `at_grid`."""
        wanted = np.zeros((len(self._system), values.shape[1]))
        wanted[: len(values)] = values
        # OpenCV's own solver: BLAS would wake its threads for a system this small, frame after frame, at a multiple of the cost.
        return np.asarray(cv2.solve(self._system, wanted, flags=cv2.DECOMP_LU)[1], np.float32)

    def at_grid(self, coefficients: NDArray[np.float32], box: Box, step: float) -> NDArray[np.float32]:
        """Values (rows, columns, c) at the nodes of a grid over `box`, `step` pixels apart, for coefficients of `solve`."""
        x = np.arange(int(np.ceil(box.width / step)) + 2) * step + box.left
        y = np.arange(int(np.ceil(box.height / step)) + 2) * step + box.top
        nodes = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
        nodes = (nodes - self._mean) / self._scale
        kernel = _kernel(nodes.astype(np.float32), self._places.astype(np.float32))
        k = len(self._places)
        out = np.einsum("mk,kc->mc", kernel, coefficients[:k]) + coefficients[k] + nodes @ coefficients[k + 1 :]
        return out.astype(np.float32).reshape(len(y), len(x), -1)


def _kernel(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """r^2 log r between (m, 2) and (k, 2) points -> (m, k), in the precision given."""
    square = (a[:, 0, None] - b[None, :, 0]) ** 2 + (a[:, 1, None] - b[None, :, 1]) ** 2
    return 0.5 * square * np.log(square + np.array(1e-12, square.dtype))


def enlarge(nodes: NDArray[np.float32], step: float, box: Box) -> Field:
    """Values at grid nodes (rows, columns, c <= 4), as laid out by `ThinPlate.at_grid`, at every pixel of `box`: (height, width, c)."""
    matrix = np.array([[1 / step, 0, 0], [0, 1 / step, 0]])
    return cv2.warpAffine(nodes, matrix, (box.width, box.height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def pull(image: Image, shift: Field, left: float, top: float, *, fine: bool = False) -> Image:
    """Picture whose pixel (x, y) is read at (x + left, y + top) + shift[y, x] of `image`.

    Args:
        image: (h, w, 3).
        shift: (height, width, 2) pixels.
        left, top: where the new picture's corner lies in `image`.
        fine: Lanczos over 8 x 8 pixels, which keeps teeth and lips as sharp as they were, instead of bicubic over 4 x 4.
    """
    height, width = shift.shape[:2]
    x = shift[..., 0] + (np.arange(width, dtype=np.float32) + np.float32(left))[None]
    y = shift[..., 1] + (np.arange(height, dtype=np.float32) + np.float32(top))[:, None]
    return cv2.remap(image, x, y, cv2.INTER_LANCZOS4 if fine else cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)  # type: ignore[return-value]


def fade_to_border(box: Box, picture: tuple[int, int], margin: float) -> Field:
    """(height, width, 1) weights: 1 inside, smoothly 0 at the sides of `box`, so that a warp ends without a step.

    Sides of the box that are sides of the picture (width, height) too stay free: there is nothing beyond to fit to.
    """

    def ramp(length: int, start_free: bool, end_free: bool) -> NDArray[np.float32]:
        at = np.arange(length, dtype=np.float32)
        low = np.ones(length, np.float32) if start_free else np.clip(at / margin, 0, 1)
        high = np.ones(length, np.float32) if end_free else np.clip((length - 1 - at) / margin, 0, 1)
        weight = np.minimum(low, high)
        return weight * weight * (3 - 2 * weight)

    across = ramp(box.width, box.left <= 0, box.right >= picture[0])
    down = ramp(box.height, box.top <= 0, box.bottom >= picture[1])
    return (down[:, None] * across[None])[..., None]
