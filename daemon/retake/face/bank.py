"""The mouth bank: pictures of the person's real mouth, each with the frame of the reference that it comes from.

Crops keep the reference's resolution. They are stored as JPEG of the highest quality without colour subsampling, which is
far below the noise of any camera's own compression and keeps a minute of reference within `LIMIT` bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.media.files import atomic

from .canonical import INDEX, LIPS
from .geometry import Geometry, load_arrays, turn_vectors
from .warp import Box, Image, box_around

Array = NDArray[np.float32]

FILE = "mouths.safetensors"
FORMAT = 1
LIMIT = 60_000_000  # bytes
QUALITY = 96
TURNED = 25  # degrees from the usual; beyond, half a mouth is hidden
LOOK_PARTS = 16
THUMB = (24, 16)  # width, height: enough to tell teeth from tongue from dark

# What the blended mask encloses: from below the nose to above the edge of the chin.
OUTLINE = (206, 165, 167, 164, 393, 391, 426, 432, 434, 430, 262, 369, 396, 175, 171, 140, 32, 210, 214, 212)
_WITHIN = [INDEX[p] for p in OUTLINE]


@dataclass
class MouthBank:
    """m real mouths of the person.

    frames: (m,) frame of the reference, rising.
    shapes: (m, len(MOUTH), 3) canonical; rotations (m, 3, 3) of the head.
    points: (m, MOUTH + PINS + RING, 2) pixels in the reference's picture.
    boxes: (m, 4) left, top, width, height of each crop in the reference's picture.
    looks: (m, d) what the inner mouth looks like, for telling similar textures; distances are in 8 bit grey levels (rms).
    """

    frames: NDArray[np.int32]
    shapes: Array
    rotations: Array
    points: Array
    boxes: NDArray[np.int32]
    looks: Array
    blobs: list[NDArray[np.uint8]]

    def __post_init__(self) -> None:
        self.crop = lru_cache(maxsize=64)(self._decode)

    def __len__(self) -> int:
        return len(self.frames)

    def _decode(self, index: int) -> Image:
        data = cv2.imdecode(self.blobs[index], cv2.IMREAD_COLOR_RGB)
        if data is None:
            raise RetakeError(
                "A picture of the mouth bank is damaged.", "Enrol the speaker again.", kind=ErrorKind.ENVIRONMENT, code="speaker_damaged"
            )
        return data  # type: ignore[return-value]

    def box(self, index: int) -> Box:
        left, top, width, height = (int(v) for v in self.boxes[index])
        return Box(left, top, width, height)

    def save(self, folder: Path) -> None:
        ends = np.cumsum([len(b) for b in self.blobs]).astype(np.int64)
        with atomic(folder / FILE) as part:
            save_file(
                {
                    "frames": self.frames,
                    "shapes": self.shapes,
                    "rotations": self.rotations,
                    "points": self.points,
                    "boxes": self.boxes,
                    "looks": self.looks,
                    "ends": ends,
                    "format": np.array([FORMAT], np.int32),
                    "jpeg": np.concatenate(self.blobs),
                },
                part,
            )

    @classmethod
    def load(cls, folder: Path) -> MouthBank:
        data = load_arrays(folder / FILE, FORMAT)
        blobs = np.split(data["jpeg"], data["ends"][:-1])
        return cls(data["frames"], data["shapes"], data["rotations"], data["points"], data["boxes"], data["looks"], blobs)


def build(images: Iterable[tuple[int, Image]], geometry: Geometry, progress: Progress) -> MouthBank:
    """Collect sharp, well lit, unhidden mouths.

    Args:
        images: (frame number, upright RGB picture) in rising order; frames without a face are skipped.
        geometry: of the same reference.
    """
    found = geometry.found
    turned = np.degrees(np.linalg.norm(turn_vectors(geometry.pose.rotation, geometry.middle), axis=1))
    iod = float(1 / np.nanmedian(geometry.pose.scale))
    quality = QUALITY
    frames, boxes, blobs, looks, sharp, tones = [], [], [], [], [], []
    for number, image in images:
        progress.frames(number, len(geometry))
        if number >= len(geometry) or not found[number] or turned[number] > TURNED:
            continue
        points = geometry.points(np.array([number]))[0]
        margin = 0.16 / float(geometry.pose.scale[number])
        box = box_around(points[_WITHIN], margin, margin, margin, margin).inside(image.shape[1], image.shape[0])
        if min(box.width, box.height) < 8:
            continue
        crop = np.ascontiguousarray(box.cut(image)).astype(np.uint8)
        frames.append(number)
        boxes.append((box.left, box.top, box.width, box.height))
        blobs.append(_encode(crop, quality))
        local = points - (box.left, box.top)
        looks.append(_look(crop, local))
        grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
        fine = cv2.resize(grey, (128, 128), interpolation=cv2.INTER_AREA) if iod > 128 else grey
        sharp.append(float(cv2.Laplacian(fine, cv2.CV_32F).var()))
        tones.append(cv2.cvtColor(crop, cv2.COLOR_RGB2LAB).reshape(-1, 3).mean(0))
    if not frames:
        raise RetakeError(
            "No frame of the reference shows the mouth well enough.", "Use a sharp, well lit clip of one person facing the camera.", code="no_mouth"
        )
    keep = _good(np.array(sharp), np.array(tones))
    keep = _within_limit(keep, [len(b) for b in blobs])
    progress.check()
    numbers = np.array(frames, np.int32)[keep]
    return MouthBank(
        numbers,
        np.ascontiguousarray(geometry.mouth[numbers]),
        np.ascontiguousarray(geometry.pose.rotation[numbers]),
        geometry.points(numbers).astype(np.float32),
        np.array(boxes, np.int32)[keep],
        _compact(np.array(looks, np.float32)[keep]),
        [blobs[i] for i in keep],
    )


def _encode(crop: Image, quality: int) -> NDArray[np.uint8]:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), options)
    return data  # type: ignore[return-value]


def _look(crop: Image, points: NDArray[np.floating]) -> Array:
    """Grey picture of the lips, brought to one size by the corners of the mouth: (THUMB area,) float32."""
    left, right = points[INDEX[61]], points[INDEX[291]]
    middle = points[[INDEX[p] for p in LIPS]].mean(0)
    along = right - left
    scale = float(np.linalg.norm(along)) / (THUMB[0] * 0.8)
    across = np.array([-along[1], along[0]]) / (np.linalg.norm(along) + 1e-6) * scale
    along = along / (np.linalg.norm(along) + 1e-6) * scale
    origin = middle - along * (THUMB[0] - 1) / 2 - across * (THUMB[1] - 1) / 2
    matrix = np.c_[along, across, origin]
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    if scale > 1.5:
        grey = cv2.GaussianBlur(grey, (0, 0), scale / 2)
    thumb = cv2.warpAffine(grey, matrix, THUMB, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    return thumb.astype(np.float32).ravel()


def _compact(looks: Array) -> Array:
    """(m, d) grey levels -> (m, <= LOOK_PARTS) principal components whose distances are rms differences, nearly as before."""
    mean, axes = cv2.PCACompute(looks, mean=None, maxComponents=min(LOOK_PARTS, len(looks)))  # type: ignore[call-overload]
    return np.ascontiguousarray((looks - mean) @ axes.T / np.sqrt(looks.shape[1]), np.float32)


def _good(sharp: NDArray[np.floating], tones: NDArray[np.floating]) -> NDArray[np.int64]:
    """Indices of mouths that are neither blurred nor of another colour than usual (a hand before the mouth, a passing shadow)."""
    middle = np.median(tones, axis=0)
    spread = np.median(np.abs(tones - middle), axis=0) * 1.48 + 2.0
    usual = (np.abs(tones - middle) / spread).max(1) < 6
    clear = sharp > 0.45 * np.median(sharp)
    good = np.flatnonzero(usual & clear)
    return good if len(good) >= 20 else np.arange(len(sharp))


def _within_limit(keep: NDArray[np.int64], sizes: list[int]) -> NDArray[np.int64]:
    """Thin out evenly until the pictures fit into LIMIT bytes."""
    total = sum(sizes[i] for i in keep)
    if total <= LIMIT:
        return keep
    chosen = np.unique(np.linspace(0, len(keep) - 1, int(len(keep) * LIMIT / total)).astype(int))
    return keep[chosen]
