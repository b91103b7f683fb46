"""Every button, pressed in real Blender with a real daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_process import Daemon, daemon, environment_of
from host import ROOT, Blender

PRESENTER = ROOT / "daemon" / "retake" / "assets" / "presenter"


@pytest.fixture(scope="module")
def running(presenter_home: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all versions: what the first one made, and whom it enrolled, is there for the next."""
    home = tmp_path_factory.mktemp("pressing") / "home"
    shutil.copytree(presenter_home.path, home)
    with daemon(home) as found:
        yield found


def test_every_button_does_what_it_says(blender: Callable[..., Blender], running: Daemon, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{tmp_path}/address.part"; mv "{tmp_path}/address.part" "{tmp_path}/address"\n', encoding="utf-8")
    browser.chmod(0o755)
    user = blender(RETAKE_HOME=str(running.home), BROWSER=f"{browser} %s")
    seen = user.run(
        "pressing",
        what="day",
        blend=str(tmp_path / "day.blend"),
        browser=str(tmp_path / "address"),
        seconds=240,
    )
    done = "FINISHED"
    assert seen["speaker"] == [done, "presenter"]
    assert "Choose who speaks" in seen["ready"]
    assert "press Generate at Playhead" in " ".join(seen["no line"].split())
    assert [seen[name] for name in ("marker", "playhead", "placeholder", "line")] == [done] * 4
    assert seen["unmark"] == [done, 2]
    assert seen["mark"] == [done, "", 3] or seen["mark"] == [done, "See you soon.", 3]
    assert [line[1] for line in seen["filled"]] == ["FILLED"] * 3
    assert seen["folder before"] == ["takes"]
    assert seen["go"] == [done, 201, ["PICTURE", "PLACEHOLDER", "SOUND"]]
    assert all(seen["relative"])
    assert seen["folder"] == 3
    assert seen["collect"] == "CANCELLED"  # they are there already
    assert seen["again"] == done
    assert seen["takes"] == [True, [0, 1]]
    assert seen["compare"] == [done, 2, True]
    assert seen["end"] == [done, 0]
    assert seen["lock"] == [done, True, "CANCELLED", "CANCELLED"]
    assert seen["unlock"] == [done, done, True]
    assert seen["locked strip"] == ["CANCELLED", True]
    assert seen["own"] == [True, True, done, 1]
    assert seen["cancel"] == [done, 0]
    assert seen["unplaced"] == ["Good morning."]
    assert seen["place"] == [done, True, 0]
    assert seen["forget"] == [done, 0]
    assert seen["back"] is True
    assert seen["length"] == 50
    assert seen["notices"] == 0
    assert seen["after save as"] == [True, True]
    assert "/v1/speakers/presenter/report" in seen["report"]
    assert running.client().connection.token not in seen["report"]


def test_a_strip_is_enrolled(blender: Callable[..., Blender], running: Daemon) -> None:
    """The first version enrols; the next one is told that the speaker is known."""
    words = (PRESENTER / "presenter.txt").read_text(encoding="utf-8")
    video = str(PRESENTER / "presenter.mp4")
    known = "anna" in {speaker["name"] for speaker in running.client().speakers()}
    seen = blender(RETAKE_HOME=str(running.home)).run(
        "pressing", what="enrol", video=video, consent="Synthetic presenter, nobody's likeness.", transcript=words, seconds=240
    )
    assert seen["known"] is known
    assert (seen["nobody agreed"], seen["bad name"]) == ("CANCELLED", "CANCELLED")
    assert seen["problems"] == []
    assert seen["again"] == "CANCELLED"
    if known:
        assert seen["answer"] == "CANCELLED"
    else:
        assert seen["answer"] == "FINISHED"
        assert "'anna' can speak now." in seen["notices"]
        assert seen["speaker"] == "anna"


@pytest.mark.skipif(os.name == "nt", reason="ends the daemon by its command line, which was tried on Linux alone")
def test_the_daemon_is_started_by_its_button(blender: Callable[..., Blender], presenter_home: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(presenter_home.path, home)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        seen = blender(RETAKE_HOME=str(home), PATH=path).run("pressing", what="start", seconds=90)
    finally:
        subprocess.run([sys.executable, "-m", "retake", "stop"], env=environment_of(home), capture_output=True, timeout=600, check=False)
    assert seen["answer"] == "FINISHED"
    assert seen["blocked"] < 0.5
    assert seen["state"] == "READY"
