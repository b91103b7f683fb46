"""Cuts, blinks, thumbnails and when somebody speaks."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from motion_samples import BLINK_EVERY, reference, speech

from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.motion.features import find_blinks, measure, speaking, thumbnails

SHARED = Path(os.environ.get("RETAKE_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def test_cuts_are_found_and_movement_is_not_a_cut() -> None:
    assert list(measure(*reference(12, cuts=(70, 141, 205)), None).cuts) == [70, 141, 205]
    assert list(measure(*reference(12, movement=12), None).cuts) == []


def test_a_flash_is_not_a_cut() -> None:
    track, small = reference(8)
    small = small.copy()
    small[100] = np.clip(small[100].astype(int) + 20, 0, 255).astype(np.uint8)
    assert list(measure(track, small, None).cuts) == []


def test_stretches_end_at_cuts_and_where_the_face_is_lost() -> None:
    features = measure(*reference(12, cuts=(100,), faceless=((200, 210),)), None)
    run = features.run
    assert run[99] != run[100] and (run[200:210] == -1).all() and run[199] != run[210]
    assert len({int(r) for r in run}) == 4


def test_cuts_of_a_real_joined_reference() -> None:
    clip = SHARED / "grid_s1" / "reference.mp4"
    if not clip.exists():
        pytest.skip("needs the shared clips (RETAKE_SHARED_DATA)")
    from retake.media.reader import read_frames
    from retake.speakers.track import track_faces

    rate = FrameRate(25)
    track = track_faces(clip, rate, Progress())
    features = measure(track, thumbnails(read_frames(clip)), None)
    assert list(features.cuts) == [74, 148, 222, 296, 370, 444]  # seven clips of 74 or 75 frames


def test_blinks_are_counted_and_closed_eyes_are_not_a_blink() -> None:
    rate = FrameRate(25)
    track, small = reference(16)
    assert list(measure(track, small, None).blinks) == list(range(BLINK_EVERY // 2, 400, BLINK_EVERY))
    lids = np.zeros((200, 2), np.float32)
    lids[50:90] = 0.9
    assert len(find_blinks(lids, rate)) == 0
    assert len(find_blinks(lids[:0], rate)) == 0


def test_velocity_does_not_reach_across_a_cut() -> None:
    track, small = reference(12, cuts=(150,), movement=0.0)
    features = measure(track, small, None)
    assert np.linalg.norm(features.velocity, axis=1).max() < 1.0  # the head leaps by 10 at the cut


def test_energy_ranks_quiet_below_lively() -> None:
    track, small = reference(12, movement=0.0)
    lively = track.landmarks.copy()
    lively[150:] += (6 * np.sin(np.arange(150) / 3))[:, None, None]
    features = measure(type(track)(lively, track.blendshapes, track.faces, track.rate, 256, 256), small, None)
    assert features.energy[:140].mean() < 0.45
    assert features.energy[160:].mean() > 0.6


def test_speaking_follows_the_timing() -> None:
    active = speaking(speech(4, ((1.0, 3.0),)).timing, 100, FrameRate(25))
    assert active[:20].min() == 1 and active[30:70].max() == 0 and active[80:].min() == 1


def test_thumbnails_are_small_and_keep_the_shape_of_the_picture() -> None:
    wide = [np.full((90, 160, 3), value, np.uint8) for value in (0, 200)]
    small = thumbnails(iter(wide))
    assert small.shape == (2, 27, 48) and small.dtype == np.uint8 and small[1].min() >= 199
    assert thumbnails([]).shape[0] == 0


def test_lengths_must_agree() -> None:
    track, small = reference(8)
    with pytest.raises(ValueError, match="thumbnails"):
        measure(track, small[:-1], None)
