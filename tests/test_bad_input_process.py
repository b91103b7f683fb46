"""What happens to a running command: the disk fills up, or the user stops it. Nothing half-written stays, and the next run works."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from bad_references import Presenter, grey
from enrolled import guarded_environment, run_retake

from retake.domain.errors import ErrorKind

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of files, and sends Ctrl-C to whole consoles only")

CONSENT = ["--consent", "I, Anna, agree to be enrolled."]
STOP_SECONDS = 5.0  # how long a stopped command may take to end, on a machine that does nothing else
PATIENCE = 4.0  # times that, because tests run on machines that do


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Presenter().video(tmp_path_factory.mktemp("reference") / "reference.mp4", 8.0)


def left_behind(folder: Path) -> list[str]:
    """Files below `folder` without those that are only kept to be quicker, and temporaries anywhere."""
    found = [path for path in folder.rglob("*") if path.is_file() or path.name.startswith(".")]
    return sorted(str(path.relative_to(folder)) for path in found if path.relative_to(folder).parts[0] != "cache" or ".retake-part" in path.name)


# Files of limited size: the system answers as if the disk were full.
LIMITED = (
    "import resource, sys; size = int(sys.argv.pop(1)); resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)); from retake.cli import main; main()"
)
# Whoever runs the tests in the background may have them, and so their children, ignore Ctrl-C. A command has started once it listens, which it does
# before it loads anything of its own.
LISTENING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from retake.__main__ import main
sys.addaudithook(lambda event, about: event == 'import' and about[0] == 'retake.cli' and print('Started', file=sys.stderr, flush=True))
main()
"""


def run_limited(arguments: list[str], home: Path, size: int, log: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LIMITED, str(size), *arguments, "--json"]
    return subprocess.run(command, env=guarded_environment(home, log), capture_output=True, text=True, timeout=600, check=False)


