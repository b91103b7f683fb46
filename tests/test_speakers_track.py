"""Following one face through a reference."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import retake
from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.engines.landmarks import Detection
from retake.media.reader import read_frames
from retake.speakers.track import TRACK_FILE, check_track, follow, load_track, save_track, smooth, track_faces

PRESENTER = Path(retake.__file__).parent / "assets" / "presenter" / "presenter.mp4"
RATE = FrameRate(25)


def face(x: float, y: float, size: float) -> np.ndarray:
    """(478, 3) points in a box around (x, y); the same shape each time."""
    shape = np.random.default_rng(1).uniform(-0.5, 0.5, (478, 3))
    shape[33], shape[263] = (-0.3, -0.1, 0), (0.3, -0.1, 0)
    return (shape * size + (x, y, 0)).astype(np.float32)


def frame(*faces: np.ndarray) -> Detection:
    return Detection(np.array(faces, np.float32).reshape(-1, 478, 3), np.zeros((len(faces), 52), np.float32))


def write(path: Path, pictures: list[np.ndarray]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = pictures[0].shape[1], pictures[0].shape[0], "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_the_larger_face_is_followed_and_not_left_for_a_passer_by() -> None:
    scenes = [frame(face(100, 100, 60))] * 10
    scenes += [frame(face(220, 100, 45), face(100 + i, 100, 60)) for i in range(10)]  # somebody comes in, and is listed first
    scenes += [frame(face(220, 100, 45))] * 2 + [frame(face(109, 100, 60), face(220, 100, 45))] * 10  # the speaker is hidden for two frames
    track = follow(scenes, RATE, 320, 200)
    middle = track.landmarks[:, :, 0].mean(1)
    assert list(np.flatnonzero(~track.found)) == [20, 21]
    assert (np.abs(middle[:20] - 100) < 15).all() and (np.abs(middle[-10:] - 109) < 5).all()
    assert list(track.faces[[0, 15]]) == [1, 2]


def test_frames_without_a_face_are_empty_rows() -> None:
    track = follow([frame(face(100, 100, 60))] * 5 + [frame()] * 3 + [frame(face(100, 100, 60))] * 5, RATE, 320, 200)
    assert list(np.flatnonzero(~track.found)) == [5, 6, 7]
    assert np.isnan(track.blendshapes[5:8]).all()


def test_smoothing_has_no_delay_and_stops_at_cuts() -> None:
    moving = np.stack([face(100 + 2 * i, 100, 60) for i in range(20)] + [face(250, 100, 60)] * 5)
    out = smooth(moving)
    assert np.abs(out - moving).max() < 1e-3  # an even movement stays where it is, and the leap at 20 is kept
    noisy = np.stack([face(100, 100, 60)] * 60) + np.random.default_rng(0).normal(0, 1, (60, 478, 3)).astype(np.float32)
    assert np.diff(smooth(noisy), axis=0).std() < 0.75 * np.diff(noisy, axis=0).std()


@pytest.mark.parametrize(
    ("scenes", "code"),
    [
        ([frame()] * 20, "no_face"),
        ([frame(face(80, 100, 60), face(220, 100, 55))] * 20, "two_faces"),
        ([frame(face(100, 100, 60))] * 10 + [frame()] * 10, "face_mostly_missing"),
    ],
)
def test_what_cannot_work_is_refused(scenes: list[Detection], code: str) -> None:
    with pytest.raises(RetakeError) as caught:
        check_track(follow(scenes, RATE, 320, 200), scenes, "talk.mp4")
    assert caught.value.code == code and caught.value.remedy


def test_what_can_work_is_not() -> None:
    poster = [frame(face(100, 100, 90), face(220, 40, 30))] * 20  # a small face on the wall
    check_track(follow(poster, RATE, 320, 200), poster, "talk.mp4")
    gaps = [frame(face(100, 100, 60))] * 14 + [frame()] * 6
    check_track(follow(gaps, RATE, 320, 200), gaps, "talk.mp4")


def test_the_presenter_is_tracked_in_the_pixels_of_the_video(tmp_path: Path) -> None:
    pictures = list(read_frames(PRESENTER, seconds=1.0))
    large = [np.repeat(np.repeat(picture, 2, 0), 2, 1) for picture in pictures]  # larger than detection looks at
    small, double = (track_faces(write(tmp_path / name, p), RATE, Progress(), frames=25) for name, p in (("a.mp4", pictures), ("b.mp4", large)))
    assert len(small) == 25 and small.found.all() and (small.width, small.height) == (512, 512)
    assert (double.width, double.height) == (1024, 1024)
    eyes = np.linalg.norm(small.landmarks[0, 33] - small.landmarks[0, 263])
    assert 80 < eyes < 140
    assert np.abs(double.landmarks / 2 - small.landmarks)[..., :2].mean() < 0.02 * eyes


def test_two_people_and_nobody_in_real_pictures(tmp_path: Path) -> None:
    pictures = list(read_frames(PRESENTER, seconds=0.5))
    with pytest.raises(RetakeError, match="two people"):
        track_faces(write(tmp_path / "two.mp4", [np.hstack([p, p[:, ::-1]]) for p in pictures]), RATE, Progress())
    with pytest.raises(RetakeError, match="No face"):
        track_faces(write(tmp_path / "none.mp4", [np.full((128, 128, 3), 90, np.uint8)] * 10), RATE, Progress())


def test_progress_can_stop_it(tmp_path: Path) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(RetakeError, match="Stopped"):
        track_faces(PRESENTER, RATE, progress)


def test_the_track_is_kept(tmp_path: Path) -> None:
    track = follow([frame(face(100, 100, 60))] * 5 + [frame()], FrameRate(30000, 1001), 320, 200)
    assert save_track(tmp_path, track) == tmp_path / TRACK_FILE
    again = load_track(tmp_path)
    assert again.rate == track.rate and (again.width, again.height) == (320, 200)
    assert np.array_equal(again.landmarks, track.landmarks, equal_nan=True) and np.array_equal(again.faces, track.faces)
    (tmp_path / TRACK_FILE).write_bytes(b"{}")
    with pytest.raises(RetakeError, match="Enrol the speaker again"):
        load_track(tmp_path)
