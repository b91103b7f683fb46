"""What is asked for (TakeRequest) and what came out (Take). A request holds everything needed to make its take again."""

from __future__ import annotations

import uuid
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .errors import RetakeError
from .language import language_tag
from .rate import FrameRate

MOST_HANDLES = 250  # frames: ten seconds at 25 a second


class TakeRequest(BaseModel):
    """One line for one speaker. Either `text` is spoken, or the recording `audio` is lip-synced (with `text` as its transcript, if known)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    speaker: str
    text: str = ""
    audio: str | None = None  # path of a recorded voice-over
    fps: str | None = None  # FrameRate as text; None: the reference's
    width: int | None = Field(default=None, ge=64, le=7680)
    height: int | None = Field(default=None, ge=64, le=7680)
    fit: float | None = Field(default=None, gt=0, le=3600)  # seconds the take must last, without its handles
    # With "fit" the words are spoken faster or slower to fill their time; with "natural" they keep their pace, and may end in the handle.
    pace: Literal["fit", "natural"] = "fit"
    handles: int = Field(default=0, ge=0, le=MOST_HANDLES)  # frames of quiet, living picture before and behind
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    style: str = "neutral"
    language: str | None = None  # tag of what `text` is written in (domain.language); None: the speaker's, or what an engine notices
    voice_engine: str = "embedded"
    lips_engine: str = "embedded"
    line_id: str = Field(default_factory=lambda: uuid.uuid4().hex[:12])

    @field_validator("fps")
    @classmethod
    def _fps(cls, value: str | None) -> str | None:
        return None if value is None else str(FrameRate.parse(value))

    @field_validator("language")
    @classmethod
    def _language(cls, value: str | None) -> str | None:
        return None if value is None else language_tag(value)

    @model_validator(mode="after")
    def _size(self) -> TakeRequest:
        if (self.width is None) != (self.height is None):
            raise RetakeError("Width and height go together.", "Give both, for example 1920x1080.", code="bad_size")
        if self.width is not None and self.height is not None and (self.width % 2 or self.height % 2):
            raise RetakeError(
                f"{self.width}x{self.height} has an odd side.", "H.264 in 4:2:0 needs even sides; add or remove a pixel.", code="bad_size"
            )
        return self


class TakeFiles(BaseModel):
    """Paths of everything a take consists of, absolute."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip: str
    timeline: str
    captions: str
    report: str
    poster: str


class Take(BaseModel):
    """A finished take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    request: TakeRequest
    files: TakeFiles
    frames: int  # all of them, with the handles
    rate: str
    width: int
    height: int
    sha256: str  # of the clip
    measured: dict[str, Any] = Field(default_factory=dict)
    cached: bool = False  # True when it had been rendered before

    @property
    def handles(self) -> int:
        """Frames before and behind those that a timeline shows."""
        return self.request.handles

    @property
    def slot(self) -> int:
        """Frames without the handles: what a timeline shows, from frame number `handles` on."""
        return self.frames - 2 * self.request.handles
