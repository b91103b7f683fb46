"""Which of the jobs that a watcher waits for are over: told by the log of events, and looked up in the table where that may have gaps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from retake.domain.job import Job, JobState
from retake.jobs import events, records
from retake.jobs.database import Database
from retake.jobs.tables import jobs

# Events are removed after some time, and a laptop may sleep longer than that: so the table is looked at as well, now and then.
LOOK_SECONDS = 30.0
_CHUNK = 400  # ids in one question; databases bound their number
_PAGE = 1000
_TOLD = frozenset({*(f"job.{state.value}" for state in JobState if state.over), "job.forgotten"})


@dataclass(frozen=True)
class News:
    """Jobs that are over, and ids of those that are no longer in the table."""

    over: list[Job]
    gone: list[str]


class Follower:
    """Follows jobs from the moment it is made on.

    Args:
        clock: seconds.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._last = events.newest(database)
        self._looked = clock()

    def skip(self) -> None:
        """Start from now: nothing was waited for up to here."""
        self._last = events.newest(self._database)

    def news(self, waiting: set[str]) -> News:
        """What became of the jobs `waiting` since the last call."""
        told: set[str] = set()
        while page := events.since(self._database, self._last, limit=_PAGE):
            self._last = page[-1].id
            told.update(event.job_id for event in page if event.type in _TOLD and event.job_id is not None)
            if len(page) < _PAGE:
                break
        wanted = told & waiting
        now = self._clock()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            wanted = waiting
        if not wanted:
            return News([], [])
        found = jobs_with(self._database, wanted)
        return News([job for job in found.values() if job.state.over], [job_id for job_id in wanted if job_id not in found])


def jobs_with(database: Database, ids: Iterable[str]) -> dict[str, Job]:
    """The jobs with these ids, as far as they are in the table."""
    wanted = sorted(ids)
    out: dict[str, Job] = {}
    with database.reading() as connection:
        for start in range(0, len(wanted), _CHUNK):
            rows = connection.execute(sa.select(jobs).where(jobs.c.id.in_(wanted[start : start + _CHUNK])))
            out.update((job.id, job) for job in map(records.job_of, rows))
    return out
