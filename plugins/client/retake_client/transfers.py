"""Files to and from the daemon: in parts that go on where they broke off, and complete under their name or not there."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from . import partials
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
    begun: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Send the file `path`; returns the finished upload, whose "reference" other calls take.

    Args:
        name: what people call it; the file's own name if empty.
        begun: told the upload's id as soon as there is one, for a later `resume`.
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
        if begun is not None:
            begun(str(view["id"]))
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
    resume: bool = False,
) -> Path:
    """Write what the daemon has at `path` to the file `target`, which appears when it is complete; goes on where a connection broke.

    Args:
        sha256: of the whole file, if known: compared before the file appears.
        resume: with `sha256`: go on with what an earlier process left behind, and leave behind what has arrived if this one fails
            (`retake_client.partials.tidy` removes it). Without it nothing stays.

    Raises ClientError; OSError of the operating system (disk full, not allowed).
    """
    goal = Path(target)
    wanted = sha256.lower()
    with partials.part_of(goal, content=wanted if resume else "") as part:
        part.take_up(stop)
        taken_up = part.size > 0
        if not (wanted and part.digest.hexdigest() == wanted):
            _fetch(transport, path, part, tag=f'"{wanted}"' if taken_up else "", told=told, stop=stop)
        if taken_up and part.digest.hexdigest() != wanted:  # what was left behind was not a beginning of it
            part.begin_anew()
            _fetch(transport, path, part, tag="", told=told, stop=stop)
        if wanted and part.digest.hexdigest() != wanted:
            part.begin_anew()
            raise Damaged(f"{goal.name} arrived damaged.", "Try again; if that does not help, render the take anew.", code="damaged_download")
        part.finish(goal)
    return goal


def _fetch(transport: Transport, path: str, part: partials.Part, *, tag: str, told: Told | None, stop: threading.Event | None) -> None:
    """Get what `part` lacks. `tag` names the content that it is a beginning of; another one is fetched from its first byte on."""
    left_behind, total, failures = part.size > 0, 0, 0
    while True:
        _check(stop)
        headers = {"Accept": "*/*"}
        before = part.size
        if before:
            headers["Range"] = f"bytes={before}-"
            if tag:
                headers["If-Range"] = tag
        try:
            with transport.open("GET", path, headers=headers) as answer:
                if before and (answer.status != 206 or not answer.header("Content-Range").startswith(f"bytes {before}-")):
                    if not left_behind:
                        raise Conflict("The file changed while it was fetched.", "Fetch it again.", code="changed_download", status=answer.status)
                    part.begin_anew()
                    before = 0
                    if answer.status == 206:
                        continue
                left_behind = False
                tag = answer.header("ETag") or tag
                length = answer.header("Content-Length")
                total = part.size + int(length) if length.isdigit() else 0
                while True:
                    _check(stop)
                    piece = answer.read()
                    if not piece:
                        break
                    part.add(piece)
                    if told is not None:
                        told(part.size, total)
            if total and part.size < total:
                raise Unreachable("The connection broke before everything had arrived.", "Try again.", code="unreachable")
            return
        except ClientError as error:
            if left_behind and error.code == "bad_range":  # more was left behind than there is
                part.begin_anew()
                left_behind = False
                continue
            failures = 0 if part.size > before else failures + 1
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
