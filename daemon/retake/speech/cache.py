"""Speech kept by the hash of everything it depends on, so that a line is spoken once."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.speech import Speech
from retake.domain.timing import Phone, Timing, Word
from retake.media.files import atomic, atomic_json, atomic_text

from .retry import Checked

TIMING_FILE = "timing.json"


class SpeechCache:
    """A folder of spoken lines. A damaged entry counts as absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> Speech | None:
        """The speech of that key, or None."""
        found = self.get_checked(key)
        return None if found is None else found[0]

    def get_checked(self, key: str) -> tuple[Speech, Checked | None] | None:
        """The speech and what was found when it was checked (None: it was put here by a version that checked nothing)."""
        meta, sound = self._paths(key)
        if not (meta.is_file() and sound.is_file()):
            return None
        try:
            record = json.loads(meta.read_text("utf-8"))
            samples = load_file(sound)["samples"]
            timing = timing_from_json(record["timing"])
            os.utime(meta)  # lines used longest ago are removed first (jobs.retention)
            speech = Speech(samples.astype(np.float32), int(record["rate"]), timing, str(record["engine"]))
            return speech, _checked(speech, record.get("checked"))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            return None

    def put(self, key: str, speech: Speech, checked: Checked | None = None) -> None:
        """Keep a speech, and what was found when it was checked."""
        self._folder.mkdir(parents=True, exist_ok=True)
        meta, sound = self._paths(key)
        with atomic(sound) as part:
            save_file({"samples": np.ascontiguousarray(speech.samples, np.float32)}, part)
        record: dict[str, Any] = {"rate": speech.rate, "engine": speech.engine, "timing": timing_to_json(speech.timing)}
        if checked is not None:
            record["checked"] = checked.as_json()
        atomic_text(meta, json.dumps(record, ensure_ascii=False))

    def _paths(self, key: str) -> tuple[Path, Path]:
        return self._folder / f"{key}.json", self._folder / f"{key}.safetensors"


def _checked(speech: Speech, record: object) -> Checked | None:
    """What was found; None for a record of another version, whose speech is checked again."""
    if not isinstance(record, dict):
        return None
    try:
        return Checked.from_json(speech, record)
    except (KeyError, TypeError, ValueError):
        return None


def save_timing(folder: Path, timing: Timing) -> None:
    """Keep the timing of a reference's words in a speaker's folder."""
    atomic_json(folder / TIMING_FILE, timing_to_json(timing))


def load_timing(folder: Path) -> Timing:
    """Read what `save_timing` wrote; raises RetakeError when it is missing or damaged."""
    try:
        return timing_from_json(json.loads((folder / TIMING_FILE).read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RetakeError(
            f"The word times of '{folder.name}' cannot be read ({error}).", "Enrol the speaker again.", kind=ErrorKind.ENVIRONMENT, code="bad_timing"
        ) from error


def timing_to_json(timing: Timing) -> dict[str, Any]:
    """The stored form of a timing, as in reports and speaker folders."""
    return asdict(timing) | {"phones": [asdict(phone) for phone in timing.phones], "words": [asdict(word) for word in timing.words]}


def timing_from_json(record: dict[str, Any]) -> Timing:
    """Inverse of `timing_to_json`; raises KeyError, TypeError or ValueError for anything else."""
    phones, words = record["phones"], record["words"]
    if not isinstance(phones, list) or not isinstance(words, list):
        raise TypeError("phones and words are lists")
    confidence = record.get("confidence", 1.0)
    if not isinstance(confidence, int | float):
        raise TypeError("confidence is a number")
    return Timing(tuple(Phone(**p) for p in phones), tuple(Word(**w) for w in words), bool(record.get("exact", True)), float(confidence))
