"""The command line without any work behind it: exit codes, JSON, one-line errors. What the commands make is in test_cli_presenter.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from retake import __version__, cli
from retake.domain.errors import ErrorKind


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    for name in [name for name in os.environ if name.endswith("_NUM_THREADS")]:
        monkeypatch.setenv(name, os.environ[name])
    return tmp_path / "home"


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("Error: ")
    assert "Traceback" not in captured.err
    return lines[0]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["version"]) == 0
    assert capsys.readouterr().out == f"retake {__version__}\n"
    assert cli.run(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": __version__}


def test_every_command_is_listed_and_documented(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    text = capsys.readouterr().out
    for command in ("enrol", "say", "speakers", "takes", "score", "doctor", "demo", "version"):
        assert f"  {command} " in text
        assert cli.run([command, "--help"]) == 0
        assert "--json" in capsys.readouterr().out


def test_nothing_stored_yet(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert cli.run(["speakers", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"speakers": []}
    assert cli.run(["takes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"takes": []}
    assert cli.run(["speakers"]) == 0
    assert "retake enrol" in capsys.readouterr().out
    assert not home.exists()  # looking does not make anything


NOT_FOUND, BAD, REFUSED = ErrorKind.NOT_FOUND.value, ErrorKind.BAD_INPUT.value, ErrorKind.REFUSED.value


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["nonsense"], 2, "nonsense"),
        (["say", "--nonsense", "x"], 2, "--nonsense"),
        (["say", "hi", "--seed", "many"], 2, "--seed"),
        (["say", "hi"], NOT_FOUND, "retake enrol"),
        (["say"], BAD, "nothing to say"),
        (["say", "hi", "--audio", "a.wav"], BAD, "exclude"),
        (["say", "hi", "--transcript", "x"], BAD, "--audio"),
        (["say", "hi", "--speaker", "nobody"], NOT_FOUND, "nobody"),
        (["say", "hi", "--speaker", "../x"], BAD, "../x"),
        (["enrol", "missing.mp4", "--name", "a", "--consent", "yes"], NOT_FOUND, "missing.mp4"),
        (["enrol", ".", "--name", "a", "--consent", "yes"], BAD, "not a file"),
        (["enrol", __file__, "--name", "A B", "--consent", "yes"], BAD, "A B"),
        (["enrol", __file__, "--name", "a"], REFUSED, "consent"),
        (["enrol", __file__, "--name", "a", "--consent", "  "], REFUSED, "consent"),
        (["enrol", __file__, "--name", "a", "--consent", "yes", "--transcript", "no-such.txt"], NOT_FOUND, "no-such.txt"),
        (["speakers", "show", "nobody"], NOT_FOUND, "nobody"),
        (["speakers", "delete", "nobody", "--yes"], NOT_FOUND, "nobody"),
        (["score", __file__, "--speaker", "nobody"], NOT_FOUND, "nobody"),
        (["score", "missing.mp4", "--speaker", "nobody"], NOT_FOUND, "missing.mp4"),
        (["demo", "-o", "out.avi"], BAD, ".mp4"),
        (["demo", "-o", "no-such-folder/out.mp4"], NOT_FOUND, "no-such-folder"),
    ],
    ids=lambda value: " ".join(value)[-60:] if isinstance(value, list) else "",
)
def test_errors(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, part: str) -> None:
    assert cli.run(arguments) == code
    assert part in one_error(capsys)
    assert cli.run([*arguments, "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["exit_code"] == code
    assert part in document["error"]["cause"] + document["error"]["remedy"]


def test_damaged_settings_are_an_error_of_one_line(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    home.mkdir()
    (home / "settings.json").write_text('{"treads": 3}', encoding="utf-8")
    assert cli.run(["speakers"]) == ErrorKind.ENVIRONMENT.value
    assert "treads" in one_error(capsys)


def test_a_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "file" / "home"))
    assert cli.run(["demo"]) == ErrorKind.ENVIRONMENT.value
    assert "RETAKE_HOME" in one_error(capsys)


def run_python(code: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RETAKE_HOME": str(home)}
    return subprocess.run([sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, timeout=600, check=False)


CRASH = "import sys, retake.speakers.store as s\ns.names = s.list_speakers = lambda home: 1 / 0\nfrom retake.cli import main\nmain()"


def test_an_unforeseen_error_is_one_line_and_a_log(home: Path) -> None:
    done = run_python(CRASH, home, "speakers")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    log = Path(done.stderr.strip().rsplit(" ", 1)[1].rstrip("."))
    assert "ZeroDivisionError" in log.with_suffix(".log").read_text(encoding="utf-8")
    assert "Traceback" in run_python(CRASH, home, "speakers", "--debug").stderr
    assert json.loads(run_python(CRASH, home, "speakers", "--json").stdout)["error"]["code"] == "unforeseen"


def test_help_is_quick(home: Path) -> None:
    """Help must not wait for numerical libraries: half a second of work (the time of a busy machine's clock would tell about its other users)."""
    before = os.times()
    done = subprocess.run([sys.executable, "-m", "retake", "--help"], capture_output=True, timeout=600, check=False)
    after = os.times()
    assert done.returncode == 0
    assert after.children_user + after.children_system - before.children_user - before.children_system < 0.5
    code = "import sys; from retake.cli import run; run(['--help']); print(sorted({'torch', 'cv2', 'scipy', 'av', 'numpy'} & set(sys.modules)))"
    assert run_python(code, home).stdout.splitlines()[-1] == "[]"


def test_output_that_the_console_cannot_show(home: Path) -> None:
    code = "import os, sys; os.environ['PYTHONIOENCODING'] = 'ascii'; from retake.cli import run; sys.exit(run(['say', 'x', '--speaker', 'Ωmega']))"
    environment = {**os.environ, "RETAKE_HOME": str(home), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == ErrorKind.BAD_INPUT.value
    assert "?mega" in done.stderr


def test_scores_say_what_they_mean() -> None:
    from retake.cli_takes import score_lines

    figures = {
        "seconds": 1.84,
        "lag_ms": 12,
        "voice": {"similarity": 0.83, "similarity_means": "As alike as two recordings.", "phone_error_rate": None},
    }
    lines = score_lines(figures)
    assert lines[1].split() == ["seconds", "1.840"]
    assert lines[3] == "voice"
    assert "0.830" in lines[4]
    assert lines[4].endswith("As alike as two recordings.")
    assert lines[5].split()[:2] == ["phone_error_rate", "-"]
