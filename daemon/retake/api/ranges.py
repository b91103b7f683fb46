"""Files as answers: whole or one range of them (RFC 9110, sections 13 and 14), from a file that is already open.

A player asks for one range at a time. Requests for several are answered with the whole file, as the standard allows: many small or overlapping ranges
are a way to make a server send far more than a file has.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from email.utils import formatdate
from typing import BinaryIO

import anyio
from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from retake.api.errors import Problem, answer

BLOCK = 256 * 1024
_RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE | re.ASCII)


class OpenFile(Response):
    """Sends an open file and closes it.

    Args:
        etag: names the content, without quotes.
        name: what the file is called when it is saved; letters, digits and "._-" only.
        attached: save it instead of showing it.
    """

    def __init__(
        self, file: BinaryIO, *, etag: str, media_type: str, name: str, attached: bool = False, headers: Mapping[str, str] | None = None
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", name):
            raise ValueError("a file's name for saving holds letters, digits and ._- only")
        found = os.fstat(file.fileno())
        self._file, self._size = file, found.st_size
        super().__init__(
            None,
            200,
            {
                "ETag": f'"{etag}"',
                "Last-Modified": formatdate(found.st_mtime, usegmt=True),
                "Accept-Ranges": "bytes",
                "Content-Length": str(found.st_size),
                "Content-Disposition": f'{"attachment" if attached else "inline"}; filename="{name}"',
                "Cache-Control": "private, no-cache",  # kept by the caller alone, who asks whether it is still the same
                **(headers or {}),
            },
            media_type,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            asked = Headers(scope=scope)
            if _matches(asked.get("if-none-match"), self.headers["etag"]):
                await Response(None, 304, _without(self.headers, "content-length", "content-type", "content-disposition"))(scope, receive, send)
                return
            whole = scope["method"] != "GET" or not self._range_holds(asked.get("if-range"))
            try:
                part = None if whole else parse_range(asked.get("range"), self._size)
            except Problem as error:
                await answer(error)(scope, receive, send)
                return
            await self._send(part, scope, receive, send)
        finally:
            self._file.close()

    def _range_holds(self, if_range: str | None) -> bool:
        """Whether the part that the caller has (If-Range) is of this very content, so that another range of it fits."""
        return if_range is None or if_range.strip() in {self.headers["etag"], self.headers["last-modified"]}

    async def _send(self, part: tuple[int, int] | None, scope: Scope, receive: Receive, send: Send) -> None:
        start, end = part or (0, self._size)
        if part is not None:
            self.headers["Content-Range"] = f"bytes {start}-{end - 1}/{self._size}"
            self.headers["Content-Length"] = str(end - start)
        await send({"type": "http.response.start", "status": 200 if part is None else 206, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        async with anyio.create_task_group() as group:

            async def stop_when_gone() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(stop_when_gone)
            await self._copy(start, end, send)
            group.cancel_scope.cancel()

    async def _copy(self, start: int, end: int, send: Send) -> None:
        await to_thread.run_sync(self._file.seek, start)
        left = end - start
        while left > 0:
            block = await to_thread.run_sync(self._file.read, min(BLOCK, left))
            if not block:
                raise OSError("a file got shorter while it was sent")  # the connection breaks, so that nobody takes it for complete
            left -= len(block)
            await send({"type": "http.response.body", "body": block, "more_body": left > 0})
        if start == end:
            await send({"type": "http.response.body", "body": b""})


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one behind the last of the one range that is asked for; None where the whole file is to be sent.

    Raises Problem (bad_range) for a range that lies behind the end.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[1] == match[2] == "":
        return None  # no range, several, or not understood, which means to ignore it
    if match[1] == "":
        start, end = max(0, size - int(match[2])), size
        satisfiable = int(match[2]) > 0 and size > 0
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
        satisfiable = start < size
    if not satisfiable:
        raise Problem("bad_range", f"The file has only {size} bytes.", headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    return start, end


def _matches(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


def _without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}
