"""`retake chapters` as a user runs it, with a server on loopback for a language model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import opentimelineio as otio
import pytest
from model_server import ModelServer, Reply, model_server

from retake import chapters
from retake.script.answers import Chapter, Chapters
from retake.settings import LanguageModelSettings, Settings, save_settings
from retake_otio import find_lines, read_timeline

SRT = """1
00:00:00,000 --> 00:00:02,000
Welcome to the course.

2
00:00:02,500 --> 00:00:04,000
Today we lock our screens.

3
00:01:10,000 --> 00:01:12,000
@ben: Now the second part.
"""


def answer(*chapters_: tuple[str, int]) -> Reply:
    return Reply((json.dumps({"title": "Course", "chapters": [{"title": title, "first": first} for title, first in chapters_]}),))


def run(home: Path, server: ModelServer | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    if server is not None:
        save_settings(home, Settings(language_model=LanguageModelSettings(model="m", base_url=server.base_url, timeout=60, retries=0)))
    environment = os.environ | {"RETAKE_HOME": str(home), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "RETAKE_MODEL_KEY": "sk-test"}
    command = [sys.executable, "-m", "retake", "chapters", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    path = tmp_path / "talk.srt"
    path.write_text(SRT, encoding="utf-8")
    return path


def test_captions_become_chapters_of_a_timeline(tmp_path: Path, captions: Path) -> None:
    with model_server(lambda _n, _body: answer(("Opening", 1), ("@ben: Second part", 3))) as server:
        done = run(tmp_path / "home", server, str(captions), "-o", str(tmp_path / "talk.otio"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["0:00 Opening", "1:10 Second part"]
    timeline = read_timeline(tmp_path / "talk.otio")
    markers = [(marker.name, marker.marked_range.start_time.value) for marker in timeline.tracks.markers]
    assert markers == [("Opening", 0), ("Second part", 70 * 25)]
    assert [line.wants["text"] for line in find_lines(timeline)] == ["Welcome to the course.", "Today we lock our screens.", "Now the second part."]
    assert [message["role"] for message in server.requests[0]["messages"]] == ["system", "user"]
    assert "2. Today we lock our screens." in server.requests[0]["messages"][1]["content"]


def test_again_replaces_its_own_markers_alone(captions: Path) -> None:
    read = chapters.of_timeline(chapters.read(captions, rate=chapters.Fraction(25)).timeline, "talk")
    read.timeline.tracks.markers.append(otio.schema.Marker(name="look here"))
    chapters.mark(read, Chapters(title="", chapters=(Chapter(title="A", first=1), Chapter(title="B", first=2))))
    chapters.mark(read, Chapters(title="", chapters=(Chapter(title="C", first=1),)))
    assert [marker.name for marker in read.timeline.tracks.markers] == ["look here", "C"]


def test_plain_text_is_divided_into_sentences(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("Welcome. Dr. *Who* is here.\n\n# not a heading\n\nBye now.", encoding="utf-8")
    with model_server(lambda _n, _body: answer(("All", 1))) as server:
        done = run(tmp_path / "home", server, str(path), "--speaker", "anna", "-o", str(tmp_path / "t.otio"), "--json")
    assert json.loads(done.stdout)["chapters"] == [{"title": "All", "seconds": 0.0, "line": 1}]
    lines = find_lines(read_timeline(tmp_path / "t.otio"))
    assert [line.wants["text"] for line in lines] == ["Welcome.", "Dr. *Who* is here.", "# not a heading", "Bye now."]
    assert {line.wants["speaker"] for line in lines} == {"anna"}


def test_hours_are_shown_where_there_are_any() -> None:
    placed = [chapters.Placed("A", 0.0, 1), chapters.Placed("B", 3725.9, 9)]
    assert chapters.listed(placed) == ["0:00:00 A", "1:02:05 B"]


def test_chapters_that_cannot_be_are_asked_for_once_more(tmp_path: Path, captions: Path) -> None:
    with model_server(lambda number, _body: answer(("A", 2)) if number == 0 else answer(("A", 1), ("B", 9))) as server:
        done = run(tmp_path / "home", server, str(captions), "-o", str(tmp_path / "talk.otio"), "--json")
    assert done.returncode != 0 and json.loads(done.stdout or done.stderr)["error"]["code"] == "model_answer"
    assert len(server.requests) == 2 and not (tmp_path / "talk.otio").exists()


def test_show_sends_nothing(tmp_path: Path, captions: Path) -> None:
    with model_server(lambda _n, _body: answer(("A", 1))) as server:
        done = run(tmp_path / "home", server, str(captions), "--show")
    assert done.returncode == 0 and server.requests == []
    assert "1. Welcome to the course." in json.loads(done.stdout)["request"]["messages"][1]["content"]


@pytest.mark.parametrize(
    ("name", "content", "options", "code"),
    [
        ("empty.txt", " \n", (), "no_words"),
        ("empty.srt", "", (), "bad_srt"),
        ("bytes.txt", b"\xff\xfe\x00", (), "not_text"),
        ("talk.txt", "Hello.", ("-o", "talk.srt"), "bad_output"),
        ("talk.txt", "Hello.", ("-o", "no/such/t.otio"), "no_output_folder"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, name: str, content: str | bytes, options: tuple[str, ...], code: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = tuple(str(tmp_path / option) if "." in option else option for option in options)
    done = run(tmp_path / "home", None, str(path), *options, "--json")
    assert done.returncode != 0 and json.loads(done.stdout or done.stderr)["error"]["code"] == code
