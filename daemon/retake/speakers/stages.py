"""Finished stages of an enrolment, kept in a folder, so that a later attempt goes on behind them.

Each stage has a folder of its own there, which appears complete or not at all: the files that the stage wrote into the speaker's folder (as hard
links where the disk has them, so they cost no space) and what else it found out. Stages are taken up in their order: behind the first one that is
missing, everything is made anew.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from retake.media.files import atomic_text
from retake.media.folders import new_folder

_KEY = "key.txt"
_RESULT = "result.json"
_ENROLLED = "enrolled.json"
_PREFIX = "stage-"


class Nothing(BaseModel):
    """The result of a stage that leaves files only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Result = TypeVar("Result", bound=BaseModel)


class Stages:
    """The stages of one enrolment.

    Args:
        work: folder in which finished ones are kept; None keeps nothing.
        key: hash of everything that the stages depend on; what was kept under another key is removed.
    """

    def __init__(self, work: Path | None, key: str) -> None:
        self._work = work
        self._going_on = False  # the stages so far were taken up
        if work is None:
            return
        work.mkdir(parents=True, exist_ok=True)
        self._going_on = _text(work / _KEY) == key
        if not self._going_on:
            self.clear()
            atomic_text(work / _KEY, key)

    def do(self, name: str, folder: Path, files: Sequence[str], kind: type[Result], make: Callable[[], Result]) -> Result:
        """The result of a stage: taken up where it was kept, else made and kept.

        Args:
            folder: of the speaker; `files` (or folders) in it are what the stage writes.
            kind: model of the result.
            make: does the stage.
        """
        if self._going_on:
            taken = self._take_up(name, folder, files, kind)
            if taken is not None:
                return taken
            self._going_on = False
        result = make()
        if self._work is not None:
            with new_folder(self._place(self._work, name)) as place:
                for file in files:
                    _link(folder / file, place / file)
                atomic_text(place / _RESULT, result.model_dump_json())
        return result

    def clear(self) -> None:
        """Remove everything that was kept; other files in the folder stay."""
        if self._work is None:
            return
        with contextlib.suppress(FileNotFoundError):
            (self._work / _KEY).unlink()  # without it, what is left after an interruption is never taken up
        for entry in self._work.iterdir():
            if entry.is_dir() and _PREFIX in entry.name:
                shutil.rmtree(entry, ignore_errors=True)

    def _place(self, work: Path, name: str) -> Path:
        return work / f"{_PREFIX}{name}"

    def _take_up(self, name: str, folder: Path, files: Sequence[str], kind: type[Result]) -> Result | None:
        assert self._work is not None
        place = self._place(self._work, name)
        text = _text(place / _RESULT)
        if text is None:
            return None
        try:
            result = kind.model_validate_json(text)
            for file in files:
                _link(place / file, folder / file)
        except (ValidationError, FileNotFoundError):
            return None  # damaged: it is made anew
        return result


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _link(source: Path, target: Path) -> None:
    """Make `target` the same file, or folder of files, as `source`. Files of speakers are replaced and never changed, so both may share one."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for entry in source.iterdir():
            _link(entry, target / entry.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


class Enrolled(BaseModel):
    """That an enrolment came to its end, for an attempt that does not know: the speaker's fingerprint, and the report's lines."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    name: str
    fingerprint: str
    lines: list[str]


def remember(work: Path | None, enrolled: Enrolled) -> None:
    """Leave word in `work`. Written before the speaker appears: without the speaker it means nothing."""
    if work is not None:
        atomic_text(work / _ENROLLED, enrolled.model_dump_json())


def recall(work: Path | None, key: str) -> Enrolled | None:
    """What an earlier attempt with the same key left word of."""
    text = None if work is None else _text(work / _ENROLLED)
    if text is None:
        return None
    try:
        found = Enrolled.model_validate_json(text)
    except ValidationError:
        return None
    return found if found.key == key else None
