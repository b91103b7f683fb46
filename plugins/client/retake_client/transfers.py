"""Files to and from the daemon: in parts that go on where they broke off, and complete under their name or not there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from .errors import ClientError, Conflict, Damaged, Unreachable
from .transport import PIECE, Transport, as_json

PART_BYTES = 16 * 1024 * 1024  # sent in one call: what is lost at most when the daemon is killed
ATTEMPTS = 8  # calls in a row that bring nothing, before giving up
LONGEST_WAIT = 4.0

# Told how many bytes are through, and of how many (0: not known).
Told = Callable[[int, int], None]


class Stopped(ClientError):
    """The caller set `stop`."""

    usual_kind = "cancelled"

    def __init__(self) -> None:
        super().__init__("Stopped on request.", "Nothing was left half-written.", code="cancelled")


def upload(
    transport: Transport,
    path: str | os.PathLike[str],
    *,
    name: str = "",
    told: Told | None = None,
    stop: threading.Event | None = None,
    resume: str | None = None,
) -> dict[str, Any]:
    """Send the file `path`; returns the finished upload, whose "reference" other calls take.

    Args:
        name: what people call it; the file's own name if empty.
        resume: id of an upload of the same file that was begun before and is to be gone on with.

    Raises ClientError; one of the operating system as OSError. What was sent stays on the daemon for a later `resume`.
    """
    source = Path(path)
    size = source.stat().st_size
    with source.open("rb") as file:
        if resume is None:
            digest = _digest(file, stop)
            view = transport.call("POST", "/v1/uploads", content={"name": name or source.name, "size": size, "sha256": digest})
        else:
            view = transport.call("GET", f"/v1/uploads/{resume}")
            if view["size"] != size:
                raise Damaged(f"{source.name} is not the file that was begun to be sent.", "Upload it anew.", code="other_file")
        failures = 0
        while view["state"] != "finished":
            _check(stop)
            before = int(view["offset"])
            if told is not None:
                told(before, size)
            try:
                view = _send_part(transport, view, file, stop)
            except ClientError as error:
                if not (error.may_pass or error.code in {"upload_offset", "upload_busy", "bad_request", "slow_body"}):
                    raise
                failures += 1
                view = _where(transport, str(view["id"]), error, failures, stop)
            if int(view["offset"]) > before:
                failures = 0
    if told is not None:
        told(size, size)
    return view


def _send_part(transport: Transport, view: dict[str, Any], file: IO[bytes], stop: threading.Event | None) -> dict[str, Any]:
    id_, offset, size = str(view["id"]), int(view["offset"]), int(view["size"])
    if offset >= size:  # all is there, but the answer to the last part got lost
        return transport.call("POST", f"/v1/uploads/{id_}/finish")
    length = min(PART_BYTES, size - offset)
    headers = {"Content-Type": "application/offset+octet-stream", "Content-Length": str(length), "Upload-Offset": str(offset)}
    with transport.open("PATCH", f"/v1/uploads/{id_}", body=_pieces(file, offset, length, stop), headers=headers) as answer:
        return as_json(answer.read_all())


def _pieces(file: IO[bytes], offset: int, length: int, stop: threading.Event | None) -> Iterator[bytes]:
    file.seek(offset)
    while length > 0:
        _check(stop)
        piece = file.read(min(PIECE, length))
        if not piece:
            raise Damaged("The file became shorter while it was sent.", "Upload it anew when nothing writes to it any more.", code="other_file")
        length -= len(piece)
        yield piece


def _where(transport: Transport, id_: str, error: ClientError, failures: int, stop: threading.Event | None) -> dict[str, Any]:
    """How far the upload is, asked until the daemon answers again; raises `error` when it does not."""
    while True:
        if failures >= ATTEMPTS:
            raise error
        _wait(failures, stop)
        try:
            return transport.call("GET", f"/v1/uploads/{id_}")
        except ClientError as again:
            if not again.may_pass:
                raise
            failures += 1


def download(
    transport: Transport,
    path: str,
    target: str | os.PathLike[str],
    *,
    sha256: str = "",
    told: Told | None = None,
    stop: threading.Event | None = None,
) -> Path:
    """Write what the daemon has at `path` to the file `target`, which appears when it is complete; goes on where a connection broke.

    Args:
        sha256: of the whole file, if known: compared before the file appears.

    Raises ClientError; OSError of the operating system (disk full, not allowed).
    """
    goal = Path(target)
    part = goal.with_name(f".{goal.name[:80]}.{secrets.token_hex(4)}.retake-part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644), "wb") as file:
            digest = hashlib.sha256()

            def keep(piece: bytes) -> None:
                file.write(piece)
                digest.update(piece)

            _fetch(transport, path, keep, told, stop)
            file.flush()
            os.fsync(file.fileno())
        if sha256 and digest.hexdigest() != sha256.lower():
            raise Damaged(f"{goal.name} arrived damaged.", "Try again; if that does not help, render the take anew.", code="damaged_download")
        part.replace(goal)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return goal


def _fetch(transport: Transport, path: str, keep: Callable[[bytes], None], told: Told | None, stop: threading.Event | None) -> None:
    done, total, tag, failures = 0, 0, "", 0
    while True:
        _check(stop)
        headers = {"Accept": "*/*"}
        if done:
            headers["Range"] = f"bytes={done}-"
            if tag:
                headers["If-Range"] = tag
        before = done
        try:
            with transport.open("GET", path, headers=headers) as answer:
                if done and (answer.status != 206 or not answer.header("Content-Range").startswith(f"bytes {done}-")):
                    raise Conflict("The file changed while it was fetched.", "Fetch it again.", code="changed_download", status=answer.status)
                tag = answer.header("ETag") or tag
                length = answer.header("Content-Length")
                total = done + int(length) if length.isdigit() else 0
                while True:
                    _check(stop)
                    piece = answer.read()
                    if not piece:
                        break
                    keep(piece)
                    done += len(piece)
                    if told is not None:
                        told(done, total)
            if total and done < total:
                raise Unreachable("The connection broke before everything had arrived.", "Try again.", code="unreachable")
            return
        except ClientError as error:
            failures = 0 if done > before else failures + 1
            if not error.may_pass or failures >= ATTEMPTS:
                raise
            _wait(failures, stop)


def _digest(file: IO[bytes], stop: threading.Event | None) -> str:
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        _check(stop)
        digest.update(piece)
    return digest.hexdigest()


def _check(stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Stopped


def _wait(failures: int, stop: threading.Event | None) -> None:
    seconds = min(LONGEST_WAIT, 0.25 * 2 ** max(0, failures - 1))
    if stop is None:
        time.sleep(seconds)
    else:
        stop.wait(seconds)
    _check(stop)
