"""Faces cut out for lips engines and put back: exact places, steady crops, nothing changed elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from test_face_render import IOD, SIZE, face, picture

from retake.domain.motion import MotionPath
from retake.domain.rate import FrameRate
from retake.domain.track import FaceTrack
from retake.engines.manifest import Lips
from retake.face import geometry
from retake.face.background import Background
from retake.face.canonical import LIPS, MOUTH
from retake.face.lips_crop import Crop, crops, cut, lower_mask, paste
from retake.face.warp import Box

WANTED = Lips(size=96, sound="mel", top="forehead", below=0.06)


def track_of(landmarks: list[np.ndarray]) -> FaceTrack:
    many = np.stack(landmarks)
    return FaceTrack(many, np.zeros((len(many), 52), np.float32), np.ones(len(many), np.uint8), FrameRate(25), SIZE, SIZE)


def straight(*frames: int) -> MotionPath:
    n = len(frames)
    return MotionPath(np.array(frames, np.int32), np.full(n, -1, np.int32), np.zeros(n, np.float32))


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([128 + 60 * np.sin(x / 17 + y / 29), 100 + 50 * np.cos(y / 19), 90 + 0.2 * x], 2).astype(np.uint8)


def scene_of(image: np.ndarray, landmarks: np.ndarray) -> Background:
    return Background(image, landmarks[list(MOUTH), :2].astype(np.float32), None, IOD)


def test_a_crop_follows_the_head_and_not_the_jaw() -> None:
    openings = 0.2 * np.abs(np.sin(np.arange(40) / 3))
    where = geometry.build(track_of([face(opening, (i / 2, -i / 4)) for i, opening in enumerate(openings)]))
    found = crops(straight(*range(40)), where, WANTED)
    centres = np.array([[(c.left + c.right) / 2, (c.top + c.bottom) / 2] for c in found])
    sizes = np.array([[c.width, c.height] for c in found])
    assert np.ptp(sizes, 0).max() < 1.0  # pixels; the jaw moves by 13
    steps = np.diff(centres, axis=0)
    np.testing.assert_allclose(steps, np.tile([0.5, -0.25], (39, 1)), atol=0.12)


def test_the_mirrored_crop_has_the_nose_in_its_middle() -> None:
    where = geometry.build(track_of([face(0.05)] * 6))
    [found] = crops(straight(2), where, WANTED.model_copy(update={"top": "mirrored", "below": 0.0}))
    nose = where.template[5]
    place = (nose - where.pose.shift[2]) @ where.pose.rotation[2] / where.pose.scale[2]
    assert (found.top + found.bottom) / 2 == pytest.approx(place[1], abs=0.1)


def test_no_face_has_no_crop_and_a_transition_lies_between() -> None:
    landmarks = [face(0.05, (0, 0))] * 6 + [face(0.05, (30, 0))] * 6 + [np.full((478, 3), np.nan, np.float32)] * 2
    where = geometry.build(track_of(landmarks))
    path = MotionPath(np.array([2, 8, 2, 13, 2], np.int32), np.array([-1, -1, 8, -1, 13], np.int32), np.array([0, 0, 0.5, 0, 0.5], np.float32))
    first, second, between, none, alone = crops(path, where, WANTED)
    assert between.left == pytest.approx((first.left + second.left) / 2, abs=0.05) and second.left - first.left == pytest.approx(30, abs=0.5)
    assert not none.usable and alone == first


@pytest.mark.parametrize("crop", [Crop(30.3, 20.7, 150.1, 170.9), Crop(10, 10, 106, 106), Crop(60.5, 50.25, 110.5, 110.75)])
@pytest.mark.parametrize("size", [96, 256])
def test_what_is_cut_out_goes_back_to_its_place(crop: Crop, size: int) -> None:
    """Whatever the sizes, a face given back as it came changes nothing but by what resampling costs."""
    image, landmarks = smooth(200, 220), np.zeros((478, 3), np.float32)
    middle = ((crop.left + crop.right) / 2, crop.top + 0.7 * crop.height)
    landmarks[list(MOUTH), :2] = np.random.default_rng(1).uniform(-0.25, 0.25, (len(MOUTH), 2)) * crop.width + middle
    before = image.copy()
    scene = scene_of(image, landmarks)
    paste(scene, cut(image, crop, size), crop)
    difference = np.abs(scene.image.astype(int) - before).max(2)
    assert difference.max() <= 3
    assert difference[: int(crop.top)].max() == 0 and (difference[:, : int(crop.left)] == 0).all()


def test_only_the_lower_face_changes_and_it_does() -> None:
    landmarks = face(0.05)
    before = picture(landmarks)
    where = geometry.build(track_of([landmarks] * 6))
    [crop] = crops(straight(2), where, WANTED)
    drawn = cut(before, crop, 96)
    drawn[48:] = np.roll(drawn[48:], 9, axis=0)  # the mouth moves down
    scene = scene_of(before.copy(), landmarks)
    paste(scene, drawn, crop)
    changed = np.argwhere((scene.image != before).any(2))
    assert len(changed) > 300
    points = landmarks[list(MOUTH), :2]
    assert changed[:, 0].min() >= points[:, 1].min() - 0.1 * IOD
    assert changed[:, 0].max() <= points[:, 1].max() + 0.3 * IOD
    half = scene_of(before.copy(), landmarks)
    paste(half, drawn, crop, 0.5)
    np.testing.assert_allclose(half.image, (scene.image.astype(float) + before) / 2, atol=1.01)
    none = scene_of(before.copy(), landmarks)
    paste(none, drawn, crop, 0.0)
    np.testing.assert_array_equal(none.image, before)


def test_another_light_is_met() -> None:
    """The engine draws everything 20 levels darker: the mouth is brought to the light of the picture."""
    landmarks = face(0.05)
    before = picture(landmarks)
    [crop] = crops(straight(2), geometry.build(track_of([landmarks] * 6)), WANTED)
    scene = scene_of(before.copy(), landmarks)
    paste(scene, cut(np.clip(before.astype(int) - 20, 0, 255).astype(np.uint8), crop, 256), crop)
    x, y = landmarks[list(LIPS), :2].mean(0).astype(int)
    around = np.s_[y - 12 : y + 12, x - 20 : x + 20]
    assert np.abs(scene.image[around].astype(int) - before[around]).mean() < 6


@pytest.mark.parametrize("shift", [(0.0, 75.0), (-95.0, 0.0), (100.0, 80.0), (300.0, 0.0)])
def test_faces_that_leave_the_picture(shift: tuple[float, float]) -> None:
    landmarks = face(0.05, shift)
    image = picture(landmarks)
    [crop] = crops(straight(2), geometry.build(track_of([landmarks] * 6)), WANTED)
    drawn = cut(image, crop, 96)
    assert drawn.shape == (96, 96, 3)
    scene = scene_of(image.copy(), landmarks)
    paste(scene, drawn, crop)
    assert scene.image.shape == image.shape


def test_a_large_face_is_smoothed_before_it_shrinks() -> None:
    stripes = np.zeros((800, 800, 3), np.uint8)
    stripes[:, ::2] = 255
    drawn = cut(stripes, Crop(0, 0, 800, 800), 96)
    assert np.abs(drawn[8:-8, 8:-8].astype(int) - 128).max() < 12


def test_the_mask_is_soft_and_ends_within_the_crop() -> None:
    landmarks = face(0.05)
    points = landmarks[list(MOUTH), :2]
    low, high = points.min(0) - 10, points.max(0) + 30
    crop = Crop(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    box = Box(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
    mask = lower_mask(points, box, crop, IOD)
    assert mask.max() == pytest.approx(1, abs=0.01)
    assert max(mask[0].max(), mask[:, 0].max(), mask[:, -1].max()) < 0.02
    assert max(np.abs(np.diff(mask, axis=0)).max(), np.abs(np.diff(mask, axis=1)).max()) < 0.3
    inner = cv2.pointPolygonTest(cv2.convexHull(points.astype(np.float32)), (float(points[:, 0].mean()), float(points[:, 1].mean())), False)
    assert inner > 0
