"""The normalised reference, and exact access to any of its frames."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_samples import corners, heard_at, make_sound, make_video, number_in, numbered, tone

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.media.audio import NoSound, read_audio
from retake.media.probe import probe
from retake.media.reference import NormalisedReference, ReferenceFrames, normalise, rewrite_sound


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NormalisedReference]:
    """A reference of 150 frames at 29.97, made from a sideways, odd-sized mkv with sound that starts late."""
    folder = tmp_path_factory.mktemp("speaker ü")

    def sideways(index: int) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(numbered(index, 160, 100)))

    source = make_video(
        folder / "source.mov", picture=sideways, size=(100, 160), rotation=90, rate=Fraction(30000, 1001), frames=150,
        sound=tone(5.0, 44100, click_at=2.0), sound_rate=44100, start=1.0,
    )  # fmt: skip
    return folder, normalise(source, folder, Progress())


def test_normalised(made: tuple[Path, NormalisedReference]) -> None:
    folder, result = made
    assert (result.rate, result.frames, result.width, result.height) == (FrameRate(30000, 1001), 150, 160, 100)
    assert result.seconds == pytest.approx(150 * 1001 / 30000)
    info = probe(folder / "reference.mp4")
    assert (info.codec, info.pixel_format, info.matrix, info.full_range, info.rotation) == ("h264", "yuv420p", "bt709", False, 0)
    assert (info.frames, info.rate, info.variable_rate, info.interlaced) == (150, FrameRate(30000, 1001), False, False)
    sound = read_audio(folder / "reference.wav", 48000)
    assert len(sound) == round(150 * 48000 * 1001 / 30000)
    assert heard_at(sound, 48000) == pytest.approx(2.0, abs=0.003)
    assert sorted(p.name for p in folder.iterdir()) == ["reference.mp4", "reference.wav", "source.mov"]


@pytest.mark.parametrize(
    "indices",
    [
        list(range(150)),
        [0, 0, 0, 149, 149, 0],
        [7, 8, 9, 16, 15, 14, 148, 1],
        [v for i in range(40) for v in (i, i + 100)],  # a cross-fade
        [v for i in range(40) for v in (i, i + 4)],  # one between near places
        list(range(149, -1, -1)),
        [int(v) for v in np.random.default_rng(0).integers(0, 150, 120)],
        list(range(0, 150, 7)),
    ],
    ids=["forwards", "repeats", "around key frames", "cross-fade", "near cross-fade", "backwards", "random", "skipping"],
)
def test_exact_frames(made: tuple[Path, NormalisedReference], indices: list[int]) -> None:
    with ReferenceFrames(made[0] / "reference.mp4") as frames:
        assert len(frames) == 150
        assert (frames.width, frames.height, frames.rate) == (160, 100, FrameRate(30000, 1001))
        read = list(frames.read(indices))
    assert [number_in(frame) for frame in read] == indices
    assert corners(read[0]) == "RGBW"


def test_frames_belong_to_the_caller(made: tuple[Path, NormalisedReference]) -> None:
    with ReferenceFrames(made[0] / "reference.mp4") as frames:
        first, second = frames.read([3, 3])
        first[:] = 0
        assert number_in(second) == 3
        assert number_in(frames[3]) == 3


def test_two_readers_at_once(made: tuple[Path, NormalisedReference]) -> None:
    with ReferenceFrames(made[0] / "reference.mp4") as frames:
        pairs = zip(frames.read(range(50)), frames.read(range(90, 140)), strict=True)
        assert [(number_in(a), number_in(b)) for a, b in pairs] == [(i, i + 90) for i in range(50)]


@pytest.mark.parametrize("index", [-1, 150])
def test_no_such_frame(made: tuple[Path, NormalisedReference], index: int) -> None:
    with ReferenceFrames(made[0] / "reference.mp4") as frames, pytest.raises(IndexError, match="150 frames"):
        list(frames.read([0, index]))


def test_stopping_early_ends_the_thread(made: tuple[Path, NormalisedReference]) -> None:
    before = threading.active_count()
    with ReferenceFrames(made[0] / "reference.mp4") as frames:
        reading = frames.read(range(150))
        next(reading)
        reading.close()
    assert threading.active_count() == before


def test_works_ahead_but_not_far(made: tuple[Path, NormalisedReference]) -> None:
    asked: list[int] = []

    def indices():
        for i in range(150):
            asked.append(i)
            yield i

    with ReferenceFrames(made[0] / "reference.mp4") as frames:
        reading = frames.read(indices())
        next(reading)
        time.sleep(0.3)
        assert 2 <= len(asked) <= 12
        reading.close()


def test_going_forwards_decodes_each_frame_once(made: tuple[Path, NormalisedReference], monkeypatch: pytest.MonkeyPatch) -> None:
    from retake.media import reference

    seeks: list[int] = []
    original = reference._Cursor._seek

    def counting(self, index: int) -> None:
        seeks.append(index)
        original(self, index)

    monkeypatch.setattr(reference._Cursor, "_seek", counting)
    with ReferenceFrames(made[0] / "reference.mp4") as frames:
        list(frames.read([v for i in range(40) for v in (i, i + 100)]))
    assert seeks == [100]


def test_near_lossless(tmp_path: Path) -> None:
    """The pictures of an H.264 source survive: a reference is the source of every take."""
    from retake.media.reader import read_frames

    source = make_video(tmp_path / "a.mp4", frames=20, size=(320, 180), colour=(1, 1, 1, 1), matrix="bt709", sound=tone(0.8, 48000))
    normalise(source, tmp_path, Progress())
    for a, b in zip(read_frames(source), read_frames(tmp_path / "reference.mp4"), strict=True):
        assert 10 * np.log10(255**2 / ((a.astype(float) - b) ** 2).mean()) > 44


def test_colours_of_a_601_source_do_not_shift(tmp_path: Path) -> None:
    skin = np.full((96, 160, 3), (224, 172, 105), np.uint8)

    def draw(_: int) -> np.ndarray:
        return skin

    normalise(make_video(tmp_path / "a.mp4", picture=draw, frames=5, sound=tone(0.2, 48000)), tmp_path, Progress())
    with ReferenceFrames(tmp_path / "reference.mp4") as frames:
        assert np.abs(frames[2].astype(float).mean(axis=(0, 1)) - skin[0, 0]).max() <= 1.5


def test_variable_rate_becomes_constant(tmp_path: Path) -> None:
    kept = [i for i in range(90) if i % 7 != 3]

    def draw(index: int) -> np.ndarray:
        return numbered(kept[index])

    source = make_video(
        tmp_path / "a.mp4", picture=draw, frames=len(kept), times=[i / 30 for i in kept], rate=30, sound=tone(3.0, 48000, click_at=1.5)
    )
    result = normalise(source, tmp_path, Progress())
    assert result.rate == FrameRate(30)
    assert "variable_rate" in [note.code for note in result.notes]
    with ReferenceFrames(tmp_path / "reference.mp4") as frames:
        numbers = [number_in(frame) for frame in frames.read(range(len(frames)))]
    assert numbers[:89] == [max(k for k in kept if k <= i) for i in range(89)]
    assert heard_at(read_audio(tmp_path / "reference.wav", 48000), 48000) == pytest.approx(1.5, abs=0.003)


def test_fast_sources_are_divided(tmp_path: Path) -> None:
    result = normalise(make_video(tmp_path / "a.mp4", rate=120, frames=60, sound=tone(0.5, 48000)), tmp_path, Progress())
    assert (result.rate, result.frames) == (FrameRate(60), 30)
    with ReferenceFrames(tmp_path / "reference.mp4") as frames:
        assert [number_in(frame) for frame in frames.read(range(30))] == list(range(0, 60, 2))


def test_odd_sides_lose_a_row(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv444p", size=(161, 97), frames=5, sound=tone(0.2, 48000))
    result = normalise(source, tmp_path, Progress())
    assert (result.width, result.height) == (160, 96)


def test_only_the_first_part_of_a_long_one(tmp_path: Path) -> None:
    result = normalise(make_video(tmp_path / "a.mp4", frames=75, sound=tone(3.0, 48000)), tmp_path, Progress(), max_seconds=1.0)
    assert result.frames == 25
    assert "shortened" in [note.code for note in result.notes]
    assert len(read_audio(tmp_path / "reference.wav", 48000)) == 48000


@pytest.mark.parametrize("lag", [0.12, -0.12])
def test_lag_is_corrected(tmp_path: Path, lag: float) -> None:
    source = make_video(tmp_path / "a.mp4", frames=50, sound=tone(2.0, 48000, click_at=1.0))
    normalise(source, tmp_path, Progress(), lag=lag)
    sound = read_audio(tmp_path / "reference.wav", 48000)
    assert heard_at(sound, 48000) == pytest.approx(1.0 + lag, abs=0.003)
    assert len(sound) == 96000
    rewrite_sound(tmp_path, -lag)
    moved = read_audio(tmp_path / "reference.wav", 48000)
    assert heard_at(moved, 48000) == pytest.approx(1.0, abs=0.003)
    assert len(moved) == 96000


def test_no_sound(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", frames=10)
    with pytest.raises(NoSound):
        normalise(source, tmp_path, Progress())
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    result = normalise(source, tmp_path, Progress(), need_sound=False)
    assert not result.has_sound
    assert not read_audio(tmp_path / "reference.wav", 48000).any()


def test_no_picture(tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught:
        normalise(make_sound(tmp_path / "a.wav", tone(1.0, 16000), 16000), tmp_path, Progress())
    assert caught.value.code == "no_picture"


def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", frames=100, sound=tone(4.0, 48000))
    progress = Progress()

    def stop(stage: str, fraction: float, detail: str) -> None:
        if fraction > 0.3:
            progress.cancel()

    progress._listener = stop
    before = threading.active_count()
    with pytest.raises(Cancelled):
        normalise(source, tmp_path, progress)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert threading.active_count() == before


def test_truncated_source_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=100, sound=tone(4.0, 48000), faststart=True)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    result = normalise(path, tmp_path, Progress())
    assert 20 < result.frames < 100
    assert "truncated" in [note.code for note in result.notes]
