"""The window and the console: two faces of one presenter, played by a user who clicks and types; and an installed script from start to end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from daemon_process import Daemon, daemon
from davinci_samples import marker
from enrolled import EnrolledHome
from resolve.double import Stage, stage
from resolve.ui import Dispatcher, UIManager

import retake_client
import retake_davinci
from retake_davinci import bridge, console, installing, main, media_folder, window
from retake_davinci.presenter import Presenter, open_session
from retake_davinci.settings import Settings

SMALL = Settings(width=160, height=160, may_start=False)


@pytest.fixture(autouse=True)
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for videos is one of the test's."""
    monkeypatch.setattr(media_folder, "videos_folder", lambda: tmp_path / "Videos")
    return tmp_path / "Videos"


@pytest.fixture(scope="module")
def running(presenter_home: EnrolledHome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("davinci") / "home"
    shutil.copytree(presenter_home.path, home)
    home.chmod(0o700)
    with daemon(home) as found:
        yield found


@pytest.fixture
def on(running: Daemon) -> Stage:
    made = stage("24")
    marker(made, 48, "We ship on Friday.", duration=49)
    return made


@pytest.fixture
def presenter(on: Stage, running: Daemon) -> Iterator[Presenter]:
    session = open_session(SMALL, running.home)
    found = Presenter(bridge.connect(on.resolve), session, SMALL)
    found.wait_for_connection(20.0)
    yield found
    session.close()


def until(condition: Callable[[], bool], step: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends
        step()
        time.sleep(0.05)


def test_the_window_from_opening_to_closing(on: Stage, presenter: Presenter) -> None:
    seen: list[str] = []

    def user(loop: Dispatcher) -> None:
        assert loop.window is not None
        tree = loop.window.elements["Lines"]
        loop.fire("", "Timeout")
        assert "presenter" in loop.text("Status")
        assert [row.Text[2] for row in tree.rows] == ["We ship on Friday."]
        loop.fire("FillChosen")
        assert "No line is selected." in loop.text("Messages")
        loop.fire("Revise")
        assert "no words" in loop.text("Messages")
        loop.fire("Generate")
        assert "->" in loop.text("Messages")  # nothing at the playhead
        tree.selected.append(tree.rows[0])
        loop.fire("FillChosen")
        loop.fire("Fill")
        assert "already" in loop.text("Messages")
        until(lambda: not presenter.busy, lambda: (loop.fire("", "Timeout"), seen.append(loop.text("Messages"))))
        assert "1 placed" in loop.text("Messages")
        assert tree.rows[0].Text[4] == "done"
        on.timeline.playhead = "01:00:02:10"
        loop.fire("Words")
        assert loop.text("Text") == "We ship on Friday."
        loop.window.elements["Text"].Text = "We ship on Monday."
        loop.fire("Revise")
        assert loop.window.elements["Fill"].Enabled is not None
        until(lambda: not presenter.busy, lambda: loop.fire("", "Timeout"))
        assert "1 new take" in loop.text("Messages")
        loop.fire("RetakeWindow", "Close")

    bmd = SimpleNamespace(UIDispatcher=lambda ui: Dispatcher(user))
    fusion = SimpleNamespace(UIManager=UIManager())
    assert window.can_open(fusion, bmd)
    window.open_window(presenter, fusion, bmd)
    assert any("@presenter: We ship on Friday." in text for text in seen)
    assert [item.selected for track in on.timeline.tracks["video"] for item in track.items] == [2]


def test_a_window_that_is_closed_in_the_middle(on: Stage, presenter: Presenter) -> None:
    marker(on, 300, "A line that nobody waits for in a window.", duration=1)

    def user(loop: Dispatcher) -> None:
        loop.fire("Fill")
        loop.fire("RetakeWindow", "Close")

    window.open_window(presenter, SimpleNamespace(UIManager=UIManager()), SimpleNamespace(UIDispatcher=lambda ui: Dispatcher(user)))
    assert not presenter.busy
    assert presenter.report is not None and all(entry.remedy for entry in presenter.report.entries)


@pytest.mark.parametrize(("click", "answer"), [("Take", "We ship on Monday."), ("Leave", "")])
def test_the_question(click: str, answer: str) -> None:
    def user(loop: Dispatcher) -> None:
        assert loop.window is not None and loop.text("Text") == "We ship on Friday."
        loop.window.elements["Text"].Text = "We ship on Monday."
        loop.fire(click)

    fusion, bmd = SimpleNamespace(UIManager=UIManager()), SimpleNamespace(UIDispatcher=lambda ui: Dispatcher(user))
    assert window.ask(fusion, bmd, "Revise line", "We ship on Friday.") == answer


@pytest.mark.parametrize(("fusion", "bmd"), [(None, None), (SimpleNamespace(UIManager=None), SimpleNamespace(UIDispatcher=None))])
def test_where_there_are_no_windows(fusion: object, bmd: object) -> None:
    assert not window.can_open(fusion, bmd)


def test_the_console_from_first_to_last_answer(on: Stage, presenter: Presenter) -> None:
    answers = iter(["5", "9", "1", "3", "3", "We ship on Monday.", "4", "1", "q"])
    said: list[str] = []

    def ask(question: str) -> str:
        answer = next(answers)
        if answer == "1":
            assert any("missing" in line and "We ship on Friday." in line for line in said)
        if answer == "3":
            on.timeline.playhead = (
                "01:00:02:10" if any("1 placed" in line for line in said) and "No take of Retake" in " ".join(said) else "01:00:00:00"
            )
        return answer

    console.run(presenter, ask=ask, say=said.append)
    text = "\n".join(said)
    assert "Answer with one of the numbers" in text
    assert "1 placed" in text and "1 new take" in text
    assert "It says: We ship on Friday." in text and "(chosen)" in text
    assert [item.selected for track in on.timeline.tracks["video"] for item in track.items] == [1]


def test_a_console_that_cannot_be_asked(presenter: Presenter) -> None:
    def ask(question: str) -> str:
        raise EOFError

    said: list[str] = []
    console.run(presenter, ask=ask, say=said.append)
    assert "Nothing can be typed here" in said[-1]


def test_an_installed_script_from_start_to_end(running: Daemon, tmp_path: Path) -> None:
    """The script as the menu starts it from a terminal: it imports Resolve's module, which here is the double."""
    fusion = tmp_path / "Fusion"
    installing.install(fusion, {"retake_client": Path(retake_client.__file__).parent, "retake_davinci": Path(retake_davinci.__file__).parent})
    api = tmp_path / "api"
    (api / "Modules").mkdir(parents=True)
    (api / "fusionscript.so").touch()
    module = """
        import sys
        sys.path.insert(0, {tests!r})
        from resolve.double import stage
        on = stage("24")
        on.timeline.AddMarker(48, "Blue", "@presenter", "We ship on Friday.", 49, "")
        def scriptapp(name):
            return on.resolve
    """
    text = textwrap.dedent(module).format(tests=str(Path(__file__).parent))
    (api / "Modules" / "DaVinciResolveScript.py").write_text(text, encoding="utf-8")
    settings = {"width": 160, "height": 160, "may_start": False, "folder": str(tmp_path / "media")}
    (running.home / "davinci.json").write_text(json.dumps(settings), encoding="utf-8")
    environment = {
        **os.environ,
        "RETAKE_HOME": str(running.home),
        "RESOLVE_SCRIPT_API": str(api),
        "RESOLVE_SCRIPT_LIB": str(api / "fusionscript.so"),
        "PYTHONIOENCODING": "utf-8",
    }
    script = fusion / "Scripts" / "Utility" / "Retake - fill placeholders.py"
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Cut: 1 placed." in done.stdout
    assert "01:00:02:00" in done.stdout and "before Retake" in done.stdout
    assert not list(fusion.rglob("__pycache__"))


def test_scripts_in_the_menu_say_it_in_a_window(on: Stage, running: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETAKE_HOME", str(running.home))
    (running.home / "davinci.json").write_text('{"width": 160, "height": 160, "may_start": false}', encoding="utf-8")
    read: list[str] = []

    def user(loop: Dispatcher) -> None:
        read.append(loop.text("Messages"))
        loop.fire("Close")

    names = {
        "resolve": on.resolve,
        "fusion": SimpleNamespace(UIManager=UIManager()),
        "bmd": SimpleNamespace(UIDispatcher=lambda ui: Dispatcher(user)),
    }
    assert main.main("generate", names, say=lambda line: None) == 1
    assert main.main("fill", names, say=lambda line: None) == 0
    assert "There is no line at 01:00:00:00." in read[0]
    assert "Cut: 1 placed." in read[1]
