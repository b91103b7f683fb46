"""Server-sent events: one reader of the event log feeds all who listen, each through a bounded queue.

A client that was away says the last id it saw and gets what it missed from the log. One that is too slow is cut off, and resumes like one that was
away.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from retake.api.context import InContext
from retake.api.errors import Problem, documented
from retake.api.jobs import JobId
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import JobState, public
from retake.jobs import events as event_log
from retake.jobs import records
from retake.jobs.database import Database, now_ms
from retake.jobs.tables import events

log = logging.getLogger(__name__)

router = APIRouter(tags=["events"])

POLL_SECONDS = 0.05
HEARTBEAT_SECONDS = 15.0
IDLE_ROUNDS = 20  # for which the log is still read when nobody listens: clients that come back at once find it running
RETRY_MS = 2000
PAGE, PAGE_BYTES = 500, 8 * 1024**2  # read at once
# What one client is told at once of what it missed, and what is handed to its connection at once: clients that do not read, by the hundred, must
# not each hold megabytes.
MISSED_BYTES = 128 * 1024
PIECE_BYTES = 64 * 1024
WAITING_EVENTS = 1000  # held for a client that does not keep up, before it is cut off
LARGEST_EVENT = 256 * 1024  # bytes above which the job in an event comes without what was asked for (a script of thousands of lines)
SEND_SECONDS = 30.0  # a client that takes nothing for so long is gone
MOST_STREAMS = 256
OVER = frozenset(f"job.{state.value}" for state in JobState if state.over) | {"job.forgotten"}
EVENT_ID = r"^[0-9]{1,18}$"


@dataclass(frozen=True)
class Packed:
    """An event as it is sent."""

    id: int
    type: str
    job_id: str | None
    bytes: bytes


@dataclass(eq=False)
class Subscriber:
    """Somebody who listens, from `position` on."""

    position: int
    job_id: str | None
    types: tuple[str, ...]
    waiting: list[Packed] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    cut: bool = False  # too slow, or the daemon stops: what waits is not sent any more

    def wants(self, event: Packed) -> bool:
        return (self.job_id is None or event.job_id == self.job_id) and (not self.types or event.type.startswith(self.types))

    def take(self) -> list[Packed]:
        """What has come since the last time."""
        taken, self.waiting = self.waiting, []
        self.news.clear()
        return taken


class Hub:
    """Reads the event log while somebody listens. All of it runs in the server's loop; only the reading is done in threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscribers: set[Subscriber] = set()
        self._task: asyncio.Task[None] | None = None
        self._position = 0
        self._starting = asyncio.Lock()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def listening(self) -> int:
        """How many listen."""
        return len(self._subscribers)

    async def subscribe(self, job_id: str | None, types: tuple[str, ...]) -> Subscriber:
        """Listen to what happens from now on; raises Problem (too_many_streams)."""
        if self._closed or len(self._subscribers) >= MOST_STREAMS:
            cause = "The daemon is stopping." if self._closed else f"{MOST_STREAMS} event streams are open."
            raise Problem("too_many_streams", cause, kind=ErrorKind.ENVIRONMENT)
        async with self._starting:
            if self._task is None or self._task.done():
                self._loop = asyncio.get_running_loop()
                self._position = await run_in_threadpool(event_log.newest, self._database)
                self._task = asyncio.create_task(self._read(), name="event log")
            subscriber = Subscriber(self._position, job_id, types)
            self._subscribers.add(subscriber)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)

    def close(self) -> None:
        """End all streams, so that the server can stop. May be called from any thread or a signal handler."""
        self._closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cut_all)

    def _cut_all(self) -> None:
        for subscriber in self._subscribers:
            _cut(subscriber)

    async def _read(self) -> None:
        try:
            await self._poll()
        finally:
            self._cut_all()  # who still listens would hear nothing any more, and not notice; who comes back has the reading begin anew

    async def _poll(self) -> None:
        """Until nobody listens."""
        idle = 0
        while (self._subscribers or idle < IDLE_ROUNDS) and not self._closed:
            await asyncio.sleep(POLL_SECONDS)
            idle = 0 if self._subscribers else idle + 1
            try:
                found = await run_in_threadpool(packed_since, self._database, self._position)
            except RetakeError as error:
                log.warning("the event log cannot be read: %s", error)
                await asyncio.sleep(1.0)
                continue
            if found:
                self._position = found[-1].id
                for subscriber in self._subscribers:
                    _hand_over(subscriber, found)


