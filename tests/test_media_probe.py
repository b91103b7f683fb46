"""What is in a file, and what is wrong with it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from media_samples import make_sound, make_video, numbered, tone
from PIL import Image

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.rate import FrameRate
from retake.media.probe import probe
from retake.media.timing import cadence


def code_of(path: Path) -> str:
    with pytest.raises(RetakeError) as caught:
        probe(path)
    assert caught.value.cause.endswith(".")
    assert caught.value.remedy.endswith(".")
    return caught.value.code


def test_everything_is_told(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "a.mov", pix_fmt="yuv422p10le", codec="prores_ks", rate=Fraction(30000, 1001), frames=30, size=(320, 180), rotation=90,
        colour=(1, 1, 1, 1), matrix="bt709", sound=np.stack([tone(1.0, 44100)] * 2, 1), sound_rate=44100, layout="stereo", options={},
    )  # fmt: skip
    info = probe(path)
    assert (info.width, info.height, info.rotation) == (180, 320, 90)
    assert info.rate == FrameRate(30000, 1001)
    assert info.frames == 30
    assert info.seconds == pytest.approx(30 * 1001 / 30000, abs=1e-6)
    assert (info.codec, info.pixel_format, info.bit_depth) == ("prores", "yuv422p10le", 10)
    assert not info.interlaced
    assert not info.variable_rate
    assert info.complete
    assert not info.truncated
    assert (info.has_video, info.has_audio, info.audio_codec, info.audio_rate, info.audio_channels) == (True, True, "aac", 44100, 2)
    assert (info.matrix, info.full_range, info.primaries, info.transfer, info.colour_guessed) == ("bt709", False, "bt709", "sdr", False)


def test_sound_only(tmp_path: Path) -> None:
    info = probe(make_sound(tmp_path / "a.wav", tone(0.5, 22050), 22050))
    assert (info.has_video, info.has_audio, info.audio_rate, info.audio_channels) == (False, True, 22050, 1)
    assert info.seconds == pytest.approx(0.5, abs=0.001)
    assert info.rate is None


def test_cover_art_is_no_moving_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=48000, layout="mono")
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 160, 96, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(numbered(1), "rgb24").reformat(format="yuvj420p")
        container.mux(cover.encode(frame))
        container.mux(cover.encode(None))
        for i in range(20):
            piece = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            piece.sample_rate, piece.pts = 48000, 1024 * i
            container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
    info = probe(path)
    assert (info.has_video, info.has_audio) == (False, True)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught:
        probe(tmp_path / "none.mp4")
    assert (caught.value.code, caught.value.kind) == ("missing_file", ErrorKind.NOT_FOUND)


def test_folder(tmp_path: Path) -> None:
    assert code_of(tmp_path) == "not_a_file"


def test_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert code_of(tmp_path / "a.mp4") == "empty_file"


@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a.wav", "a.m3u8"])
@pytest.mark.parametrize("text", ["Good morning, these are not moving pictures.\n" * 50, "#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n", "x"])
def test_text(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert code_of(tmp_path / name) == "not_media"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_picture_renamed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.mp4"
    Image.fromarray(numbered(1)).save(path, format=kind)
    assert code_of(path) == "still_picture"


def test_video_of_one_frame(tmp_path: Path) -> None:
    assert code_of(make_video(tmp_path / "a.mp4", frames=1)) == "still_picture"


def test_index_missing(tmp_path: Path) -> None:
    """A recording that was cut off before its index (moov) was written."""
    path = make_video(tmp_path / "a.mp4", frames=50)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    assert code_of(path) == "corrupt"


def test_only_the_header_is_left(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=50, faststart=True)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 8])
    assert code_of(path) == "corrupt"


def test_noise_in_the_pictures(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=50, faststart=True)
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + 8
    data[begin:] = np.random.default_rng(0).integers(0, 256, len(data) - begin).astype(np.uint8).tobytes()
    path.write_bytes(data)
    assert code_of(path) == "corrupt"


def test_truncated_is_told(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=100, faststart=True)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert probe(path).truncated


def test_unknown_codec(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=10)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC"))
    assert code_of(path) == "unknown_codec"


def test_protected(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=10)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"drmi").replace(b"avcC", b"zzzC"))
    assert code_of(path) in ("protected", "unknown_codec")


def test_sound_when_a_picture_is_needed(tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught:
        probe(make_sound(tmp_path / "a.wav", tone(0.5, 16000), 16000), need_video=True)
    assert caught.value.code == "no_picture"


def test_name_like_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "a.mp4", frames=5).rename(tmp_path / "concat:a|b.mp4")
    assert probe("concat:a|b.mp4").frames == 5


class TestCadence:
    def test_millisecond_stamps(self) -> None:
        times = [round(i * 1001 / 30000, 3) for i in range(200)]
        assert cadence(times, 0.001, None).rate == FrameRate(30000, 1001)
        assert not cadence(times, 0.001, None).variable

    def test_short_clip_believes_the_file(self) -> None:
        times = [round(i * 1001 / 24000, 3) for i in range(10)]
        assert cadence(times, 0.001, Fraction(24000, 1001)).rate == FrameRate(24000, 1001)

    def test_wrong_declaration(self) -> None:
        assert cadence([i / 25 for i in range(100)], 1e-5, Fraction(90000)).rate == FrameRate(25)
        assert cadence([i / 25 for i in range(100)], 1e-5, Fraction(50)).rate == FrameRate(25)

    def test_unusual_constant_rate(self) -> None:
        assert cadence([i / 18 for i in range(100)], 1e-5, None).rate == FrameRate(18)

    def test_order_does_not_matter(self) -> None:
        times = np.random.default_rng(0).permutation([i / 25 for i in range(50)])
        assert cadence(list(times), 1e-5, None).rate == FrameRate(25)

    @pytest.mark.parametrize("rate", [Fraction(30), Fraction(30000, 1001), Fraction(60), Fraction(25)])
    def test_dropped_frames(self, rate: Fraction) -> None:
        rng = np.random.default_rng(1)
        times = [float(i / rate) + rng.uniform(-0.002, 0.002) for i in range(1800) if rng.random() > 0.1]
        result = cadence(times, 1e-5, None)
        assert result.variable
        assert result.rate.fraction == rate

    def test_one_frame(self) -> None:
        assert cadence([0.0], 0.001, None).rate == FrameRate(25)
