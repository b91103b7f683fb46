"""Whatever cameras write comes out upright, progressive, at a constant rate, in the right colours."""

from __future__ import annotations

import gc
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from media_samples import corners, has_encoder, heard_at, make_video, number_in, numbered, tone

from retake.domain.errors import RetakeError
from retake.domain.rate import FrameRate
from retake.media.audio import read_audio
from retake.media.reader import read_frames

SKIN = np.array([[224, 172, 105], [141, 85, 36], [255, 219, 172], [198, 134, 66], [92, 58, 40], [241, 194, 175]], np.uint8)


def patches(_: int = 0) -> np.ndarray:
    return np.repeat(np.repeat(SKIN[None], 64, 0), 64, 1)


def patch_values(frame: np.ndarray) -> np.ndarray:
    return frame[24:40, :].reshape(16, len(SKIN), 64, 3)[:, :, 20:44].astype(float).mean(axis=(0, 2))


FORMATS = [
    ("libx264", "yuv420p", "a.mp4", {}),
    ("libx264", "yuv420p", "a b ünï 日本.mov", {}),
    ("libx264", "yuv422p10le", "a.mkv", {"preset": "ultrafast"}),
    ("libx264", "yuvj420p", "a.mp4", {}),
    ("libx265", "yuv420p10le", "a.mp4", {"preset": "ultrafast", "x265-params": "log-level=none"}),
    ("libx265", "yuv420p", "a.mkv", {"preset": "ultrafast", "x265-params": "log-level=none"}),
    ("libvpx-vp9", "yuv420p", "a.webm", {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"}),
    ("libsvtav1", "yuv420p", "a.mp4", {"preset": "8", "crf": "10"}),
    ("prores_ks", "yuv422p10le", "a.mov", {}),
    ("mpeg2video", "yuv420p", "a.ts", {"qscale": "2"}),
    ("mpeg1video", "yuv420p", "a.mpg", {"qscale": "2"}),
    ("mpeg4", "yuv420p", "a.avi", {"qscale": "2"}),
    ("mjpeg", "yuvj420p", "a.mov", {"qscale": "2"}),
    ("ffv1", "yuv420p", "a.mkv", {}),
]


@pytest.mark.parametrize(("codec", "pix_fmt", "name", "options"), FORMATS, ids=[f"{c}-{p}-{n[-3:]}" for c, p, n, _ in FORMATS])
def test_formats(tmp_path: Path, codec: str, pix_fmt: str, name: str, options: dict[str, str]) -> None:
    if not has_encoder(codec):
        pytest.skip(f"this build of PyAV cannot write {codec}")
    full = pix_fmt.startswith("yuvj")
    path = make_video(tmp_path / name, codec=codec, pix_fmt=pix_fmt, options=options, full_range=full, colour=(6, 6, 6, 2) if full else None)
    reader = read_frames(path)
    frames = list(reader)
    assert reader.rate == FrameRate(25)
    assert [number_in(frame) for frame in frames] == list(range(25))
    assert all(frame.shape == (96, 160, 3) and frame.dtype == np.uint8 for frame in frames)
    assert corners(frames[3]) == "RGBW"
    assert not reader.report.truncated
    assert reader.info.frames == 25


@pytest.mark.parametrize(
    "rate", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(60000, 1001), Fraction(24), Fraction(30), Fraction(50), Fraction(25, 2)]
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_exact_rates(tmp_path: Path, rate: Fraction, suffix: str) -> None:
    reader = read_frames(make_video(tmp_path / f"a.{suffix}", rate=rate, frames=31))
    assert reader.rate.fraction == rate
    assert [number_in(frame) for frame in reader] == list(range(31))
    assert not reader.info.variable_rate


@pytest.mark.parametrize(("rotation", "mirrored"), [(0, False), (90, False), (180, False), (270, False), (0, True)])
@pytest.mark.parametrize("max_side", [None, 80])
def test_rotation(tmp_path: Path, rotation: int, mirrored: bool, max_side: int | None) -> None:
    def stored(index: int) -> np.ndarray:
        upright = numbered(index, 96, 160) if rotation in (90, 270) else numbered(index, 160, 96)
        turned = np.rot90(upright, rotation // 90)  # what a camera held sideways would store
        return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)

    path = make_video(tmp_path / "a.mp4", picture=stored, rotation=rotation, mirrored=mirrored, frames=5)
    reader = read_frames(path, max_side=max_side)
    frames = list(reader)
    frame = frames[0]
    assert reader.info.rotation == rotation
    expected = (160, 96) if rotation in (90, 270) else (96, 160)
    if max_side:
        expected = tuple(side // 2 for side in expected)
    assert frame.shape[:2] == expected == (reader.height, reader.width)
    assert [corners(frame) for frame in frames] == ["RGBW"] * 5


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(16, 11), (233, 96)), (Fraction(8, 9), (160, 108))])
def test_square_pixels(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    reader = read_frames(make_video(tmp_path / "a.mp4", aspect=aspect, frames=4))
    frame = next(reader)
    reader.close()
    assert frame.shape[1::-1] == size == (reader.width, reader.height)
    assert corners(frame) == "RGBW"


def test_odd_sides(tmp_path: Path) -> None:
    frames = list(read_frames(make_video(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv444p", size=(161, 97), frames=3)))
    assert frames[0].shape == (97, 161, 3)


@pytest.mark.parametrize(
    "case",
    [
        ("601 tagged", "smpte170m", (6, 6, 6, 1), False, 1),
        ("709 tagged, small", "bt709", (1, 1, 1, 1), False, 1),
        ("2020 matrix, 709 primaries", "bt2020", (9, 1, 1, 1), False, 1),
        ("601 full", "smpte170m", (6, 6, 6, 2), True, 1),
        ("709 full", "bt709", (1, 1, 1, 2), True, 1),
        ("untagged small is 601", "smpte170m", None, False, 1),
        ("untagged large is 709", "bt709", None, False, 10),
    ],
)
def test_skin_keeps_its_colour(tmp_path: Path, case: tuple[str, str, tuple[int, int, int, int] | None, bool, int]) -> None:
    name, matrix, tags, full, size_up = case
    image = np.repeat(np.repeat(patches(), size_up, 0), size_up, 1)
    height, width, _ = image.shape

    def draw(_: int) -> np.ndarray:
        return image

    path = make_video(
        tmp_path / "a.mp4",
        picture=draw,
        size=(width, height),
        frames=3,
        colour=tags,
        matrix=matrix,
        full_range=full,
        options={"crf": "4", "preset": "ultrafast"},
    )
    frame = list(read_frames(path))[1][::size_up, ::size_up]
    assert np.abs(patch_values(frame) - SKIN).max() <= 2.0, name


def test_high_dynamic_range_keeps_skin_in_range(tmp_path: Path) -> None:
    """PQ: skin and white of a picture graded for 203 nit reference white come out as they would in standard range."""
    light = (SKIN / 255.0) ** 2.4  # of a display, relative to white
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])  # ITU-R BT.2087
    nits = 203 * light @ to_2020.T / 10000
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    coded = ((c1 + c2 * nits**m1) / (1 + c3 * nits**m1)) ** m2
    image = np.repeat(np.repeat(np.rint(coded * 255).astype(np.uint8)[None], 64, 0), 64, 1)

    def draw(_: int) -> np.ndarray:
        return image

    path = make_video(
        tmp_path / "a.mp4", codec="libx264", pix_fmt="yuv420p10le", picture=draw, size=(384, 64), frames=4, colour=(9, 9, 16, 1), matrix="bt2020",
        options={"crf": "4", "preset": "ultrafast"},
    )  # fmt: skip
    reader = read_frames(path)
    frame = list(reader)[1]
    assert reader.info.transfer == "pq"
    assert reader.report.tone_mapped
    difference = patch_values(frame) - SKIN
    below_knee = SKIN.max(axis=1) < 225  # lighter patches are in the roll-off
    assert np.abs(difference[below_knee]).max() <= 8  # 8-bit PQ steps in the test's own input are coarse
    assert np.abs(difference).max() <= 26


@pytest.mark.skipif(not has_encoder("libx265"), reason="this build of PyAV cannot write HEVC")
@pytest.mark.parametrize("transfer", [16, 18])
def test_phone_in_portrait_with_high_dynamic_range(tmp_path: Path, transfer: int) -> None:
    def sideways(index: int) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(numbered(index, 96, 160)))

    path = make_video(
        tmp_path / "IMG 0001.mov", codec="libx265", pix_fmt="yuv420p10le", picture=sideways, frames=12, rotation=90, colour=(9, 9, transfer, 1),
        matrix="bt2020", rate=Fraction(30000, 1001), options={"preset": "ultrafast", "x265-params": "log-level=none"},
    )  # fmt: skip
    reader = read_frames(path)
    frames = list(reader)
    assert (reader.width, reader.height, reader.info.bit_depth) == (96, 160, 10)
    assert reader.info.transfer == {16: "pq", 18: "hlg"}[transfer]
    assert [number_in(frame) for frame in frames] == list(range(12))
    assert corners(frames[5]) == "RGBW"


def test_long_recordings_are_not_scanned_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from retake.media import probe

    monkeypatch.setattr(probe, "_PACKETS", 20)
    reader = read_frames(make_video(tmp_path / "a.mp4", frames=60, rate=Fraction(30000, 1001)))
    assert not reader.info.complete
    assert (reader.rate, reader.info.frames) == (FrameRate(30000, 1001), 60)
    assert [number_in(frame) for frame in reader] == list(range(60))


def test_variable_rate_follows_time(tmp_path: Path) -> None:
    """A phone that drops frames: every output frame shows what was on screen in the middle of its time."""
    rng = np.random.default_rng(3)
    kept = [i for i in range(60) if i in (0, 59) or rng.random() > 0.2]
    times = [i / 30 + rng.uniform(-0.004, 0.004) * (i not in (0, 59)) for i in kept]

    def draw(index: int) -> np.ndarray:
        return numbered(kept[index])

    reader = read_frames(make_video(tmp_path / "a.mp4", picture=draw, frames=len(kept), times=times, rate=30))
    numbers = [number_in(frame) for frame in reader]
    assert reader.info.variable_rate
    assert reader.rate == FrameRate(30)
    assert len(numbers) in (60, 61)  # the last frame's own duration is not stored exactly
    expected = [max(k for k in kept if k <= i) for i in range(60)]
    assert numbers[:60] == expected


@pytest.mark.parametrize(("source", "target", "count"), [(25, 30, 30), (50, 25, 13), (30, 25, 21), (25, 25, 25)])
def test_other_rates(tmp_path: Path, source: int, target: int, count: int) -> None:
    frames = 25
    reader = read_frames(make_video(tmp_path / "a.mp4", rate=source, frames=frames), rate=FrameRate(target))
    numbers = [number_in(frame) for frame in reader]
    assert len(numbers) == count == FrameRate(target).frames(frames / source)
    times = np.array(numbers) / source
    middle = (np.arange(count) + 0.5) / target
    assert np.all(times <= middle + 1e-9)
    assert np.all(middle - times <= 1 / source + 0.06 / target)


def test_repeated_frames_are_separate_arrays(tmp_path: Path) -> None:
    frames = list(read_frames(make_video(tmp_path / "a.mp4", frames=4), rate=FrameRate(50)))
    assert len(frames) == 8
    assert not any(np.shares_memory(a, b) for a, b in pairwise(frames))


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
def test_first_time_not_zero(tmp_path: Path, suffix: str) -> None:
    reader = read_frames(make_video(tmp_path / f"a.{suffix}", start=7.5, frames=12))
    assert [number_in(frame) for frame in reader] == list(range(12))


@pytest.mark.parametrize("start", [0.0, 0.4, 1.92])
def test_stretch(tmp_path: Path, start: float) -> None:
    path = make_video(tmp_path / "a.mp4", frames=75, options={"g": "12", "preset": "ultrafast"})
    numbers = [number_in(frame) for frame in read_frames(path, start=start, seconds=0.6)]
    assert numbers == list(range(round(start * 25), round(start * 25) + 15))


def test_interlaced_becomes_progressive(tmp_path: Path) -> None:
    """Two fields of a moving edge, 1/50 s apart, show a comb; the result shows none, one frame for each."""

    def comb(index: int) -> np.ndarray:
        image = np.full((96, 160, 3), 40, np.uint8)
        image[0::2, : 20 + 10 * index] = 200
        image[1::2, : 25 + 10 * index] = 200
        return image

    options = {"flags": "+ildct+ilme", "x264-params": "interlaced=1:tff=1", "crf": "6", "preset": "ultrafast"}
    path = make_video(tmp_path / "a.mp4", picture=comb, frames=12, options=options)
    reader = read_frames(path)
    frames = list(reader)
    assert reader.info.interlaced
    assert reader.report.deinterlaced
    assert len(frames) == 12
    for frame in frames[2:10]:
        luma = frame[8:-8, :, 1].astype(int)
        assert np.abs(luma[1:-1] * 2 - luma[:-2] - luma[2:]).mean() < 4.0


def test_truncated_delivers_what_is_there(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=100, faststart=True)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    reader = read_frames(path)
    numbers = [number_in(frame) for frame in reader]
    assert reader.report.truncated
    assert 20 < len(numbers) < 100
    assert numbers[:20] == list(range(20))


def test_joined_recordings_play_on(tmp_path: Path) -> None:
    """The clock starts again in the second part, as in transport streams that were simply joined."""
    path = make_video(tmp_path / "a.ts", frames=50, sound=tone(2.0, 48000, click_at=1.0))
    path.write_bytes(path.read_bytes() * 2)
    numbers = [number_in(frame) for frame in read_frames(path)]
    assert numbers == [*range(50), *range(50)]
    samples = read_audio(path, 48000)
    assert len(samples) == pytest.approx(4.0 * 48000, abs=0.1 * 48000)
    assert heard_at(samples[: 2 * 48000], 48000) == pytest.approx(1.0, abs=0.01)
    assert heard_at(samples[2 * 48000 :], 48000) == pytest.approx(1.0, abs=0.06)


def test_a_leap_of_the_clock_is_no_pause(tmp_path: Path) -> None:
    """A damaged time stamp hours ahead must not become hours of the same picture."""
    times = [i / 25 + (7200 if i >= 20 else 0) for i in range(40)]
    reader = read_frames(make_video(tmp_path / "a.mkv", frames=40, times=times))
    assert [number_in(frame) for frame in reader] == list(range(40))
    assert reader.info.frames == 40


def test_damaged_middle_is_passed_over(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.ts", codec="mpeg2video", frames=100, options={"g": "10", "qscale": "2"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 188 * 188
    data[middle : middle + 188 * 40] = bytes(188 * 40)
    path.write_bytes(data)
    numbers = [number_in(frame) for frame in read_frames(path)]
    assert len(numbers) == 100
    assert numbers[:30] == list(range(30))
    assert numbers[80:] == list(range(80, 100))


def test_frames_are_freed_at_once(tmp_path: Path) -> None:
    """A decoded frame must not wait for the garbage collector: at 4K that would be gigabytes."""

    def alive() -> int:
        return sum(type(item).__name__ == "VideoFrame" for item in gc.get_objects())

    path = make_video(tmp_path / "a.mp4", frames=100)
    gc.collect()
    before = alive()
    gc.disable()
    try:
        for _ in read_frames(path, rate=FrameRate(50)):
            pass
        assert alive() - before < 12
    finally:
        gc.enable()


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Only a handful of decoded frames exist at once: the reader is a stream."""
    reader = read_frames(make_video(tmp_path / "a.mp4", frames=30))
    assert number_in(next(reader)) == 0
    assert number_in(next(reader)) == 1
    reader.close()
    with pytest.raises(StopIteration):
        next(reader)


def test_sound_file_has_no_picture(tmp_path: Path) -> None:
    from media_samples import make_sound, tone

    with pytest.raises(RetakeError) as caught:
        read_frames(make_sound(tmp_path / "a.wav", tone(0.5, 16000), 16000))
    assert caught.value.code == "no_picture"
