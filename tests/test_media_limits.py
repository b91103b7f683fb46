"""Media made to hurt: playlists and movies that reach for other files, absurd claims, files that never end, and a hundred damaged ones."""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from av.error import FFmpegError
from media_samples import make_sound, make_video, tone

from retake import settings
from retake.domain.errors import Cancelled, RetakeError
from retake.domain.progress import Progress
from retake.media import limits
from retake.media.audio import read_audio
from retake.media.limits import MediaLimits, use_limits
from retake.media.probe import probe
from retake.media.reader import read_frames
from retake.media.reference import normalise


@pytest.fixture(autouse=True)
def usual_limits() -> Iterator[None]:
    use_limits(MediaLimits())
    yield
    use_limits(MediaLimits())


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("good") / "good.mp4", frames=30, sound=tone(1.2, 48000))


def code_of(path: Path) -> str:
    with pytest.raises(RetakeError) as caught:
        probe(path)
    with pytest.raises(RetakeError):
        read_audio(path, 16000)
    assert path.name in caught.value.cause
    return caught.value.code


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2,\n{name}\n#EXT-X-ENDLIST\n",
    "hls of the network": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2,\nhttp://127.0.0.1:9/{name}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{name}'\n",
    "concat by path": "ffconcat version 1.0\nfile '{path}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"><Period><AdaptationSet>'
    '<Representation id="0" mimeType="video/mp4" bandwidth="1"><BaseURL>{name}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "reference movie": '<?xml version="1.0"?><?quicktime type="application/x-quicktime-media-link"?><embed src="{path}"/>',
    "smil": '<smil><body><video src="{name}"/></body></smil>',
}


@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".mov"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_open_nothing(good: Path, kind: str, suffix: str) -> None:
    path = good.with_name(f"list{suffix}")
    path.write_text(PLAYLISTS[kind].format(name=good.name, path=good), encoding="utf-8")
    assert code_of(path) == "not_media"


def atom(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def elsewhere(data: bytes, volume: bytes, target: bytes) -> bytes:
    """A movie whose sound and pictures lie in the file `target`, by an alias record of absolute and relative path."""
    alias = b"\0" * 10 + bytes([len(volume)]) + volume.ljust(27, b"\0") + b"\0" * 12
    name = target.rsplit(b"/", 1)[-1]
    alias += bytes([len(name)]) + name.ljust(63, b"\0") + b"\0" * 16 + struct.pack(">HH", 1, 1) + b"\0" * 16
    alias += struct.pack(">HH", 2, len(target) + len(target) % 2) + target.ljust(len(target) + len(target) % 2, b"\0")
    alias += struct.pack(">HH", 0xFFFF, 0)
    reference = struct.pack(">II", 0, 1) + atom(b"alis", struct.pack(">I", 0) + alias)
    return rewritten(data, {b"dref": reference})


def rewritten(data: bytes, changes: dict[bytes, bytes]) -> bytes:
    """Atoms with the content of some replaced; the index must come last, since offsets stay as they are."""
    out = b""
    place = 0
    while place < len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        content = data[place + 8 : place + size]
        if kind in changes:
            content = changes[kind]
        elif kind in {b"moov", b"trak", b"mdia", b"minf", b"dinf"}:
            content = rewritten(content, changes)
        out += atom(kind, content)
        place += size
    return out


def test_movies_do_not_reach_for_other_files(tmp_path: Path) -> None:
    """The pictures that a QuickTime movie says lie in another file are not read, although FFmpeg could."""
    # Beside this file, since what it names would else be looked for and not found; the volume's name is the first part of its path.
    victim = make_video(tmp_path / "victim.mov", frames=30)
    whole = victim.read_bytes()
    thief = tmp_path / "thief.mov"
    content = elsewhere(whole, b"", str(victim).encode())
    assert content.count(b"alis") == 1
    start = content.index(b"mdat") + 4
    size = whole.index(b"moov") - 4 - (whole.index(b"mdat") + 4)
    thief.write_bytes(content[:start] + bytes(size) + content[start + size :])
    reached = []
    for options in ({"enable_drefs": "1", "use_absolute_path": "1"}, {}):
        with av.open(str(thief), options=options) as container:
            try:
                reached.append(sum(1 for _ in container.decode(video=0)))
            except FFmpegError:
                reached.append(0)
    assert reached == [30, 0], "the trap works, and FFmpeg's own defaults do not fall into it"
    with pytest.raises(RetakeError) as caught:
        list(read_frames(thief))
    assert caught.value.code == "corrupt"


def test_long_media_is_refused(good: Path) -> None:
    use_limits(MediaLimits(seconds=0.1))
    assert code_of(good) == "media_too_long"
    use_limits(MediaLimits(seconds=1.0))
    assert probe(good).frames == 30  # a second more is let through


def test_large_pictures_are_refused(good: Path) -> None:
    use_limits(MediaLimits(pixels=160 * 96 - 1))
    with pytest.raises(RetakeError) as caught:
        probe(good)
    assert caught.value.code == "picture_too_large"
    assert "160x96" in caught.value.cause
    use_limits(MediaLimits(pixels=160 * 96))
    assert probe(good).width == 160


@pytest.mark.parametrize(("side", "limit"), [(320, 64 * 64), (1600, 64 * 64)])
def test_pictures_that_grow_inside_a_stream_are_not_read(tmp_path: Path, side: int, limit: int) -> None:
    """The first pictures have 64x64 pixels; those behind them are larger than allowed. Much larger ones the decoder itself passes over."""
    small = make_video(tmp_path / "small.h264", frames=10, size=(64, 64)).read_bytes()
    large = make_video(tmp_path / "large.h264", frames=10, size=(side, side)).read_bytes()
    path = tmp_path / "grows.h264"
    path.write_bytes(small + large)
    assert sum(1 for _ in read_frames(path)) == 20
    use_limits(MediaLimits(pixels=limit))
    count = 0
    try:
        for _ in read_frames(path):
            count += 1
    except RetakeError as error:
        assert error.code == "picture_too_large"
    assert count <= 10


def test_reading_that_takes_too_long_ends(good: Path) -> None:
    use_limits(MediaLimits(decode_seconds=1e-9))
    assert code_of(good) == "decode_too_slow"
    # Time that somebody else spends between two frames does not count.
    use_limits(MediaLimits(decode_seconds=0.5))
    frames = read_frames(good)
    for _ in range(3):
        next(frames)
        time.sleep(0.3)
    frames.close()


def test_many_streams_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(limits.MOST_STREAMS + 1)]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
    assert code_of(path) == "too_many_streams"


