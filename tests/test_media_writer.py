"""Clips have exactly the frames, rate, colours, sound and metadata that were asked for."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_samples import corners, heard_at, number_in, numbered, tone
from PIL import Image

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.media.audio import read_audio
from retake.media.container import open_media
from retake.media.probe import probe
from retake.media.reader import read_frames
from retake.media.writer import write_clip, write_poster

SKIN = np.array(
    [[224, 172, 105], [141, 85, 36], [255, 219, 172], [198, 134, 66], [92, 58, 40], [241, 194, 175], [0, 0, 0], [255, 255, 255], [128, 128, 128]],
    np.uint8,
)


def write(path: Path, count: int = 20, **changes: Any):
    settings: dict[str, Any] = {
        "rate": FrameRate(25), "width": 160, "height": 96, "samples": tone(count / 25, 24000), "sample_rate": 24000, "metadata": {},
        "progress": Progress(), "total": count,
    }  # fmt: skip
    settings.update(changes)
    frames = settings.pop("frames", None) or (numbered(i) for i in range(count))
    return write_clip(path, frames, **settings)


@pytest.mark.parametrize("rate", ["25", "24000/1001", "30000/1001", "24", "30", "50", "60000/1001", "12.5"])
@pytest.mark.parametrize("count", [1, 2, 59])
def test_exact_frames_and_rate(tmp_path: Path, rate: str, count: int) -> None:
    exact = FrameRate.parse(rate)
    info = write(tmp_path / "a.mp4", count, rate=exact, samples=tone(3.0, 24000))
    with open_media(info.path) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.frames == count
        assert video.average_rate == exact.fraction
        assert video.duration * video.time_base == count / exact.fraction
        times = [packet.pts * video.time_base for packet in container.demux(video) if packet.pts is not None]
        assert sorted(times) == [i / exact.fraction for i in range(count)]
        assert abs(audio.duration * audio.time_base - count / exact.fraction) <= 1 / exact.fraction / 2
    if count > 1:
        frames = list(read_frames(info.path))
        assert [number_in(frame) for frame in frames] == list(range(count))
        assert probe(info.path).rate == exact


def test_stream_properties(tmp_path: Path) -> None:
    info = write(tmp_path / "a b ü.mp4")
    with open_media(info.path) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        context = video.codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        assert (audio.codec_context.name, audio.codec_context.sample_rate) == ("aac", 48000)
        assert (video.start_time, audio.start_time) == (0, 0)
    data = info.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # starts playing before it is loaded whole
    assert info.size == len(data)


@pytest.mark.parametrize("click", [0.1, 0.5, 1.3])
@pytest.mark.parametrize("sample_rate", [16000, 24000, 44100, 48000])
def test_sound_is_in_time(tmp_path: Path, click: float, sample_rate: int) -> None:
    info = write(tmp_path / "a.mp4", 40, samples=tone(1.6, sample_rate, click_at=click), sample_rate=sample_rate)
    heard = read_audio(info.path, 48000)
    assert heard_at(heard, 48000) == pytest.approx(click, abs=0.002)
    assert abs(len(heard) / 48000 - 1.6) <= 0.02


@pytest.mark.parametrize("seconds", [0.0, 0.5, 5.0])
def test_sound_of_another_length_is_fitted(tmp_path: Path, seconds: float) -> None:
    info = write(tmp_path / "a.mp4", 30, samples=tone(seconds, 24000))
    heard = read_audio(info.path, 48000)
    assert info.sound_seconds == pytest.approx(1.2, abs=1e-4)
    assert abs(len(heard) / 48000 - 1.2) <= 0.02
    if seconds == 0.5:
        assert np.abs(heard[round(0.6 * 48000) :]).max() < 0.01


def test_two_channels_hold_the_same_sound_as_one(tmp_path: Path) -> None:
    write(tmp_path / "one.mp4", 50)
    write(tmp_path / "two.mp4", 50, channels=2)
    with open_media(tmp_path / "two.mp4") as container:
        assert container.streams.audio[0].codec_context.channels == 2
    one, two = read_audio(tmp_path / "one.mp4", 48000), read_audio(tmp_path / "two.mp4", 48000)
    assert len(one) == len(two)
    assert np.sqrt(np.mean((one - two) ** 2)) < 0.01 * np.sqrt(np.mean(one**2)) + 1e-3


def test_levels_are_kept(tmp_path: Path) -> None:
    heard = read_audio(write(tmp_path / "a.mp4", 50, samples=tone(2.0, 48000), sample_rate=48000).path, 48000)
    assert np.sqrt((heard[4800:-4800] ** 2).mean()) == pytest.approx(0.3 / np.sqrt(2), rel=0.01)


@pytest.mark.parametrize("size_up", [1, 8])
def test_colours_come_back(tmp_path: Path, size_up: int) -> None:
    """Skin, black, white and grey, at a size that untagged would be read as BT.601 and at one that would be BT.709."""
    image = np.repeat(np.repeat(np.repeat(np.repeat(SKIN[None], 64, 0), 64, 1), size_up, 0), size_up, 1)
    height, width, _ = image.shape
    info = write(tmp_path / "a.mp4", 3, frames=iter([image] * 3), width=width, height=height)
    frame = list(read_frames(info.path))[1][::size_up, ::size_up]
    values = frame[24:40].reshape(16, len(SKIN), 64, 3)[:, :, 20:44].astype(float).mean(axis=(0, 2))
    assert np.abs(values - SKIN).max() <= 1.5
    # Independent of the reader: the luma that is stored is that of BT.709 in limited range.
    with open_media(info.path) as container:
        luma = next(container.decode(video=0)).to_ndarray()[32 * size_up, 32 * size_up :: 64 * size_up].astype(float)
    expected = 16 + 219 * (SKIN @ np.array([0.2126, 0.7152, 0.0722])) / 255
    assert np.abs(luma - expected).max() <= 1.0


def test_pictures_are_near_lossless(tmp_path: Path) -> None:
    y, x = np.mgrid[:288, :360] / 40.0
    picture = np.stack([128 + 60 * np.sin(x + y), 110 + 50 * np.cos(x * 1.3), 100 + 40 * np.sin(y * 1.7)], -1).astype(np.uint8)
    info = write(tmp_path / "a.mp4", 10, frames=iter([np.roll(picture, 2 * i, 1) for i in range(10)]), width=360, height=288)
    for i, frame in enumerate(read_frames(info.path)):
        error = (frame.astype(float) - np.roll(picture, 2 * i, 1)) ** 2
        assert 10 * np.log10(255**2 / error.mean()) > 42


def test_other_size_is_fitted_with_bars(tmp_path: Path) -> None:
    info = write(tmp_path / "a.mp4", 3, frames=(numbered(i, 96, 160) for i in range(3)), width=320, height=180)
    frames = list(read_frames(info.path))
    assert [frame.shape for frame in frames] == [(180, 320, 3)] * 3
    assert frames[1][:, :100].max() < 8
    assert frames[1][:, -100:].max() < 8
    inner = frames[1][:, 106:214]
    assert corners(inner) == "RGBW"
    assert number_in(inner) == 1


def test_size_may_change_between_frames(tmp_path: Path) -> None:
    info = write(tmp_path / "a.mp4", 2, frames=iter([numbered(0, 160, 96), numbered(1, 320, 192)]))
    assert [number_in(frame) for frame in read_frames(info.path)] == [0, 1]


def test_not_contiguous_frames(tmp_path: Path) -> None:
    info = write(tmp_path / "a.mp4", 2, frames=(np.asfortranarray(numbered(i)) for i in range(2)))
    assert [number_in(frame) for frame in read_frames(info.path)] == [0, 1]


def test_metadata_survives(tmp_path: Path) -> None:
    metadata = {"title": "Zeile ü 日本", "comment": "Synthetic: made by Retake.", "retake_request": '{"text": "a; b=c\\n"}', "retake_take_id": "0123"}
    with open_media(write(tmp_path / "a.mp4", metadata=metadata).path) as container:
        assert metadata.items() <= dict(container.metadata).items()


def test_odd_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even"):
        write(tmp_path / "a.mp4", width=161)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", [0, 19, 21])
def test_wrong_number_of_frames(tmp_path: Path, given: int) -> None:
    with pytest.raises(ValueError, match="frames"):
        write(tmp_path / "a.mp4", 20, frames=iter([numbered(i) for i in range(given)]))
    assert list(tmp_path.iterdir()) == []


def test_failure_of_the_frames_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield numbered(0)
        raise RuntimeError("renderer")

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="renderer"):
        write(tmp_path / "a.mp4", 20, frames=broken())
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before


def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    progress = Progress()
    drawn = []

    def frames() -> Iterator[np.ndarray]:
        for i in range(200):
            drawn.append(i)
            if i == 10:
                progress.cancel()
            yield numbered(i)

    (tmp_path / "a.mp4").write_text("an older take")
    with pytest.raises(Cancelled):
        write(tmp_path / "a.mp4", 200, frames=frames(), progress=progress)
    assert len(drawn) == 11
    assert (tmp_path / "a.mp4").read_text() == "an older take"
    assert len(list(tmp_path.iterdir())) == 1


def test_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield numbered(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.mp4", 20, frames=frames())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that a test could send to one process only")
def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """A real interrupt, at a real moment: in the middle of encoding, with the encoder's thread at work."""
    script = f"""
import itertools, signal, sys, time
import numpy as np
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores interrupts, and its children would too
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.media.writer import write_clip
def frames():
    for i in range(5000):
        if i == 20:
            print("at work", flush=True)
        time.sleep(0.005)
        yield np.full((96, 160, 3), i % 256, np.uint8)
write_clip({str(tmp_path / "a.mp4")!r}, frames(), rate=FrameRate(25), width=160, height=96, samples=np.zeros(10, np.float32), sample_rate=48000,
           metadata={{}}, progress=Progress(), total=5000)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "at work"
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert "KeyboardInterrupt" in errors
    assert list(tmp_path.iterdir()) == []


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    seen: list[float] = []

    def listen(stage: str, fraction: float, detail: str) -> None:
        seen.append(fraction)

    write(tmp_path / "a.mp4", 20, progress=Progress(listen))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught:
        write(tmp_path / "none" / "a.mp4")
    assert caught.value.code == "no_folder"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes to run into")
@pytest.mark.parametrize("limit", [2000, 60000])
def test_disk_full(tmp_path: Path, limit: int) -> None:
    """The disk runs full while writing (here: a limit on the size of a file): a reason, and nothing is left."""
    script = f"""
