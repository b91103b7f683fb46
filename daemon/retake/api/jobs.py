"""Jobs over HTTP: ask for them, see them, stop them, put them in another order."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Body, Header, Path, Query, Response

from retake.api import models, precheck
from retake.api.context import Context, InContext
from retake.api.errors import documented
from retake.api.paths import resolve_spec
from retake.api.webhook_target import check_address
from retake.domain.errors import RetakeError
from retake.domain.job import Job, JobState, Priority
from retake.jobs import queue, records
from retake.jobs.logs import job_log, tail
from retake.jobs.queue import Submission
from retake.jobs.tables import jobs

router = APIRouter(prefix="/jobs", tags=["jobs"])

DEFAULT_CLIENT = "api"
LARGEST_LOG = 1_000_000  # bytes of a log's end that are looked at
JobId = Annotated[str, Path(pattern=models.JOB_ID, description="id of a job", examples=["4f0c6e1b7d9a4c52b8f3a1d2e5c60718"])]
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", pattern=models.KEY, description="sending the same again with the same key gives the same job")
]
ClientHeader = Annotated[
    str | None, Header(alias="X-Retake-Client", pattern=models.CLIENT, description="whose turn the job takes: clients of one priority take turns")
]
Kind = Literal["enrol", "line", "script", "timeline"]
ERRORS_OF_SPECS = (
    "unknown_speaker", "speaker_exists", "key_reused", "outside_roots", "missing_file", "not_a_file", "unknown_upload", "upload_unfinished",
    "wrong_upload", "bad_output", "no_folder", "bad_webhook", "consent_missing", "bad_name", "bad_rate", "bad_size", "text_empty", "text_language",
    "text_too_long", "unknown_engine", "bad_hint", "engine_not_installed", "engine_outdated",
)  # fmt: skip

ONE = ("unknown_job", "unreadable_job")  # errors of every call about one job


@router.post(
    "",
    status_code=201,
    summary="Ask for a job",
    response_model=Job,
    responses={
        200: {"model": Job, "description": "The same was asked for before with this Idempotency-Key; this is that job."},
        **documented(*ERRORS_OF_SPECS, body=True),
    },
)
def create_job(
    context: InContext,
    body: Annotated[models.JobRequest, Body(openapi_examples=models.EXAMPLES)],
    key: IdempotencyKey = None,
    client: ClientHeader = None,
) -> Response:
    """Put a job into the queue. What can be told to be wrong without beginning it (an unknown speaker, a text that cannot be spoken, a file
    outside the roots) is told at once."""
    job, new = queue.submit(context.database, _submission(context, body, key, client))
    return _json(job.model_dump_json(), 201 if new else 200, {"Location": f"/v1/jobs/{job.id}"})


@router.post(
    "/batch",
    status_code=201,
    summary="Ask for many jobs, all or none",
    response_model=models.BatchAnswer,
    responses=documented(*ERRORS_OF_SPECS, body=True),
)
def create_jobs(
    context: InContext,
    body: Annotated[models.BatchRequest, Body(openapi_examples=models.BATCH_EXAMPLES)],
    key: IdempotencyKey = None,
    client: ClientHeader = None,
) -> Response:
    """Put up to 1000 jobs into the queue in one go, or none of them if one cannot be. With an Idempotency-Key the answer to the same batch sent again
    is the same jobs."""
    submissions: list[Submission] = []
    if key is not None:
        _refuse_other_batch(context, key, len(body.jobs))
    for number, request in enumerate(body.jobs):
        try:
            submissions.append(_submission(context, request, f"{key}/{number}" if key else None, client))
        except RetakeError as error:
            raise RetakeError(f"Job {number + 1} of the batch: {error.cause}", error.remedy, kind=error.kind, code=error.code) from error
    done = queue.submit_all(context.database, submissions)
    return _json(f'{{"jobs":[{",".join(job.model_dump_json() for job, _ in done)}]}}', 201)


@router.get("", summary="List jobs", response_model=models.JobPage, responses=documented())
def list_jobs(  # noqa: PLR0917 - a call's parameters
    context: InContext,
    state: Annotated[list[JobState] | None, Query(description="only these states")] = None,
    kind: Annotated[list[Kind] | None, Query(description="only these kinds")] = None,
    client: Annotated[str | None, Query(pattern=models.CLIENT)] = None,
    speaker: Annotated[str | None, Query(pattern=models.SPEAKER)] = None,
    search: Annotated[str, Query(max_length=200, pattern=models.PLAIN, description="words in label, texts, speaker and client")] = "",
    limit: Annotated[int, Query(ge=1, le=records.LARGEST_PAGE)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="`next` of the page before")] = None,
    specs: Annotated[bool, Query(description="with what was asked for")] = False,
) -> Response:
    """Jobs that match all filters, newest first."""
    wanted = records.Filter(tuple(state or ()), tuple(kind or ()), client, speaker, search)
    page = records.find(context.database, wanted, limit=limit, before=int(cursor) if cursor else None)
    listed = [job.model_dump(mode="json", exclude=None if specs else {"spec"}) | ({} if specs else {"spec": None}) for job in page.jobs]
    counts = {found.value: count for found, count in page.counts.items()}
    return _json(json.dumps({"jobs": listed, "next": None if page.next is None else str(page.next), "total": page.total, "counts": counts}))


@router.get("/queue", summary="The order in which jobs will be begun", response_model=models.QueueAnswer, responses=documented())
def show_queue(context: InContext, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> models.QueueAnswer:
    """The waiting jobs, the next one first."""
    # Only what is shown is read: what all waiting jobs ask for may be many megabytes.
    columns = (jobs.c.id, jobs.c.kind, jobs.c.priority, jobs.c.client, jobs.c.label, jobs.c.created_ms, jobs.c.not_before_ms)
    queued = jobs.c.state == JobState.QUEUED.value
    order = sa.select(*columns).where(queued).order_by(jobs.c.priority, jobs.c.rank, jobs.c.number).limit(limit)
    with context.database.reading() as connection:
        rows = connection.execute(order).all()
        total = connection.execute(sa.select(sa.func.count()).select_from(jobs).where(queued)).scalar_one()
    return models.QueueAnswer(jobs=[_entry(position, row) for position, row in enumerate(rows, 1)], total=total)


@router.get("/{job_id}", summary="One job", response_model=Job, responses=documented(*ONE))
def get_job(context: InContext, job_id: JobId) -> Response:
    """The job with its state, progress, result or error."""
    return _job(records.get(context.database, job_id))


@router.get("/{job_id}/log", summary="The last lines of a job's log", response_model=models.LogAnswer, responses=documented(*ONE))
def get_log(context: InContext, job_id: JobId, lines: Annotated[int, Query(ge=1, le=1000)] = 200) -> models.LogAnswer:
    """What the job and the libraries it uses wrote while it ran. Empty before it began."""
    records.get(context.database, job_id)
    path = job_log(context.home, job_id)
    found = tail(path, lines + 1, most_bytes=LARGEST_LOG)
    whole = not path.is_file() or path.stat().st_size <= LARGEST_LOG
    return models.LogAnswer(lines=found[-lines:], complete=whole and len(found) <= lines)


@router.post("/{job_id}/cancel", summary="Stop a job", response_model=Job, responses=documented(*ONE))
def cancel_job(context: InContext, job_id: JobId) -> Response:
    """A waiting job is cancelled at once; a running one within two seconds (`cancelling` until then). One that is over stays as it is."""
    return _job(queue.cancel(context.database, job_id))


@router.post(
    "/{job_id}/retry",
    summary="Do a failed or cancelled job again",
    response_model=Job,
    responses=documented(*ONE, "wrong_state"),
)
def retry_job(context: InContext, job_id: JobId) -> Response:
    """The same job waits again, behind what its client has waiting."""
    return _job(queue.retry(context.database, job_id))


@router.post(
    "/{job_id}/move",
    summary="Give a waiting job another place",
    response_model=Job,
    responses=documented(*ONE, "wrong_state", "bad_move", body=True),
)
def move_job(context: InContext, job_id: JobId, body: models.MoveRequest) -> Response:
    """Before another waiting job, or behind all of a priority."""
    if body.before is not None and body.priority is not None:
        raise RetakeError("A job goes before another one or to a priority.", "Give 'before' or 'priority'.", code="bad_move")
    priority = None if body.priority is None else Priority[body.priority.upper()]
    return _job(queue.move(context.database, job_id, before=body.before, priority=priority))


@router.delete("/{job_id}", status_code=204, summary="Remove a job from the history", responses=documented(*ONE, "wrong_state"))
def forget_job(context: InContext, job_id: JobId) -> Response:
    """Only a job that is over. Its takes stay."""
    queue.forget(context.database, job_id)
    return Response(status_code=204)


def _submission(context: Context, request: models.JobRequest, key: str | None, client: str | None) -> Submission:
    """The checked job; raises RetakeError for everything that can be told before it is begun."""
    if request.webhook is not None:
        check_address(context, request.webhook)
    if key is None or not _known(context, key):
        # What was asked for before is answered as before, also where it could not be asked for any more (the speaker is enrolled by now).
        precheck.check(context, request.spec)
    return Submission(
        spec=resolve_spec(context, request.spec),
        priority=request.rank,
        client=request.client or client or DEFAULT_CLIENT,
        label=request.label,
        idempotency_key=key,
        webhook=request.webhook,
    )


def _entry(position: int, row: Any) -> models.QueueEntry:
    created = records.moment(row.created_ms)
    assert created is not None
    return models.QueueEntry(
        position=position,
        id=row.id,
        kind=row.kind,
        priority=Priority(row.priority),
        client=row.client,
        label=row.label,
        created_at=created,
        not_before=records.moment(row.not_before_ms),
    )


def _refuse_other_batch(context: Context, key: str, size: int) -> None:
    """Raise RetakeError (key_reused) if `key` was used for a batch of another size; that its jobs are the same is looked at one by one."""
    if _known(context, f"{key}/0") and (_known(context, f"{key}/{size}") or not _known(context, f"{key}/{size - 1}")):
        raise RetakeError(f"The idempotency key '{key}' was used for another batch.", "Use a new key for a new request.", code="key_reused")


def _known(context: Context, key: str) -> bool:
    with context.database.reading() as connection:
        return connection.execute(sa.select(jobs.c.id).where(jobs.c.idempotency_key == key)).first() is not None


def _job(job: Job) -> Response:
    # Written by pydantic once; FastAPI would check it against the model and write it again.
    return _json(job.model_dump_json())


def _json(content: str, status: int = 200, headers: dict[str, Any] | None = None) -> Response:
    return Response(content, status, headers, "application/json")
