"""The renderer's arithmetic on plain pictures: splines, warps, masks, colours and bands."""

from __future__ import annotations

import numpy as np
import pytest

from retake.face import blend, warp

SKIN = (205, 160, 140)


# Warp


def test_spline_meets_its_values_and_leaves_a_plane_alone():
    random = np.random.default_rng(0)
    places = random.permutation(100)[:60].reshape(30, 2).astype(float)
    plate = warp.ThinPlate(places, np.zeros(30))
    box = warp.Box(0, 0, 100, 100)
    plane = places @ np.array([[0.1, 0.0], [0.05, -0.02]]) + 3
    field = warp.enlarge(plate.at_grid(plate.solve(plane), box, 5), 5, box)
    y, x = np.mgrid[0:100, 0:100]
    expected = np.stack([x, y], -1) @ np.array([[0.1, 0.0], [0.05, -0.02]]) + 3
    assert np.abs(field - expected).max() < 0.02
    values = random.normal(0, 2, (30, 2))
    field = warp.enlarge(plate.at_grid(plate.solve(values), box, 1), 1, box)
    at = places.astype(int)
    assert np.abs(field[at[:, 1], at[:, 0]] - values).max() < 0.02


def test_spline_survives_lips_that_touch():
    places = np.array([[0, 0], [10, 0], [10, 0], [10, 10], [0, 10.0]])
    values = np.array([[0, 0], [0, 1], [0, -1], [0, 0], [0, 0.0]])
    assert np.isfinite(warp.ThinPlate(places, np.zeros(5)).solve(values)).all()


def test_pull_with_no_shift_is_the_picture_itself():
    image = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    for fine in (False, True):
        np.testing.assert_array_equal(warp.pull(image, np.zeros((20, 30, 2), np.float32), 7, 5, fine=fine), image[5:25, 7:37])


def test_fade_is_zero_at_inner_sides_and_free_at_the_pictures_sides():
    weight = warp.fade_to_border(warp.Box(0, 10, 40, 40), (100, 50), 8)[..., 0]
    assert weight[20, -1] == 0 and weight[0, 20] == 0
    assert weight[20, 0] == 1 and weight[-1, 20] == 1


# Blend


def test_bands_keep_both_pictures_where_the_mask_is_sure():
    random = np.random.default_rng(2)
    above, below = random.uniform(0, 255, (2, 96, 96, 3)).astype(np.float32)
    mask = np.zeros((96, 96), np.float32)
    mask[:, 48:] = 1
    out = blend.multiband(above, below, mask, 3)
    assert np.abs(out[:, :8] - below[:, :8]).max() < 0.5
    assert np.abs(out[:, -8:] - above[:, -8:]).max() < 0.5
    np.testing.assert_allclose(blend.multiband(above, below, np.zeros_like(mask), 3), below, atol=1e-3)


def test_colours_are_matched_in_the_ring_also_when_light_comes_from_one_side():
    y, x = np.mgrid[0:80, 0:80]
    under = np.clip(np.array(SKIN) + (x[..., None] - 40) * 0.4, 0, 255).astype(np.uint8)
    patch = np.full((80, 80, 3), np.array(SKIN) - 25, np.uint8)
    ring = (np.hypot(x - 40, y - 40) > 25).astype(np.float32)
    change = blend.colour_shift(patch, under, ring, 12.0)
    left = np.abs(patch + change - under)[30:50, 2:12].mean()
    right = np.abs(patch + change - under)[30:50, -12:-2].mean()
    assert left < 3 and right < 3


def test_mask_ends_at_its_outline_and_moves_smoothly():
    square = np.array([(20, 20), (60, 20), (60, 60), (20, 60)], float)
    mask = blend.soft_mask(square, (80, 80), 8)
    assert mask[40, 40] == pytest.approx(1, abs=1e-3) and mask[40, 14] < 0.05 and mask.max() <= 1.001
    areas = [blend.soft_mask(square + np.array([d, 0]), (80, 80), 8)[40].sum() for d in np.linspace(0, 1, 9)]
    assert np.ptp(areas) < 0.2
