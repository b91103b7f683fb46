"""The workers of all machines, as the database knows them: who there is, and who has stopped giving signs of life."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from retake import __version__
from retake.jobs.database import Database, now_ms
from retake.jobs.tables import workers

# A worker that has not counted up its beat for so long is dead or cut off. Longer than a laptop's hiccup, shorter than a user's patience.
SILENT_SECONDS = 30.0
# A worker whose process lives and says nothing for so long hangs, and is ended by its own supervisor.
HUNG_SECONDS = 120.0
# Who has not looked for so long knows nothing about the time in between.
BLIND_SECONDS = 12.0


@dataclass(frozen=True)
class Member:
    """A worker somewhere."""

    id: str
    host: str
    pid: int
    version: str
    device: str
    beat: int


@dataclass(frozen=True)
class WorkerStatus:
    """A worker of this machine: `state` is "starting", "ready", "busy", "restarting", or "failing" where it dies before it is ready."""

    id: str
    device: str  # "cpu" or "cuda:0"
    pid: int | None
    state: str
    job_id: str | None = None
    restarts: int = 0


def enter(database: Database, worker: str, device: str) -> None:
    """This process is `worker` from now on."""
    with database.writing() as connection:
        connection.execute(workers.delete().where(workers.c.id == worker))
        connection.execute(
            workers.insert().values(id=worker, host=platform.node(), pid=os.getpid(), version=__version__, device=device, beat=1, started_ms=now_ms())
        )


def beat(database: Database, worker: str, device: str) -> None:
    """`worker`, this process, lives. One that was given up by mistake (its connection broke for a while) enters again."""
    with database.writing() as connection:
        known = connection.execute(workers.update().where(workers.c.id == worker).values(beat=workers.c.beat + 1)).rowcount
    if not known:
        enter(database, worker, device)


def leave(database: Database, worker: str) -> None:
    """`worker` is no more."""
    with database.writing() as connection:
        connection.execute(workers.delete().where(workers.c.id == worker))


def members(database: Database) -> list[Member]:
    """All workers that have entered and not left, dead ones among them."""
    with database.reading() as connection:
        rows = connection.execute(sa.select(workers).order_by(workers.c.id)).all()
    return [Member(row.id, row.host, row.pid, row.version, row.device, row.beat) for row in rows]


class Watch:
    """Who of the fleet lives, by a clock of our own: clocks of other machines need not agree with it.

    Args:
        clock: seconds, growing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}  # last beat, and when it was new
        self._looked = clock()

    def look(self, found: list[Member]) -> set[str]:
        """The silent ones among `found`. To be called every few seconds."""
        now = self._clock()
        if now - self._looked > BLIND_SECONDS:  # the database was away, or this machine slept: others could not be heard, and may live
            self._seen.clear()
        self._looked = now
        silent: set[str] = set()
        for member in found:
            last, since = self._seen.get(member.id, (-1, now))
            if member.beat != last:
                self._seen[member.id] = (member.beat, now)
            elif now - since > SILENT_SECONDS:
                silent.add(member.id)
        known = {member.id for member in found}
        self._seen = {name: value for name, value in self._seen.items() if name in known}
        return silent

    def silence(self, worker: str) -> float:
        """Seconds since the last new beat of `worker`, as of the last look; 0 for one that was not there."""
        return self._looked - self._seen[worker][1] if worker in self._seen else 0.0