def test_absurd_rates_are_refused(tmp_path: Path) -> None:
    fast = make_video(tmp_path / "fast.mp4", frames=200, rate=5000)
    with pytest.raises(RetakeError) as caught:
        probe(fast)
    assert caught.value.code == "absurd_rate"
    sound = make_sound(tmp_path / "a.wav", np.zeros(1000, np.float32), 48000)
    data = bytearray(sound.read_bytes())
    struct.pack_into("<I", data, 24, 2**31 - 1)
    sound.write_bytes(bytes(data))
    with pytest.raises(RetakeError) as caught:
        read_audio(sound, 16000)
    assert caught.value.code in {"absurd_rate", "corrupt", "not_media"}


def test_gaps_do_not_fill_the_memory(tmp_path: Path) -> None:
    """A small file whose samples are 29 s apart each: silence would fill 29 s for every 20 ms of sound."""
    path = tmp_path / "gaps.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        for number in range(400):
            frame = av.AudioFrame.from_ndarray(np.full((1, 960), 1000, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, number * 29 * 48000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert path.stat().st_size < 2_000_000
    use_limits(MediaLimits(seconds=300.0))
    with pytest.raises(RetakeError) as caught:
        read_audio(path, 48000)
    assert caught.value.code == "media_too_long"


def test_reading_sound_can_be_stopped(good: Path) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        read_audio(good, 16000, progress=progress)


def test_the_settings_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "settings.json").write_text(json.dumps({"limits": {"media_seconds": 7, "media_pixels": 5000, "decode_seconds": 3}}), encoding="utf-8")
    settings.prepare_process(tmp_path)
    assert limits.limits() == MediaLimits(seconds=7, pixels=5000, decode_seconds=3)


def test_a_hundred_flipped_videos_are_read_or_refused(good: Path, tmp_path: Path) -> None:
    """Bytes flipped in a good clip, in this process: a codec that crashes would take the test run down with it."""
    data = good.read_bytes()
    chance = random.Random(20)
    read, slowest = 0, 0.0
    codes: set[str] = set()
    for number in range(100):
        content = bytearray(data)
        # A third of them in the index, where every byte counts.
        low, high = (data.index(b"moov"), len(data)) if number % 3 == 0 else (0, len(data))
        for _ in range(chance.choice([1, 3, 10, 60])):
            content[chance.randrange(low, high)] ^= 1 << chance.randrange(8)
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(bytes(content))
        start = time.monotonic()
        try:
            normalise(path, tmp_path, Progress(), need_sound=False)
            read += 1
        except RetakeError as error:
            assert error.remedy
            codes.add(error.code)
        slowest = max(slowest, time.monotonic() - start)
        path.unlink()
    assert slowest < 20.0, "on a busy machine most take a tenth of a second"
    assert 20 <= read <= 99
    assert codes <= {"corrupt", "not_media", "no_picture", "still_picture", "unknown_codec", "protected", "picture_too_large", "media_too_long",
                     "absurd_rate", "too_many_streams", "disk_full"}  # fmt: skip
