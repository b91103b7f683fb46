"""Finished takes: list, look at, play (with ranges), fetch what lies beside them, delete."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field

from retake.api.context import Context, InContext
from retake.api.errors import documented
from retake.api.models import PLAIN, SPEAKER
from retake.api.paths import open_regular
from retake.api.ranges import OpenFile
from retake.api.shared import artefacts_of
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.take import Take, TakeFiles, TakeRequest
from retake.jobs.events import announce
from retake.takes import store
from retake.takes.store import StoredTake

router = APIRouter(prefix="/takes", tags=["takes"])

LARGEST_PAGE = 500
# What may be wrong with a take that is named, and with the place where machines share takes.
_NAMED = ("unknown_take", "bad_take_record", "artefacts_unreachable", "artefacts_denied", "bad_artefact")
TakeId = Annotated[str, PathParameter(pattern="^[0-9a-f]{16}$", description="id of a take", examples=["eed54593275a5ec7"])]
Download = Annotated[bool, Query(description="have browsers save it instead of showing it")]
_ETAG = Header(alias="If-None-Match", max_length=1000, description="ETag of what the caller has: 304 if it is still that")
IfNoneMatch = Annotated[str | None, _ETAG]


class TakeLinks(BaseModel):
    """Addresses of everything a take consists of."""

    media: str
    poster: str
    captions: str
    timeline: str
    report: str


class TakeView(BaseModel):
    """A finished take."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "eed54593275a5ec7",
                    "speaker": "anna",
                    "text": "We ship on Friday.",
                    "created_at": "2026-11-23T12:00:00Z",
                    "frames": 62,
                    "rate": "25",
                    "seconds": 2.48,
                    "width": 1280,
                    "height": 720,
                    "sha256": "9f86d081884c7d65" * 4,
                    "request": {"speaker": "anna", "text": "We ship on Friday.", "line_id": "a1b2c3d4e5f6"},
                    "files": {name: f"/home/anna/.local/share/retake/takes/eed54593275a5ec7/take.{name}" for name in TakeFiles.model_fields},
                    "links": {name: f"/v1/takes/eed54593275a5ec7/{name}" for name in TakeLinks.model_fields},
                    "measured": {"voice_similarity": 0.83},
                }
            ]
        },
    )

    id: str
    speaker: str
    text: str
    created_at: datetime
    frames: int
    rate: str = Field(description="frames per second, an exact fraction")
    seconds: float
    width: int
    height: int
    sha256: str = Field(description="of the clip")
    request: TakeRequest = Field(description="what was asked for; asking for it again gives this take")
    files: TakeFiles = Field(description="paths on the daemon's machine, for programs that run there")
    links: TakeLinks
    measured: dict[str, Any]


class TakePage(BaseModel):
    """Some takes, newest first."""

    takes: list[TakeView]
    next: str | None = Field(description="`cursor` of the next page; null: there is none")
    total: int = Field(description="takes that match, on all pages")


@router.get("", responses=documented(), response_model=TakePage)
def list_takes(  # noqa: PLR0917 - a call's parameters
    context: InContext,
    speaker: Annotated[str | None, Query(pattern=SPEAKER, description="only takes of this speaker")] = None,
    line: Annotated[str | None, Query(max_length=64, pattern=PLAIN, description="only takes that were asked for with this `line_id`")] = None,
    text: Annotated[str | None, Query(max_length=10_000, pattern=PLAIN, description="only takes of exactly these words")] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}-[0-9a-f]{16}$", description="`next` of the page before")] = None,
) -> TakePage:
    """Takes of this machine that match all filters, newest first.

    The same words for two lines are one take, with the id of the line that asked first: look for `text` to find all takes of a line."""
    wanted = {"speaker": speaker, "line_id": line, "text": text}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    found = [stored for stored in _stored(context.home) if all(getattr(stored.take.request, name) == value for name, value in wanted.items())]
    found.sort(key=_place, reverse=True)
    total = len(found)
    if cursor is not None:
        moment, _, identifier = cursor.partition("-")
        found = [stored for stored in found if _place(stored) < (int(moment), identifier)]
    page = found[:limit]
    following = f"{_place(page[-1])[0]}-{page[-1].take.id}" if len(found) > limit else None
    return TakePage(takes=[view(stored) for stored in page], next=following, total=total)


