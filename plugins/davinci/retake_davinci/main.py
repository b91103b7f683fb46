"""What the scripts in Resolve's menu call, with the names that Resolve gave them. Nothing escapes as a traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from retake_client.connection import default_home
from retake_client.errors import ClientError

from . import bridge, console, doctor, window
from .errors import EditorError
from .presenter import Presenter, open_session
from .settings import load

Say = Callable[[str], None]
Ask = Callable[[str], str]
TASKS = ("window", "fill", "generate", "revise", "doctor")
WAIT_SECONDS = 15.0  # for the connection, so that the names of speakers are known
_LOG = "davinci.log"


def main(task: str, names: Mapping[str, Any] | None = None, *, say: Say = print, ask: Ask | None = None) -> int:
    """Do one of `TASKS`; returns 0 if it went well.

    Args:
        names: the script's global names, in which Resolve has put `resolve`, `fusion` and `bmd`; none of them outside of Resolve.
        ask: how the user is asked in a terminal; in Resolve a small window asks.
    """
    given = dict(names or {})
    home = default_home()
    try:
        if task == "doctor":
            findings = doctor.examine(home, given=given.get("resolve"))
            for line in doctor.text_of(findings):
                say(line)
            return 0 if all(finding.ok is not False for finding in findings) else 1
        return _do(task, given, home, say, ask)
    except (EditorError, ClientError) as error:
        say(error.cause)
        say(f"-> {error.remedy}")
        return 1
    except Exception:  # noqa: BLE001 - Resolve shows nothing of an error in a script: it is written down, and said where
        path = _write_down(home, traceback.format_exc())
        say("Retake met an error of its own.")
        say(f"-> Please report it, with the end of {path}.")
        return 70


def _do(task: str, given: dict[str, Any], home: Path, say: Say, ask: Ask | None) -> int:
    host = bridge.connect(given.get("resolve"))  # first: on the free edition nothing else is asked, not even for windows
    fusion, bmd = given.get("fusion") or given.get("fu"), given.get("bmd")
    windows = ask is None and window.can_open(fusion, bmd)
    try:
        settings = load(home)
        session = open_session(settings, home)
        try:
            presenter = Presenter(host, session, settings)
            if task == "window" and windows:
                window.open_window(presenter, fusion, bmd)
                return 0
            presenter.wait_for_connection(WAIT_SECONDS)
            if task == "window":
                console.run(presenter, say=say, ask=ask or input)
                return 0
            question = (lambda words: window.ask(fusion, bmd, "Revise line", words)) if windows else (lambda words: _typed(words, ask or input))
            if not _begin(task, presenter, question):
                return 0
            console.follow(presenter, say=say)
        finally:
            session.close()
    except (EditorError, ClientError) as error:
        if windows:
            window.tell(fusion, bmd, [error.cause, f"-> {error.remedy}"])
        raise
    report = presenter.report
    if report is None:
        return 0
    if windows:
        window.tell(fusion, bmd, report.lines())
    return 1 if report.failed else 0


def _begin(task: str, presenter: Presenter, question: Ask) -> bool:
    """Begin the batch of a task; False if the user does not want it."""
    if task == "fill":
        presenter.fill()
    elif task == "generate":
        presenter.generate_at_playhead()
    elif task == "revise":
        text = question(str(presenter.clip_under_playhead().request.get("text", ""))).strip()
        if not text:
            return False
        presenter.revise(text)
    else:
        raise ValueError(f"the tasks are {', '.join(TASKS)}, not {task!r}")
    return True


def _typed(words: str, ask: Ask) -> str:
    try:
        return ask(f"It says: {words}\nNew words (nothing: leave it)> ")
    except (EOFError, OSError, RuntimeError) as error:
        raise EditorError(
            "Nothing can be typed here.", "Start the script from a terminal, or change the marker's note and fill again.", "no_answer"
        ) from error


def _write_down(home: Path, text: str) -> Path:
    path = home / "logs" / _LOG
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
    except OSError:
        return Path("the console")
    return path
