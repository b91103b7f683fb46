"""The stored takes: `home/takes/ID/`, one folder each. The id follows from what was asked for, so the same request finds its take."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.take import Take, TakeRequest
from retake.media.folders import new_folder, remove_folder, restore

RECORD = "record.json"
_ID = re.compile(r"[0-9a-f]{16}")
# What a request could not say at first. Left as it is by default, it is no part of a take's key.
LATER = ("pace", "handles", "language")


class StoredTake(BaseModel):
    """What `record.json` holds. Paths of files that lie in the take's folder are stored as bare names, so that a home folder can move."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    key: str  # of `request_key`
    created_at: datetime
    take: Take


def request_key(request: TakeRequest, parts: Mapping[str, str]) -> str:
    """SHA-256 (hex) of everything that decides how the take of `request` looks and sounds.

    Args:
        parts: what stands behind the request: the speaker's fingerprint, versions of the engines, the hash of a recording
            ("audio", which then replaces its path) and so on.

    The line's id is left out: the same words asked for by two timelines are one take.
    """
    asked = request.model_dump(mode="json", exclude={"line_id"})
    for name in LATER:
        if asked[name] == TakeRequest.model_fields[name].default:
            del asked[name]  # takes that were made before it could be asked for stay what they are
    if "audio" in parts:
        asked["audio"] = None
    text = json.dumps({"request": asked, "parts": dict(parts)}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def take_id(key: str) -> str:
    """Identifier of the take with that key: its first 16 digits."""
    return key[:16]


def take_folder(home: Path, identifier: str) -> Path:
    """Folder of a take, which need not exist. Raises RetakeError for what cannot be an identifier, so that it never leaves `home`."""
    if not _ID.fullmatch(identifier):
        raise RetakeError(f"'{identifier}' is not a take.", "List the takes with 'retake takes'.", kind=ErrorKind.NOT_FOUND, code="unknown_take")
    return home / "takes" / identifier


@contextmanager
def building(home: Path, key: str) -> Iterator[Path]:
    """Yield an empty folder that becomes the folder of the take with that key when the block ends without an error; the block calls `save` on it.

    Should another process have made the same take meanwhile, its folder stays: somebody may be reading from it.
    """

    def made_elsewhere() -> bool:
        return find(home, key) is not None

    with new_folder(take_folder(home, take_id(key)), unless=made_elsewhere) as folder:
        yield folder
        if not (folder / RECORD).is_file():
            raise ValueError("a take was built without its record")


def save(folder: Path, take: Take, key: str, *, home: Path, created_at: datetime | None = None) -> None:
    """Write the record of `take` into `folder`.

    The take's paths are final ones: in `take_folder(home, take.id)`, or wherever the user wanted them.
    """
    from retake.media.files import atomic_text

    final = take_folder(home, take.id)
    files = {name: (Path(value).name if Path(value).parent == final else value) for name, value in take.files.model_dump().items()}
    stored = StoredTake(
        key=key,
        created_at=created_at or datetime.now(UTC),
        take=take.model_copy(update={"files": take.files.model_copy(update=files), "cached": False}),
    )
    atomic_text(folder / RECORD, stored.model_dump_json(indent=2) + "\n")


def find(home: Path, key: str) -> Take | None:
    """The take that was made for this key, marked as cached, or None if there is none or one of its files has gone."""
    folder = take_folder(home, take_id(key))
    if not restore(folder):
        return None
    try:
        stored = _read(folder)
    except RetakeError:
        return None  # damaged: it is simply rendered again
    if stored.key != key or not all(Path(path).is_file() for path in stored.take.files.model_dump().values()):
        return None
    with contextlib.suppress(OSError):
        os.utime(folder / RECORD)  # takes that nobody asks for any more may be removed (jobs.retention)
    return stored.take.model_copy(update={"cached": True})


def load(home: Path, identifier: str) -> StoredTake:
    """The stored take with that identifier; raises RetakeError for an unknown one."""
    folder = take_folder(home, identifier)
    if not restore(folder) or not (folder / RECORD).is_file():
        raise RetakeError(f"There is no take '{identifier}'.", "List the takes with 'retake takes'.", kind=ErrorKind.NOT_FOUND, code="unknown_take")
    return _read(folder)


def history(home: Path, *, speaker: str | None = None) -> list[StoredTake]:
    """All stored takes, newest first; only those of `speaker` if given. Damaged records are left out: they are rendered again when asked for."""
    root = home / "takes"
    out: list[StoredTake] = []
    if not root.is_dir():
        return out
    for entry in root.iterdir():
        if not _ID.fullmatch(entry.name) or not (entry / RECORD).is_file():
            continue
        try:
            stored = _read(entry)
        except RetakeError:
            continue
        if speaker is None or stored.take.request.speaker == speaker:
            out.append(stored)
    return sorted(out, key=_created, reverse=True)


def delete(home: Path, identifier: str) -> None:
    """Remove a take from the store; copies that were written elsewhere stay."""
    load(home, identifier)
    remove_folder(take_folder(home, identifier))


def _created(stored: StoredTake) -> datetime:
    return stored.created_at


def _read(folder: Path) -> StoredTake:
    path = folder / RECORD
    try:
        stored = StoredTake.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, OSError, UnicodeDecodeError) as error:
        raise RetakeError(
            f"The record of a take cannot be read ({path}).",
            "Delete its folder and render the line again.",
            kind=ErrorKind.ENVIRONMENT,
            code="bad_take_record",
        ) from error
    files = {name: (value if Path(value).is_absolute() else str(folder / value)) for name, value in stored.take.files.model_dump().items()}
    return stored.model_copy(update={"take": stored.take.model_copy(update={"files": stored.take.files.model_copy(update=files)})})
