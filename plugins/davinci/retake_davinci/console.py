"""Retake in Resolve's console (Workspace > Console) or a terminal: plain questions, plain lines. For where there are no windows."""

from __future__ import annotations

import time
from collections.abc import Callable

from .errors import EditorError
from .presenter import Presenter
from .takes import list_takes

Ask = Callable[[str], str]
Say = Callable[[str], None]
STEP_SECONDS = 0.25
PATIENCE_SECONDS = 120.0  # with a daemon that is away: a script that was started from the menu cannot be stopped by hand
_MENU = """
1  fill all lines that have no take
2  make the line at the playhead
3  revise the words of the clip under the playhead
4  choose another take of the clip under the playhead
5  list the lines
q  end"""


def run(presenter: Presenter, *, ask: Ask = input, say: Say = print, pause: Callable[[float], None] = time.sleep) -> None:
    """Ask what to do until the user has enough, or until nobody answers any more."""
    say(presenter.status_line())
    while True:
        say(_MENU)
        try:
            answer = ask("Retake> ").strip().lower()
        except (EOFError, OSError, RuntimeError):  # Resolve's console cannot be asked; the other scripts need no answers
            say("Nothing can be typed here: use the scripts for one task each, or start this one from a terminal.")
            return
        if answer in {"q", "quit", "exit", ""}:
            return
        do(presenter, answer, ask=ask, say=say, pause=pause)


def do(presenter: Presenter, answer: str, *, ask: Ask, say: Say, pause: Callable[[float], None]) -> None:
    """One thing of the menu."""
    try:
        if answer == "1":
            presenter.fill()
            follow(presenter, say=say, pause=pause)
        elif answer == "2":
            presenter.generate_at_playhead()
            follow(presenter, say=say, pause=pause)
        elif answer == "3":
            revise(presenter, ask=ask, say=say, pause=pause)
        elif answer == "4":
            _choose(presenter, ask=ask, say=say)
        elif answer == "5":
            for row in presenter.rows():
                say(f"{row.timecode}  {row.state.value:<8} @{row.speaker}: {row.text}")
        else:
            say("Answer with one of the numbers, or q.")
    except EditorError as error:
        tell(error, say)


def follow(
    presenter: Presenter,
    *,
    say: Say,
    pause: Callable[[float], None] = time.sleep,
    every: float = STEP_SECONDS,
    patience: float = PATIENCE_SECONDS,
) -> None:
    """Go on until the batch is over, saying what changes; an interrupt cancels what is not done.

    Args:
        patience: seconds without a daemon after which it is given up.
    """
    told: dict[int, str] = {}
    waiting = ""
    heard = time.monotonic()
    try:
        while presenter.busy:
            presenter.step()
            for number, line in enumerate(presenter.progress_lines()):
                if told.get(number) != line:
                    told[number] = line
                    say(line)
            status = presenter.session.status
            if status.state.usable:
                heard = time.monotonic()
            elif time.monotonic() - heard > patience and presenter.batch is not None:
                presenter.batch.abandon(status.detail or status.state.sentence, status.remedy or status.state.remedy)
            state = presenter.status_line() if not status.state.usable else ""
            if state != waiting and state:
                say(state)
            waiting = state
            if presenter.busy:
                pause(every)
    except KeyboardInterrupt:
        if presenter.batch is not None:
            presenter.batch.cancel()
            presenter.batch.abandon()
    if presenter.report is not None:
        for line in presenter.report.lines():
            say(line)


def revise(presenter: Presenter, *, ask: Ask, say: Say, pause: Callable[[float], None] = time.sleep) -> None:
    """Ask for the words and make them. Raises EditorError."""
    clip = presenter.clip_under_playhead()
    say(f"It says: {clip.request.get('text', '')}")
    text = ask("New words (nothing: leave it)> ").strip()
    if text:
        presenter.revise(text)
        follow(presenter, say=say, pause=pause)


def tell(error: EditorError, say: Say) -> None:
    say(error.cause)
    say(f"-> {error.remedy}")


def _choose(presenter: Presenter, *, ask: Ask, say: Say) -> None:
    clip = presenter.clip_under_playhead()
    for entry in list_takes(clip.item):
        say(f"{entry.index}{' (chosen)' if entry.chosen else ''}  {entry.path}")
    answer = ask("Take> ").strip()
    if answer.isdigit():
        for note in presenter.choose_take(int(answer)):
            say(note)
