"""Speakers: enrol one from an upload, see how good the reference was, delete one with everything that was learnt of the person."""

from __future__ import annotations

import contextlib
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field

from retake.api import jobs as job_routes
from retake.api import takes as take_routes
from retake.api import upload_store
from retake.api.context import Context, InContext
from retake.api.errors import documented
from retake.api.models import PLAIN, SPEAKER, ClientName, EnrolSpecIn, JobRequest, Label, PriorityName, Webhook
from retake.api.paths import open_regular
from retake.api.ranges import OpenFile
from retake.api.shared import artefacts_of
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import Job, JobState, label_of
from retake.domain.speaker import Speaker
from retake.jobs import queue, records
from retake.jobs.events import announce
from retake.jobs.tables import jobs
from retake.media.folders import BUILDING, REPLACED
from retake.speakers import store

router = APIRouter(prefix="/speakers", tags=["speakers"])

# What may be wrong with a speaker that is named, and with the place where machines share speakers.
_NAMED = ("unknown_speaker", "bad_name", "bad_speaker_record", "artefacts_unreachable", "artefacts_denied", "bad_artefact")
# A running render stops within two seconds of being told.
PATIENCE = 5.0
STALE_SECONDS = 3600.0
_POSTERS = {"poster.png": "image/png", "poster.jpg": "image/jpeg"}
# The page holds its pictures and styles in itself; it may load, run and be framed by nothing.
_PAGE = {"Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"}
SpeakerName = Annotated[str, PathParameter(pattern=SPEAKER, description="a speaker's name", examples=["anna"])]


class SpeakerRequest(EnrolSpecIn):
    """A person to be enrolled. `consent` is their own statement that they agree; without one nothing is looked at."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "anna",
                    "reference": "upload:8d3f0c5b1a7e4f6290b1c2d3e4f5a6b7",
                    "consent": "I, Anna K., agree that Retake may reproduce my face and voice for our training videos.",
                    "transcript": "Hello, my name is Anna. Today I show you how we plan a week.",
                }
            ]
        }
    )

    consent: str = Field(
        default="", max_length=10_000, pattern=PLAIN, description="the person's statement that they agree; without it the call is refused (403)"
    )
    priority: PriorityName = "interactive"
    label: Label = ""
    client: ClientName | None = None
    webhook: Webhook | None = None


class SpeakerView(BaseModel):
    """A stored speaker with the figures of their reference (docs/quality.md)."""

    model_config = ConfigDict(extra="forbid")

    speaker: Speaker
    bytes: int = Field(description="space on the disk, without takes")
    report: str | None = Field(description="address of the quality report, a page for people", examples=["/v1/speakers/anna/report"])
    poster: str | None = Field(description="address of a picture, if there is one")


class SpeakerSummary(BaseModel):
    """A speaker in a list. Of one whose record is damaged, `problem` says what is wrong; of one that is not here, only the name is known."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "anna",
                    "created_at": "2026-11-23T12:00:00Z",
                    "language": "en",
                    "rate": "25",
                    "width": 1280,
                    "height": 720,
                    "seconds": 21.4,
                    "voice_engine": "embedded",
                    "voice_similarity": 0.81,
                    "warnings": 1,
                    "problem": None,
                    "here": True,
                }
            ]
        },
    )

    name: str
    created_at: datetime | None = None
    language: str | None = None
    rate: str | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    voice_engine: str | None = None
    voice_similarity: float | None = None
    warnings: int = 0
    problem: str | None = None
    here: bool = Field(default=True, description="false: another machine has learnt it; it is fetched when it is needed")


class SpeakerList(BaseModel):
    """All speakers by name."""

    speakers: list[SpeakerSummary]


