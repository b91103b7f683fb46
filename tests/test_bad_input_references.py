"""References that cannot work, through the command line: refused with a cause and a remedy before anything is learnt, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from bad_references import PRESENTER, SIDE, SOUND_RATE, Presenter, chords, grey
from media_samples import make_sound, make_video
from PIL import Image

from retake import cli
from retake.domain.errors import ErrorKind

BAD = ErrorKind.BAD_INPUT.value
TEXT = PRESENTER.with_suffix(".txt")


@pytest.fixture(scope="module")
def presenter() -> Presenter:
    return Presenter()


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory, presenter: Presenter) -> Path:
    """A folder with one file of each kind."""
    folder = tmp_path_factory.mktemp("references")
    whole = PRESENTER.read_bytes()

    def half_grey(number: int) -> np.ndarray:
        return grey(number) if number % 50 < 25 else presenter.picture(number)

    presenter.video(folder / "good.mp4", 8.0)
    presenter.video(folder / "nobody.mp4", 5.2, picture=grey)
    presenter.video(folder / "two.mp4", 5.2, picture=presenter.twice)
    presenter.video(folder / "half.mp4", 5.2, picture=half_grey)
    presenter.video(folder / "away.mp4", 5.2, picture=presenter.turned(55))
    presenter.video(folder / "silent.mp4", 5.2, sound=np.zeros(6 * SOUND_RATE, np.float32))
    presenter.video(folder / "music.mp4", 5.2, sound=chords(6.0))
    presenter.video(folder / "short.mp4", 3.0)
    make_video(folder / "mute.mp4", frames=130, size=(SIDE, SIDE), picture=presenter.picture)
    (folder / "cut off.mp4").write_bytes((folder / "good.mp4").read_bytes()[:20000])  # its index stood at the end
    (folder / "cut short.mp4").write_bytes(whole[: len(whole) // 6])  # its index stands in front: the beginning can be read
    (folder / "scrambled.mp4").write_bytes(whole[:100] + np.random.default_rng(0).bytes(len(whole) - 100))
    (folder / "noise.mp4").write_bytes(np.random.default_rng(1).bytes(50000))
    (folder / "empty.mp4").touch()
    (folder / "words.mp4").write_text("These are words.\n" * 100, encoding="utf-8")
    for kind in ("PNG", "JPEG"):
        Image.fromarray(presenter.picture(0)).save(folder / f"{kind}.mp4", format=kind)
    make_sound(folder / "sound.wav", presenter.sound[: 6 * SOUND_RATE], SOUND_RATE)
    return folder


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder of the test's own; and nothing of what is refused may ever reach the expensive part."""

    def learn(*_: object, **__: object) -> None:
        pytest.fail("a voice is learnt from a reference that cannot work")

    monkeypatch.setattr("retake.speakers.enrol.learn_voice", learn)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    for name in [name for name in os.environ if name.endswith("_NUM_THREADS")]:
        monkeypatch.setenv(name, os.environ[name])
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def enrol(path: Path, *more: str) -> list[str]:
    return ["enrol", str(path), "--name", "anna", "--consent", "I, Anna, agree to be enrolled.", *more]


