"""A job: something that was asked of the daemon, its state, how far it is and what came of it."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from .errors import ErrorKind, RetakeError
from .hints import shown
from .take import MOST_HANDLES, TakeRequest


class JobState(StrEnum):
    """Where a job is. `TRANSITIONS` says how it gets from one to another."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


class JobEvent(StrEnum):
    """What moves a job from one state to another."""

    CLAIMED = "claimed"  # a worker has taken it
    SUCCEEDED = "succeeded"
    REFUSED = "refused"  # the input cannot work, or something of ours is wrong: trying again would not help
    WORKER_LOST = "worker_lost"  # its worker died, and there are attempts left
    WORKERS_LOST = "workers_lost"  # its worker died once too often
    INTERRUPTED = "interrupted"  # the daemon was stopped, or died, and goes on with it
    CANCELLED = "cancelled"
    RETRIED = "retried"  # the user wants it again


# Everything that is not in this table is refused.
TRANSITIONS: dict[tuple[JobState, JobEvent], JobState] = {
    (JobState.QUEUED, JobEvent.CLAIMED): JobState.RUNNING,
    (JobState.QUEUED, JobEvent.CANCELLED): JobState.CANCELLED,
    (JobState.QUEUED, JobEvent.WORKERS_LOST): JobState.FAILED,
    (JobState.RUNNING, JobEvent.CLAIMED): JobState.RUNNING,  # by the worker that goes on with it
    (JobState.RUNNING, JobEvent.SUCCEEDED): JobState.SUCCEEDED,
    (JobState.RUNNING, JobEvent.REFUSED): JobState.FAILED,
    (JobState.RUNNING, JobEvent.WORKER_LOST): JobState.QUEUED,
    (JobState.RUNNING, JobEvent.WORKERS_LOST): JobState.FAILED,
    (JobState.RUNNING, JobEvent.INTERRUPTED): JobState.QUEUED,
    (JobState.RUNNING, JobEvent.CANCELLED): JobState.CANCELLED,
    (JobState.FAILED, JobEvent.RETRIED): JobState.QUEUED,
    (JobState.CANCELLED, JobEvent.RETRIED): JobState.QUEUED,
}


def after(state: JobState, event: JobEvent) -> JobState:
    """The state that follows; raises RetakeError (wrong_state) for what cannot happen in `state`."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        possible = ", ".join(sorted(e.value for s, e in TRANSITIONS if s is state)) or "nothing"
        raise RetakeError(f"A job that is {state.value} cannot be {event.value}.", f"Possible: {possible}.", code="wrong_state")
    return following


class Priority(IntEnum):
    """Which jobs go first. Somebody waits for an interactive one."""

    INTERACTIVE = 0
    BATCH = 1
    BACKGROUND = 2


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EnrolSpec(_Spec):
    """Learn a speaker from a reference video. `reference` is a path on the daemon's machine (the API gives that of an upload)."""

    kind: Literal["enrol"] = "enrol"
    reference: str
    name: str
    consent: str
    transcript: str | None = None
    replace: bool = False
    max_seconds: float = Field(default=60.0, gt=0, le=600)
    recorded_by: str = ""


class LineSpec(_Spec):
    """Render one line."""

    kind: Literal["line"] = "line"
    request: TakeRequest
    output: str | None = None  # a clip's path, where it is wanted besides the store


class ScriptSpec(_Spec):
    """Render the lines of a script and a timeline of them."""

    kind: Literal["script"] = "script"
    title: str = ""
    requests: list[TakeRequest] = Field(min_length=1, max_length=10_000)
    output_folder: str | None = None  # None: the job's own folder of results


