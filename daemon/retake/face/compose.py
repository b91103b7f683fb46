"""One frame of a take: the jaw of the background moved, a real mouth warped onto it, blended in."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .background import Background
from .bank import OUTLINE, MouthBank
from .blend import colour_shift, multiband, soft_mask
from .canonical import INDEX, LIPS, MOUTH
from .geometry import PINS, RING
from .warp import Box, Image, ThinPlate, box_around, enlarge, fade_to_border, pull

# Lengths in IOD.
FACE_STEP = 0.08  # grid of the jaw's warp
MOUTH_STEP = 0.03  # grid of the mouth's warp: has to resolve the lips
FADE = 0.2  # over which the jaw's warp ends
FEATHER = 0.11
STILL = 0.03  # pixels
# Lips are met as exactly as the arithmetic allows; the detector's noise along jaw and cheeks is smoothed.
_LIP_SLACK, _JAW_SLACK, _PIN_SLACK = 2e-5, 5e-4, 1e-3

_OUTLINE = np.array([INDEX[p] for p in OUTLINE])
_SLACK = np.concatenate([[_LIP_SLACK if p in LIPS else _JAW_SLACK for p in MOUTH], np.full(len(PINS) + len(RING), _PIN_SLACK)])
# The warped part of the face reaches from the bridge of the nose downwards.
_LOWER = np.array(
    [*range(len(MOUTH)), *(len(MOUTH) + PINS.index(p) for p in (195, 50, 280)), *range(len(MOUTH) + len(PINS), len(MOUTH) + len(PINS) + len(RING))]
)


class Compositor:
    """Draws mouths of one bank."""

    def __init__(self, bank: MouthBank) -> None:
        self.bank = bank

    def draw(self, background: Background, mouth: int) -> Image:
        """Draw mouth number `mouth` of the bank at the background's target, into the background's own picture.

        Outside the lower face not a bit changes; a background without a face is returned as it is.
        """
        if background.points is None or background.target is None or mouth < 0:
            return background.image
        image, iod = background.image, background.iod
        height, width = image.shape[:2]
        places = np.concatenate([background.target, background.points[len(MOUTH) :]])
        face = box_around(places[_LOWER], 0, 0, 0, 0).inside(width, height)
        if min(face.width, face.height) < 16:
            return image
        plate = ThinPlate(places, _SLACK)
        both = plate.solve(np.concatenate([background.points - places, self.bank.points[mouth] - places], 1))
        lower = self._move_jaw(image, both[:, :2], plate, face, iod)
        part = box_around(places[_OUTLINE], 0.12 * iod, 0.12 * iod, 0.12 * iod, 0.12 * iod).inside(width, height)
        part = Box(part.left - face.left, part.top - face.top, part.width, part.height).inside(face.width, face.height)
        if min(part.width, part.height) >= 8:
            box = Box(part.left + face.left, part.top + face.top, part.width, part.height)
            patch = self._bring_mouth(mouth, both[:, 2:], plate, box, iod)
            under = part.cut(lower)
            part.cut(lower)[...] = self._blend(patch, under.astype(np.uint8), places[_OUTLINE] - (box.left, box.top), iod)
        face.cut(image)[...] = lower
        return image

    def _move_jaw(self, image: Image, coefficients: NDArray[np.float32], plate: ThinPlate, face: Box, iod: float) -> Image:
        step = max(2.0, FACE_STEP * iod)
        nodes = plate.at_grid(coefficients, face, step)
        shift = enlarge(nodes, step, face) * fade_to_border(face, (image.shape[1], image.shape[0]), FADE * iod)
        across, down = cv2.split(shift)
        moves = np.maximum(np.abs(across), np.abs(down)) > STILL
        shift *= moves[..., None]  # what does not move stays as it was, to the bit
        return pull(image, shift, face.left, face.top)

    def _bring_mouth(self, mouth: int, coefficients: NDArray[np.float32], plate: ThinPlate, box: Box, iod: float) -> Image:
        step = max(1.5, MOUTH_STEP * iod)
        source = self.bank.box(mouth)
        nodes = plate.at_grid(coefficients, box, step)
        return pull(self.bank.crop(mouth), enlarge(nodes, step, box), box.left - source.left, box.top - source.top, fine=True)

    def _blend(self, patch: Image, under: Image, outline: NDArray[np.float32], iod: float) -> Image:
        mask = soft_mask(outline, under.shape[:2], FEATHER * iod)
        ring = np.where(mask < 0.9, mask, 0).astype(np.float32)
        change = colour_shift(patch, under, ring, 0.2 * iod)
        bands = int(np.clip(round(np.log2(max(1.0, 0.07 * iod))), 1, 5))
        mixed = multiband(patch.astype(np.float32) + change, under.astype(np.float32), mask, bands)
        # Bands reach a little beyond the mask; they must not reach the end of the part that is written.
        near = cv2.blur((mask > 0).astype(np.float32), (2**bands + 1, 2**bands + 1))[..., None]
        mixed = under + (mixed - under) * np.minimum(1, near * 4)
        return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
