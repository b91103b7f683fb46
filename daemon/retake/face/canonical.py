"""Landmark sets and the canonical face space.

Every frame's 478 MediaPipe landmarks are brought to one template of the person by a 3-D similarity (Umeyama 1991, IEEE
TPAMI 13(4)) estimated on points that speech does not move. In that space the outer eye corners are 1 apart (inter-ocular
distance, IOD), the mean of the stable points is the origin, x points to the picture's right and y down. Mouth shapes are
compared, learnt and predicted there, and taken back to a frame by the inverse of that frame's similarity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
AnyFloat = NDArray[np.floating]

OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
LIPS = OUTER_LIPS + INNER_LIPS
# Chin, lower cheeks and the skin around the lips: what moves with the jaw.
JAW = (
    152, 148, 377, 176, 400, 149, 378, 150, 379, 136, 365, 172, 397, 18, 200, 199, 175, 83, 313, 182, 406, 201, 421, 208, 428, 171, 396,
    169, 394, 170, 395, 140, 369, 32, 262, 194, 418, 43, 273, 57, 287, 186, 410, 92, 322, 165, 391, 167, 393, 164, 206, 426, 212, 432,
    214, 434, 202, 422, 204, 424, 210, 430, 211, 431, 106, 335,
)  # fmt: skip
MOUTH = LIPS + JAW  # the points of a mouth shape, in this order
STABLE = (33, 133, 159, 145, 263, 362, 386, 374, 168, 6, 197, 195, 5, 4, 122, 351, 196, 419, 10, 151, 9, 127, 356, 234, 454)
# Lids move with blinks: alignment leaves them out, the referee's set above keeps them.
RIGID = (33, 133, 263, 362, 168, 6, 197, 195, 5, 4, 122, 351, 196, 419, 10, 151, 9, 127, 356, 234, 454)

INDEX = {point: i for i, point in enumerate(MOUTH)}  # landmark number -> row of a mouth shape
# Opposite points of the inner rim, corner to corner, for the lip gap (the three in the middle define it).
INNER_UPPER = (191, 80, 81, 82, 13, 312, 311, 310, 415)
INNER_LOWER = (95, 88, 178, 87, 14, 317, 402, 318, 324)
OUTER_UPPER = (185, 40, 39, 37, 0, 267, 269, 270, 409)
OUTER_LOWER = (146, 91, 181, 84, 17, 314, 405, 321, 375)


@dataclass(frozen=True)
class Pose:
    """Similarities of n frames: canonical = scale * rotation @ image + shift.

    scale (n,), rotation (n, 3, 3), shift (n, 3); NaN where there is no face.
    """

    scale: Array
    rotation: Array
    shift: Array

    def __len__(self) -> int:
        return len(self.scale)

    def __getitem__(self, key: slice | NDArray[np.integer]) -> Pose:
        return Pose(self.scale[key], self.rotation[key], self.shift[key])


def similarity(source: AnyFloat, target: AnyFloat) -> tuple[Array, Array, Array]:
    """Least-squares similarity taking `source` (n, k, 3) or (k, 3) onto `target` (k, 3): scale, rotation, shift per frame (Umeyama 1991)."""
    batch = np.atleast_3d(source) if source.ndim == 3 else source[None]
    mean_s, mean_t = batch.mean(1), target.mean(0)
    cs, ct = batch - mean_s[:, None], target - mean_t
    covariance = np.einsum("ki,nkj->nij", ct, cs) / batch.shape[1]
    u, d, vt = np.linalg.svd(covariance.astype(np.float64))
    sign = np.ones_like(d)
    sign[:, -1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * sign[:, None]) @ vt
    scale = (d * sign).sum(1) / ((cs.astype(np.float64) ** 2).sum((1, 2)) / batch.shape[1])
    shift = mean_t - scale[:, None] * np.einsum("nij,nj->ni", rotation, mean_s)
    out = scale.astype(np.float32), rotation.astype(np.float32), shift.astype(np.float32)
    return out if source.ndim == 3 else (out[0][0], out[1][0], out[2][0])


def make_template(landmarks: Array) -> Array:
    """(n, 478, 3) landmarks in pixels, NaN rows allowed -> (478, 3) template of the person.

    The mean of the aligned frames, scaled to IOD 1, with the stable points' mean at the origin.
    """
    good = landmarks[~np.isnan(landmarks[:, 0, 0])]
    if not len(good):
        raise ValueError("no frame has a face")
    good = good[:: max(1, len(good) // 400)].astype(np.float64)
    rigid = list(RIGID)
    reference = good[0]
    for _ in range(4):
        scale, rotation, shift = similarity(good[:, rigid], reference[rigid])
        reference = (scale[:, None, None] * np.einsum("nij,nkj->nki", rotation, good) + shift[:, None]).mean(0)
    reference = reference - reference[list(STABLE)].mean(0)
    return (reference / np.linalg.norm(reference[33] - reference[263])).astype(np.float32)


def to_canonical(landmarks: Array, template: Array) -> tuple[Array, Pose]:
    """(n, 478, 3) pixels -> (n, 478, 3) canonical landmarks and the similarity of each frame; NaN rows stay NaN."""
    n = len(landmarks)
    out = np.full((n, landmarks.shape[1], 3), np.nan, np.float32)
    pose = Pose(np.full(n, np.nan, np.float32), np.full((n, 3, 3), np.nan, np.float32), np.full((n, 3), np.nan, np.float32))
    ok = ~np.isnan(landmarks[:, 0, 0])
    if ok.any():
        rigid = list(RIGID)
        scale, rotation, shift = similarity(landmarks[ok][:, rigid], template[rigid])
        out[ok] = scale[:, None, None] * np.einsum("nij,nkj->nki", rotation, landmarks[ok]) + shift[:, None]
        pose.scale[ok], pose.rotation[ok], pose.shift[ok] = scale, rotation, shift
    return out, pose


def to_image(points: Array, pose: Pose) -> Array:
    """Inverse of `to_canonical` for any points: (n, k, 3) canonical -> (n, k, 3) pixels."""
    return np.einsum("nji,nkj->nki", pose.rotation, points - pose.shift[:, None]) / pose.scale[:, None, None]


def lip_gap(shapes: Array) -> Array:
    """(n, len(MOUTH), 2 or 3) mouth shapes -> (n,) mean gap of the three central pairs of the inner rim, in IOD."""
    upper = shapes[:, [INDEX[p] for p in (82, 13, 312)], :2]
    lower = shapes[:, [INDEX[p] for p in (87, 14, 317)], :2]
    return np.linalg.norm(upper - lower, axis=2).mean(1)
