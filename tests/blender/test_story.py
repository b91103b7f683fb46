"""An editor's day in real Blender with a real daemon: everything is rendered, and what comes out is measured outside of Blender."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daemon_process import daemon
from host import Blender

from retake.domain.rate import FrameRate
from retake.media.audio import read_audio
from retake.media.probe import probe
from retake.media.reader import read_frames

RATE = FrameRate(24, 1)
SOUND = 48000
SLOT = 50
END = 430
FILL_SECONDS = 200.0  # seven lines on a machine that has other work


@pytest.fixture(scope="module")
def home(presenter_home: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all versions of Blender: what the first one asked for is there for the next."""
    target = tmp_path_factory.mktemp("story") / "home"
    shutil.copytree(presenter_home.path, target)
    return target


@pytest.fixture(scope="module")
def user(installed: Blender, home: Path) -> Blender:
    return Blender(installed.version, installed.resources, {"RETAKE_HOME": str(home)})


@pytest.fixture(scope="module")
def folder(version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(f"edit-{version}")


@pytest.fixture(scope="module")
def edit(user: Blender, home: Path, folder: Path) -> dict:
    names = {"blend": str(folder / "edit.blend"), "movie": str(folder / "edit.mp4")}
    with daemon(home):
        return user.run("story", what="edit", render=True, **names, fill_seconds=FILL_SECONDS, seconds=FILL_SECONDS + 60)


def filled(answer: dict) -> list[dict]:
    return [line for line in answer["lines"] if line["state"] == "FILLED"]


def test_everything_is_filled_but_the_missing_speaker(edit: dict) -> None:
    assert edit["operator"] == ["FINISHED"]
    assert edit["asked"] == 7
    assert edit["problems"] == []
    states = {line["text"]: line["state"] for line in edit["lines"]}
    assert len(states) == 8
    assert states.pop("I am not there.") == "EMPTY"
    assert set(states.values()) == {"FILLED"}
    (missing,) = [line for line in edit["lines"] if line["speaker"] == "nobody"]
    assert missing["problem"][0] == "There is no speaker 'nobody'."
    assert "presenter" in missing["problem"][1]


def test_takes_lie_at_the_exact_frames_in_the_scenes_rate(edit: dict) -> None:
    for line in filled(edit):
        assert line["rate"] == "24"
        (start, end, picture), (sound_start, sound_end, sound) = line["ranges"]
        assert (start, end) == (sound_start, sound_end)
        assert start == line["frame"]
        assert picture == sound + 1
        if line["frames"] is not None:
            assert end - start == SLOT
        assert probe(Path(line["path"])).rate == RATE
    assert len({take for take in edit["folder"] if take.endswith(".mp4")}) in {0, 7}, "takes are all beside the .blend, or all used where they are"


def test_the_interface_never_stands_still(edit: dict) -> None:
    assert edit["longest_pump"] < 0.5, f"Blender would not have answered for {edit['longest_pump']:.2f} s"


def test_each_action_is_one_step_back(edit: dict) -> None:
    steps = edit["undo"]
    assert steps["asked"]["markers"] == steps["before"]["markers"] + 1
    assert steps["placed"]["strips"] == steps["before"]["strips"] + 2
    assert steps["undone once"]["strips"] == steps["before"]["strips"]
    assert steps["undone once"]["markers"] == steps["asked"]["markers"]
    assert steps["undone twice"] == steps["before"]


def test_the_movie_has_every_frame_and_words_where_they_belong(edit: dict, folder: Path) -> None:
    movie = next(iter(sorted(folder.glob("edit*.mp4"))))
    pictures = np.stack([frame for chunk in read_frames(movie) for frame in as_frames(chunk)])
    sound = read_audio(movie, SOUND)
    assert len(pictures) == END
    assert abs(len(sound) / SOUND - END / 24) < 1 / 24
    for line in filled(edit):
        start, end, _ = line["ranges"][0]
        check_sound(sound, line, start - 1, end - 1)
        check_picture(pictures, line, start - 1, end - 1)
    spoken = np.zeros(END, dtype=bool)
    for line in filled(edit):
        spoken[line["ranges"][0][0] - 1 : line["ranges"][0][1] - 1] = True
    quiet = [level(sound, frame) for frame in np.flatnonzero(~spoken)[:-1]]
    assert max(quiet) < 1e-3, "there is sound where nobody speaks"


def as_frames(chunk: np.ndarray) -> list[np.ndarray]:
    """A reader gives frames; small ones are enough to compare."""
    return [chunk[::4, ::4].astype(np.float32)] if chunk.ndim == 3 else [frame[::4, ::4].astype(np.float32) for frame in chunk]


def level(sound: np.ndarray, frame: int) -> float:
    part = sound[frame * SOUND // 24 : (frame + 1) * SOUND // 24]
    return float(np.sqrt(np.mean(part**2))) if len(part) else 0.0


def check_sound(sound: np.ndarray, line: dict, start: int, end: int) -> None:
    """The take's own sound is at its place, to within one frame, and is not silence."""
    frame = SOUND // 24
    take = read_audio(Path(line["path"]), SOUND)[line["handles"] * frame :][: (end - start) * frame]
    begin = start * frame
    heard = sound[max(0, begin - 2 * frame) : begin + len(take) + 2 * frame]
    assert np.sqrt(np.mean(take**2)) > 0.01, f"{line['text']}: the take is silent"
    size = 1 << (len(heard) + len(take)).bit_length()
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(take, size)), size)
    lag = int(np.argmax(match[: 4 * frame])) - (begin - max(0, begin - 2 * frame))
    assert abs(lag) <= frame, f"{line['text']}: its sound is {lag / SOUND * 1000:.0f} ms off"
    placed = heard[lag + (begin - max(0, begin - 2 * frame)) :][: len(take)]
    likeness = float(np.corrcoef(placed, take[: len(placed)])[0, 1])
    assert likeness > 0.9, f"{line['text']}: what is heard is another sound ({likeness:.2f})"


