"""Uploads on disk: `home/uploads/ID/` holds `upload.json`, and `part` while bytes arrive or `content.SUFFIX` once they are checked.

How many bytes have arrived is the size of `part`, so that a daemon that was killed goes on where it stood. Names that callers give are labels and
never become paths.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
import uuid
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from retake.api.errors import Problem
from retake.api.sniff import sniff
from retake.domain.errors import ErrorKind, RetakeError
from retake.jobs.database import Database
from retake.jobs.queue import ACTIVE
from retake.jobs.tables import jobs
from retake.media.files import atomic_text, check_space, sha256
from retake.media.folders import new_folder, remove_folder

RECORD = "upload.json"
PART = "part"
# Uploads that are begun and not finished. An editor sends a handful; more of them are a client gone wrong, or worse.
MOST_UNFINISHED = 64
# Left free on the disk for takes and the database.
RESERVE = 256 * 1024**2
LONGEST_NAME = 120
_ID = re.compile(r"[0-9a-f]{32}")
_IN_A_SPEC = re.compile(r"uploads[\\/]+([0-9a-f]{32})")
_CONTENT_IN_A_SPEC = re.compile(r"artefact:([0-9a-f]{64})")


class Upload(BaseModel):
    """What is known of an upload. `kind` and `suffix` are found out when all `size` bytes have arrived."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str  # a label for people
    size: int  # bytes
    sha256: str | None = None  # as announced; of the content once it is finished
    created_at: datetime
    finished_at: datetime | None = None
    kind: str | None = None  # see sniff.Kind
    suffix: str = ""

    @classmethod
    def load(cls, home: Path, identifier: str) -> Upload:
        """Raises RetakeError (unknown_upload)."""
        folder = upload_folder(home, identifier)
        try:
            return cls.model_validate_json((folder / RECORD).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise unknown(identifier) from error

    def save(self, folder: Path) -> None:
        atomic_text(folder / RECORD, self.model_dump_json(indent=2) + "\n")


def unknown(identifier: str) -> RetakeError:
    return RetakeError(
        f"There is no upload '{label(identifier)}'.", "It may have expired; upload the file again.", kind=ErrorKind.NOT_FOUND, code="unknown_upload"
    )


def label(name: str) -> str:
    """A caller's name for a file, fit to be shown: its last part, on one line, not endless."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", "", last).strip()
    return text[:LONGEST_NAME] or "unnamed"


def upload_folder(home: Path, identifier: str) -> Path:
    """Folder of an upload, which need not exist. Raises RetakeError (unknown_upload) for what cannot be an identifier."""
    if not _ID.fullmatch(identifier):
        raise unknown(identifier)
    return home / "uploads" / identifier


def upload_path(home: Path, identifier: str) -> Path:
    """The checked content of a finished upload. Raises RetakeError (unknown_upload, upload_unfinished)."""
    upload = Upload.load(home, identifier)
    if upload.finished_at is None:
        raise Problem(
            "upload_unfinished",
            f"The upload '{upload.name}' is not complete ({offset(home, identifier)} of {upload.size} bytes).",
            "Send the rest first.",
        )
    path = upload_folder(home, identifier) / f"content{upload.suffix}"
    if not path.is_file():
        raise unknown(identifier)
    return path


def offset(home: Path, identifier: str) -> int:
    """How many bytes have arrived."""
    path = _data(upload_folder(home, identifier))
    return 0 if path is None else path.stat().st_size


def stored(home: Path) -> list[Upload]:
    """All uploads, newest first; damaged ones are left out."""
    root = home / "uploads"
    out: list[Upload] = []
    for entry in root.iterdir() if root.is_dir() else ():
        if _ID.fullmatch(entry.name):
            with contextlib.suppress(RetakeError):
                out.append(Upload.load(home, entry.name))
    return sorted(out, key=_created, reverse=True)


def create(home: Path, name: str, size: int, digest: str | None = None, *, most_bytes: int) -> Upload:
    """Begin an upload.

    Args:
        size: bytes that will arrive.
        digest: SHA-256 of them in hex, if known.
        most_bytes: `limits.upload_bytes`.

    Raises RetakeError: upload_too_large, too_many_uploads, disk_full.
    """
    if size > most_bytes:
        raise too_large(most_bytes)
    unfinished = [upload for upload in stored(home) if upload.finished_at is None]
    if len(unfinished) >= MOST_UNFINISHED:
        raise Problem("too_many_uploads", f"{len(unfinished)} uploads are not complete.", headers={"Retry-After": "60"})
    promised = sum(max(0, upload.size - offset(home, upload.id)) for upload in unfinished)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_space(home, size + promised + RESERVE)
    upload = Upload(id=uuid.uuid4().hex, name=label(name), size=size, sha256=digest, created_at=datetime.now(UTC))
    with new_folder(upload_folder(home, upload.id)) as folder:
        (folder / PART).touch(mode=0o600)
        upload.save(folder)
    return upload


def keep(home: Path, name: str, data: bytes, *, most_bytes: int) -> Upload:
    """Keep `data` as a finished upload. The same data is the same upload, so that asking again asks for the same.

    Raises RetakeError as `create` and `sniff.sniff` do.
    """
    digest = hashlib.sha256(data).hexdigest()
    identifier = digest[:32]
    if len(data) > most_bytes:
        raise too_large(most_bytes)
    with contextlib.suppress(RetakeError):
        os.utime(upload_path(home, identifier))  # it is needed anew
        return Upload.load(home, identifier)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_space(home, len(data) + RESERVE)
    with new_folder(upload_folder(home, identifier)) as folder:
        (folder / PART).write_bytes(data)
        begun = Upload(id=identifier, name=label(name), size=len(data), sha256=digest, created_at=datetime.now(UTC))
        return _checked(folder, begun)


def finish(home: Path, identifier: str) -> Upload:
    """Check that everything has arrived as announced and what it is. To be called while holding `writing`.

    Raises RetakeError: upload_unfinished; upload_corrupt and those of `sniff.sniff`, after which the upload is gone.
    """
    upload = Upload.load(home, identifier)
    if upload.finished_at is not None:
        return upload
    if offset(home, identifier) != upload.size:
        upload_path(home, identifier)  # says how much is missing
    try:
        return _checked(upload_folder(home, identifier), upload)
    except RetakeError as error:
        if error.kind is not ErrorKind.ENVIRONMENT:
            remove_folder(upload_folder(home, identifier))
        raise


def delete(home: Path, identifier: str) -> None:
    """Remove an upload. Raises RetakeError (unknown_upload, upload_busy)."""
    Upload.load(home, identifier)
    with writing(home, identifier):
        if upload_folder(home, identifier).is_dir():
            remove_folder(upload_folder(home, identifier))
    _lock_file(home, identifier).unlink(missing_ok=True)


def expire(home: Path, seconds: float, *, needed: Collection[str] = ()) -> list[str]:
    """Remove uploads to which nothing came for `seconds` and that are not in `needed`; returns what was removed."""
    removed: list[str] = []
    before = time.time() - seconds
    for upload in stored(home):
        with contextlib.suppress(RetakeError, OSError):  # busy, or just removed by its owner
            data = _data(upload_folder(home, upload.id))
            last = upload.created_at.timestamp() if data is None else data.stat().st_mtime
            if last < before and upload.id not in needed:
                delete(home, upload.id)
                removed.append(upload.id)
    return removed


def needed(database: Database) -> set[str]:
    """Identifiers of the uploads that waiting and running jobs name."""
    query = sa.select(sa.cast(jobs.c.spec, sa.Text)).where(jobs.c.state.in_(ACTIVE), sa.cast(jobs.c.spec, sa.Text).contains("uploads"))
    with database.reading() as connection:
        return {identifier for spec in connection.execute(query).scalars() for identifier in named_in(spec)}


def named_in(spec: str) -> set[str]:
    """Identifiers of the uploads whose paths are in a job's specification (its JSON)."""
    return set(_IN_A_SPEC.findall(spec))


def contents_in(spec: str) -> set[str]:
    """SHA-256 of the shared files that a job's specification names (see `jobs.artefacts`)."""
    return set(_CONTENT_IN_A_SPEC.findall(spec))


@contextlib.contextmanager
def writing(home: Path, identifier: str) -> Iterator[None]:
    """Nobody else writes to this upload meanwhile, not even another process. Raises RetakeError (upload_busy)."""
    lock = FileLock(_lock_file(home, identifier), timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise Problem("upload_busy", headers={"Retry-After": "1"}) from error
    try:
        yield
    finally:
        lock.release()


def too_large(most_bytes: int) -> Problem:
    return Problem("upload_too_large", f"The file is larger than {most_bytes} bytes.")


def _checked(folder: Path, upload: Upload) -> Upload:
    """Give the data its final name, if it is what it should be."""
    data = _data(folder)
    if data is None:
        raise unknown(upload.id)
    digest = sha256(data)
    if upload.sha256 is not None and digest != upload.sha256:
        raise Problem("upload_corrupt")
    found = sniff(data)
    data.replace(folder / f"content{found.suffix}")
    upload = upload.model_copy(update={"sha256": digest, "kind": found.kind, "suffix": found.suffix, "finished_at": datetime.now(UTC)})
    upload.save(folder)  # comes last: should this be interrupted, everything is checked once more
    return upload


def _data(folder: Path) -> Path | None:
    part = folder / PART
    if part.is_file():
        return part
    return next(iter(sorted(folder.glob("content*"))), None)


def _lock_file(home: Path, identifier: str) -> Path:
    upload_folder(home, identifier)  # refuses what is no identifier
    root = home / "uploads"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root / f".{identifier}.lock"


def _created(upload: Upload) -> datetime:
    return upload.created_at
