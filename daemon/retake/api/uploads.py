"""Files that callers send: in parts that can be resumed, straight to the disk, checked by what they contain."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import ClientDisconnect

from retake.api import upload_store
from retake.api.context import Context, InContext
from retake.api.errors import Problem, documented
from retake.api.models import whole
from retake.api.upload_store import Upload, upload_path
from retake.domain.errors import RetakeError
from retake.media.files import check_space, explain_os_error

__all__ = ["router", "upload_path"]

router = APIRouter(prefix="/uploads", tags=["uploads"])

OCTETS = "application/octet-stream"
PARTS = (OCTETS, "application/offset+octet-stream")
ONE_SHOT = 64 * 1024**2
# Written at once. Every write is a hop to another thread, which is not worth it for the 64 kB that a socket gives.
BLOCK = 1024**2
# A sender that after a minute was slower than this (bytes a second) is cut off; it may resume.
SLOWEST = 1024
PATIENCE = 60.0
_EXAMPLE = "8d3f0c5b1a7e4f6290b1c2d3e4f5a6b7"

Identifier = Annotated[str, PathParameter(alias="upload_id", description="id of the upload", max_length=64, examples=[_EXAMPLE])]
Digest = Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$", description="SHA-256 in hex")]
BINARY_BODY = {"requestBody": {"required": True, "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in PARTS}}}
OFFSET_HEADERS = {
    "Upload-Offset": {"description": "bytes that have arrived", "schema": {"type": "integer", "minimum": 0}},
    "Upload-Length": {"description": "bytes of the whole file", "schema": {"type": "integer", "minimum": 1}},
}


class UploadRequest(BaseModel):
    """A file that will be sent in parts."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"name": "anna.mp4", "size": 48211093, "sha256": "9f86d081884c7d65" * 4}]}
    )

    name: str = Field(default="", max_length=1000, description="what people call the file; never a path")
    size: Annotated[int, Field(ge=1, le=2**53, description="bytes; at most limits.upload_bytes of the settings"), BeforeValidator(whole)]
    sha256: Digest | None = Field(default=None, description="of the whole file, if known; it is compared when all has arrived")


