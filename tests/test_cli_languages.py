"""Lines in other languages from the command line: who speaks them is said before anything is made; what only reads like one is a note."""

from __future__ import annotations

import json
import re
from pathlib import Path

import opentimelineio as otio
import pytest
from enrolled import run_retake
from watch_samples import make_home

from retake import cli
from retake.domain.errors import ErrorKind
from retake_otio import write_timeline

GERMAN = "Vielen Dank für Ihre Aufmerksamkeit."
INSTALL = re.compile(r"Run 'retake (engines install [a-z-]+( --accept-licence)?)'")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "home"))
    return make_home(tmp_path / "home", "anna")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """Code and text of the one error that a command ends with."""
    assert cli.run([*arguments, "--json"]) == ErrorKind.BAD_INPUT.value
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert len(captured.err.splitlines()) == 1 and "Traceback" not in captured.err
    return error["code"], f"{error['cause']} {error['remedy']}"


def test_a_language_that_the_engine_does_not_speak(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = refused(capsys, "say", GERMAN, "--language", "de", "-s", "anna", "-o", str(tmp_path / "a.mp4"))
    assert code == "engine_language"
    assert told.startswith("The engine 'embedded' does not speak German (de); it speaks English (en). Can be installed, and speaks it: ")
    assert "chatterbox-many (MIT)" in told and "xtts (CPML" in told and "pocket" not in told
    found = INSTALL.search(told)
    assert found is not None
    # The command that is named exists, and takes these options.
    assert cli.run([*found[1].split(), "--help"]) == 0
    capsys.readouterr()
    assert refused(capsys, "say", "Hello.", "--language", "speak German", "-s", "anna")[0] == "bad_language"
    assert not (tmp_path / "a.mp4").exists() and not (home / "takes").exists()


def test_a_line_of_a_timeline_that_names_a_language(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    time, span = otio.opentime.RationalTime, otio.opentime.TimeRange
    slate = otio.schema.Clip("slate", source_range=span(time(0, 25), time(70, 25)), metadata={"retake": {"text": GERMAN, "language": "de"}})
    made = otio.schema.Timeline("cut")
    made.tracks.append(otio.schema.Track("V1", children=[slate]))
    write_timeline(tmp_path / "cut.otio", made)
    assert cli.run(["fill", str(tmp_path / "cut.otio"), "-o", str(tmp_path / "out.otio"), "-s", "anna", "--quiet"]) != 0
    said = " ".join(capsys.readouterr().err.split())
    assert "does not speak German (de)" in said and "chatterbox-many (MIT)" in said and INSTALL.search(said), said


def test_what_reads_like_another_language_is_spoken_with_a_note(copy_of_presenter_home: Path, tmp_path: Path) -> None:
    done = run_retake(["say", GERMAN, "-s", "presenter", "-o", str(tmp_path / "a.mp4")], copy_of_presenter_home, log=tmp_path / "log")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "note It reads like German (de), and is spoken as English." in said and INSTALL.search(said), said
