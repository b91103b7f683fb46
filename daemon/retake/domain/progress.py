"""How a stage reports progress and learns that it should stop, without knowing about jobs, terminals or HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .errors import Cancelled


class Progress:
    """Passed down to stages. `report(fraction)` within the current stage; `check()` raises Cancelled when asked to stop.

    Args:
        listener: called with (stage name, fraction of that stage in 0..1, detail) from whichever thread works.

    Attributes:
        done_frames: frames that the current stage has made or read so far; 0 in stages that do something else.
    """

    def __init__(self, listener: Callable[[str, float, str], None] | None = None) -> None:
        self._listener = listener
        self._stop = threading.Event()
        self._stage = ""
        self.done_frames = 0

    def stage(self, name: str) -> None:
        """Begin a stage; also a safe point to stop."""
        self._stage = name
        self.done_frames = 0
        self.report(0.0)

    def report(self, fraction: float, detail: str = "") -> None:
        """Tell how much of the current stage is done. Also a safe point to stop."""
        self.check()
        if self._listener is not None:
            self._listener(self._stage, min(1.0, max(0.0, fraction)), detail)

    def frames(self, done: int, total: int, detail: str = "") -> None:
        """Tell that the current stage has made or read `done` of `total` frames (0: nobody knows how many). Also a safe point to stop."""
        self.done_frames = done
        self.report(done / total if total > 0 else 0.0, detail)

    def cancel(self) -> None:
        """Ask the work to stop; may be called from any thread or a signal handler."""
        self._stop.set()

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()

    def check(self) -> None:
        """Raise Cancelled if the work should stop."""
        if self._stop.is_set():
            raise Cancelled()
