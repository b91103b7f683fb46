"""Lines, recordings and places that `say` cannot work with, through the command line: a cause, a remedy, and nothing left behind."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bad_references import PRESENTER, SOUND_RATE, chords, grey
from media_samples import make_sound, make_video

from retake import cli
from retake.domain.errors import ErrorKind

BAD, NOT_FOUND, ENVIRONMENT = ErrorKind.BAD_INPUT.value, ErrorKind.NOT_FOUND.value, ErrorKind.ENVIRONMENT.value


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, copy_of_presenter_home: Path) -> Path:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    for name in [name for name in os.environ if name.endswith("_NUM_THREADS")]:
        monkeypatch.setenv(name, os.environ[name])
    monkeypatch.setenv("RETAKE_HOME", str(copy_of_presenter_home))
    return copy_of_presenter_home


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str], home: Path, out: Path) -> Callable[..., dict[str, str]]:
    """Run `say` with --json; returns the error, shown on one line of stderr as well. The home and the output folder are as before."""

    def run(*arguments: str, speaker: str = "presenter") -> dict[str, str]:
        before = stored(home)
        code = cli.run(["say", *arguments, "--speaker", speaker, "--json"])
        captured = capsys.readouterr()
        error = json.loads(captured.out)["error"]
        assert code == error["exit_code"] != 0
        assert captured.err.splitlines()[-1] == f"Error: {error['cause']} {error['remedy']}"
        assert captured.err.count("Error: ") == 1
        assert "Traceback" not in captured.err
        assert stored(home) == before
        assert list(out.iterdir()) == []
        return error

    return run


def stored(home: Path) -> set[Path]:
    """All files but those that are only kept to be quicker, and temporaries anywhere."""
    return {path for path in home.rglob("*") if (path.is_file() and "cache" not in path.relative_to(home).parts) or path.name.startswith(".")}


TEXTS = {
    "empty": ("", "text_empty", "empty"),
    "blank": (" \n\t ", "text_empty", "empty"),
    "marks": ("?!... --", "text_empty", "punctuation"),
    "emoji": ("😀😀 🎬", "text_empty", "symbols"),
    "cyrillic": ("Привет, как дела?", "text_language", "English"),
    "chinese": ("你好，世界。", "text_language", "English"),
    "arabic": ("مرحبا بالعالم", "text_language", "English"),
    "20,000": ("word " * 4000, "text_too_long", "script"),
    "20,000 in one word": ("w" * 20000, "text_too_long", "script"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_texts(refusal: Callable[..., dict[str, str]], out: Path, kind: str) -> None:
    text, code, part = TEXTS[kind]
    error = refusal(text, "-o", str(out / "a.mp4"))
    assert (error["code"], error["exit_code"]) == (code, BAD)
    assert part in error["cause"] + error["remedy"]


RECORDINGS = {
    "silent.wav": ("no_speech", BAD, "silent.wav"),
    "music.wav": ("no_speech", BAD, "music.wav"),
    "click.wav": ("sound_too_short", BAD, "click.wav"),
    "empty.wav": ("empty_file", BAD, "zero bytes"),
    "words.wav": ("not_media", BAD, "words.wav"),
    "cut off.mp4": ("corrupt", BAD, "cut off.mp4"),
    "picture.mp4": ("no_sound", BAD, "picture.mp4"),
    "missing.wav": ("no_file", NOT_FOUND, "missing.wav"),
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    make_sound(folder / "silent.wav", np.zeros(3 * SOUND_RATE, np.float32), SOUND_RATE)
    make_sound(folder / "music.wav", chords(4.0), SOUND_RATE)
    make_sound(folder / "click.wav", chords(0.5)[:1000], SOUND_RATE)
    (folder / "empty.wav").touch()
    (folder / "words.wav").write_text("words " * 100, encoding="utf-8")
    (folder / "cut off.mp4").write_bytes(PRESENTER.read_bytes()[:3000])
    make_video(folder / "picture.mp4", frames=50, size=(256, 256), picture=grey)
    return folder


@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings(refusal: Callable[..., dict[str, str]], recordings: Path, out: Path, name: str) -> None:
    code, exit_code, part = RECORDINGS[name]
    error = refusal("--audio", str(recordings / name), "-o", str(out / "a.mp4"))
    assert (error["code"], error["exit_code"]) == (code, exit_code)
    assert part in error["cause"]


def test_unknown_speakers_list_the_known(refusal: Callable[..., dict[str, str]]) -> None:
    error = refusal("Hello.", speaker="nobody")
    assert (error["code"], error["exit_code"]) == ("unknown_speaker", NOT_FOUND)
    assert "presenter" in error["remedy"]


def test_places_that_are_not_there(refusal: Callable[..., dict[str, str]], out: Path, tmp_path: Path) -> None:
    assert refusal("Hello.", "-o", str(out / "no" / "a.mp4"))["code"] == "no_output_folder"
    assert refusal("Hello.", "-o", str(out))["code"] == "bad_output"
    (tmp_path / "file").touch()
    assert refusal("Hello.", "-o", str(tmp_path / "file" / "a.mp4"))["code"] == "no_output_folder"
    script = tmp_path / "script.txt"
    script.write_text("Hello.\n", encoding="utf-8")
    assert refusal("--script", str(script), "-o", str(out / "no" / "takes"))["code"] == "no_output_folder"
    assert refusal("--script", str(script), "-o", str(tmp_path / "file"))["code"] == "bad_output"


def closed_folder(folder: Path) -> Path:
    """A folder that nobody may write to; an administrator is only stopped by the system's own."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        system = Path("/proc")
        if not system.is_dir():
            pytest.skip("an administrator may write everywhere")
        return system
    if sys.platform == "win32":
        pytest.skip("folders of Windows cannot be closed with chmod")
    folder.mkdir()
    folder.chmod(0o555)
    return folder


def test_places_that_cannot_be_written(refusal: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    closed = closed_folder(tmp_path / "closed")
    script = tmp_path / "script.txt"
    script.write_text("Hello.\n", encoding="utf-8")
    for arguments in (["Hello.", "-o", str(closed / "a.mp4")], ["--script", str(script), "-o", str(closed / "takes")]):
        error = refusal(*arguments)
        assert (error["code"], error["exit_code"]) == ("not_writable", ENVIRONMENT)
        assert str(closed) in error["cause"]


def test_scoring_what_shows_nobody(capsys: pytest.CaptureFixture[str], recordings: Path) -> None:
    assert cli.run(["score", str(recordings / "picture.mp4"), "--speaker", "presenter", "--json"]) == BAD
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "no_face"
    assert "picture.mp4" in error["cause"]