import resource
import numpy as np
from pathlib import Path
from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.media.writer import write_clip
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
rng = np.random.default_rng(0)
frames = (rng.integers(0, 256, (96, 160, 3)).astype(np.uint8) for i in range(50))
try:
    path = Path({str(tmp_path / "a.mp4")!r})
    write_clip(path, frames, rate=FrameRate(25), width=160, height=96, samples=np.zeros(96000, np.float32), sample_rate=48000, metadata={{}},
               progress=Progress(), total=50)
    print("written")
except RetakeError as error:
    print(error.code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "disk_full", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_poster(tmp_path: Path) -> None:
    write_poster(tmp_path / "a.png", numbered(5), width=numbered(5).shape[1], height=numbered(5).shape[0])
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), numbered(5))


def test_presentation_is_exact_for_long_fractional_clips(tmp_path: Path) -> None:
    """An hour of 29.97 must not drift: the clock counts in 1/30000 s, where every frame is a whole number."""
    with open_media(write(tmp_path / "a.mp4", 5, rate=FrameRate(30000, 1001)).path) as container:
        base = container.streams.video[0].time_base
    assert (Fraction(1001, 30000) / base).denominator == 1
    assert isinstance(av.__version__, str)


def test_a_poster_is_fitted_as_the_clip_is(tmp_path: Path) -> None:
    write_poster(tmp_path / "a.png", np.full((64, 64, 3), 200, np.uint8), width=128, height=72)
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    assert picture.shape == (72, 128, 3)
    assert (picture[36] == 200).all(1).sum() == 72
    assert not picture[:, :26].any() and not picture[:, -26:].any()
