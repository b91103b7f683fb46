"""What tests of sessions work with: a host program that polls, and workers that do as if they rendered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from waiting import PATIENCE, until

from retake.domain.job import JobProgress, JobResult
from retake.jobs import running
from retake.jobs.database import Database
from retake_client.session import Session, SessionSettings, Status, Update

TAKE = "00000000000000a1"


class Host:
    """A program with a session: collects what it is told."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.updates: list[Update] = []
        self.statuses: list[Status] = []

    def pump(self) -> None:
        status = self.session.status
        if not self.statuses or self.statuses[-1] != status:
            self.statuses.append(status)
        self.updates += self.session.poll()

    def until(self, true: Callable[[Host], Any], seconds: float = PATIENCE) -> Any:
        """Go on as programs do, until `true(self)`; returns what that was."""

        def found() -> Any:
            self.pump()
            return true(self)

        return until(found, lambda: f"{self.statuses[-1:]} {self.updates[-3:]}", seconds=seconds, step=0.01)

    def until_over(self, order_id: str, seconds: float = PATIENCE) -> Update:
        """The order's last update; there is exactly one."""
        self.until(lambda host: any(update.state.over for update in host.of(order_id)), seconds)
        over = [update for update in self.of(order_id) if update.state.over]
        assert len(over) == 1
        return over[0]

    def until_status(self, true: Callable[[Status], bool], seconds: float = PATIENCE) -> Status:
        return self.until(lambda host: host.statuses[-1] if true(host.statuses[-1]) else None, seconds)

    def of(self, order_id: str) -> list[Update]:
        return [update for update in self.updates if update.order_id == order_id]


@contextmanager
def host(settings: SessionSettings, *, start: bool = True) -> Iterator[Host]:
    """A host program whose session is closed at the end, without waiting for anything that hangs."""
    session = Session(settings)
    if start:
        session.start()
    try:
        yield Host(session)
    finally:
        begun = time.monotonic()
        session.close()
        assert time.monotonic() - begun < PATIENCE  # what hangs in these tests hangs for longer


def work(database: Database, job_id: str, *, end: bool = True, takes: tuple[str, ...] = (TAKE,), speaker: str | None = None) -> None:
    """Do what a worker does with a job, as far as the daemon can see."""
    assert running.claim(database, job_id, 1, "worker") is not None
    running.report(database, job_id, 1, JobProgress(stage="Rendering", fraction=0.5, step=2, steps=2, seconds_left=3.0))
    if end:
        running.succeed(database, job_id, 1, JobResult(takes=list(takes), speaker=speaker))


def threads_have_ended() -> bool:
    """Whether the threads of closed sessions end."""
    names = ("retake link", "retake call", "retake transfer", "retake events")
    return until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith(names)])
