"""What workers, and those who watch over them, write about jobs. Every write names a generation: a worker that was given up may no longer write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from retake.domain.errors import RetakeError
from retake.domain.job import Job, JobError, JobEvent, JobProgress, JobResult, JobState, after
from retake.jobs import records
from retake.jobs.database import Database, now_ms
from retake.jobs.events import tell, tell_state
from retake.jobs.queue import drop, enqueue_again
from retake.jobs.tables import jobs

# A job whose worker died this often has a fault of its own (a file that crashes a codec, too little memory).
MOST_CRASHES = 3
# Seconds before the second and third attempt: whatever ate the memory may be over by then.
BACK_OFF = (1.0, 5.0)


@dataclass(frozen=True)
class Orders:
    """What a worker should know about the job it works on."""

    stop: bool  # the user wants it stopped
    stale: bool  # somebody else was given the job, or it is over


def claim(database: Database, job_id: str, generation: int, worker: str) -> Job | None:
    """Mark the job as this worker's; None if it is not to be worked on (cancelled, forgotten, or queued anew since)."""
    with database.writing() as connection:
        job = _mine(connection, job_id, generation, {JobState.QUEUED, JobState.RUNNING})
        if job is None:
            return None
        values: dict[str, Any] = {"state": after(job.state, JobEvent.CLAIMED).value, "worker": worker, "attempt": job.attempt + 1}
        if job.started_at is None:
            values["started_ms"] = now_ms()
        connection.execute(jobs.update().where(jobs.c.id == job_id).values(not_before_ms=None, progress=None, **values))
        job = records.fetch(connection, job_id)
        tell_state(database, connection, job)
        return job


def unreadable(database: Database, job_id: str, generation: int, error: RetakeError) -> None:
    """The job cannot even be read: it has failed, and is not handed out again."""
    mine = (jobs.c.id == job_id) & (jobs.c.generation == generation) & jobs.c.state.in_([JobState.QUEUED.value, JobState.RUNNING.value])
    values = {"state": JobState.FAILED.value, "finished_ms": now_ms(), "error": JobError.of(error).model_dump(mode="json")}
    with database.writing() as connection:
        if connection.execute(jobs.update().where(mine).values(**values)).rowcount:
            tell(database, connection, "job.failed", job_id=job_id, data={"id": job_id, "state": JobState.FAILED.value})


def report(database: Database, job_id: str, generation: int, progress: JobProgress) -> Orders:
    """Write how far the job is, and learn whether to go on."""
    with database.writing() as connection:
        content = progress.model_dump(mode="json")
        mine = (jobs.c.id == job_id) & (jobs.c.generation == generation) & (jobs.c.state == JobState.RUNNING.value)
        changed = connection.execute(jobs.update().where(mine).values(progress=content)).rowcount
        if not changed:
            return Orders(stop=True, stale=True)
        tell(database, connection, "job.progress", job_id=job_id, data={"id": job_id, "progress": content})
        return Orders(bool(connection.execute(sa.select(jobs.c.cancelling).where(jobs.c.id == job_id)).scalar()), stale=False)


def orders(database: Database, job_id: str, generation: int) -> Orders:
    """Whether to go on, without writing anything."""
    query = sa.select(jobs.c.cancelling).where(jobs.c.id == job_id, jobs.c.generation == generation, jobs.c.state == JobState.RUNNING.value)
    with database.reading() as connection:
        row = connection.execute(query).first()
    return Orders(stop=True, stale=True) if row is None else Orders(stop=row.cancelling, stale=False)


def succeed(database: Database, job_id: str, generation: int, result: JobResult) -> bool:
    """The job is done. False if somebody else was given it meanwhile."""
    return _finish(database, job_id, generation, JobEvent.SUCCEEDED, result=result.model_dump(mode="json"), error=None)


def fail(database: Database, job_id: str, generation: int, error: JobError) -> bool:
    """The job cannot be done, and trying again would not help."""
    return _finish(database, job_id, generation, JobEvent.REFUSED, error=error.model_dump(mode="json"))


def stopped(database: Database, job_id: str, generation: int) -> bool:
    """The job was stopped, as the user wanted; nothing of it is left."""
    return _finish(database, job_id, generation, JobEvent.CANCELLED, error=None)


def lost(database: Database, job_id: str, generation: int, error: JobError) -> Job | None:
    """The job's worker died while working on it: queue it again after a while, or give up. A job that was being cancelled is cancelled.

    Args:
        error: how the worker died; shown while the job waits, and kept if it is given up.

    Returns the job; None if it was not this generation's any more.
    """
    with database.writing() as connection:
        job = _mine(connection, job_id, generation, {JobState.RUNNING})
        if job is None:
            return None
        if job.cancelling:
            job = _over(database, connection, job, JobEvent.CANCELLED, error=None)
        elif job.crashes + 1 >= MOST_CRASHES:
            values = {"crashes": job.crashes + 1, "error": error.model_dump(mode="json")}
            job = _over(database, connection, job, JobEvent.WORKERS_LOST, **values)
        else:
            job = enqueue_again(
                database,
                connection,
                job,
                delay=BACK_OFF[job.crashes],
                state=after(job.state, JobEvent.WORKER_LOST),
                crashes=job.crashes + 1,
                error=error.model_dump(mode="json"),
            )
    drop(database, job)
    return job


def interrupted(database: Database, worker: str) -> list[Job]:
    """The jobs that `worker` held when its daemon ended are waiting again: DBOS hands them out at the step where they were."""
    out: list[Job] = []
    with database.writing() as connection:
        for job in records.held_by(connection, worker):
            state = after(job.state, JobEvent.CANCELLED if job.cancelling else JobEvent.INTERRUPTED)
            values = {"finished_ms": now_ms(), "cancelling": False} if state.over else {"worker": None}
            connection.execute(jobs.update().where(jobs.c.id == job.id).values(state=state.value, **values))
            out.append(records.fetch(connection, job.id))
            tell_state(database, connection, out[-1])
    return out


def _finish(database: Database, job_id: str, generation: int, event: JobEvent, **values: Any) -> bool:
    with database.writing() as connection:
        job = _mine(connection, job_id, generation, {JobState.RUNNING})
        if job is None:
            return False
        _over(database, connection, job, event, **values)
        return True


def _over(database: Database, connection: sa.Connection, job: Job, event: JobEvent, **values: Any) -> Job:
    state = after(job.state, event).value
    connection.execute(jobs.update().where(jobs.c.id == job.id).values(state=state, finished_ms=now_ms(), cancelling=False, **values))
    job = records.fetch(connection, job.id)
    tell_state(database, connection, job)
    return job


def _mine(connection: sa.Connection, job_id: str, generation: int, states: set[JobState]) -> Job | None:
    query = sa.select(jobs).where(jobs.c.id == job_id, jobs.c.generation == generation).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        return None
    job = records.job_of(row)
    return job if job.state in states else None