class Deletion(BaseModel):
    """What was deleted with a speaker."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"speaker": "anna", "cancelled_jobs": ["4f0c6e1b7d9a4c52"], "takes": [], "uploads": ["8d3f0c5b"], "notes": []}]
        },
    )

    speaker: str
    cancelled_jobs: list[str] = Field(description="jobs for this speaker that waited or ran")
    takes: list[str] = Field(description="takes that were deleted, if that was asked for")
    uploads: list[str] = Field(description="uploads from which the speaker was learnt")
    notes: list[str] = Field(description="what is left, and why")


@router.post(
    "",
    status_code=201,
    response_model=Job,
    responses={200: {"model": Job, "description": "The same was asked for before with this Idempotency-Key; this is that job."}}
    | documented("consent_missing", *job_routes.ERRORS_OF_SPECS, body=True),
)
def enrol(context: InContext, body: SpeakerRequest, key: job_routes.IdempotencyKey = None, client: job_routes.ClientHeader = None) -> Response:
    """Enrol a speaker from a reference video: the answer is the job that does it.

    A person is only enrolled with a statement of their consent, which is stored with the speaker and named in every take.
    """
    refuse_without_consent(body.consent)
    spec = EnrolSpecIn.model_validate(body.model_dump(include=set(EnrolSpecIn.model_fields)))
    request = JobRequest(spec=spec, priority=body.priority, label=body.label or label_of(spec), client=body.client, webhook=body.webhook)
    return job_routes.create_job(context, request, key, client)


@router.get("", responses=documented("artefacts_unreachable", "artefacts_denied"), response_model=SpeakerList)
def list_speakers(context: InContext) -> SpeakerList:
    """All speakers that takes can be made of."""
    here = store.names(context.home)
    shared = artefacts_of(context)
    elsewhere = set(shared.known_speakers()) - set(here) if shared is not None else set()
    summaries = [_summary(context.home, name) for name in here] + [SpeakerSummary(name=name, here=False) for name in elsewhere]
    return SpeakerList(speakers=sorted(summaries, key=_name))


@router.get("/{name}", responses=documented(*_NAMED), response_model=SpeakerView)
def get_speaker(context: InContext, name: SpeakerName) -> SpeakerView:
    """A speaker: the consent, what was learnt, the figures of the reference and what could be better."""
    folder = _folder(context, name)
    speaker = store.load(context.home, name)
    poster = next((file for file in _POSTERS if (folder / file).is_file()), None)
    return SpeakerView(
        speaker=speaker,
        bytes=store.stored_bytes(context.home, name),
        report=f"/v1/speakers/{name}/report" if (folder / "report.html").is_file() else None,
        poster=f"/v1/speakers/{name}/poster" if poster else None,
    )


def _answers(kind: str, *codes: str) -> dict[int | str, dict[str, Any]]:
    content = {kind: {"schema": {"type": "string"} if kind.startswith("text/") else {"type": "string", "format": "binary"}}}
    return documented(*_NAMED, "bad_range", *codes) | {
        200: {"description": "The whole file.", "content": content},
        206: {"description": "The range that was asked for (header Range; one range).", "content": content},
        304: {"description": "The caller has it (If-None-Match)."},
    }


@router.get("/{name}/report", responses=_answers("text/html", "missing_file"), response_class=Response)
def report(context: InContext, name: SpeakerName) -> Response:
    """The quality report of the reference: a page for people that needs nothing else."""
    return _file(context, name, "report.html", "text/html; charset=utf-8", _PAGE)


@router.get("/{name}/poster", responses=_answers("image/png", "no_poster"), response_class=Response)
def poster(context: InContext, name: SpeakerName) -> Response:
    """A picture of the speaker."""
    folder = _folder(context, name)
    for file, kind in _POSTERS.items():
        if (folder / file).is_file():
            return _file(context, name, file, kind, {})
    raise RetakeError(f"There is no picture of '{name}'.", "See the report.", kind=ErrorKind.NOT_FOUND, code="no_poster")


@router.delete("/{name}", responses=documented(*_NAMED, "not_writable", "speaker_is_link"), response_model=Deletion)
def delete(
    context: InContext, name: SpeakerName, takes: Annotated[bool, Query(description="also the takes that were made of this speaker")] = False
) -> Deletion:
    """Delete a speaker with all that was learnt: face, voice, movement, cached speech, and the uploads it was learnt from.

    Jobs for this speaker are cancelled, and those that enrolled them are forgotten. Takes stay unless `takes` is true; copies that were delivered
    to other folders always stay.
    """
    _folder(context, name)
    cancelled, running = _cancel_jobs(context, name)
    notes = [f"The job {job_id} is still stopping." for job_id in running]
    reference = _reference_of(context.home, name)
    shared = artefacts_of(context)
    if shared is not None:
        shared.delete_speaker(name)
    store.delete(context.home, name)
    _sweep(context.home, name)
    uploads, kept = _delete_uploads(context, name, reference)
    notes += [f"The upload {identifier} stays: another job needs it." for identifier in kept]
    for job in _jobs_of(context, name):
        if job.kind == "enrol" and job.state.over:  # it holds the words of the consent and of the reference
            with contextlib.suppress(RetakeError):  # retried or forgotten since
                queue.forget(context.database, job.id)
    deleted: list[str] = []
    if takes:
        deleted = _delete_takes(context, name)
        _delete_results(context, name)
    announce(context.database, "speaker.deleted", {"name": name, "takes": deleted})
    return Deletion(speaker=name, cancelled_jobs=cancelled, takes=deleted, uploads=uploads, notes=notes)


def refuse_without_consent(statement: str) -> None:
    """Raise RetakeError (consent_missing) before a file is opened or a name looked up."""
    if not statement.strip():
        raise RetakeError(
            "A person is only enrolled with a statement of their consent.",
            "Give it in their words, for example 'I, Anna K., agree that Retake may speak in my voice for our training videos.'",
            kind=ErrorKind.REFUSED,
            code="consent_missing",
        )


def _folder(context: Context, name: str) -> Path:
    """The speaker's folder, fetched from where machines share speakers if it is not here. Raises RetakeError (unknown_speaker)."""
    shared = artefacts_of(context)
    return store.require(context.home, name) if shared is None else shared.ensure_speaker(name)


def _name(summary: SpeakerSummary) -> str:
    return summary.name


