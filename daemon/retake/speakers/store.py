"""The stored speakers: `home/speakers/NAME/`, one folder each (its content: docs/architecture.md)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.speaker import NAME, Speaker, check_name
from retake.media.folders import new_folder, remove_folder, restore

RECORD = "speaker.json"
FORMAT = 1
# Device names that Windows keeps for itself in every folder; refused everywhere, so that a home folder can move between systems.
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))})


def speaker_folder(home: Path, name: str) -> Path:
    """Folder of the speaker `name`, which need not exist. Raises RetakeError for what cannot be a name, so that it never leaves `home`."""
    check_name(name)
    if name in _DEVICES:
        raise RetakeError(f"'{name}' cannot be a speaker's name: Windows reserves it.", "Choose another name.", code="bad_name")
    return home / "speakers" / name


def speech_folder(home: Path, name: str) -> Path:
    """Folder of what was spoken in the voice of `name` and is kept to be quicker; it goes when the speaker goes."""
    check_name(name)
    return home / "cache" / "speech" / name


def exists(home: Path, name: str) -> bool:
    """Whether a complete speaker of that name is stored."""
    folder = speaker_folder(home, name)
    return restore(folder) and (folder / RECORD).is_file()


def names(home: Path) -> list[str]:
    """Names of the stored speakers, sorted."""
    root = home / "speakers"
    if not root.is_dir():
        return []
    return sorted(entry.name for entry in root.iterdir() if NAME.fullmatch(entry.name) and (entry / RECORD).is_file())


def list_speakers(home: Path) -> list[Speaker]:
    """All stored speakers by name. Raises RetakeError for a record that cannot be read."""
    return [load(home, name) for name in names(home)]


def load(home: Path, name: str) -> Speaker:
    """Record of the speaker `name`; an unknown one raises RetakeError that lists the known ones."""
    path = require(home, name) / RECORD
    try:
        return Speaker.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, OSError, UnicodeDecodeError) as error:
        raise RetakeError(
            f"The record of speaker '{name}' cannot be read ({path}).",
            "It is damaged or was written by a newer version: enrol the speaker again with --replace, or update Retake.",
            kind=ErrorKind.ENVIRONMENT,
            code="bad_speaker_record",
        ) from error


@contextmanager
def building(home: Path, name: str, *, replace: bool = False) -> Iterator[Path]:
    """Yield an empty folder that becomes the speaker's when the block ends without an error.

    An existing speaker of that name raises RetakeError unless `replace`, and then stays usable until the new one is complete.
    The block must have called `save` on the folder.
    """
    target = speaker_folder(home, name)
    if not replace:
        refuse_existing(home, name)
    with new_folder(target) as folder:
        yield folder
        if not (folder / RECORD).is_file():
            raise ValueError("a speaker was built without its record")
    shutil.rmtree(speech_folder(home, name), ignore_errors=True)  # of the voice that was replaced


def refuse_existing(home: Path, name: str) -> None:
    """Raise RetakeError if a speaker of that name is stored; called early, before minutes of work."""
    if exists(home, name):
        raise RetakeError(f"There is a speaker '{name}' already.", "Choose another name, or replace it with --replace.", code="speaker_exists")


def save(folder: Path, speaker: Speaker) -> None:
    """Write the record into `folder` (from `building`, or of a stored speaker), complete or not at all."""
    from retake.media.files import atomic_text

    atomic_text(folder / RECORD, speaker.model_dump_json(indent=2) + "\n")


def delete(home: Path, name: str) -> None:
    """Remove the speaker, everything learnt from the reference and the cached speech. Takes made earlier stay."""
    folder = require(home, name)
    if folder.is_symlink():
        raise RetakeError(
            f"{folder} is a link, not a speaker's folder.", "Remove the link by hand.", kind=ErrorKind.ENVIRONMENT, code="speaker_is_link"
        )
    try:
        remove_folder(folder)
        shutil.rmtree(speech_folder(home, name), ignore_errors=True)
    except OSError as error:
        raise RetakeError(
            f"The speaker '{name}' cannot be removed ({error.strerror or error}).",
            f"Close programs that use {folder} and check its permissions.",
            kind=ErrorKind.ENVIRONMENT,
            code="not_writable",
        ) from error


def stored_bytes(home: Path, name: str) -> int:
    """Space that the speaker takes on the disk."""
    return sum(path.stat().st_size for path in require(home, name).rglob("*") if path.is_file())


def require(home: Path, name: str) -> Path:
    """Folder of the stored speaker `name`; an unknown one raises RetakeError that lists the known ones."""
    if not exists(home, name):
        known = names(home)
        remedy = f"Known speakers: {', '.join(known)}." if known else "No speaker is enrolled yet: see 'retake enrol --help'."
        raise RetakeError(f"There is no speaker '{name}'.", remedy, kind=ErrorKind.NOT_FOUND, code="unknown_speaker")
    return speaker_folder(home, name)