def refusal(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> dict[str, str]:
    """Run the command with --json; returns the error, which must be shown on one line of stderr as well."""
    code = cli.run([*arguments, "--json"])
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert code == error["exit_code"] != 0
    lines = [line for line in captured.err.splitlines() if line.startswith("Error: ")]
    assert lines == [f"Error: {error['cause']} {error['remedy']}"]
    assert captured.err.splitlines()[-1] == lines[0]
    assert error["remedy"]
    assert "Traceback" not in captured.err
    return error


def left_behind(home: Path) -> list[str]:
    """What a failed enrolment must not leave: anything among the speakers, and temporaries anywhere."""
    everything = list(home.rglob("*"))
    return [str(path) for path in everything if path.parent.name == "speakers" or ".retake-part" in path.name or path.name.startswith(".building")]


REFERENCES = {
    "nobody.mp4": ("no_face", "No face"),
    "two.mp4": ("two_faces", "two people"),
    "half.mp4": ("face_mostly_missing", "only 42%"),
    "away.mp4": ("turned_away", "turned away"),
    "silent.mp4": ("no_speech", "No speech"),
    "music.mp4": ("no_speech", "No speech"),
    "mute.mp4": ("no_sound", "no sound"),
    "short.mp4": ("too_short", "3.0 s"),
    "cut off.mp4": ("corrupt", "damaged"),
    "cut short.mp4": ("too_short", "at least 5 s"),
    "scrambled.mp4": ("corrupt", "damaged"),
    "noise.mp4": ("not_media", "mp4, mov"),
    "empty.mp4": ("empty_file", "zero bytes"),
    "words.mp4": ("not_media", "mp4, mov"),
    "PNG.mp4": ("still_picture", "still picture"),
    "JPEG.mp4": ("still_picture", "still picture"),
    "sound.wav": ("no_picture", "no moving picture"),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_references(capsys: pytest.CaptureFixture[str], references: Path, home: Path, name: str) -> None:
    code, part = REFERENCES[name]
    error = refusal(capsys, enrol(references / name))
    assert (error["code"], error["exit_code"]) == (code, BAD)
    assert part in error["cause"] + error["remedy"]
    assert name in error["cause"]  # the user's file, not one of ours
    assert left_behind(home) == []
    assert cli.run(["speakers", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"speakers": []}


TRANSCRIPTS = {
    "marks": ("?!... --", "text_empty", "no words"),
    "emoji": ("😀😀 🎬", "text_empty", "no words"),
    "cyrillic": ("Привет, как дела?", "text_language", "English"),
    "chinese": ("你好，世界。", "text_language", "English"),
    "long": ("word " * 4000, "text_too_long", "10,000"),
}


@pytest.mark.parametrize("kind", TRANSCRIPTS)
def test_transcripts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, references: Path, tmp_path: Path, kind: str) -> None:
    """A transcript that cannot be used is refused before the video is read, whether it is given as text or as a file."""
    text, code, part = TRANSCRIPTS[kind]

    def read(*_: object, **__: object) -> None:
        pytest.fail("the video is read although its transcript cannot be used")

    monkeypatch.setattr("retake.speakers.enrol.normalise", read)
    (tmp_path / "words.txt").write_text(text, encoding="utf-8")
    for given in (text, str(tmp_path / "words.txt")):
        error = refusal(capsys, enrol(references / "good.mp4", "--transcript", given))
        assert (error["code"], error["exit_code"]) == (code, BAD)
        assert "transcript" in error["cause"]
        assert part in error["cause"] + error["remedy"]
    assert left_behind(tmp_path / "home") == []


def test_words_of_something_else(capsys: pytest.CaptureFixture[str], references: Path, home: Path) -> None:
    text = "Quarterly figures show the boat under a purple mountain. " * 3
    error = refusal(capsys, enrol(references / "good.mp4", "--transcript", text))
    assert error["code"] == "transcript_mismatch"
    assert left_behind(home) == []


def test_a_failed_replacement_keeps_the_speaker(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, references: Path, copy_of_presenter_home: Path
) -> None:
    monkeypatch.setenv("RETAKE_HOME", str(copy_of_presenter_home))
    folder = copy_of_presenter_home / "speakers"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    arguments = ["enrol", str(references / "nobody.mp4"), "--name", "presenter", "--consent", "I agree to be enrolled."]
    assert refusal(capsys, arguments)["code"] == "speaker_exists"
    assert refusal(capsys, [*arguments, "--replace"])["code"] == "no_face"
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_names_with_spaces_and_odd_letters(capsys: pytest.CaptureFixture[str], references: Path, tmp_path: Path, home: Path) -> None:
    path = tmp_path / "Bewerbung Ünï [1] 50%.mp4"
    shutil.copyfile(references / "silent.mp4", path)
    assert path.name in refusal(capsys, enrol(path))["cause"]
    assert left_behind(home) == []
