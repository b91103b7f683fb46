"""What the command line shows while it works, and how Ctrl-C reaches the work. Everything here goes to stderr."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from retake.domain.progress import Progress
from retake.pace import Pace

PLAIN_SECONDS = 5.0  # between two lines of one stage where there is no terminal to redraw


def clock_text(seconds: float) -> str:
    """``75`` -> ``1:15``; hours only where there are some."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


class PlainDisplay:
    """Progress as lines, for logs and pipes: when a stage begins, then every few seconds."""

    def __init__(self, stream: TextIO, pace: Pace) -> None:
        self._stream = stream
        self._pace = pace
        self._stage = ""
        self._next = 0.0

    def update(self, stage: str, fraction: float, detail: str) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage = stage
            self._next = now + 1.0
            print(f"{stage or 'working'} ...", file=self._stream, flush=True)
            return
        if now < self._next or not 0 < fraction < 1:
            return
        self._next = now + PLAIN_SECONDS
        left = self._pace.left(fraction)
        parts = [f"{stage or 'working'}: {fraction:4.0%}", detail, "" if left is None else f"{clock_text(left)} left"]
        print(", ".join(part for part in parts if part), file=self._stream, flush=True)

    def close(self) -> None:
        return


class BarDisplay:
    """Progress as one line that is redrawn: stage, bar, percentage, time left of the whole command."""

    def __init__(self, stream: TextIO, pace: Pace) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bars

        self._pace = pace
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[left]}"),
            console=Console(file=stream),
            transient=True,
            refresh_per_second=8,
        )
        self._task = self._bars.add_task("starting", total=1.0, left="")
        self._bars.start()

    def update(self, stage: str, fraction: float, detail: str) -> None:
        left = self._pace.left(fraction)
        shown = "" if left is None else f"{clock_text(left)} left"
        # Rich would read square brackets in a file's name as markup.
        name = f"{stage or 'working'} {detail}".strip().replace("[", "\\[")
        self._bars.update(self._task, completed=fraction, description=name, left=shown)

    def close(self) -> None:
        self._bars.stop()


class _Silent:
    def update(self, stage: str, fraction: float, detail: str) -> None:
        return

    def close(self) -> None:
        return


@contextlib.contextmanager
def working(command: str, home: Path, *, rounds: int = 1, quiet: bool = False, stream: TextIO | None = None) -> Iterator[Progress]:
    """Yield a Progress that is shown on stderr and that Ctrl-C cancels.

    Args:
        command: name under which the durations of the stages are remembered.
        rounds: how often the stages are gone through.
        quiet: show nothing.
    """
    out = stream or sys.stderr
    pace = Pace(command, home / "cache" / "pace.json", rounds=rounds)
    display = _Silent() if quiet else BarDisplay(out, pace) if out.isatty() and os.environ.get("TERM") != "dumb" else PlainDisplay(out, pace)
    lock = threading.Lock()
    entered: list[str] = []

    def listener(stage: str, fraction: float, detail: str) -> None:
        with lock:  # reports come from whichever thread works
            if entered != [stage]:
                entered[:] = [stage]
                pace.enter(stage)
            display.update(stage, fraction, detail)

    progress = Progress(listener)
    with _stoppable(progress, out):
        try:
            yield progress
        finally:
            display.close()
    pace.finish()


@contextlib.contextmanager
def _stoppable(progress: Progress, out: TextIO) -> Iterator[None]:
    """The first Ctrl-C asks the work to stop at its next safe point, a second one interrupts it there and then, a third kills the process."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread; whoever runs us elsewhere cancels through the Progress
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if progress.cancelled:
            signal.signal(number, signal.SIG_DFL)
            raise KeyboardInterrupt
        progress.cancel()
        # os.write: print may be interrupted by the very signal that is handled here, and is not reentrant.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.write(out.fileno(), b"\nStopping at the next safe point (Ctrl-C again stops at once) ...\n")

    numbers = [signal.SIGINT, signal.SIGTERM]
    before: dict[int, Any] = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