def _hand_over(subscriber: Subscriber, found: list[Packed]) -> None:
    wanted = [event for event in found if subscriber.wants(event)]
    if not wanted or subscriber.cut:
        return
    if len(subscriber.waiting) + len(wanted) > WAITING_EVENTS:
        _cut(subscriber)
        return
    subscriber.waiting.extend(wanted)
    subscriber.news.set()


def _cut(subscriber: Subscriber) -> None:
    subscriber.cut = True
    subscriber.waiting.clear()
    subscriber.news.set()


def packed_since(database: Database, last: int, until: int | None = None, job_id: str | None = None, *, room: int = PAGE_BYTES) -> list[Packed]:
    """Events behind `last`, up to and with `until`, as they are sent; at most PAGE, and no further one after `room` bytes."""
    query = sa.select(events.c.id, events.c.type, events.c.job_id, events.c.at_ms, events.c.data).where(events.c.id > last)
    if until is not None:
        query = query.where(events.c.id <= until)
    if job_id is not None:
        query = query.where(events.c.job_id == job_id)
    found: list[Packed] = []
    with database.reading() as connection:
        # One by one: the jobs in them may be large, and what is not needed of them is left away when they are packed.
        for row in connection.execution_options(yield_per=10).execute(query.order_by(events.c.id).limit(PAGE)):
            found.append(pack(row.id, row.type, row.job_id, row.at_ms, row.data))
            room -= len(found[-1].bytes)
            if room <= 0:
                break
    return found


def pack(id_: int, kind: str, job_id: str | None, at_ms: int | None, data: dict[str, Any]) -> Packed:
    """An event as bytes, written once for all who get it."""
    moment = records.moment(at_ms)
    content = {"id": id_, "type": kind, "at": None if moment is None else moment.isoformat().replace("+00:00", "Z"), "job_id": job_id, "data": data}
    text = json.dumps(content, separators=(",", ":"))
    if len(text) > LARGEST_EVENT and isinstance(data.get("spec"), dict):
        text = json.dumps({**content, "data": {**data, "spec": None}}, separators=(",", ":"))
    return Packed(id_, kind, job_id, f"id: {id_}\nevent: {kind}\ndata: {text}\n\n".encode())


class EventStream(Response):
    """Sends pieces as they come and gives up on a client that takes nothing.

    Args:
        pieces: what is sent; ends the stream when it ends.
        closed: called once when the stream is over, whoever ended it.
    """

    media_type = "text/event-stream"

    def __init__(self, pieces: AsyncGenerator[bytes], closed: Callable[[], None]) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._pieces = pieces
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_disconnected(receive))
        sending = asyncio.create_task(self._send_all(send))
        try:
            await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, sending):
                task.cancel()
            results = await asyncio.gather(gone, sending, return_exceptions=True)
            self._closed()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with aclosing(self._pieces):
                async for piece in self._pieces:
                    async with asyncio.timeout(SEND_SECONDS):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            log.info("a client of the event stream took nothing for %.0f s", SEND_SECONDS)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _pieces(database: Database, subscriber: Subscriber, last: int | None) -> AsyncGenerator[bytes]:
    """What a subscriber gets: what it missed, then what happens; for one job, until the job is over."""
    job_id, known = subscriber.job_id, last or 0
    yield f"retry: {RETRY_MS}\n\n".encode()
    if last is None:
        if job_id is not None:
            packed, over = await run_in_threadpool(_snapshot, database, job_id)
            yield packed.bytes
            if over:
                return
            known = packed.id
    elif await run_in_threadpool(_missing, database, last):
        reset = {"reason": "events after the last one you saw are not kept any more: read the state anew"}
        known = subscriber.position  # ids may have begun anew
        yield pack(subscriber.position, "reset", job_id, now_ms(), reset).bytes
    else:
        cursor = last
        while cursor < subscriber.position and not subscriber.cut:
            page = await run_in_threadpool(packed_since, database, cursor, subscriber.position, job_id, room=MISSED_BYTES)
            if not page:
                break
            cursor = page[-1].id
            for piece in _joined([event for event in page if subscriber.wants(event)]):
                yield piece
    if job_id is not None and last is not None and await run_in_threadpool(_is_over, database, job_id):
        # What brought it there may be newer than the position of the hub.
        cursor = max(last, subscriber.position)
        while rest := await run_in_threadpool(packed_since, database, cursor, None, job_id, room=MISSED_BYTES):
            cursor = rest[-1].id
            for piece in _joined(rest):
                yield piece
        return
    async for piece in _live(database, subscriber, known):
        yield piece


