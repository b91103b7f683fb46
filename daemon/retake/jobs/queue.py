"""What is asked of the queue from outside: submit, cancel, retry, move, forget. DBOS carries it; here is what people see of it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from retake.domain.errors import RetakeError
from retake.domain.fingerprint import fingerprint
from retake.domain.job import Job, JobEvent, JobSpec, JobState, Priority, after, label_of
from retake.jobs import fairness, records
from retake.jobs.database import QUEUE, STEPS_VERSION, WORKFLOW, Database, now_ms
from retake.jobs.events import tell, tell_state
from retake.jobs.tables import events, jobs

log = logging.getLogger(__name__)

ACTIVE = (JobState.QUEUED.value, JobState.RUNNING.value)


@dataclass(frozen=True)
class Submission:
    """One job to submit.

    client: whose turn it takes; clients of one priority take turns.
    label: one line for people; made from the spec if empty.
    idempotency_key: submitting the same again with the same key gives the same job.
    webhook: address that is told when the job is over (who calls this has checked it).
    """

    spec: JobSpec
    priority: Priority = Priority.INTERACTIVE
    client: str = "local"
    label: str = ""
    idempotency_key: str | None = None
    webhook: str | None = None


def workflow_id(job_id: str, generation: int) -> str:
    """DBOS's name for one way of a job through the queue."""
    return f"{job_id}.{generation}"


def submit(database: Database, submission: Submission) -> tuple[Job, bool]:
    """Put one job into the queue; returns it, and False if its idempotency key had been used for the same before."""
    [answer] = submit_all(database, [submission])
    return answer


def submit_all(database: Database, submissions: Sequence[Submission]) -> list[tuple[Job, bool]]:
    """Put jobs into the queue, all of them or none.

    Raises RetakeError (key_reused) for an idempotency key that was used for something else, (no_database).
    """
    with database.writing() as connection:
        return [_submit(database, connection, submission) for submission in submissions]


def cancel(database: Database, job_id: str) -> Job:
    """Stop a job: at once if it waits, else its worker is told and stops within two seconds. One that is over stays as it is."""
    with database.writing() as connection:
        job = _locked(connection, job_id)
        if job.state is JobState.QUEUED:
            job = _change(connection, job, state=after(job.state, JobEvent.CANCELLED), finished_ms=now_ms(), error=None)
            tell_state(database, connection, job)
        elif job.state is JobState.RUNNING and not job.cancelling:
            job = _change(connection, job, cancelling=True)
            tell(database, connection, "job.cancelling", job_id=job.id, data={"id": job.id})
            return job
        else:
            return job
    drop(database, job)
    return job


def retry(database: Database, job_id: str) -> Job:
    """Put a job that failed or was cancelled into the queue again, behind what its client has waiting. Raises RetakeError (wrong_state)."""
    with database.writing() as connection:
        job = _locked(connection, job_id)
        state = after(job.state, JobEvent.RETRIED)
        rank = _rank(connection, job.priority, job.client)
        return enqueue_again(database, connection, job, state=state, rank=rank, crashes=0, error=None, result=None)


def move(database: Database, job_id: str, *, before: str | None = None, priority: Priority | None = None) -> Job:
    """Put a waiting job before another one, or (with neither) behind all of its priority; or give it another priority.

    Raises RetakeError (wrong_state) for a job that does not wait, (unknown_job).
    """
    if before == job_id:
        raise RetakeError("A job cannot be put before itself.", "Name another job.", code="bad_move")
    with database.writing() as connection:
        database.one_mover(connection)
        job = _locked(connection, job_id)
        other = fetch_waiting(connection, before) if before else None
        if job.state is not JobState.QUEUED:
            raise RetakeError(f"The job is {job.state.value}.", "Only jobs that wait can be moved.", code="wrong_state")
        target = other.priority if other else priority if priority is not None else job.priority
        ranks = [rank for rank, id_ in _queued(connection, target) if id_ != job_id]
        if other is None:
            rank = fairness.between(ranks[-1] if ranks else None, None)
        else:
            smaller = [rank for rank in ranks if rank < other.rank]
            rank = fairness.between(smaller[-1] if smaller else None, other.rank)
            if rank is None:
                _spread(database, connection, target)
                return _place_before(database, connection, job_id, other.id)
        assert rank is not None
        return enqueue_again(database, connection, job, delay=_still_waits(job), state=JobState.QUEUED, rank=rank, priority=int(target))


