"""What belongs to a shared speaker, take or result: names, sizes and hashes, written last and checked by whoever fetches it."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.fingerprint import fingerprint
from retake.media.files import sha256

LARGEST = 64 * 1024 * 1024  # bytes of a manifest, and of a document whose paths are rewritten
# Stands for the home folder of whoever fetches it, in documents that name files of the one who made them.
HOME_MARK = "retake-home:"
DOCUMENTS = frozenset({".otio", ".json"})
_VERSION = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
# Names that Windows keeps for itself, and characters that it or a shell takes for something else.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\/]')


class Entry(BaseModel):
    """One file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str  # path within the folder, with slashes
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)


class Manifest(BaseModel):
    """The files of one thing, which lie beside the manifest in a folder called `version`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    version: str
    created_at: datetime  # of the thing
    fingerprint: str = ""  # of a speaker
    earlier: tuple[str, ...] = ()  # fingerprints of the speakers that this one replaced
    entries: tuple[Entry, ...] = Field(max_length=100_000)

    @field_validator("version")
    @classmethod
    def _version(cls, value: str) -> str:
        if not _VERSION.fullmatch(value):
            raise ValueError("not a version")
        return value

    @field_validator("entries")
    @classmethod
    def _entries(cls, value: tuple[Entry, ...]) -> tuple[Entry, ...]:
        names = {entry.name.casefold() for entry in value}
        if len(names) != len(value):
            raise ValueError("a name is there twice")
        return value

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.entries)

    def hash_of(self, name: str) -> str | None:
        return next((entry.sha256 for entry in self.entries if entry.name == name), None)


class Tombstone(BaseModel):
    """Says that something was deleted, so that machines that have a copy remove theirs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    deleted_at: datetime
    fingerprints: tuple[str, ...] = ()


def check_name(value: str) -> str:
    """`value` if it is the plain path of a file below a folder; raises ValueError. A manifest may come from a store that others write to."""
    parts = value.split("/")
    plain = all(
        part and not part.startswith(".") and part[-1] not in ". " and not _UNSAFE.search(part) and not _RESERVED.fullmatch(part) for part in parts
    )
    if not plain or len(parts) > 6 or len(value.encode()) > 500:
        raise ValueError("not the name of a file in a folder")
    return value


def new_version() -> str:
    """Name of a new folder of files; sorts by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def version_time(version: str) -> datetime | None:
    """When a folder of files was begun; None for what is no such folder."""
    return datetime.strptime(version[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) if _VERSION.fullmatch(version) else None


def parse(model: type[Any], data: bytes, what: str) -> Any:
    """A manifest or tombstone from its JSON; raises RetakeError (bad_artefact)."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise damaged(what, "its list of files cannot be read") from error


def damaged(what: str, why: str) -> RetakeError:
    return RetakeError(
        f"The shared copy of {what} cannot be used: {why}.",
        "Delete it and make it again, and check who may write to the shared artefacts.",
        kind=ErrorKind.ENVIRONMENT,
        code="bad_artefact",
    )


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Names and paths of the files below `folder`, sorted; hidden ones and links are no part of what is shared."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent) / name
            if not name.startswith(".") and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path


def speaker_fingerprint(entries: tuple[Entry, ...]) -> str:
    """The fingerprint that a speaker with these files has (as `speakers.enrol` makes it): all that was learnt, without record and page."""
    learnt = [(PurePosixPath(entry.name), entry.sha256) for entry in entries if entry.name != "speaker.json" and not entry.name.endswith(".html")]
    return fingerprint([(path.as_posix(), digest) for path, digest in sorted(learnt)])[:32]


def entry_of(name: str, path: Path) -> Entry:
    """The entry of a file; raises RetakeError (bad_name_to_share) for a name that not every system can have."""
    try:
        return Entry(name=name, size=path.stat().st_size, sha256=sha256(path))
    except ValidationError as error:
        raise RetakeError(f"A file called '{name}' cannot be shared.", "Give it a plain name.", code="bad_name_to_share") from error


def portable(data: bytes, home: Path) -> bytes:
    """A JSON document with paths below `home` written so that another machine can put its own home there; other documents as they are."""
    starts = tuple({home.as_posix().rstrip("/") + "/", str(home).rstrip("/\\") + os.sep})
    return _rewritten(data, starts, lambda rest: f"{HOME_MARK}/{rest.replace(os.sep, '/')}")


def at_home(data: bytes, home: Path) -> bytes:
    """Inverse of `portable`."""
    return _rewritten(data, (f"{HOME_MARK}/",), lambda rest: f"{home.as_posix().rstrip('/')}/{rest}" if ".." not in rest.split("/") else "")


def _rewritten(data: bytes, starts: tuple[str, ...], replace: Any) -> bytes:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return data
    changed = False

    def walk(part: Any) -> Any:
        nonlocal changed
        if isinstance(part, dict):
            return {name: walk(value) for name, value in part.items()}
        if isinstance(part, list):
            return [walk(value) for value in part]
        if isinstance(part, str):
            for start in starts:
                if part.startswith(start):
                    changed = True
                    return replace(part[len(start) :])
        return part

    result = walk(value)
    return (json.dumps(result, ensure_ascii=False, indent=2) + "\n").encode() if changed else data