class UploadView(BaseModel):
    """An upload and how far it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": _EXAMPLE,
                    "reference": f"upload:{_EXAMPLE}",
                    "name": "anna.mp4",
                    "size": 48211093,
                    "offset": 48211093,
                    "state": "finished",
                    "kind": "media",
                    "sha256": "9f86d081884c7d65" * 4,
                    "created_at": "2026-11-23T12:00:00Z",
                    "expires_at": "2026-11-25T12:00:00Z",
                }
            ]
        },
    )

    id: str
    reference: str = Field(description="how other calls name this file")
    name: str
    size: int = Field(description="bytes of the whole file")
    offset: int = Field(description="bytes that have arrived")
    state: Literal["receiving", "finished"]
    kind: str | None = Field(description="media, timeline or text, found out from the content; null until all has arrived")
    sha256: str | None
    created_at: datetime
    expires_at: datetime | None = Field(description="when it is removed unless bytes arrive or a job needs it; null: never")


class UploadList(BaseModel):
    """All uploads that are kept, newest first."""

    uploads: list[UploadView]


@router.post("", status_code=201, responses=documented("upload_too_large", "too_many_uploads", "disk_full", body=True), response_model=UploadView)
def begin(context: InContext, body: UploadRequest, response: Response) -> UploadView:
    """Begin an upload that is sent in parts: `PATCH` them, in order, to the address in the header `Location`."""
    tidy(context)
    digest = body.sha256.lower() if body.sha256 else None
    upload = upload_store.create(context.home, body.name, body.size, digest, most_bytes=context.settings.limits.upload_bytes)
    response.headers["Location"] = f"/v1/uploads/{upload.id}"
    response.headers["Upload-Offset"] = "0"
    return view(context, upload)


@router.put(
    "",
    status_code=201,
    responses=documented(
        "upload_too_large", "one_shot_too_large", "too_many_uploads", "upload_corrupt", "unwanted_file", "empty_file", "disk_full", body=True
    ),
    openapi_extra=BINARY_BODY,
    response_model=UploadView,
)
async def send_whole(
    context: InContext,
    request: Request,
    response: Response,
    name: Annotated[str, Query(max_length=1000, description="what people call the file; never a path", examples=["line.wav"])] = "",
    sha256: Annotated[str | None, Query(pattern="^[0-9a-fA-F]{64}$", description="SHA-256 of the file in hex, if known")] = None,
) -> UploadView:
    """Send a small file (at most 64 MiB) at once."""
    _check_type(request)
    announced = _content_length(request)
    if announced is not None and announced > ONE_SHOT:
        raise Problem("one_shot_too_large")
    if announced == 0:
        raise Problem("empty_file")
    await to_thread.run_sync(tidy, context)
    most = context.settings.limits.upload_bytes
    size = announced if announced is not None else min(ONE_SHOT, most)
    upload = await to_thread.run_sync(partial(upload_store.create, context.home, name, size, sha256.lower() if sha256 else None, most_bytes=most))
    folder = upload_store.upload_folder(context.home, upload.id)
    done = False
    try:
        with upload_store.writing(context.home, upload.id):
            try:
                received = await _receive(request, folder / upload_store.PART, 0, size)
            except Problem as error:
                raise Problem("one_shot_too_large") if error.code == "upload_too_long" and announced is None else error from error
            if announced is None:
                if received == 0:
                    raise Problem("empty_file")
                upload.model_copy(update={"size": received}).save(folder)
            upload = await to_thread.run_sync(upload_store.finish, context.home, upload.id)
        done = True
    finally:
        if not done:
            await to_thread.run_sync(_discard, context.home, upload.id)
    response.headers["Location"] = f"/v1/uploads/{upload.id}"
    return view(context, upload)


@router.get("", responses=documented(), response_model=UploadList)
def list_all(context: InContext) -> UploadList:
    """Uploads that are kept."""
    return UploadList(uploads=[view(context, upload) for upload in upload_store.stored(context.home)])


@router.patch(
    "/{upload_id}",
    responses=documented(
        "unknown_upload",
        "upload_offset",
        "upload_busy",
        "upload_finished",
        "bad_upload_offset",
        "upload_too_long",
        "upload_corrupt",
        "unwanted_file",
        "bad_timeline",
        "disk_full",
        body=True,
    )
    | {200: {"description": "The bytes were kept. With the last ones, the file was checked.", "headers": OFFSET_HEADERS}},
    openapi_extra=BINARY_BODY,
    response_model=UploadView,
)
async def send_part(
    context: InContext,
    request: Request,
    response: Response,
    identifier: Identifier,
    upload_offset: Annotated[str | None, Header(description="bytes that have arrived so far: where this part begins", examples=["0"])] = None,
) -> UploadView:
    """Send a part of a file, beginning at `Upload-Offset`.

    If the connection breaks, ask where it stands (`HEAD`) and go on from there. When the last byte has arrived, size, SHA-256 and content are
    checked; a file that fails is removed and has to be sent again.
    """
    _check_type(request)
    home = context.home
    upload = Upload.load(home, identifier)
    if upload_offset is None or not upload_offset.isascii() or not upload_offset.isdigit() or len(upload_offset) > 18:
        raise Problem("bad_upload_offset")
    with upload_store.writing(home, identifier):
        upload = Upload.load(home, identifier)
        stands = upload_store.offset(home, identifier)
        if upload.finished_at is not None:
            raise Problem("upload_finished", headers={"Upload-Offset": str(stands)})
        if int(upload_offset) != stands:
            raise Problem("upload_offset", f"The upload stands at byte {stands}, not at {upload_offset}.", headers={"Upload-Offset": str(stands)})
        announced = _content_length(request)
        if announced is not None and announced > upload.size - stands:
            raise _too_long(upload.size, stands)
        await to_thread.run_sync(check_space, home, upload.size - stands)
        stands += await _receive(request, upload_store.upload_folder(home, identifier) / upload_store.PART, stands, upload.size)
        if stands == upload.size:
            upload = await to_thread.run_sync(upload_store.finish, home, identifier)
    return _with_headers(response, view(context, upload))


@router.post(
    "/{upload_id}/finish",
    responses=documented("unknown_upload", "upload_busy", "upload_unfinished", "upload_corrupt", "unwanted_file", "bad_timeline"),
    response_model=UploadView,
)
def finish(context: InContext, identifier: Identifier, response: Response) -> UploadView:
    """Check a file all of whose bytes have arrived. The last part does that by itself; this is for one whose answer got lost."""
    Upload.load(context.home, identifier)
    with upload_store.writing(context.home, identifier):
        return _with_headers(response, view(context, upload_store.finish(context.home, identifier)))


@router.get(
    "/{upload_id}",
    responses=documented("unknown_upload") | {200: {"description": "The upload.", "headers": OFFSET_HEADERS}},
    response_model=UploadView,
)
def show(context: InContext, identifier: Identifier, response: Response) -> UploadView:
    """An upload and how far it is."""
    return _with_headers(response, view(context, Upload.load(context.home, identifier)))


@router.head("/{upload_id}", responses=documented("unknown_upload") | {200: {"description": "Where it stands.", "headers": OFFSET_HEADERS}})
def ask(context: InContext, identifier: Identifier) -> Response:
    """Where an upload stands, in the header `Upload-Offset`."""
    response = Response()
    _with_headers(response, view(context, Upload.load(context.home, identifier)))
    return response


@router.delete("/{upload_id}", status_code=204, responses=documented("unknown_upload", "upload_busy", "upload_in_use"))
def delete(context: InContext, identifier: Identifier) -> None:
    """Remove an upload, also an unfinished one."""
    Upload.load(context.home, identifier)
    if identifier in upload_store.needed(context.database):
        raise Problem("upload_in_use")
    upload_store.delete(context.home, identifier)


def view(context: Context, upload: Upload) -> UploadView:
    """What callers see of an upload."""
    days = context.settings.retention.uploads_days
    finished = upload.finished_at is not None
    return UploadView(
        id=upload.id,
        reference=f"upload:{upload.id}",
        name=upload.name,
        size=upload.size,
        offset=upload.size if finished else upload_store.offset(context.home, upload.id),
        state="finished" if finished else "receiving",
        kind=upload.kind,
        sha256=upload.sha256,
        created_at=upload.created_at,
        expires_at=(upload.finished_at or upload.created_at) + timedelta(days=days) if days else None,
    )


def tidy(context: Context) -> None:
    """Remove uploads that nobody went on with or used."""
    days = context.settings.retention.uploads_days
    if days:
        upload_store.expire(context.home, days * 86400, needed=upload_store.needed(context.database))


async def _receive(request: Request, path: Path, start: int, size: int) -> int:
    """Append the body to `path`, which holds `start` bytes and will hold `size`; returns how many arrived.

    What arrived stays if the sender goes away or stalls. If it sends more than it announced, nothing of this part is kept.
    """
    received = 0
    with await to_thread.run_sync(partial(path.open, "r+b")) as file:
        file.seek(start)
        block = bytearray()
        try:
            async for chunk in _chunks(request):
                received += len(chunk)
                if start + received > size:
                    block.clear()
                    await to_thread.run_sync(file.truncate, start)
                    raise _too_long(size, start)
                block += chunk
                if len(block) >= BLOCK:
                    await to_thread.run_sync(file.write, bytes(block))
                    block.clear()
        except ClientDisconnect as error:
            raise Problem("bad_request", "The connection broke.", "Ask for the offset and go on from there.") from error
        except OSError as error:
            raise explain_os_error(error, path) from error
        finally:
            await to_thread.run_sync(_flush, file, bytes(block))
    return received


def _flush(file: object, rest: bytes) -> None:
    """Bring everything to the disk: whoever is told that bytes arrived may throw theirs away."""
    from io import BufferedRandom

    assert isinstance(file, BufferedRandom)
    try:
        file.write(rest)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise explain_os_error(error, str(file.name)) from error


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives; raises Problem (slow_body) for one that only trickles. A silent sender is cut off by the guard."""
    began, received = time.monotonic(), 0
    async for chunk in request.stream():
        received += len(chunk)
        seconds = time.monotonic() - began
        if seconds > PATIENCE and received < SLOWEST * seconds:
            raise Problem("slow_body", headers={"Connection": "close"})
        if chunk:
            yield chunk


def _check_type(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in PARTS:
        raise Problem("wrong_content_type", f"The body is {upload_store.label(kind)}." if kind else "The body has no type.", f"Send it as {OCTETS}.")


def _content_length(request: Request) -> int | None:
    value = request.headers.get("content-length", "")
    if value and not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise Problem("bad_request", "The header Content-Length is no number.", "Send the number of bytes of the body.")
    return int(value) if value else None


def _too_long(size: int, start: int) -> Problem:
    return Problem("upload_too_long", f"More was sent than the {size} bytes that were announced.", headers={"Upload-Offset": str(start)})


def _with_headers(response: Response, upload: UploadView) -> UploadView:
    response.headers["Upload-Offset"] = str(upload.offset)
    response.headers["Upload-Length"] = str(upload.size)
    response.headers["Cache-Control"] = "no-store"
    return upload


def _discard(home: Path, identifier: str) -> None:
    try:
        upload_store.delete(home, identifier)
    except RetakeError as error:
        if error.code != "unknown_upload":
            raise
