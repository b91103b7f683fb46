"""Rows of the job table as `Job`, and reading them: one, many by filter, page by page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import Job, JobError, JobProgress, JobResult, JobSpec, JobState, Priority
from retake.jobs.database import Database
from retake.jobs.tables import jobs

_SPEC: TypeAdapter[JobSpec] = TypeAdapter(JobSpec)
_BY_ID = sa.select(jobs).where(jobs.c.id == sa.bindparam("job_id"))  # asked so often that building it anew would show
LARGEST_PAGE = 500


@dataclass(frozen=True)
class Filter:
    """Which jobs; everything left empty matches. `search` looks for all its words in label, speaker, text and client."""

    states: tuple[JobState, ...] = ()
    kinds: tuple[str, ...] = ()
    client: str | None = None
    speaker: str | None = None
    search: str = ""


@dataclass(frozen=True)
class Page:
    """Some jobs, newest first; `next` asks for the page after it (None: there is none). `total` counts all that match."""

    jobs: list[Job]
    next: int | None
    total: int
    counts: dict[JobState, int] = field(default_factory=dict)  # of all jobs, whatever the filter


def moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def job_of(row: Any) -> Job:
    """The job in a row of `tables.jobs`; raises RetakeError (unreadable_job) for one that another version has written otherwise."""
    try:
        return _job_of(row._mapping)
    except ValueError as error:  # pydantic's are of this kind
        raise RetakeError(
            f"The job '{row.id}' was written by another version of Retake and cannot be read.",
            "Update Retake, or use the version that wrote it.",
            kind=ErrorKind.ENVIRONMENT,
            code="unreadable_job",
        ) from error


def readable(rows: Iterable[Any]) -> list[Job]:
    """The jobs in rows of `tables.jobs`, without those that cannot be read: one odd row must not hide all others."""
    out: list[Job] = []
    for row in rows:
        with contextlib.suppress(RetakeError):
            out.append(job_of(row))
    return out


def _job_of(values: Mapping[str, Any]) -> Job:
    created = moment(values["created_ms"])
    assert created is not None
    return Job(
        id=values["id"],
        kind=values["kind"],
        state=JobState(values["state"]),
        priority=Priority(values["priority"]),
        client=values["client"],
        label=values["label"],
        spec=_SPEC.validate_python(values["spec"]),
        created_at=created,
        started_at=moment(values["started_ms"]),
        finished_at=moment(values["finished_ms"]),
        not_before=moment(values["not_before_ms"]),
        attempt=values["attempt"],
        crashes=values["crashes"],
        generation=values["generation"],
        rank=values["rank"],
        cancelling=values["cancelling"],
        worker=values["worker"],
        progress=JobProgress.model_validate(values["progress"] or {}),
        result=None if values["result"] is None else JobResult.model_validate(values["result"]),
        error=None if values["error"] is None else JobError.model_validate(values["error"]),
        webhook=values["webhook"],
        idempotency_key=values["idempotency_key"],
    )


def unknown_job(job_id: str) -> RetakeError:
    return RetakeError(f"There is no job '{job_id}'.", "List the jobs to see which there are.", kind=ErrorKind.NOT_FOUND, code="unknown_job")


def fetch(connection: sa.Connection, job_id: str) -> Job:
    """The job as this transaction sees it; raises RetakeError (unknown_job)."""
    row = connection.execute(_BY_ID, {"job_id": job_id}).first()
    if row is None:
        raise unknown_job(job_id)
    return job_of(row)


def get(database: Database, job_id: str) -> Job:
    """One job; raises RetakeError (unknown_job)."""
    with database.reading() as connection:
        return fetch(connection, job_id)


def find(database: Database, wanted: Filter, *, limit: int = 50, before: int | None = None) -> Page:
    """Jobs that match, newest first.

    Args:
        limit: at most so many, 1 to LARGEST_PAGE.
        before: `next` of the page before.
    """
    conditions = _conditions(wanted)
    query = sa.select(jobs).where(*conditions).order_by(jobs.c.number.desc()).limit(max(1, min(limit, LARGEST_PAGE)) + 1)
    if before is not None:
        query = query.where(jobs.c.number < before)
    with database.reading() as connection:
        rows = connection.execute(query).all()
        total = connection.execute(sa.select(sa.func.count()).select_from(jobs).where(*conditions)).scalar_one()
        counts = connection.execute(sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    known = {JobState(state): int(count) for state, count in counts}
    return Page(readable(rows), rows[-1].number if more and rows else None, total, {state: known.get(state, 0) for state in JobState})


def waiting(database: Database) -> list[Job]:
    """The queued jobs in the order in which they will be begun."""
    query = sa.select(jobs).where(jobs.c.state == JobState.QUEUED.value).order_by(jobs.c.priority, jobs.c.rank, jobs.c.number)
    with database.reading() as connection:
        return readable(connection.execute(query))


def held_by(connection: sa.Connection, worker: str) -> list[Job]:
    """Jobs that `worker` is working on, as far as the table knows."""
    query = sa.select(jobs).where(jobs.c.worker == worker, jobs.c.state == JobState.RUNNING.value)
    return readable(connection.execute(query))


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    out: list[sa.ColumnElement[bool]] = []
    if wanted.states:
        out.append(jobs.c.state.in_([state.value for state in wanted.states]))
    if wanted.kinds:
        out.append(jobs.c.kind.in_(wanted.kinds))
    if wanted.client is not None:
        out.append(jobs.c.client == wanted.client)
    if wanted.speaker is not None:
        out.append(jobs.c.search.contains(f"\n@{wanted.speaker.lower()}\n", autoescape=True))
    out.extend(jobs.c.search.contains(word, autoescape=True) for word in wanted.search.lower().split())
    return out


def search_text(spec: JobSpec, label: str, client: str) -> str:
    """What a search looks through: label, client and texts in one line, and each speaker's name in a line of its own behind an @."""
    requests = [spec.request] if spec.kind == "line" else spec.requests if spec.kind == "script" else []
    speakers = {request.speaker for request in requests}
    if spec.kind == "enrol":
        speakers.add(spec.name)
    if spec.kind == "timeline" and spec.speaker:
        speakers.add(spec.speaker)
    texts = " ".join([label, client, *(request.text for request in requests)])
    # No text may look like a line that names a speaker: with the speaker go the results of their jobs.
    return ("\n".join([" ".join(texts.split()), *(f"@{name}" for name in sorted(speakers))]) + "\n").lower()
