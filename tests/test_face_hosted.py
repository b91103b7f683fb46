"""Lips of engines in their own process: a toy one that gives faces back, colours them or misbehaves, on a drawn face."""

from __future__ import annotations

import ast
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from test_face_render import OPENINGS, SIZE, face, picture
from toy_lips import GREEN, install_toy, orders

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.motion import MotionPath
from retake.domain.phones import SILENCE
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.speech import Speech
from retake.domain.timing import Phone, Timing
from retake.domain.track import FaceTrack
from retake.engines.failures import HostFailure
from retake.engines.hosts import Hosts
from retake.face import embedded, hosted
from retake.face.canonical import to_canonical
from retake.face.engines import lips_engine
from retake.face.hosted import HostedLips
from retake.face.lips_trial import try_lips
from retake.face.shape import ShapeModel

RATE = FrameRate(25)
GONE = 20  # the frame of the reference without a face


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a speaker")
    landmarks = np.stack([face(o, (2 * np.sin(i / 9), np.cos(i / 7))) for i, o in enumerate(OPENINGS)])
    with av.open(str(folder / "reference.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "4", "g": "8"})
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for points in landmarks:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(points), format="rgb24")))
        container.mux(stream.encode(None))
    landmarks[GONE] = np.nan
    track = FaceTrack(landmarks, np.zeros((len(landmarks), 52), np.float32), np.ones(len(landmarks), np.uint8), RATE, SIZE, SIZE)
    where = embedded.learn_pictures(folder, track, Progress())
    canonical, _ = to_canonical(track.landmarks, where.template)
    ShapeModel.fit(canonical, RATE, Timing((), ())).save(folder / embedded.FOLDER)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def pool(home: Path) -> Iterator[Hosts]:
    made = Hosts(home)
    yield made
    made.close()


def speech(*sounds: tuple[str, float]) -> Speech:
    phones, at = [], 0.0
    for symbol, seconds in sounds:
        phones.append(Phone(symbol, at, at + seconds))
        at += seconds
    samples = np.random.default_rng(0).normal(0, 0.05, round(at * 24000)).astype(np.float32)
    return Speech(samples, 24000, Timing(tuple(phones), ()))


TALK = speech(("AA", 1.0), (SILENCE, 0.8), ("IY", 0.2))  # frames 0-24 said, 25-44 not, 45-49 said


def path_of(*frames: int) -> MotionPath:
    n = len(frames)
    return MotionPath(np.array(frames, np.int32), np.full(n, -1, np.int32), np.zeros(n, np.float32))


PATH = path_of(*range(50))


def drawn(  # noqa: PLR0917 - what a take is made of
    home: Path, pool: Hosts, speaker: Path, path: MotionPath = PATH, said: Speech = TALK, rate: FrameRate = RATE
) -> list[np.ndarray]:
    return [image.copy() for image in HostedLips(home, "toylips", pool=pool).render(speaker, path, said, rate, Progress())]


def plain(speaker: Path, path: MotionPath = PATH) -> list[np.ndarray]:
    from retake.media.reference import ReferenceFrames

    with ReferenceFrames(speaker / "reference.mp4") as frames:
        return [frames[int(i)] for i in path.source]


