"""Takes come to where they are wanted, and nothing that is not Retake's own is overwritten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.take import Take, TakeRequest
from retake.media.writer import write_clip
from retake.takes import delivery, finish

RATE = FrameRate(25)
SUFFIXES = (".mp4", ".otio", ".srt", ".json", ".png")


def clip(path: Path, metadata: dict[str, str]) -> None:
    frames = [np.full((64, 64, 3), 40 * i, np.uint8) for i in range(3)]
    sound = np.zeros(48000 * 3 // 25, np.float32)
    arguments = {"rate": RATE, "width": 64, "height": 64, "samples": sound, "sample_rate": 48000, "progress": Progress(), "total": 3}
    write_clip(path, frames, metadata=metadata, **arguments)


@pytest.fixture
def take(tmp_path: Path) -> Take:
    folder = tmp_path / "home" / "takes" / "0123456789abcdef"
    folder.mkdir(parents=True)
    files = finish.files_in(folder)
    asked = TakeRequest(speaker="anna", text="Hello.", line_id="first")
    clip(Path(files.clip), {finish.CLIP_TAG: folder.name})
    Path(files.captions).write_text("", encoding="utf-8")
    Path(files.poster).write_bytes(b"png")
    report = {"take": folder.name, "synthetic": True, "request": asked.model_dump(mode="json")}
    Path(files.report).write_text(json.dumps(report), encoding="utf-8")
    return Take(id=folder.name, request=asked, files=files, frames=3, rate="25", width=64, height=64, sha256="0" * 64)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def refused(output: Path, home: Path, **arguments: str) -> str:
    with pytest.raises(RetakeError) as caught:
        delivery.check_target(output, home, **arguments)
    return caught.value.code


def test_everything_is_delivered_and_may_be_delivered_again(take: Take, home: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    for line in ("second", "third"):
        delivery.check_target(output, home)
        asked = take.model_copy(update={"request": take.request.model_copy(update={"line_id": line})})
        moved = delivery.deliver(asked, output)
        assert sorted(path.name for path in tmp_path.glob("out.*")) == sorted(f"out{suffix}" for suffix in SUFFIXES)
        assert moved.files.clip == str(output)
        assert json.loads(Path(moved.files.report).read_text(encoding="utf-8"))["request"]["line_id"] == line
        assert str(output.as_posix()) in Path(moved.files.timeline).read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_peoples_files_stay(take: Take, home: Path, tmp_path: Path, suffix: str) -> None:
    own = tmp_path / f"out{suffix}"
    own.write_text('{"take": 3}', encoding="utf-8")
    assert refused(tmp_path / "out.mp4", home) == "would_overwrite"
    own.unlink()
    delivery.check_target(tmp_path / "out.mp4", home)


def test_footage_stays(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    clip(tmp_path / "footage.mp4", {"title": "Holiday"})
    assert refused(tmp_path / "footage.mp4", home) == "would_overwrite"


def test_an_interrupted_delivery_is_gone_on_with(take: Take, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(source: str, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(delivery.shutil, "copyfile", interrupted)
        delivery.deliver(take, tmp_path / "out.mp4")
    delivery.check_target(tmp_path / "out.mp4", home)
    delivery.deliver(take, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").is_file()


def test_the_recording_and_the_store_are_no_targets(take: Take, home: Path, tmp_path: Path) -> None:
    voice_over = tmp_path / "take.mp4"
    voice_over.write_bytes(Path(take.files.clip).read_bytes())  # itself a take: the check for foreign files would let it through
    assert refused(voice_over, home, audio=str(voice_over)) == "bad_output"
    assert refused(Path(take.files.clip), home) == "bad_output"


def test_a_timeline_of_somebody_elses_stays(take: Take, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "film"
    delivery.prepare_folder(folder, home)
    timeline = delivery.script_timeline(folder)
    finish.write_script_timeline(timeline, "News", [take])
    delivery.check_target_folder(folder, home)
    timeline.write_text('{"OTIO_SCHEMA": "Timeline.1", "name": "mine"}', encoding="utf-8")
    with pytest.raises(RetakeError) as caught:
        delivery.prepare_folder(folder, home)
    assert caught.value.code == "would_overwrite"


def test_closing_the_poster_closes_what_it_reads() -> None:
    closed: list[bool] = []

    def source() -> Iterator[NDArray[np.uint8]]:
        try:
            while True:
                yield np.zeros((2, 2, 3), np.uint8)
        finally:
            closed.append(True)

    frames = finish.PosterTap(0).through(source())
    next(frames)
    frames.close()
    assert closed == [True]
