"""Tells the database how far a job is, and the job that it should stop. Works in a thread of its own, so that rendering never waits for a disk."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from retake.domain.errors import RetakeError
from retake.domain.job import Job, JobProgress
from retake.domain.progress import Progress
from retake.jobs import logs, running
from retake.jobs.database import Database
from retake.pace import Pace

LOOK_SECONDS = 0.2  # a user's wish to stop is heard after this long at most
WRITE_SECONDS = 0.25  # progress is written no more often
FPS_SECONDS = 3.0  # over which frames per second are counted


@dataclass
class _State:
    stage: str = ""
    fraction: float = 0.0
    detail: str = ""
    step: int = 0
    steps: int = 0


class Reporter:
    """Progress of one job.

    Args:
        rounds: how often its stages are gone through (lines of a script).
    """

    def __init__(self, database: Database, job: Job, home: Path, *, rounds: int = 1) -> None:
        self._database = database
        self._job = job
        self._state = _State()
        self._lock = threading.Lock()
        self._frames: deque[tuple[float, int]] = deque()
        self._pace = Pace("enrol" if job.kind == "enrol" else "say", home / "cache" / "pace.json", rounds=rounds)
        self._over = threading.Event()
        self._written: JobProgress | None = None
        self.stale = False  # the job was given to somebody else: nothing may be written any more
        self.progress = Progress(self._listen)

    @contextlib.contextmanager
    def watching(self) -> Iterator[Progress]:
        """Report until the block ends; then the stages' durations are remembered if it ended well."""
        thread = threading.Thread(target=self._run, name="job-reporter", daemon=True)
        thread.start()
        try:
            yield self.progress
            self._pace.finish()
        finally:
            self._over.set()
            thread.join()

    def step(self, number: int, steps: int) -> None:
        """Step `number` (from 1) of `steps` begins."""
        with self._lock:
            self._state.step, self._state.steps = number, steps

    def expect(self, rounds: int) -> None:
        """The stages are gone through so often, as is known only now."""
        with self._lock:
            self._pace.expect(rounds)

    def _listen(self, stage: str, fraction: float, detail: str) -> None:
        now = time.monotonic()
        with self._lock:
            if stage != self._state.stage:
                self._pace.enter(stage)
                self._frames.clear()
                logs.say(stage)
            self._state.stage, self._state.fraction, self._state.detail = stage, fraction, detail
            self._frames.append((now, self.progress.done_frames))
            while len(self._frames) > 2 and self._frames[1][0] < now - FPS_SECONDS:
                self._frames.popleft()

    def _now(self) -> JobProgress:
        with self._lock:
            state = self._state
            left = self._pace.left(state.fraction) if state.stage else None
            return JobProgress(
                stage=state.stage,
                fraction=round(state.fraction, 4),
                detail=state.detail,
                step=state.step,
                steps=state.steps,
                fps=self._fps(),
                seconds_left=None if left is None else round(left, 1),
            )

    def _fps(self) -> float | None:
        if len(self._frames) < 2:
            return None
        (start, first), (end, last) = self._frames[0], self._frames[-1]
        return round((last - first) / (end - start), 1) if end - start > 0.2 and last > first else None

    def _run(self) -> None:
        written, silent = 0.0, False
        while not self._over.wait(LOOK_SECONDS):
            now = self._now()
            try:
                if now != self._written and time.monotonic() - written >= WRITE_SECONDS:
                    orders = running.report(self._database, self._job.id, self._job.generation, now)
                    self._written, written = now, time.monotonic()
                else:
                    orders = running.orders(self._database, self._job.id, self._job.generation)
            except RetakeError as error:
                if not silent:  # a database may be away for hours, and this comes five times a second
                    logs.say(f"progress is not reported: {error}")
                silent = True
                continue
            silent = False
            self.stale |= orders.stale
            if orders.stop:
                self.progress.cancel()