@router.get("/{take_id}", responses=documented(*_NAMED), response_model=TakeView)
def get_take(context: InContext, take_id: TakeId) -> TakeView:
    """One take: what was asked for, what was measured, and where everything is."""
    return view(_load(context, take_id))


@router.delete("/{take_id}", status_code=204, responses=documented(*_NAMED))
def delete_take(context: InContext, take_id: TakeId) -> None:
    """Delete a take from the store. Copies that were delivered elsewhere stay."""
    stored = _load(context, take_id)
    remove(context, stored.take)


_MEDIA_HEADERS: dict[str, Any] = {
    "Accept-Ranges": {"schema": {"type": "string"}},
    "ETag": {"schema": {"type": "string"}},
    "Content-Disposition": {"schema": {"type": "string"}},
}


def _file(kind: str) -> dict[int | str, dict[str, Any]]:
    """What a route that answers with a file of this media type documents."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}}}
    return documented(*_NAMED, "missing_file", "bad_range") | {
        200: {"description": "The whole file.", "content": content, "headers": _MEDIA_HEADERS},
        206: {"description": "The range that was asked for (header Range; one range).", "content": content, "headers": _MEDIA_HEADERS},
        304: {"description": "The caller has it (If-None-Match)."},
    }


@router.get("/{take_id}/media", responses=_file("video/mp4"), response_class=Response)
@router.head("/{take_id}/media", responses=_file("video/mp4"), response_class=Response, include_in_schema=False)
def media(context: InContext, take_id: TakeId, download: Download = False, if_none_match: IfNoneMatch = None) -> Response:
    """The clip, whole or in ranges, as players ask for it."""
    return _answer(context, take_id, "clip", media_type="video/mp4", suffix=".mp4", attached=download)


@router.get("/{take_id}/poster", responses=_file("image/png"), response_class=Response)
@router.head("/{take_id}/poster", responses=_file("image/png"), response_class=Response, include_in_schema=False)
def poster(context: InContext, take_id: TakeId, download: Download = False, if_none_match: IfNoneMatch = None) -> Response:
    """A picture of the take, of the clip's size."""
    return _answer(context, take_id, "poster", media_type="image/png", suffix=".png", attached=download)


@router.get("/{take_id}/captions", responses=_file("application/x-subrip"), response_class=Response)
@router.head("/{take_id}/captions", responses=_file("application/x-subrip"), response_class=Response, include_in_schema=False)
def captions(context: InContext, take_id: TakeId, download: Download = False, if_none_match: IfNoneMatch = None) -> Response:
    """What is said and when, as SubRip captions."""
    return _answer(context, take_id, "captions", media_type="application/x-subrip; charset=utf-8", suffix=".srt", attached=download)


@router.get("/{take_id}/timeline", responses=_file("application/json"), response_class=Response)
@router.head("/{take_id}/timeline", responses=_file("application/json"), response_class=Response, include_in_schema=False)
def timeline(context: InContext, take_id: TakeId, download: Download = False, if_none_match: IfNoneMatch = None) -> Response:
    """An OpenTimelineIO timeline of the take. It names the clip by its path on the daemon's machine."""
    return _answer(context, take_id, "timeline", media_type="application/json", suffix=".otio", attached=download)


@router.get("/{take_id}/report", responses=_file("application/json"), response_class=Response)
@router.head("/{take_id}/report", responses=_file("application/json"), response_class=Response, include_in_schema=False)
def report(context: InContext, take_id: TakeId, download: Download = False, if_none_match: IfNoneMatch = None) -> Response:
    """Everything that was measured, with the consent and the versions that the take was made with."""
    return _answer(context, take_id, "report", media_type="application/json", suffix=".json", attached=download)


