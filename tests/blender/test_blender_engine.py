"""Blender and a real daemon: takes arrive as one undo step each, are found again, and nothing is lost."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from host import Blender

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from daemon_process import Daemon, daemon


@pytest.fixture(scope="module")
def running(presenter_home: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("blender-daemon") / "home"
    shutil.copytree(presenter_home.path, home)
    with daemon(home) as found:
        yield found


@pytest.fixture
def places(running: Daemon, tmp_path: Path) -> dict[str, Any]:
    return {"home": str(running.home), "folder": str(tmp_path / "takes"), "blend": str(tmp_path / "edit.blend")}


def test_lines_become_takes_one_undo_step_each(fresh: Blender, places: dict[str, Any]) -> None:
    seen = fresh.run("model_engine", case="generate", seconds=200, **places)
    assert seen["orders"] == 2
    assert [refused[1] for refused in seen["refused"]] == ["There is no speaker 'nobody'."]
    assert [line[:3] for line in seen["lines"]] == [["TEXT", "FILLED", 11], ["TEXT", "EMPTY", 71], ["MARKER", "FILLED", 201]]
    filled = [place for name, place in seen["placed"].items() if name.startswith("presenter: Hello")]
    assert all(place[1:3] == [11, 61] for place in filled)
    assert len(filled) == 2
    assert seen["longest_pump"] < 1.0
    assert seen["after_undo"] == 1
    assert (seen["unplaced"], seen["orders_after_undo"]) == (1, 0)
    assert seen["after_redo"] == [2, 0]
    assert seen["opened"] == seen["lines"]
    assert seen["again"] == [1, []]
    assert seen["second_take"] == [[0, 1], True]


def test_lines_are_found_again_when_the_edit_changes_meanwhile(fresh: Blender, places: dict[str, Any]) -> None:
    seen = fresh.run("model_engine", case="meanwhile", seconds=150, **places)
    assert seen["asked"] == 3
    assert seen["shown"] == {"Hello everyone.": 411, "Good morning.": 350}
    assert (seen["kept"], seen["left"]) == ("placed", 0)
    assert any("deleted" in text for text in seen["warned"])


def test_another_blender_goes_on_with_what_is_under_way(fresh: Blender, running: Daemon, places: dict[str, Any]) -> None:
    began = fresh.run("model_engine", case="begin", seconds=60, **places)
    seen = fresh.run("model_engine", case="go_on", seconds=120, token=running.client().connection.token, **places)
    assert seen["orders"] == began["orders"]
    assert len(seen["orders"]) == 1
    assert seen["lines"] == [["TEXT", "FILLED", 11, 50, 1]]
    assert seen["token"] is False


def test_cancelled_and_failed_orders(fresh: Blender, places: dict[str, Any]) -> None:
    seen = fresh.run("model_engine", case="cancelled", seconds=120, **places)
    assert [line[1] for line in seen["after_cancel"]] == ["EMPTY", "EMPTY"]
    assert seen["failed"][0] == "FAILED"
    assert "wanted" in seen["failed"][1]
    assert seen["failed"][2]
    assert [line[1] for line in seen["line"]] == ["EMPTY", "FAILED"]
    assert seen["after_dismiss"][0] == 0


def test_words_that_keep_their_pace_and_are_longer_than_the_slot(fresh: Blender, places: dict[str, Any]) -> None:
    seen = fresh.run("model_engine", case="overhang", seconds=150, **places)
    assert seen["where"] == [11, 51]
    assert seen["frames"] == 40 + 2 * seen["handles"]
    assert any("behind the end of the clip, in the handle" in sentence for sentence in seen["said"])


def test_without_a_daemon(fresh: Blender, tmp_path: Path) -> None:
    seen = fresh.run("model_engine", case="nobody", home=str(tmp_path / "nothing"), folder=str(tmp_path), seconds=40)
    assert seen["state"] == "ABSENT"
    assert seen["progress"] == ["Waiting for Retake"]
    assert "serve" in seen["sentence"]