def check_full(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == ErrorKind.ENVIRONMENT.value, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "disk_full"
    assert "space" in error["remedy"]
    assert done.stderr.splitlines()[-1] == f"Error: {error['cause']} {error['remedy']}"
    assert "Traceback" not in done.stderr


def test_a_full_disk_stops_a_take(copy_of_presenter_home: Path, tmp_path: Path) -> None:
    """While the speech is kept, and, where that is there already, while the picture is written."""
    home, out, log = copy_of_presenter_home, tmp_path / "out", tmp_path / "log"
    out.mkdir()
    arguments = ["say", "The disk is full before this is said.", "--speaker", "presenter", "-o", str(out / "a.mp4")]
    before = left_behind(home)
    check_full(run_limited(arguments, home, 50_000, log))
    assert left_behind(home) == before
    assert list(out.iterdir()) == []
    done = run_retake(arguments, home, log=log)
    assert done.returncode == 0, done.stderr
    assert len(list(out.iterdir())) == 5
    before, files = left_behind(home), {path: path.read_bytes() for path in out.iterdir()}
    check_full(run_limited([*arguments, "--fps", "30"], home, 50_000, log))
    assert left_behind(home) == before
    assert {path: path.read_bytes() for path in out.iterdir()} == files


@pytest.mark.parametrize("where", ["picture", "sound"])
def test_a_full_disk_stops_an_enrolment(tmp_path: Path, reference: Path, where: str) -> None:
    """While the picture is copied (1.5 MB), and while the sound is (0.8 MB, of a video with little to see)."""
    if where == "sound":
        reference = Presenter().video(tmp_path / "grey.mp4", 8.0, picture=grey)
    home = tmp_path / "home"
    check_full(run_limited(["enrol", str(reference), "--name", "anna", *CONSENT], home, 300_000, tmp_path / "log"))
    assert left_behind(home) == []


@contextlib.contextmanager
def running(arguments: list[str], home: Path, log: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A command and its stderr."""
    command = [sys.executable, "-c", LISTENING, *arguments]
    environment = guarded_environment(home, log)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        try:
            yield process, process.stderr
        finally:
            process.kill()


def until(lines: IO[str], start: str) -> str:
    """Read lines until one begins with `start`; returns them."""
    shown = ""
    for line in lines:
        shown += line
        if line.startswith(start):
            break
    return shown


def interrupted(arguments: list[str], home: Path, log: Path, when: str | float) -> tuple[int, str, float]:
    """Press Ctrl-C once a line of stderr begins with `when`, or so many seconds after the start: (exit code, stderr, seconds to the end)."""
    with running(arguments, home, log) as (process, lines):
        shown = until(lines, when if isinstance(when, str) else "Started")
        if not isinstance(when, str):
            time.sleep(when)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        shown += lines.read()
        return process.wait(timeout=600), shown, time.monotonic() - started


def check_stopped(code: int, shown: str, seconds: float) -> None:
    assert code == ErrorKind.CANCELLED.value, shown
    assert "Traceback" not in shown
    assert "topped" in shown.splitlines()[-1]
    assert seconds < STOP_SECONDS * PATIENCE


ENROLMENT = ["Reading the reference", "Finding the face", "Finding the face:", "Listening to the words", "Learning the voice", "Learning the voice:"]


@pytest.mark.parametrize("when", [0.0, 0.05, 0.5, 1.0, 2.0, *ENROLMENT])
def test_an_enrolment_can_be_stopped_at_any_moment(tmp_path: Path, reference: Path, when: str | float) -> None:
    home = tmp_path / "home"
    arguments = ["enrol", str(reference), "--name", "anna", *CONSENT]
    check_stopped(*interrupted(arguments, home, tmp_path / "log", when))
    assert left_behind(home) == []
    assert not home.exists() or json.loads(run_retake(["speakers", "--json"], home, log=tmp_path / "log").stdout) == {"speakers": []}


@pytest.mark.parametrize("when", [0.0, 0.5, 1.5, "Planning the movement"])
def test_a_take_can_be_stopped_at_any_moment(copy_of_presenter_home: Path, tmp_path: Path, when: str | float) -> None:
    """The stages in which something is written are in test_cli_presenter.py."""
    home, out = copy_of_presenter_home, tmp_path / "out"
    out.mkdir()
    before = left_behind(home)
    arguments = ["say", "Stop.", "--speaker", "presenter", "-o", str(out / "a.mp4")]
    check_stopped(*interrupted(arguments, home, tmp_path / "log", when))
    assert left_behind(home) == before
    assert list(out.iterdir()) == []


def test_a_take_that_is_stopped_in_its_last_moment_is_all_there_or_not_at_all(copy_of_presenter_home: Path, tmp_path: Path) -> None:
    home, out = copy_of_presenter_home, tmp_path / "out"
    out.mkdir()
    before = left_behind(home)
    code, shown, _ = interrupted(["say", "Stop.", "--speaker", "presenter", "-o", str(out / "a.mp4")], home, tmp_path / "log", "Measuring")
    assert code in (0, ErrorKind.CANCELLED.value), shown
    assert "Traceback" not in shown
    names = sorted(path.name for path in out.iterdir())
    assert names == ([f"a.{suffix}" for suffix in ("json", "mp4", "otio", "png", "srt")] if code == 0 else [])
    assert (left_behind(home) == before) == (code != 0)


def test_a_second_interrupt_stops_at_once(copy_of_presenter_home: Path, tmp_path: Path) -> None:
    home = copy_of_presenter_home
    before = left_behind(home)
    arguments = ["say", "A longer line, so that there is time to stop it twice.", "--speaker", "presenter"]
    with running(arguments, home, tmp_path / "log") as (process, lines):
        until(lines, "Rendering")
        process.send_signal(signal.SIGINT)
        until(lines, "Stopping")
        process.send_signal(signal.SIGINT)
        shown = lines.read()
        assert process.wait(timeout=600) == ErrorKind.CANCELLED.value, shown
    assert "Traceback" not in shown
    assert left_behind(home) == before
    again = run_retake([*arguments, "--json"], home, log=tmp_path / "log")
    assert again.returncode == 0, again.stderr