def check_picture(pictures: np.ndarray, line: dict, start: int, end: int) -> None:
    """The take's own frames are at their places: no other shift, of up to two frames, fits better."""
    take = np.stack([frame for chunk in read_frames(Path(line["path"])) for frame in as_frames(chunk)])
    take = take[line["handles"] :]
    middle = slice(4, end - start - 4)
    shown = pictures[start:end][middle]
    differences = {shift: float(np.mean(np.abs(shown - np.roll(take, shift, axis=0)[: end - start][middle]))) for shift in (-2, -1, 0, 1, 2)}
    best = min(differences, key=lambda shift: differences[shift])
    assert abs(best) <= 1, f"{line['text']}: its picture is {best} frames off ({differences})"
    assert differences[0] < 12, f"{line['text']}: another picture is shown ({differences})"


def test_reopened_a_line_is_revised_and_switched_back(edit: dict, user: Blender, home: Path, folder: Path) -> None:
    with daemon(home):
        answer = user.run("story", what="reopen", blend=str(folder / "edit.blend"), fill_seconds=FILL_SECONDS, seconds=FILL_SECONDS)
    assert [line["take"] for line in answer["before"] if line["pictures"]] == [line["take"] for line in filled(edit)]
    assert answer["missing"] == []
    assert answer["field"] == "We ship on Friday."
    assert answer["problems"] == []
    changed = [(one["text"], other["text"]) for one, other in zip(answer["before"], answer["after"], strict=True) if one["text"] != other["text"]]
    assert changed == [("We ship on Friday.", "We ship on Monday.")]
    assert [text for text, _ in answer["takes"]] == ["We ship on Friday.", "We ship on Monday."]
    assert answer["shown"] != answer["first"] == answer["switched"]
    assert answer["length"] == SLOT
    assert "We ship on Monday." in answer["report"]
    assert "There is no speaker 'nobody'." in answer["report"]


def test_a_daemon_that_is_killed_is_a_state(user: Blender, home: Path, tmp_path: Path) -> None:
    flag = tmp_path / "running"
    # Words of its own for each version, since takes that exist come at once.
    text = f"Version {user.version.replace('.', ' point ')} of this program says what nobody has said before, and takes its time."
    answer: dict = {}

    def work() -> None:
        answer.update(
            user.run("story", what="killed", blend=str(tmp_path / "killed.blend"), flag=str(flag), text=text, fill_seconds=150.0, seconds=180.0)
        )

    thread = threading.Thread(target=work)
    with daemon(home) as first:
        thread.start()
        deadline = time.monotonic() + 90
        while not flag.exists() and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        first.end(signal.SIGKILL)
    time.sleep(1.5)
    with daemon(home):
        thread.join(180)
    assert answer, "the script did not come to its end"
    assert "RUNNING" in answer["states"]
    assert answer["connection"][0] == "READY"
    assert answer["connection"][-1] == "READY"
    assert len(answer["connection"]) >= 3, answer["connection"]
    assert answer["problems"] == []
    assert answer["lines"][0]["state"] == "FILLED"
    assert answer["longest_pump"] < 0.5
