"""A picture of the speaker for lists: eyes open, mouth shut, facing the camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from retake.domain.track import FaceTrack
from retake.media.files import atomic
from retake.media.reference import ReferenceFrames

POSTER_NAME = "poster.png"
LONGEST_SIDE = 640
# MediaPipe's blendshapes eyeBlinkLeft, eyeBlinkRight and jawOpen, and its landmarks of the face's edges and the tip of the nose.
_SHUT_EYES = (9, 10)
_JAW = 25
_EAR_LEFT, _EAR_RIGHT, _NOSE = 234, 454, 1


def poster_frame(track: FaceTrack) -> int:
    """The frame of the track that shows the person best; the track must have a face somewhere."""
    found = np.flatnonzero(track.found)
    shapes, points = track.blendshapes[found], track.landmarks[found]
    left, right = points[:, _NOSE, 0] - points[:, _EAR_LEFT, 0], points[:, _EAR_RIGHT, 0] - points[:, _NOSE, 0]
    turned = np.abs(left - right) / np.maximum(1.0, np.abs(left + right))
    cost = shapes[:, _SHUT_EYES].sum(axis=1) + shapes[:, _JAW] + turned
    return int(found[np.argmin(cost)])


def write_poster(folder: Path, track: FaceTrack, frames: ReferenceFrames) -> None:
    """Write the poster of the speaker in `folder`, complete or not at all."""
    from PIL import Image

    picture = Image.fromarray(frames[poster_frame(track)])
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    with atomic(folder / POSTER_NAME) as part:
        picture.save(part, format="PNG")