class TimelineSpec(_Spec):
    """Fill the placeholders of a timeline: OTIO in, OTIO out."""

    kind: Literal["timeline"] = "timeline"
    timeline: str  # path of the .otio
    speaker: str | None = None  # for placeholders that name none
    output: str | None = None  # path of the filled .otio; None: the job's own folder of results
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    conform: Literal["fit", "keep", "ripple"] = "fit"  # how a line and its slot get along, where the line does not say it
    handles: int | None = Field(default=None, ge=0, le=MOST_HANDLES)  # frames; None: as many as dissolves need, and half a second with "keep"
    markers: bool = True  # markers with script text are lines as well
    refill: list[str] = Field(default_factory=list, max_length=10_000)  # ids of the only lines to be filled; empty: all that are not locked
    again: bool = False  # with a seed that none of the line's takes has: one more reading
    strict: bool = False  # one line that cannot be filled fails the job; otherwise that line stays as it is


JobSpec = Annotated[EnrolSpec | LineSpec | ScriptSpec | TimelineSpec, Field(discriminator="kind")]
KINDS = ("enrol", "line", "script", "timeline")


class JobProgress(BaseModel):
    """How far a running job is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str = ""
    fraction: float = Field(default=0.0, ge=0, le=1)  # of the stage
    detail: str = ""
    step: int = 0  # 1.. of `steps`; 0 before the first
    steps: int = 0
    fps: float | None = None  # frames per second in stages that make or read frames
    seconds_left: float | None = None


class JobError(BaseModel):
    """Why a job failed: cause and remedy, and for a worker that died how it died."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    kind: str  # name of an ErrorKind in lower case, or "crash"
    cause: str
    remedy: str
    exit_code: int | None = None  # of the worker; negative: the signal
    log_tail: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, error: RetakeError) -> JobError:
        return cls(code=error.code, kind=error.kind.name.lower(), cause=error.cause, remedy=error.remedy)

    def as_error(self) -> RetakeError:
        kind = ErrorKind.__members__.get(self.kind.upper(), ErrorKind.ENVIRONMENT)
        return RetakeError(self.cause, self.remedy, kind=kind, code=self.code)


class JobResult(BaseModel):
    """What a job made. Paths are absolute."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    takes: list[str] = Field(default_factory=list)  # ids, in the order of the lines
    speaker: str | None = None
    timeline: str | None = None
    files: list[str] = Field(default_factory=list)  # delivered copies
    notes: list[str] = Field(default_factory=list)
    unfilled: int = 0  # lines of a timeline that stay as they are, because they cannot be filled; so many first notes say why


class Job(BaseModel):
    """A job as everybody sees it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: Literal["enrol", "line", "script", "timeline"]
    state: JobState
    priority: Priority
    client: str  # who asked: clients take turns
    label: str  # one line for people
    spec: JobSpec
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt: int = 0  # how often a worker began it
    crashes: int = 0  # how often its worker died since it was asked for
    generation: int = 1  # counts up whenever it is put into the queue anew; only the newest one may write
    rank: int = 0  # its place within its priority; smaller goes first
    cancelling: bool = False  # the user wants it stopped, and its worker has not yet said so
    not_before: datetime | None = None  # a queued job that waits after a crash
    worker: str | None = None
    progress: JobProgress = Field(default_factory=JobProgress)
    result: JobResult | None = None
    error: JobError | None = None
    webhook: str | None = None
    idempotency_key: str | None = None


class Event(BaseModel):
    """Something happened. Ids grow; clients that were away ask for those after the last one they saw."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int
    type: str  # "job.queued", "job.progress", "speaker.deleted", ...
    at: datetime
    job_id: str | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict)


def label_of(spec: JobSpec) -> str:
    """One short line that tells a person what is asked for."""
    if spec.kind == "enrol":
        text = f"Enrol {spec.name}"
    elif spec.kind == "line":
        text = f"{spec.request.speaker}: {' '.join(shown(spec.request.text).split()) or file_name(spec.request.audio or '')}"
    elif spec.kind == "script":
        text = f"{spec.title or 'Script'} ({len(spec.requests)} lines)"
    else:
        text = f"Fill {file_name(spec.timeline)}"
    return text if len(text) <= 120 else text[:119] + "…"


def file_name(path: str) -> str:
    """The last part of a path of any operating system."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def public(job: Job) -> dict[str, Any]:
    """The job as JSON, for events and answers."""
    return job.model_dump(mode="json")