def forget(database: Database, job_id: str) -> None:
    """Remove a job that is over from the history, with everything that was told of it. Its takes stay. Raises RetakeError (wrong_state)."""
    with database.writing() as connection:
        job = _locked(connection, job_id)
        if not job.state.over:
            raise RetakeError(f"The job is {job.state.value}.", "Cancel it first.", code="wrong_state")
        connection.execute(jobs.delete().where(jobs.c.id == job_id))
        connection.execute(events.delete().where(events.c.job_id == job_id))  # they hold what was asked for
        tell(database, connection, "job.forgotten", job_id=job_id, data={"id": job_id})
    drop(database, job)


def enqueue_again(database: Database, connection: sa.Connection, job: Job, *, delay: float = 0.0, **values: Any) -> Job:
    """Give `job` a new place in the queue; whatever holds the old one may no longer write. Part of the caller's transaction.

    Args:
        delay: seconds before which no worker takes it.
        values: further columns to change (state among them).
    """
    if delay:
        values["not_before_ms"] = now_ms() + int(delay * 1000)
    fresh = {"generation": job.generation + 1, "worker": None, "cancelling": False, "started_ms": None, "finished_ms": None, "progress": None}
    job = _change(connection, job, **{"not_before_ms": None, **fresh, **values})
    _enqueue(database, connection, job, delay)
    tell_state(database, connection, job)
    return job


def drop(database: Database, job: Job) -> None:
    """Take a job's older places out of DBOS's queue. Not needed for correctness (workers take only the newest one), so errors are logged."""
    ids = [workflow_id(job.id, generation) for generation in range(max(1, job.generation - 8), job.generation + 1)]
    if not job.state.over:
        ids.pop()  # the newest one is the one that counts
    try:
        known = [status.workflow_id for status in database.client.list_workflows(workflow_ids=ids, load_input=False, load_output=False)]
        if known:
            database.client.cancel_workflows(known)
    except (dbos_error.DBOSException, SQLAlchemyError) as error:
        log.warning("the queue still holds %s: %s", job.id, error)


def fetch_waiting(connection: sa.Connection, job_id: str) -> Job:
    """A queued job; raises RetakeError (unknown_job, wrong_state)."""
    job = records.fetch(connection, job_id)
    if job.state is not JobState.QUEUED:
        raise RetakeError(f"The job '{job_id}' is {job.state.value}.", "Name one that waits.", code="wrong_state")
    return job


def _submit(database: Database, connection: sa.Connection, submission: Submission) -> tuple[Job, bool]:
    spec = submission.spec
    content = spec.model_dump(mode="json")
    digest = fingerprint(what_counts(content), int(submission.priority), submission.client, submission.webhook)
    if submission.idempotency_key is not None:
        database.in_order(connection)  # two that use one key at once: the later one sees the earlier
        found = connection.execute(sa.select(jobs).where(jobs.c.idempotency_key == submission.idempotency_key)).first()
        if found is not None:
            if found.request_hash != digest:
                raise RetakeError(
                    f"The idempotency key '{submission.idempotency_key}' was used for another request.",
                    "Use a new key for a new request.",
                    code="key_reused",
                )
            return records.job_of(found), False
    label = submission.label.strip()[:200] or label_of(spec)
    job_id = uuid.uuid4().hex
    connection.execute(
        jobs.insert().values(
            id=job_id,
            kind=spec.kind,
            state=JobState.QUEUED.value,
            priority=int(submission.priority),
            rank=_rank(connection, submission.priority, submission.client),
            client=submission.client,
            label=label,
            search=records.search_text(spec, label, submission.client),
            spec=content,
            created_ms=now_ms(),
            webhook=submission.webhook,
            idempotency_key=submission.idempotency_key,
            request_hash=digest,
        )
    )
    job = records.fetch(connection, job_id)
    _enqueue(database, connection, job, 0.0)
    tell_state(database, connection, job)
    return job, True