def test_faces_that_come_back_as_they_were_change_next_to_nothing(home: Path, tmp_path: Path, pool: Hosts, speaker: Path) -> None:
    install_toy(home, tmp_path / "toy")
    out, before = drawn(home, pool, speaker), plain(speaker)
    assert len(out) == 50
    for number in range(24):
        difference = np.abs(out[number].astype(int) - before[number])
        assert difference.mean() < 0.3 and difference[: SIZE // 2].max() == 0  # the upper half to the bit
    np.testing.assert_array_equal(out[GONE], before[GONE])
    told = orders(home)
    sent = [number for line in told for number in ast.literal_eval(line[line.index("[") : line.index("]") + 1])]
    assert sent == [i for i in range(50) if i != GONE and not 28 <= i <= 40]  # nothing is drawn where it would not be seen
    assert all("'crops', 'sound'" in line and "False" in line for line in told)
    again = drawn(home, pool, speaker)
    np.testing.assert_array_equal(np.stack(out), np.stack(again))


def test_lips_are_at_rest_in_pauses_and_the_engines_elsewhere(home: Path, tmp_path: Path, pool: Hosts, speaker: Path) -> None:
    install_toy(home, tmp_path / "toy", GREEN)
    out, before = drawn(home, pool, speaker), plain(speaker)
    own = [image.copy() for image in embedded.EmbeddedLips().render(speaker, PATH, TALK, RATE, Progress())]

    def changed(number: int) -> float:
        return float(np.abs(out[number].astype(int) - before[number])[SIZE // 2 :].mean())

    assert min(changed(number) for number in range(24) if number != GONE) > 2
    for number in range(30, 40):
        np.testing.assert_array_equal(out[number], own[number])  # the person's own mouth, at rest


@pytest.mark.parametrize("rate", [FrameRate(24000, 1001), FrameRate(60)])
def test_any_rate_and_transitions(home: Path, tmp_path: Path, pool: Hosts, speaker: Path, rate: FrameRate) -> None:
    install_toy(home, tmp_path / "toy")
    path = MotionPath(np.arange(5, 45, dtype=np.int32), np.full(40, -1, np.int32), np.zeros(40, np.float32))
    path.other[10:14], path.weight[10:14] = np.arange(46, 50), (0.2, 0.4, 0.6, 0.8)
    out = drawn(home, pool, speaker, path, speech(("AA", 2.0)), rate)
    assert len(out) == 40 and {image.shape for image in out} == {(SIZE, SIZE, 3)}
    assert f"[{rate.numerator}, {rate.denominator}]" in orders(home)[0]


def test_an_engine_that_hears_by_itself_gets_the_sound_once(home: Path, tmp_path: Path, pool: Hosts, speaker: Path) -> None:
    install_toy(home, tmp_path / "toy", sound="samples")
    drawn(home, pool, speaker)
    assert [("'samples'" in line) for line in orders(home)] == [True] + [False] * (len(orders(home)) - 1)


def test_large_pictures_go_in_smaller_chunks(home: Path, tmp_path: Path, pool: Hosts, speaker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_toy(home, tmp_path / "toy")
    whole = drawn(home, pool, speaker, path_of(*range(10)))
    monkeypatch.setattr(hosted, "CHUNK_BYTES", 3 * SIZE * SIZE * 3)
    parts = drawn(home, pool, speaker, path_of(*range(10)))
    np.testing.assert_array_equal(np.stack(whole), np.stack(parts))
    assert len(orders(home)) == 1 + 4


def test_a_crash_is_told_with_its_exit_code_and_last_words(home: Path, tmp_path: Path, pool: Hosts, speaker: Path) -> None:
    install_toy(
        home, tmp_path / "toy", "if self.orders == 2:\n    import os\n    print('the end is near', file=sys.stderr, flush=True)\n    os._exit(7)"
    )
    frames = HostedLips(home, "toylips", pool=pool).render(speaker, PATH, TALK, RATE, Progress())
    with pytest.raises(HostFailure) as caught:
        list(frames)
    assert caught.value.code == "engine_crashed" and caught.value.exit_code == 7 and "the end is near" in caught.value.log_tail[-1]
    assert pool.loaded() == []


def test_memory_runs_out_once_and_for_good(home: Path, tmp_path: Path, pool: Hosts, speaker: Path) -> None:
    install_toy(home, tmp_path / "once", "if not order.smaller:\n    raise MemoryError", sound="samples")
    assert len(drawn(home, pool, speaker)) == 50
    told = orders(home)
    assert "False" in told[0] and all("True" in line for line in told[1:]) and "'samples'" in told[1]  # the new process is told everything
    install_toy(home, tmp_path / "always", "raise MemoryError")
    with pytest.raises(RetakeError) as caught:
        drawn(home, pool, speaker)
    assert caught.value.code == "engine_out_of_memory"


@pytest.mark.parametrize(
    "lines",
    ["if number == 1:\n    continue", "face, height = face[: len(face) // 2], height // 2", "yield face.cast('B', (height, width, channels))"],
)
def test_answers_that_are_none_are_refused(home: Path, tmp_path: Path, pool: Hosts, speaker: Path, lines: str) -> None:
    install_toy(home, tmp_path / "toy", lines)
    with pytest.raises(RetakeError) as caught:
        drawn(home, pool, speaker)
    assert caught.value.code == "engine_bad_frames"
    assert len(orders(home)) >= 1


def test_cancelling_ends_soon_and_the_next_take_works(home: Path, tmp_path: Path, pool: Hosts, speaker: Path) -> None:
    install_toy(home, tmp_path / "toy", "if order.fields['frames'][0] == 16:\n    time.sleep(0.5)")
    progress = Progress()
    frames = HostedLips(home, "toylips", pool=pool).render(speaker, PATH, TALK, RATE, progress)
    next(frames)
    timer = threading.Timer(0.1, progress.cancel)
    timer.start()
    with pytest.raises(Cancelled):
        list(frames)
    timer.join()
    started = time.monotonic()
    assert len(drawn(home, pool, speaker, path_of(1, 2, 3))) == 3
    assert time.monotonic() - started < 60


def test_a_take_that_nobody_waits_for_lets_the_engine_go(home: Path, tmp_path: Path, pool: Hosts, speaker: Path) -> None:
    install_toy(home, tmp_path / "toy", "time.sleep(0.05)")
    frames = HostedLips(home, "toylips", pool=pool).render(speaker, PATH, TALK, RATE, Progress())
    next(frames)
    frames.close()  # type: ignore[attr-defined] - it is a generator
    assert len(drawn(home, pool, speaker, path_of(1))) == 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lips engine")]


def test_a_trial(home: Path, tmp_path: Path) -> None:
    engine = install_toy(home, tmp_path / "toy")
    trial = try_lips(home, engine.name, Progress())
    assert (trial.device, trial.faces) == ("cpu", 4) and trial.load_seconds > 0
    install_toy(home, tmp_path / "green", GREEN)
    with pytest.raises(RetakeError, match="the same for every face"):
        try_lips(home, engine.name, Progress())


def test_engines_by_name(home: Path, tmp_path: Path) -> None:
    assert lips_engine("embedded", folder=home) is lips_engine("embedded")
    with pytest.raises(RetakeError, match="retake engines install wav2lip") as caught:
        lips_engine("wav2lip", folder=home)
    assert caught.value.code == "engine_not_installed"
    with pytest.raises(RetakeError, match="embedded, musetalk, wav2lip") as caught:
        lips_engine("nothing", folder=home)
    assert caught.value.code == "unknown_engine"
    engine = install_toy(home, tmp_path / "toy")
    made = lips_engine("toylips", folder=home)
    assert made.name == "toylips" and made.version.startswith(engine.sound_version)


@pytest.mark.skipif(sys.platform == "win32", reason="processes are told apart by their threads alone there")
def test_memory_does_not_grow_with_the_take(home: Path, tmp_path: Path, pool: Hosts, speaker: Path) -> None:
    """At most two chunks of pictures wait for their mouths, however long the take is."""
    install_toy(home, tmp_path / "toy")
    frames = HostedLips(home, "toylips", pool=pool).render(speaker, path_of(*(list(range(19)) * 20)), speech(("AA", 15.2)), RATE, Progress())
    alive: list[int] = []
    import gc
    import weakref

    seen: list[weakref.ref[np.ndarray]] = []
    for number, image in enumerate(frames):
        seen.append(weakref.ref(image))
        if number % 40 == 39:
            gc.collect()
            alive.append(sum(one() is not None for one in seen))
    assert len(seen) == 380 and max(alive) <= 2 * hosted.CHUNK
