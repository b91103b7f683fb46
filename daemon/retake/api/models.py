"""What callers send about jobs and what they get. Stricter than the domain's own records: nothing is guessed from another type."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from retake.domain.job import EnrolSpec, Job, JobSpec, JobState, LineSpec, Priority, ScriptSpec, TimelineSpec
from retake.domain.take import MOST_HANDLES, TakeRequest

LARGEST_BATCH = 1000
# No zero characters: PostgreSQL cannot store them.
PLAIN = r"^[^\x00]*$"
# One line of visible characters, for names that people see and logs hold.
ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
SPEAKER = r"^[a-z0-9][a-z0-9_-]{0,62}$"
LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}$"
ENGINE = r"^[a-z0-9][a-z0-9_-]{0,62}$"
JOB_ID = r"^[0-9A-Za-z]{1,64}$"
KEY = r"^[\x21-\x7e]{1,200}$"
CLIENT = r"^[\x21-\x7e]([\x20-\x7e]{0,98}[\x21-\x7e])?$"
_IN = ConfigDict(extra="forbid", frozen=True, strict=True)


def _with_kind(schema: dict[str, Any]) -> None:
    schema["required"] = ["kind", *schema.get("required", [])]  # it has a default where specs are made, but tells them apart where they are read


_SPEC_IN = ConfigDict(extra="forbid", frozen=True, strict=True, json_schema_extra=_with_kind)


def whole(value: object) -> object:
    """JSON knows one kind of number: 25.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _line_id() -> str:
    return uuid.uuid4().hex[:12]


# The bounds come first: behind the conversion they would not be part of the schema.
Side = Annotated[int, Field(ge=64, le=7680), BeforeValidator(whole)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(whole)]
# What stands in a timeline may be any line of visible characters.
LineId = Annotated[str, Field(min_length=1, max_length=64, pattern=ONE_LINE)]
Handles = Annotated[int, Field(ge=0, le=MOST_HANDLES), BeforeValidator(whole)]

InputPath = Annotated[
    str,
    Field(min_length=1, max_length=4096, pattern=PLAIN, description="`upload:ID`, or an absolute path in one of the folders of `server.roots`"),
]
OutputPath = Annotated[str, Field(min_length=1, max_length=4096, pattern=PLAIN, description="absolute, in one of the folders of `server.roots`")]
SpeakerName = Annotated[str, Field(pattern=SPEAKER, examples=["anna"])]
Label = Annotated[str, Field(max_length=200, pattern=ONE_LINE, description="one line for people; made from the job if empty")]
ClientName = Annotated[
    str, Field(pattern=CLIENT, description="whose turn the job takes, instead of the header X-Retake-Client", examples=["blender:demo"])
]
Webhook = Annotated[
    str, Field(max_length=2000, pattern=r"^https?://[\x21-\x7e]+$", description="told when the job is over; a host of `server.webhook_hosts`")
]


class TakeRequestIn(TakeRequest):
    """One line for one speaker. Either `text` is spoken, or the recording `audio` is lip-synced (with `text` as its transcript, if known)."""

    model_config = _IN

    format: Literal[1] = 1  # pyright: ignore[reportIncompatibleVariableOverride] - narrower, and frozen
    speaker: SpeakerName
    text: str = Field(default="", pattern=PLAIN, examples=["We ship on Friday."])
    audio: InputPath | None = None
    fps: str | None = Field(default=None, pattern=r"^[0-9]{1,9}(/[0-9]{1,9}|\.[0-9]{1,9})?$", examples=["30000/1001"])
    style: Literal["neutral", "warm", "brisk", "emphatic"] = "neutral"  # pyright: ignore[reportIncompatibleVariableOverride]
    language: str | None = Field(
        default=None, pattern=LANGUAGE, description="of the text (BCP 47); null: what is noticed, else the speaker's", examples=["de"]
    )
    voice_engine: str = Field(default="embedded", pattern=ENGINE)
    lips_engine: str = Field(default="embedded", pattern=ENGINE)
    width: Side | None = None
    height: Side | None = None
    handles: Handles = 0
    seed: Seed = 0
    # It becomes part of a file's name.
    line_id: str = Field(default_factory=_line_id, pattern=r"^[A-Za-z0-9_.-]{1,64}$", examples=["a1b2c3d4e5f6"])


class EnrolSpecIn(EnrolSpec):
    """Learn a speaker from a reference video. `consent` is the person's statement that they agree."""

    model_config = _SPEC_IN

    reference: InputPath
    name: SpeakerName
    consent: str = Field(max_length=10_000, pattern=PLAIN, examples=["I agree that Retake reproduces my face and voice for our course videos."])
    transcript: str | None = Field(default=None, max_length=100_000, pattern=PLAIN, description="what is said in the reference, if known")
    recorded_by: str = Field(default="", max_length=200, pattern=ONE_LINE)