async def _live(database: Database, subscriber: Subscriber, last: int) -> AsyncGenerator[bytes]:
    while not subscriber.cut:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await subscriber.news.wait()
        except TimeoutError:
            yield b": still here\n\n"
            continue
        taken = [event for event in subscriber.take() if event.id > last]
        for piece in _joined(taken):
            yield piece
        ended = subscriber.job_id is not None and any(event.type in OVER for event in taken)
        if ended and subscriber.job_id is not None and await run_in_threadpool(_is_over, database, subscriber.job_id):
            return


def _joined(found: list[Packed]) -> Iterator[bytes]:
    """The events in pieces of about PIECE_BYTES."""
    piece = bytearray()
    for event in found:
        piece += event.bytes
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _snapshot(database: Database, job_id: str) -> tuple[Packed, bool]:
    """The job as an event, and whether it is over. The job is at least as new as the id says: something may be told twice, nothing is missed."""
    newest = event_log.newest(database)
    job = records.get(database, job_id)
    return pack(newest, f"job.{job.state.value}", job.id, now_ms(), public(job)), job.state.over


def _missing(database: Database, last: int) -> bool:
    """Whether events behind `last` are gone, or `last` is from another log."""
    return event_log.newest(database) < last or event_log.oldest(database) > last + 1


def _is_over(database: Database, job_id: str) -> bool:
    try:
        return records.get(database, job_id).state.over
    except RetakeError:  # forgotten meanwhile
        return True


def _nothing_more(database: Database, job_id: str, last: int | None) -> bool:
    """Whether the job is over and the client has seen all of it; raises RetakeError (unknown_job)."""
    job = records.get(database, job_id)
    return last is not None and job.state.over and not packed_since(database, last, None, job_id) and not _missing(database, last)


STREAM: dict[str, Any] = {
    "description": "Server-sent events. Each has an id, a type, and JSON as data: id, type, at, job_id and data (for job.* the job).",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'id: 42\nevent: job.progress\ndata: {"id":42,"type":"job.progress","at":"2026-01-01T12:00:00Z","job_id":"4f0c","data":{}}\n\n',
        }
    },
}
LastHeader = Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^[0-9]{0,18}$", description="what browsers send when they come back")]
LastQuery = Annotated[str | None, Query(alias="last_event_id", pattern=EVENT_ID, description="the same, for clients that cannot set headers")]
Types = Annotated[
    str | None,
    Query(pattern=r"^[a-z_.]{1,40}(,[a-z_.]{1,40}){0,19}$", description="only types that begin so", examples=["job.succeeded,job.failed"]),
]


def _seen(header: str | None, query: str | None) -> int | None:
    return int(header) if header else int(query) if query else None


@router.get(
    "/events",
    status_code=200,
    summary="What happens, as it happens",
    response_class=EventStream,
    responses={200: STREAM, **documented("too_many_streams")},
)
async def stream_events(
    request: Request, context: InContext, last_header: LastHeader = None, last_query: LastQuery = None, types: Types = None
) -> Response:
    """All events from now on, or those after the last one that was seen. When those are not kept any more, an event `reset` comes first: read the
    state anew then. A comment every 15 s shows that the connection lives."""
    hub: Hub = request.app.state.hub
    subscriber = await hub.subscribe(None, tuple(types.split(",")) if types else ())
    return EventStream(_pieces(context.database, subscriber, _seen(last_header, last_query)), partial(hub.leave, subscriber))


@router.get(
    "/jobs/{job_id}/events",
    tags=["jobs"],
    status_code=200,
    summary="What happens to one job",
    response_class=EventStream,
    responses={
        200: STREAM,
        204: {"description": "The job is over and you have seen all of it; there is nothing to come back for."},
        **documented("unknown_job", "too_many_streams"),
    },
)
async def stream_job(request: Request, context: InContext, job_id: JobId, last_header: LastHeader = None, last_query: LastQuery = None) -> Response:
    """The job as it is now and what happens to it, until it is over; or what happened after the last event that was seen."""
    last = _seen(last_header, last_query)
    if await run_in_threadpool(_nothing_more, context.database, job_id, last):
        return Response(status_code=204)
    hub: Hub = request.app.state.hub
    subscriber = await hub.subscribe(job_id, ())
    return EventStream(_pieces(context.database, subscriber, last), partial(hub.leave, subscriber))
