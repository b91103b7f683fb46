"""The log of what happened: everything that watches jobs (event streams, webhooks, watch folders) reads it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from retake.domain.job import Event, Job, public
from retake.jobs.database import Database, now_ms
from retake.jobs.records import moment
from retake.jobs.tables import events


def tell(database: Database, connection: sa.Connection, kind: str, *, job_id: str | None = None, data: dict[str, Any] | None = None) -> None:
    """Write an event as part of a transaction: it is there exactly if what it tells of is."""
    database.in_order(connection)
    connection.execute(events.insert().values(at_ms=now_ms(), type=kind, job_id=job_id, data=data or {}))


def tell_state(database: Database, connection: sa.Connection, job: Job) -> None:
    """Tell in which state a job is now: `job.queued`, `job.running`, ...; the data is the whole job."""
    tell(database, connection, f"job.{job.state.value}", job_id=job.id, data=public(job))


def announce(database: Database, kind: str, data: dict[str, Any]) -> None:
    """Write an event that belongs to no job, such as `speaker.deleted`."""
    with database.writing() as connection:
        tell(database, connection, kind, data=data)


def since(database: Database, last: int, *, job_id: str | None = None, limit: int = 1000) -> list[Event]:
    """Events with ids greater than `last`, oldest first."""
    query = sa.select(events).where(events.c.id > last).order_by(events.c.id).limit(limit)
    if job_id is not None:
        query = query.where(events.c.job_id == job_id)
    with database.reading() as connection:
        return [_event(row) for row in connection.execute(query)]


def newest(database: Database) -> int:
    """Id of the newest event, 0 if there is none."""
    with database.reading() as connection:
        return connection.execute(sa.select(sa.func.max(events.c.id))).scalar() or 0


def oldest(database: Database) -> int:
    """Id of the oldest event that is still kept, 0 if there is none."""
    with database.reading() as connection:
        return connection.execute(sa.select(sa.func.min(events.c.id))).scalar() or 0


def _event(row: Any) -> Event:
    at = moment(row.at_ms)
    assert at is not None
    return Event(id=row.id, type=row.type, at=at, job_id=row.job_id, data=row.data)