# What requests could not say at first, as it is by default: what was sent before that is still the same.
_LATER: dict[str, tuple[Any, ...]] = {
    "pace": ("fit",),
    "language": (None,),
    "handles": (0, None),
    "conform": ("fit",),
    "markers": (True,),
    "refill": ([],),
    "again": (False,),
    "strict": (False,),
}


def what_counts(content: Any) -> Any:
    """The request without the line ids that are made up where none are given, so that sending the same again is the same."""
    if isinstance(content, dict):
        asked = {name: value for name, value in content.items() if name != "line_id" and value not in _LATER.get(name, ())}
        return {name: what_counts(value) for name, value in asked.items()}
    return [what_counts(value) for value in content] if isinstance(content, list) else content


def _enqueue(database: Database, connection: sa.Connection, job: Job, delay: float) -> None:
    options: Any = {
        "workflow_name": WORKFLOW,
        "queue_name": QUEUE,
        "workflow_id": workflow_id(job.id, job.generation),
        "app_version": STEPS_VERSION,
        "priority": fairness.queue_priority(job.priority, job.rank),
    }
    if delay:
        options["delay_seconds"] = delay
    database.client.enqueue_in_transaction(connection, options, job.id, job.generation)


def _locked(connection: sa.Connection, job_id: str) -> Job:
    """The job, with nobody else writing to it until the transaction ends."""
    row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id).with_for_update()).first()
    if row is None:
        raise records.unknown_job(job_id)
    return records.job_of(row)


def _change(connection: sa.Connection, job: Job, **values: Any) -> Job:
    if "state" in values:
        values["state"] = JobState(values["state"]).value
    connection.execute(jobs.update().where(jobs.c.id == job.id).values(**values))
    return records.fetch(connection, job.id)


def _rank(connection: sa.Connection, priority: Priority, client: str) -> int:
    same = jobs.c.priority == int(priority)
    running = sa.select(sa.func.max(jobs.c.rank)).where(same, jobs.c.state == JobState.RUNNING.value)
    queued = sa.select(sa.func.min(jobs.c.rank)).where(same, jobs.c.state == JobState.QUEUED.value)
    own = sa.select(sa.func.max(jobs.c.rank)).where(same, jobs.c.state.in_(ACTIVE), jobs.c.client == client)
    return fairness.start_tag(*(connection.execute(query).scalar() for query in (running, queued, own)))


def _queued(connection: sa.Connection, priority: Priority) -> list[tuple[int, str]]:
    query = sa.select(jobs.c.rank, jobs.c.id).where(jobs.c.state == JobState.QUEUED.value, jobs.c.priority == int(priority))
    return [(row.rank, row.id) for row in connection.execute(query.order_by(jobs.c.rank, jobs.c.number))]


def _spread(database: Database, connection: sa.Connection, priority: Priority) -> None:
    """Give the waiting jobs of one priority ranks with room in between, in the same order."""
    # First all rows, then the lock of events, as everybody does; who is taking one of the jobs just now is waited for, and that job left alone.
    mine = jobs.c.state == JobState.QUEUED.value, jobs.c.priority == int(priority)
    connection.execute(sa.select(jobs.c.id).where(*mine).order_by(jobs.c.id).with_for_update()).all()
    waiting = _queued(connection, priority)
    for number, (_, id_) in enumerate(waiting):
        rank = waiting[0][0] + number * fairness.SPACING
        job = records.fetch(connection, id_)
        enqueue_again(database, connection, job, delay=_still_waits(job), state=JobState.QUEUED, rank=rank)


def _place_before(database: Database, connection: sa.Connection, job_id: str, before: str) -> Job:
    job, other = records.fetch(connection, job_id), fetch_waiting(connection, before)  # somebody may have taken it meanwhile
    smaller = [rank for rank, id_ in _queued(connection, other.priority) if rank < other.rank and id_ != job_id]
    rank = fairness.between(smaller[-1] if smaller else None, other.rank)
    assert rank is not None, "there is room after spreading"
    return enqueue_again(database, connection, job, delay=_still_waits(job), state=JobState.QUEUED, rank=rank, priority=int(other.priority))


def _still_waits(job: Job) -> float:
    """Seconds that a job which waits after a crash has to wait still, wherever it is put."""
    return 0.0 if job.not_before is None else max(0.0, job.not_before.timestamp() - now_ms() / 1000)