def view(stored: StoredTake) -> TakeView:
    """What callers see of a take."""
    from retake.domain.rate import FrameRate

    take = stored.take
    return TakeView(
        id=take.id,
        speaker=take.request.speaker,
        text=take.request.text,
        created_at=stored.created_at,
        frames=take.frames,
        rate=take.rate,
        seconds=round(float(FrameRate.parse(take.rate).seconds(take.frames)), 6),
        width=take.width,
        height=take.height,
        sha256=take.sha256,
        request=take.request,
        files=take.files,
        links=TakeLinks(**{name: f"/v1/takes/{take.id}/{name}" for name in TakeLinks.model_fields}),
        measured=take.measured,
    )


def remove(context: Context, take: Take) -> None:
    """Delete a take here and where machines share it, and tell so."""
    shared = artefacts_of(context)
    if shared is not None:
        shared.delete_take(take.id)
    try:
        store.delete(context.home, take.id)
    except FileNotFoundError as error:  # somebody else deletes it at the same moment
        raise _unknown(take.id) from error
    announce(context.database, "take.deleted", {"id": take.id, "speaker": take.request.speaker})


def takes_of(home: Path, speaker: str) -> list[Take]:
    """Stored takes of a speaker."""
    return [stored.take for stored in _stored(home) if stored.take.request.speaker == speaker]


def _load(context: Context, identifier: str) -> StoredTake:
    """The stored take, fetched from where machines share takes if it is not here. Raises RetakeError (unknown_take)."""
    shared = artefacts_of(context)
    if shared is not None:
        shared.ensure_take(identifier)
    try:
        return store.load(context.home, identifier)
    except RetakeError as error:
        if error.code == "unknown_take":
            raise _unknown(identifier) from error
        raise


def _unknown(identifier: str) -> RetakeError:
    return RetakeError(f"There is no take '{identifier}'.", "List the takes to see which there are.", kind=ErrorKind.NOT_FOUND, code="unknown_take")


def _answer(context: Context, identifier: str, part: str, *, media_type: str, suffix: str, attached: bool) -> Response:
    take = _load(context, identifier).take
    folder = store.take_folder(context.home, identifier)
    # The record says how the file is called; where it lies, the store says.
    file = open_regular(folder / Path(getattr(take.files, part)).name, folder)
    found = os.fstat(file.fileno())
    etag = take.sha256 if part == "clip" else hashlib.sha256(f"{found.st_mtime_ns} {found.st_size}".encode()).hexdigest()[:32]
    return OpenFile(file, etag=etag, media_type=media_type, name=f"{_plain(take.request.speaker)}-{take.id}{suffix}", attached=attached)


def _plain(name: str) -> str:
    """A name for a file to be saved; records come from a disk that others may write to."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]


def _place(stored: StoredTake) -> tuple[int, str]:
    """Where a take comes in a list: by the time it was made, in microseconds, and by id where two were made at once."""
    return int(stored.created_at.timestamp() * 1e6), stored.take.id


def _stored(home: Path) -> list[StoredTake]:
    """All takes of the home folder; damaged records are left out. Records that were read before are not read again."""
    out: list[StoredTake] = []
    root = home / "takes"
    for entry in os.scandir(root) if root.is_dir() else ():
        try:
            found = os.stat(Path(entry.path) / store.RECORD)  # noqa: PTH116 - a third of the time of Path.stat, for thousands of takes
            out.append(_record(home, entry.name, found.st_mtime_ns, found.st_size, found.st_ino))
        except (OSError, RetakeError):
            continue
    return out


@lru_cache(maxsize=5000)
def _record(home: Path, identifier: str, modified: int, size: int, inode: int) -> StoredTake:
    """The record of a take, as long as its file is the same."""
    return store.load(home, identifier)