def _summary(home: Path, name: str) -> SpeakerSummary:
    try:
        speaker = store.load(home, name)
    except RetakeError as error:
        return SpeakerSummary(name=name, problem=f"{error.cause} {error.remedy}")
    return SpeakerSummary(
        name=name,
        created_at=speaker.created_at,
        language=speaker.language,
        rate=speaker.rate,
        width=speaker.width,
        height=speaker.height,
        seconds=speaker.seconds,
        voice_engine=speaker.voice_engine,
        voice_similarity=speaker.voice_similarity,
        warnings=len(speaker.warnings),
    )


def _file(context: Context, name: str, file: str, kind: str, headers: dict[str, str]) -> Response:
    folder = _folder(context, name)
    opened = open_regular(folder / file, folder)
    fingerprint = store.load(context.home, name).fingerprint
    return OpenFile(opened, etag=f"{fingerprint[:32]}-{file}", media_type=kind, name=f"{name}-{file}", headers=headers)


def _jobs_of(context: Context, name: str, *states: JobState) -> list[Job]:
    out: list[Job] = []
    before: int | None = None
    while True:
        page = records.find(context.database, records.Filter(states=states, speaker=name), limit=records.LARGEST_PAGE, before=before)
        out += page.jobs
        before = page.next
        if before is None:
            return out


def _cancel_jobs(context: Context, name: str) -> tuple[list[str], list[str]]:
    """Cancel the jobs that need this speaker or make them anew; returns their ids, and those of jobs that have not stopped yet."""
    cancelled = [job.id for job in _jobs_of(context, name, JobState.QUEUED, JobState.RUNNING)]
    for job_id in cancelled:
        with contextlib.suppress(RetakeError):  # over and forgotten since
            queue.cancel(context.database, job_id)
    running = cancelled
    until = time.monotonic() + PATIENCE
    while True:
        running = [job_id for job_id in running if _runs(context, job_id)]
        if not running or time.monotonic() > until:
            return cancelled, running
        time.sleep(0.1)


def _runs(context: Context, job_id: str) -> bool:
    query = sa.select(jobs.c.state).where(jobs.c.id == job_id)
    with context.database.reading() as connection:
        return connection.execute(query).scalar() == JobState.RUNNING.value


def _sweep(home: Path, name: str) -> None:
    """Remove what killed processes left of this speaker: half-made folders, and ones that were set aside."""
    before = time.time() - STALE_SECONDS
    for folder in (home / "speakers").iterdir():
        left = folder.name.startswith(f"{REPLACED}{name}-") and len(folder.name) == len(f"{REPLACED}{name}-") + 8
        half = folder.name.startswith(f"{BUILDING}{name}-") and len(folder.name) == len(f"{BUILDING}{name}-") + 8
        with contextlib.suppress(OSError):
            if left or (half and folder.stat().st_mtime < before):
                shutil.rmtree(folder, ignore_errors=True)


def _reference_of(home: Path, name: str) -> str:
    """SHA-256 of the file that the speaker was learnt from; empty if the record cannot be read."""
    try:
        return store.load(home, name).consent.reference_sha256
    except RetakeError:
        return ""


def _delete_uploads(context: Context, name: str, reference: str) -> tuple[list[str], list[str]]:
    """Delete the uploads from which this speaker was learnt: those that its jobs name, and any with the same content as its reference.

    Returns those that went and those that jobs for others need.
    """
    query = sa.select(sa.cast(jobs.c.spec, sa.Text)).where(jobs.c.kind == "enrol", jobs.c.search.contains(f"\n@{name}\n", autoescape=True))
    with context.database.reading() as connection:
        specs = connection.execute(query).scalars().all()
    contents = {reference, *(digest for spec in specs for digest in upload_store.contents_in(spec))} - {""}
    named = {identifier for spec in specs for identifier in upload_store.named_in(spec)}
    named |= {upload.id for upload in upload_store.stored(context.home) if upload.sha256 in contents}
    for digest in contents:  # fetched from where machines share what jobs need
        for path in (context.home / "inputs").glob(f"{digest}*"):
            path.unlink(missing_ok=True)
    needed = upload_store.needed(context.database)
    gone: list[str] = []
    for identifier in sorted(named - needed):
        with contextlib.suppress(RetakeError):  # expired
            upload_store.delete(context.home, identifier)
            gone.append(identifier)
    return gone, sorted(named & needed)


def _delete_takes(context: Context, name: str) -> list[str]:
    gone: list[str] = []
    for take in take_routes.takes_of(context.home, name):
        with contextlib.suppress(RetakeError):  # somebody else deleted it
            take_routes.remove(context, take)
            gone.append(take.id)
    return gone


def _delete_results(context: Context, name: str) -> None:
    """Delete the folders of results of jobs for this speaker: they hold copies of takes."""
    shared = artefacts_of(context)
    for job in _jobs_of(context, name):
        shutil.rmtree(context.home / "results" / job.id, ignore_errors=True)
        if shared is not None:
            shared.delete_results(job.id)
