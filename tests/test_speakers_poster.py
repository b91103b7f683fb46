"""The poster shows open eyes, a shut mouth and a face that looks at the camera."""

from __future__ import annotations

import numpy as np
from enrolled import EnrolledHome
from PIL import Image

from retake.domain.rate import FrameRate
from retake.domain.track import FaceTrack
from retake.speakers.poster import LONGEST_SIDE, poster_frame


def track(**changes: tuple[int, int, float]) -> FaceTrack:
    """Four frames of a face that looks at the camera; each change sets one blendshape (frame, number, value)."""
    landmarks = np.zeros((4, 478, 3), np.float32)
    landmarks[:, 234, 0], landmarks[:, 1, 0], landmarks[:, 454, 0] = 100.0, 150.0, 200.0
    shapes = np.zeros((4, 52), np.float32)
    for frame, number, value in changes.values():
        shapes[frame, number] = value
    return FaceTrack(landmarks, shapes, np.ones(4, np.uint8), FrameRate(25, 1), 640, 480)


def test_blinks_and_open_mouths_are_passed_over() -> None:
    assert poster_frame(track(blink=(0, 9, 0.9), speech=(1, 25, 0.5), wink=(2, 10, 0.8))) == 3


def test_turned_and_missing_faces_are_passed_over() -> None:
    turned = track()
    turned.landmarks[0, 1, 0] = 190.0
    turned.landmarks[1] = np.nan
    assert poster_frame(turned) == 2


def test_enrolment_writes_one(presenter_home: EnrolledHome) -> None:
    with Image.open(presenter_home.path / "speakers" / "presenter" / "poster.png") as picture:
        assert max(picture.size) <= LONGEST_SIDE
        assert np.asarray(picture.convert("L")).std() > 20
