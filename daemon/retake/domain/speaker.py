"""A speaker: a person who agreed to be reproduced, and what was learnt from the reference video."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .errors import RetakeError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Consent(BaseModel):
    """Who agreed to what, and when. No take is made without one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    statement: str = Field(min_length=1)
    recorded_by: str  # the account that enrolled
    recorded_at: datetime  # UTC
    reference_sha256: str


class Finding(BaseModel):
    """One thing about a reference that could be better, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    message: str
    remedy: str


class Speaker(BaseModel):
    """A stored speaker. Learnt artefacts lie beside this record, each read and written by the stage that owns it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    name: str
    consent: Consent
    created_at: datetime
    product_version: str
    language: str = "en"
    transcript: str  # empty when none was given and none could be made
    transcript_source: str  # "given", "recognised" or "none"
    rate: str  # FrameRate of the normalised reference, as text
    frames: int
    width: int
    height: int
    seconds: float
    channels: int = 1  # of the reference's sound; takes have as many (1 or 2), so that they are as loud as it on every meter
    voice_engine: str
    voice_similarity: float | None  # cosine of generated speech with the reference (see docs/quality.md); None without a voice
    loudness_lufs: float | None
    lag_seconds: float  # picture late by this much against the sound, as estimated; already corrected in the artefacts
    lag_confidence: float
    quality: dict[str, Any] = Field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()
    fingerprint: str = ""  # hash of everything learnt: part of every cache key

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)


def check_name(value: str) -> str:
    """Return `value` if it is a speaker's name, else raise RetakeError. Names are file names: small and plain."""
    if not NAME.fullmatch(value):
        raise RetakeError(
            f"'{value}' cannot be a speaker's name.", "Use lower-case letters, digits, '-' and '_', for example 'anna-k'.", code="bad_name"
        )
    return value
