"""Putting a warped mouth into a picture so that nobody sees where it begins: mask, colour and bands.

Multi-band blending after Burt & Adelson 1983 (ACM Transactions on Graphics 2(4)): coarse structure is mixed over a wide
zone and fine structure over a narrow one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Field = NDArray[np.float32]


def soft_mask(outline: NDArray[np.floating], shape: tuple[int, int], feather: float) -> Field:
    """(height, width) mask: 1 well inside the convex hull of `outline` (k, 2), 0 at its edge and outside.

    `feather` is the width of the transition in pixels. Corners are drawn at 1/16 pixel, so that the edge moves smoothly.
    """
    hull = cv2.convexHull(outline.astype(np.float32))[:, 0]
    centre = hull.mean(0)
    # The blur below spreads the edge to both sides: drawn smaller, the mask still ends at the outline.
    distance = np.linalg.norm(hull - centre, axis=1, keepdims=True)
    hull = centre + (hull - centre) * np.maximum(0.2, 1 - 0.5 * feather / np.maximum(distance, 1e-3))
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), 255, lineType=cv2.LINE_AA, shift=4)
    size = max(3, int(feather) | 1)
    blurred = cv2.blur(cv2.blur(mask.astype(np.float32), (size, size)), (size, size))
    return blurred / np.float32(255)  # type: ignore[return-value]


def colour_shift(patch: Image, picture: Image, ring: Field, reach: float) -> Field:
    """What to add to `patch` so that its colours meet those of `picture` where `ring` is high: (h, w, 3) float32 RGB.

    Differences are taken in CIELAB, averaged over the ring and carried inwards with distances of about `reach` pixels, so
    that light from one side stays on that side. Worked out at a low resolution: only slow changes are wanted.
    """
    height, width = ring.shape
    factor = max(1.0, reach / 6)
    small = (max(4, round(width / factor)), max(4, round(height / factor)))
    ours = cv2.resize(patch, small, interpolation=cv2.INTER_AREA)
    theirs = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(ring, small, interpolation=cv2.INTER_AREA)[..., None]
    a = cv2.cvtColor(ours.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    b = cv2.cvtColor(theirs.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    difference = np.clip(b - a, -20, 20)
    total = float(weight.sum())
    if total < 1e-3:
        return np.zeros((height, width, 3), np.float32)
    mean = (difference * weight).sum((0, 1)) / total
    sigma = reach / factor
    spread = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
    near = cv2.GaussianBlur((difference - mean) * weight, (0, 0), sigma)
    shift = mean + near / (spread + 0.05)
    rgb = cv2.cvtColor((a + shift).astype(np.float32), cv2.COLOR_LAB2RGB)
    change = (rgb - ours.astype(np.float32) / 255) * 255
    return cv2.resize(change.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def multiband(above: Field, below: Field, mask: Field, bands: int) -> Field:
    """Mix float32 pictures (h, w, 3) in `bands` octaves and a rest: `above` where `mask` (h, w) is 1."""
    # Pyramids are linear: that of the difference does for both pictures.
    differences, masks = [above - below], [mask]
    for _ in range(bands):
        differences.append(np.asarray(cv2.pyrDown(differences[-1]), np.float32))
        masks.append(np.asarray(cv2.pyrDown(masks[-1]), np.float32))
    out = np.multiply(differences[-1], masks[-1][..., None], dtype=np.float32)
    for level in range(bands - 1, -1, -1):
        size = (differences[level].shape[1], differences[level].shape[0])
        band = differences[level] - cv2.pyrUp(differences[level + 1], dstsize=size)
        out = np.asarray(cv2.pyrUp(out, dstsize=size), np.float32) + band * masks[level][..., None]
    return np.add(below, out, dtype=np.float32)