class LineSpecIn(LineSpec):
    """Render one line."""

    model_config = _SPEC_IN

    request: TakeRequestIn  # pyright: ignore[reportIncompatibleVariableOverride]
    output: OutputPath | None = Field(default=None, description="a clip's path, where it is wanted besides the store")


class ScriptSpecIn(ScriptSpec):
    """Render the lines of a script and a timeline of them."""

    model_config = _SPEC_IN

    title: str = Field(default="", max_length=500, pattern=ONE_LINE)
    requests: list[TakeRequestIn] = Field(min_length=1, max_length=10_000)  # pyright: ignore[reportIncompatibleVariableOverride] - frozen
    output_folder: OutputPath | None = Field(default=None, description="None: the job's own folder of results")


class TimelineSpecIn(TimelineSpec):
    """Fill the placeholders of a timeline: OTIO in, OTIO out."""

    model_config = _SPEC_IN

    timeline: InputPath
    speaker: SpeakerName | None = Field(default=None, description="for placeholders that name none")
    output: OutputPath | None = Field(default=None, description="path of the filled .otio; None: the job's own folder of results")
    seed: Seed = 0
    handles: Handles | None = Field(default=None, description="frames; null: as many as dissolves need, and half a second with conform keep")
    refill: list[LineId] = Field(
        default_factory=list, max_length=10_000, description="ids of the only lines to be filled; empty: all but locked ones"
    )


SpecIn = Annotated[EnrolSpecIn | LineSpecIn | ScriptSpecIn | TimelineSpecIn, Field(discriminator="kind")]

LINE_EXAMPLE = {"spec": {"kind": "line", "request": {"speaker": "anna", "text": "We ship on Friday."}}, "priority": "interactive"}
EXAMPLES: dict[str, Any] = {
    "line": {"summary": "Render a line", "value": LINE_EXAMPLE},
    "enrol": {
        "summary": "Enrol a speaker from an upload",
        "value": {
            "spec": {
                "kind": "enrol",
                "reference": "upload:0d9c3be52f7a4b1e8c6d",
                "name": "anna",
                "consent": "I agree to be reproduced for our course.",
            }
        },
    },
    "script": {
        "summary": "Render a script, after everything that somebody waits for",
        "value": {
            "spec": {
                "kind": "script",
                "title": "Lesson 1",
                "requests": [{"speaker": "anna", "text": "Welcome."}, {"speaker": "ben", "text": "Good to be here.", "fit": 2.5}],
            },
            "priority": "batch",
            "label": "Lesson 1, second draft",
        },
    },
    "timeline": {"summary": "Fill a timeline", "value": {"spec": {"kind": "timeline", "timeline": "/media/edit/cut.otio", "speaker": "anna"}}},
}
BATCH_EXAMPLES: dict[str, Any] = {"lines": {"summary": "Two lines, both or none", "value": {"jobs": [LINE_EXAMPLE, LINE_EXAMPLE]}}}


PriorityName = Literal["interactive", "batch", "background"]


class JobRequest(BaseModel):
    """A job that is asked for."""

    model_config = _IN

    spec: SpecIn
    priority: PriorityName = Field(default="interactive", description="interactive before batch before background")
    label: Label = ""
    client: ClientName | None = None
    webhook: Webhook | None = None

    @property
    def rank(self) -> Priority:
        return Priority[self.priority.upper()]


class BatchRequest(BaseModel):
    """Jobs that are asked for together: all are queued or none."""

    model_config = _IN

    jobs: list[JobRequest] = Field(min_length=1, max_length=LARGEST_BATCH)


class BatchAnswer(BaseModel):
    """The jobs in the order in which they were asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    jobs: list[Job]


class ListedJob(Job):
    """A job in a list. `spec` is left away (null) unless it is asked for: that of a script may be long."""

    spec: JobSpec | None = None  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - only read


class JobPage(BaseModel):
    """Some jobs, newest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    jobs: list[ListedJob]
    next: str | None = Field(description="`cursor` of the next page; null: there is none")
    total: int = Field(description="jobs that match, on all pages")
    counts: dict[JobState, int] = Field(description="all jobs by state, whatever the filter")


class QueueEntry(BaseModel):
    """A waiting job. `position` 1 goes next."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position: int
    id: str
    kind: str
    priority: Priority
    client: str
    label: str
    created_at: datetime
    not_before: datetime | None


class QueueAnswer(BaseModel):
    """The waiting jobs in the order in which they will be begun."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    jobs: list[QueueEntry]
    total: int


class MoveRequest(BaseModel):
    """Where a waiting job shall go: before another one, or behind all of a priority. With neither, behind all of its own."""

    model_config = _IN

    before: str | None = Field(
        default=None, pattern=JOB_ID, examples=["4f0c6e1b7d9a4c52b8f3a1d2e5c60718"], description="id of the waiting job before which it shall go"
    )
    priority: PriorityName | None = None


class LogAnswer(BaseModel):
    """The last lines of a job's log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lines: list[str]
    complete: bool = Field(description="false: there are earlier lines")
