"""`retake watch` as a process: what it says, what it refuses, and that killing it loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner
from watch_samples import make_database, make_home, render_waiting, wait_until

from retake.cli import app
from retake.domain.errors import RetakeError
from retake.jobs import records
from retake.jobs.database import Database
from retake_otio import read_timeline


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path, Database]]:
    home = make_home(tmp_path / "home")
    monkeypatch.setenv("RETAKE_HOME", str(home))
    database = make_database(home)
    yield home, tmp_path / "drop", database
    database.close()


def start(root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "retake", "watch", str(root), "--no-render"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ))


def end(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=600)[0]
    finally:
        process.kill()


def test_what_the_command_says(place: tuple[Path, Path, Database]) -> None:
    home, root, database = place
    process = start(root)
    try:
        wait_until((root / "out").is_dir, 60, "the folders")
        (root / "hello.txt").write_text("Hello.", encoding="utf-8")
        (root / "bad.json").write_text("{", encoding="utf-8")

        def over() -> bool:
            render_waiting(home, database)
            return (root / "done" / "hello.txt").exists() and (root / "failed" / "bad.json").exists()

        wait_until(over, 60, "both files")
    finally:
        said = end(process)
    assert process.returncode == 0
    assert f"Watching {root}" in said and "Others render" in said
    assert "hello.txt done: hello.mp4" in said
    assert "bad.json failed: Line 1: this is not JSON" in said
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_killed_again_and_again_nothing_is_lost_or_done_twice(place: tuple[Path, Path, Database]) -> None:
    home, root, database = place
    process = start(root)
    try:
        wait_until((root / "out").is_dir, 60, "the folders")
        for number in range(40):
            (root / f"{number:02d}.txt").write_text(f"Line {number}.", encoding="utf-8")
        (root / "bad.csv").write_text("name\nAnna\n", encoding="utf-8")
        for done in (0, 12, 25):

            def reached(done: int = done) -> bool:
                render_waiting(home, database, limit=3)
                return len(list((root / "done").iterdir())) >= done

            wait_until(reached, 90, f"{done} files")
            process.kill()
            process.wait()
            process = start(root)

        def over() -> bool:
            render_waiting(home, database)
            return len(list((root / "done").iterdir())) == 40

        wait_until(over, 90, "all files")
    finally:
        end(process)
    assert sorted(path.name for path in (root / "failed").iterdir()) == ["bad.csv", "bad.csv.error.txt"]
    assert sorted(path.name for path in (root / "out").glob("*.mp4")) == [f"{number:02d}.mp4" for number in range(40)]
    assert records.find(database, records.Filter()).total == 40
    assert [path for path in (root / "processing").iterdir() if not path.name.startswith(".")] == []
    assert list((root / "out" / ".incoming").iterdir()) == []
    assert len(list(read_timeline(root / "out" / "folder.otio").find_clips())) == 40


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["{home}"], "bad_watch_folder"), (["{root}", "--speaker", "nobody"], "unknown_speaker"), (["{root}/a/b"], "not_writable")],
)
def test_what_the_command_refuses(place: tuple[Path, Path, Database], arguments: list[str], code: str) -> None:
    home, root, _ = place
    result = CliRunner().invoke(app, ["watch", *(argument.format(home=home, root=root) for argument in arguments)])
    assert isinstance(result.exception, RetakeError)
    assert result.exception.code == code
