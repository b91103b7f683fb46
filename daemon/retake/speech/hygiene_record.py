"""What enrolment did about a reference's sound, kept beside the voice: for the report, and for whatever compares with the reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retake.domain.speaker import Finding
from retake.media.files import atomic_text

from .voice_store import FOLDER

FILE = "hygiene.json"
REASONS = {"music": "music", "other_voice": "another voice", "noise": "noise", "clipped": "overdriven"}


class LeftOut(BaseModel):
    """A stretch (s) of the reference that is not learnt from, and why: a key of `REASONS`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: float = Field(ge=0)
    end: float
    reason: str


class SoundMeasures(BaseModel):
    """Of the reference's sound as it came. Levels in dB, times in s; None: could not be measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    snr: float
    decay: float | None  # time in which sound dies away by 60 dB
    hum: tuple[float, ...]  # Hz of its lines
    clipped: float  # share of samples
    tones: float  # held tones at a time, most
    speech: float  # s in which somebody talks
    used: float  # s of it that are learnt from
    snr_after: float  # of what is learnt from


class HygieneRecord(BaseModel):
    """`repairs`: one short sentence each. `talking`: stretches of speech. `snr_over_time`: dB, one value for each `snr_step` s."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    measures: SoundMeasures
    left_out: tuple[LeftOut, ...] = ()
    repairs: tuple[str, ...] = ()
    talking: tuple[tuple[float, float], ...] = ()
    snr_step: float = 0.25
    snr_over_time: tuple[float, ...] = ()
    findings: tuple[Finding, ...] = ()
    voice: tuple[float, ...] = ()  # embedding of what was learnt from (`voiceprint.embed`); empty where that is the reference as it is


def save_record(folder: Path, record: HygieneRecord) -> None:
    """Write it into the speaker's `folder`/voice."""
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    atomic_text(place / FILE, record.model_dump_json(indent=1) + "\n")


def load_record(folder: Path) -> HygieneRecord | None:
    """None for speakers that were enrolled before it was kept, and where it cannot be read: then all of the reference counts."""
    try:
        return HygieneRecord.model_validate_json((folder / FOLDER / FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None


def kept_sound(folder: Path, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """The speaker's reference without what was left out (shorter then): what other sound is compared with."""
    record = load_record(folder)
    return samples if record is None else without(samples, rate, record.left_out)


def clean_voice(folder: Path) -> NDArray[np.float32] | None:
    """(256,) the speaker's voice as it was learnt, without noise and other people; None where that is the voice of the reference as it is."""
    record = load_record(folder)
    return np.array(record.voice, np.float32) if record is not None and record.voice else None


def without(samples: NDArray[np.float32], rate: int, left_out: Sequence[LeftOut]) -> NDArray[np.float32]:
    """`samples` with stretches cut out."""
    if not left_out:
        return samples
    keep = np.ones(len(samples), np.bool_)
    for part in left_out:
        keep[max(0, round(part.start * rate)) : round(part.end * rate)] = False
    return samples[keep]
