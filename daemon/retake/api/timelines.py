"""Timelines: send an .otio with placeholders, get it back with takes in their places.

Nothing that a timeline names is opened here, and nothing of it is believed: it is looked at as JSON, stored as it came, and filled by a worker.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retake.api import jobs as job_routes
from retake.api import upload_store
from retake.api.context import Context, InContext
from retake.api.errors import Problem, documented
from retake.api.models import JOB_ID, SPEAKER, ClientName, JobRequest, Label, LineId, PriorityName, TimelineSpecIn, Webhook
from retake.api.paths import UPLOAD, open_regular
from retake.api.ranges import OpenFile
from retake.api.shared import artefacts_of
from retake.api.sniff import DEEPEST_JSON, LONGEST_TIMELINE, check_timeline, deeper_than
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import Job, JobState
from retake.domain.take import MOST_HANDLES
from retake.jobs import records

router = APIRouter(prefix="/timelines", tags=["timelines"])

TimelineJob = Annotated[str, PathParameter(pattern=JOB_ID, description="id of a job of kind timeline", examples=["4f0c6e1b7d9a4c52b8f3a1d2e5c60718"])]


class TimelineRequest(TimelineSpecIn):
    """A timeline that was uploaded, or lies in one of the folders of `server.roots`, to be filled."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"timeline": "upload:8d3f0c5b1a7e4f6290b1c2d3e4f5a6b7", "speaker": "anna"}]})

    priority: PriorityName = "interactive"
    label: Label = ""
    client: ClientName | None = None
    webhook: Webhook | None = None


class FillOptions(BaseModel):
    """What goes with a timeline that is the body itself."""

    speaker: str | None = Field(default=None, pattern=SPEAKER, description="for placeholders that name none")
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    conform: Literal["fit", "keep", "ripple"] = Field(default="fit", description="how a line and its slot get along, where the line does not say it")
    handles: int | None = Field(
        default=None, ge=0, le=MOST_HANDLES, description="frames; without it as many as dissolves need, or half a second to keep"
    )
    markers: bool = Field(default=True, description="markers with script text are lines as well")
    refill: list[LineId] = Field(default_factory=list, max_length=1000, description="ids of the only lines to be filled")
    again: bool = Field(default=False, description="one more reading of each line, with a new seed")
    strict: bool = Field(default=False, description="one line that cannot be filled fails the job; otherwise that line stays as it is")
    priority: PriorityName = "interactive"
    webhook: Webhook | None = None


_DOCUMENT: dict[str, Any] = {
    "title": "OpenTimelineIO",
    "description": f"The timeline itself: OpenTimelineIO JSON, at most {LONGEST_TIMELINE // 1024**2} MB and {DEEPEST_JSON} levels deep.",
    "type": "object",
    "required": ["OTIO_SCHEMA"],
    "properties": {"OTIO_SCHEMA": {"type": "string", "pattern": r"^(Timeline|SerializableCollection|Stack|Track)\.[0-9]{1,3}$"}},
}
_EXAMPLES = {
    "document": {
        "summary": "The timeline itself",
        "value": {"OTIO_SCHEMA": "Timeline.1", "name": "Lesson 1", "tracks": {"OTIO_SCHEMA": "Stack.1", "children": []}},
    },
    "upload": {"summary": "An uploaded timeline", "value": {"timeline": "upload:8d3f0c5b1a7e4f6290b1c2d3e4f5a6b7", "speaker": "anna"}},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"anyOf": [TimelineRequest.model_json_schema(), _DOCUMENT]}, "examples": _EXAMPLES}},
    }
}


@router.post(
    "",
    status_code=201,
    response_model=Job,
    openapi_extra=_BODY,
    responses={200: {"model": Job, "description": "The same was asked for before with this Idempotency-Key; this is that job."}}
    | documented("bad_timeline", "timeline_too_large", "upload_too_large", "disk_full", *job_routes.ERRORS_OF_SPECS, body=True),
)
async def fill(
    context: InContext,
    request: Request,
    options: Annotated[FillOptions, Query()],
    key: job_routes.IdempotencyKey = None,
    client: job_routes.ClientHeader = None,
) -> Response:
    """Have the placeholders of a timeline filled: the answer is the job that does it, and `GET /v1/timelines/{job_id}` gives the result.

    The body is the timeline itself, with options in the query, or an object that names an uploaded one, with options in it.
    """
    data = await request.body()

    def submit() -> Response:
        return job_routes.create_job(context, _asked(context, data, options), key, client)

    return await to_thread.run_sync(submit)


@router.get(
    "/{job_id}",
    response_class=Response,
    responses=documented("unknown_timeline", "wrong_state", "missing_file", "bad_range", "artefacts_unreachable", "artefacts_denied", "bad_artefact")
    | {
        200: {"description": "The filled timeline.", "content": {"application/json": {"schema": _DOCUMENT}}},
        206: {"description": "The range of it that was asked for (header Range; one range)."},
        202: {"model": Job, "description": "It is not filled yet: the job, with its progress."},
        304: {"description": "The caller has it (If-None-Match)."},
    },
)
def get_timeline(
    context: InContext, job_id: TimelineJob, download: Annotated[bool, Query(description="have browsers save it instead of showing it")] = False
) -> Response:
    """The filled timeline of a job (200), or the job while it waits or runs (202). What became of one that failed is an error (409)."""
    job = _timeline_job(context, job_id)
    if not job.state.over:
        return Response(job.model_dump_json(), 202, {"Retry-After": "1"}, "application/json")
    if job.state is not JobState.SUCCEEDED:
        why = f"{job.error.cause} {job.error.remedy}" if job.error else "Retry the job to have it filled."
        raise Problem("wrong_state", f"The timeline was not filled: the job is {job.state.value}.", why)
    path, folder = _result(context, job)
    file = open_regular(path, folder)
    found = os.fstat(file.fileno())
    etag = f"{job.id}-{found.st_mtime_ns:x}-{found.st_size:x}"
    return OpenFile(file, etag=etag, media_type="application/json", name=f"timeline-{job.id[:12]}.otio", attached=download)


def _asked(context: Context, data: bytes, options: FillOptions) -> JobRequest:
    """The job that a body asks for. Raises RetakeError (bad_timeline, bad_json), RequestValidationError."""
    if deeper_than(data, DEEPEST_JSON):
        check_timeline(data)  # says so
    if b'"OTIO_SCHEMA"' not in data:
        try:
            body = TimelineRequest.model_validate_json(data)
        except ValidationError as error:
            if error.errors()[0]["type"] == "json_invalid":
                raise Problem("bad_json", remedy="Send an OpenTimelineIO document, or an object that names an uploaded one.") from error
            raise RequestValidationError([{**found, "loc": ("body", *found["loc"])} for found in error.errors(include_context=False)]) from error
        spec = TimelineSpecIn.model_validate(body.model_dump(include=set(TimelineSpecIn.model_fields)))
        return JobRequest(
            spec=spec, priority=body.priority, label=body.label or _label(context, spec.timeline), client=body.client, webhook=body.webhook
        )
    check_timeline(data)
    upload = upload_store.keep(context.home, "timeline.otio", data, most_bytes=context.settings.limits.upload_bytes)
    asked = options.model_dump(exclude={"priority", "webhook"})
    spec = TimelineSpecIn(timeline=f"{UPLOAD}{upload.id}", **asked)
    return JobRequest(spec=spec, priority=options.priority, label="Fill a timeline", webhook=options.webhook)


def _label(context: Context, timeline: str) -> str:
    """Names the timeline as the caller does: a file of an upload is called otherwise on the disk."""
    name = timeline
    if timeline.startswith(UPLOAD):
        name = upload_store.Upload.load(context.home, timeline.removeprefix(UPLOAD)).name
    return f"Fill {upload_store.label(name)}"


def _timeline_job(context: Context, job_id: str) -> Job:
    unknown = RetakeError(
        f"There is no timeline job '{job_id}'.",
        "List the jobs of kind timeline to see which there are.",
        kind=ErrorKind.NOT_FOUND,
        code="unknown_timeline",
    )
    try:
        job = records.get(context.database, job_id)
    except RetakeError as error:
        raise unknown if error.code == "unknown_job" else error from error
    if job.kind != "timeline":
        raise unknown
    return job


def _result(context: Context, job: Job) -> tuple[Path, Path]:
    """Where the filled timeline lies, and the folder that it must lie in: the job's own, or the one it was asked to be delivered to."""
    missing = RetakeError("The filled timeline is not there any more.", "Fill it again.", kind=ErrorKind.NOT_FOUND, code="missing_file")
    result = job.result
    shared = artefacts_of(context)
    own = context.home / "results" / job.id
    if result is not None and shared is not None and not own.is_dir():
        try:
            shared.ensure_results(job.id)
        except RetakeError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
        result = shared.local_result(result, job.id)
    if result is None or result.timeline is None:
        raise missing
    path = Path(result.timeline)
    asked = job.spec.output if job.spec.kind == "timeline" else None
    if path.parent == own or own in path.parents:
        return path, own
    if asked is not None and path == Path(asked):
        return path, path.parent
    raise missing
