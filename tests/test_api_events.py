"""Event streams: nothing is missed, nobody holds up the others, and what is over ends."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from api_daemon import TOKEN, Daemon, add_speaker, error_of, running
from waiting import PATIENCE, until

from retake.api import events as stream
from retake.domain.job import JobProgress, JobResult
from retake.jobs import queue
from retake.jobs import running as work
from retake.jobs.database import Database, default_url
from retake.jobs.events import announce, newest
from retake.jobs.tables import events


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("events") / "home"
    add_speaker(home)
    with running(home) as daemon:
        yield daemon


@dataclass(frozen=True)
class Seen:
    """An event as a client reads it."""

    id: int
    type: str
    data: dict[str, Any]


@contextmanager
def listening(daemon: Daemon, path: str = "/v1/events", last: int | None = None, **query: str) -> Iterator[Iterator[Seen]]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    with daemon.client.stream("GET", path, headers=headers, params=query, timeout=PATIENCE) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield parsed(answer.iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[Seen]:
    found: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        elif "data" in found:
            content = json.loads(found["data"])
            assert content["id"] == int(found["id"])
            assert content["type"] == found["event"]
            yield Seen(content["id"], content["type"], content["data"])
            found = {}


def take(seen: Iterator[Seen], count: int) -> list[Seen]:
    return [next(seen) for _ in range(count)]


def do(daemon: Daemon, job: dict[str, Any], *, reports: int = 2) -> None:
    """What a worker writes about a job that works out."""
    work.claim(daemon.database, job["id"], job["generation"], "host.1")
    for number in range(reports):
        work.report(daemon.database, job["id"], job["generation"], JobProgress(stage="Speaking", fraction=number / reports))
    assert work.succeed(daemon.database, job["id"], job["generation"], JobResult(takes=["0123456789abcdef"]))


def test_what_happens_is_told_as_it_happens(daemon: Daemon) -> None:
    with listening(daemon) as seen:
        job = daemon.line()
        assert next(seen).type == "job.queued"  # while nothing more has happened
        do(daemon, job)
        found = take(seen, 4)
    assert [event.type for event in found] == ["job.running", "job.progress", "job.progress", "job.succeeded"]
    assert [event.id for event in found] == sorted(event.id for event in found)
    assert found[0].data["id"] == job["id"]
    assert found[1].data["progress"]["stage"] == "Speaking"
    assert found[3].data["result"]["takes"] == ["0123456789abcdef"]


@pytest.mark.parametrize("by_query", [False, True])
def test_a_client_that_was_away_gets_what_it_missed(daemon: Daemon, by_query: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PAGE", 20)
    monkeypatch.setattr(stream, "WAITING_EVENTS", 50)
    hub = daemon.app.state.hub
    until(lambda: hub._task is None or hub._task.done())  # so that all of it has been missed when the client comes
    before = newest(daemon.database)
    do(daemon, daemon.line(), reports=100)  # more than one page, and more than a queue holds
    query = {"last_event_id": str(before)} if by_query else {}
    with listening(daemon, last=None if by_query else before, **query) as seen:
        found = take(seen, 103)
        announce(daemon.database, "speaker.deleted", {"name": "ben"})
        assert next(seen).type == "speaker.deleted"
    assert [event.id for event in found] == list(range(before + 1, before + 104))


def test_nothing_is_missed_or_told_twice_between_log_and_stream(daemon: Daemon) -> None:
    """Events are written all the time while clients come, leave and come back."""
    stop = threading.Event()
    first = newest(daemon.database)

    def write() -> None:
        while not stop.is_set():
            announce(daemon.database, "test.tick", {})
            time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        ids: list[int] = []
        last = first
        for _ in range(12):
            with listening(daemon, last=last) as seen:
                ids += [event.id for event in take(seen, 25)]
            last = ids[-1]
    finally:
        stop.set()
        writer.join()
    assert ids == list(range(first + 1, first + 1 + len(ids)))


def test_only_wanted_types_come(daemon: Daemon) -> None:
    with listening(daemon, types="job.succeeded,speaker.") as seen:
        do(daemon, daemon.line())
        announce(daemon.database, "speaker.deleted", {"name": "ben"})
        assert [event.type for event in take(seen, 2)] == ["job.succeeded", "speaker.deleted"]


def test_the_stream_of_a_job_begins_with_the_job_and_ends_with_it(daemon: Daemon) -> None:
    job, other = daemon.line(), daemon.line("Another line.")
    with listening(daemon, f"/v1/jobs/{job['id']}/events") as seen:
        first = next(seen)
        assert (first.type, first.data["id"]) == ("job.queued", job["id"])
        do(daemon, other)
        do(daemon, job)
        rest = list(seen)  # ends by itself
    assert [event.type for event in rest] == ["job.running", "job.progress", "job.progress", "job.succeeded"]
    with listening(daemon, f"/v1/jobs/{job['id']}/events") as seen:
        assert [event.type for event in seen] == ["job.succeeded"]


def test_a_job_that_is_tried_again_goes_on(daemon: Daemon) -> None:
    job = daemon.line()
    before = newest(daemon.database)
    daemon.client.post(f"/v1/jobs/{job['id']}/cancel")
    again = daemon.client.post(f"/v1/jobs/{job['id']}/retry").json()
    with listening(daemon, f"/v1/jobs/{job['id']}/events", last=before) as seen:
        assert [event.type for event in take(seen, 2)] == ["job.cancelled", "job.queued"]
        do(daemon, again, reports=0)
        assert [event.type for event in seen] == ["job.running", "job.succeeded"]


def test_who_has_seen_all_of_a_job_is_told_not_to_come_back(daemon: Daemon) -> None:
    job = daemon.line()
    do(daemon, job)
    path = f"/v1/jobs/{job['id']}/events"
    assert daemon.client.get(path, headers={"Last-Event-ID": str(newest(daemon.database))}).status_code == 204
    with listening(daemon, path, last=newest(daemon.database) - 1) as seen:
        assert [event.type for event in seen] == ["job.succeeded"]


def test_a_job_that_is_forgotten_ends_its_stream(daemon: Daemon) -> None:
    job = daemon.line()
    with listening(daemon, f"/v1/jobs/{job['id']}/events") as seen:
        next(seen)
        queue.cancel(daemon.database, job["id"])
        queue.forget(daemon.database, job["id"])
        # And it ends; what was told of the job before goes with it, read or not.
        assert {event.type for event in seen} <= {"job.cancelled", "job.forgotten"}


def test_unknown_jobs_and_ids(daemon: Daemon) -> None:
    answer = daemon.client.get("/v1/jobs/0123/events")
    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_job")
    assert daemon.client.get("/v1/events", headers={"Last-Event-ID": "seven"}).status_code == 422
    assert daemon.client.get("/v1/events?last_event_id=-1").status_code == 422
    assert daemon.client.get("/v1/events?types=%00").status_code == 422


def test_events_that_are_not_kept_any_more_give_a_reset(tmp_path: Path) -> None:
    with running(tmp_path / "home") as daemon:
        for _ in range(10):
            announce(daemon.database, "test.tick", {})
        with daemon.database.writing() as connection:
            connection.execute(events.delete().where(events.c.id <= 5))
        for last, first in ((3, "reset"), (4, "reset"), (5, "test.tick"), (9, "test.tick"), (10**15, "reset")):
            with listening(daemon, last=last) as seen:
                event = next(seen)
                assert event.type == first, last
                assert event.id == (10 if first == "reset" else last + 1)
        with listening(daemon, last=10**15) as seen:
            assert next(seen).type == "reset"
            announce(daemon.database, "test.tick", {})
            assert next(seen).id == 11
        with daemon.database.writing() as connection:
            connection.execute(events.delete())
        with listening(daemon, last=11) as seen:
            assert next(seen).type == "reset"
            announce(daemon.database, "test.tick", {})
            assert next(seen).id == 12


def test_silence_is_filled_with_comments(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.1)
    with daemon.client.stream("GET", "/v1/events", timeout=PATIENCE) as answer:
        lines = answer.iter_lines()
        found = [line for line in (next(lines) for _ in range(8)) if line]
    assert found[0] == f"retry: {stream.RETRY_MS}"
    assert len([line for line in found if line.startswith(":")]) >= 2


def test_a_slow_client_is_cut_off_and_the_others_go_on(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for(daemon, 0)
    monkeypatch.setattr(stream, "WAITING_EVENTS", 50)
    monkeypatch.setattr(stream, "SEND_SECONDS", 0.5)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", daemon.port))
        slow.sendall(f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert slow.recv(10).startswith(b"HTTP/1.1")
        wait_for(daemon, 1)
        with listening(daemon, types="test.big") as seen:
            for number in range(600):  # how much of it the system's buffers take differs
                announce(daemon.database, "test.big", {"number": number, "text": "x" * 100_000})
                assert next(seen).data["number"] == number
                if daemon.app.state.hub.listening == 1:
                    break
            wait_for(daemon, 1)


def wait_for(daemon: Daemon, listeners: int) -> None:
    hub = daemon.app.state.hub
    until(lambda: hub.listening == listeners, lambda: hub.listening)


def test_clients_that_leave_are_forgotten(daemon: Daemon) -> None:
    wait_for(daemon, 0)
    with listening(daemon), listening(daemon):
        wait_for(daemon, 2)
    wait_for(daemon, 0)


def test_there_is_an_end_to_streams(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for(daemon, 0)
    monkeypatch.setattr(stream, "MOST_STREAMS", 1)
    with listening(daemon):
        answer = daemon.client.get("/v1/events")
        assert (answer.status_code, error_of(answer)["code"]) == (503, "too_many_streams")


def test_streams_end_when_the_daemon_does(tmp_path: Path) -> None:
    with running(tmp_path / "home") as daemon, listening(daemon) as seen:
        threading.Timer(0.2, daemon.app.state.hub.close).start()
        assert list(seen) == []
        assert daemon.client.get("/v1/events").status_code == 503


def test_many_listeners_share_one_reader_and_one_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty listeners: the log is read once for all, and all get the same bytes."""
    database = Database(default_url(tmp_path))
    database.create()
    usual = stream.packed_since
    read: list[int] = []

    def counted(*arguments: Any, **more: Any) -> list[stream.Packed]:
        found = usual(*arguments, **more)
        read.extend(event.id for event in found)
        return found

    monkeypatch.setattr(stream, "packed_since", counted)

    async def listen() -> list[list[stream.Packed]]:
        hub = stream.Hub(database)
        subscribers = [await hub.subscribe(None, ()) for _ in range(50)]
        for _ in range(20):
            await asyncio.to_thread(announce, database, "test.tick", {})
        got: list[list[stream.Packed]] = [[] for _ in subscribers]
        async with asyncio.timeout(PATIENCE):
            while any(len(found) < 20 for found in got):
                await asyncio.sleep(0.02)
                for found, subscriber in zip(got, subscribers, strict=True):
                    found += subscriber.take()
        hub.close()
        return got

    got = asyncio.run(listen())
    database.close()
    assert [len(found) for found in got] == [20] * 50
    assert all(found[0].bytes is got[0][0].bytes for found in got)
    assert len(read) == 20


def test_a_huge_job_is_told_without_what_was_asked_for() -> None:
    job = {"id": "a", "spec": {"kind": "script", "requests": [{"text": "x" * 1000}] * 400}}
    packed = stream.pack(1, "job.queued", "a", 0, job)
    assert len(packed.bytes) < 1000
    assert b'"spec":null' in packed.bytes
    assert job["spec"]["requests"]


def test_an_unreadable_log_is_read_again(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    from retake.jobs.database import unreachable

    usual = stream.packed_since
    failures = [OSError("gone")]

    def failing(*arguments: Any) -> list[stream.Packed]:
        if failures:
            raise unreachable("sqlite://", failures.pop())
        return usual(*arguments)

    with listening(daemon, types="test.") as seen:
        monkeypatch.setattr(stream, "packed_since", failing)
        announce(daemon.database, "test.tick", {})
        assert next(seen).type == "test.tick"
        assert not failures


def test_streams_end_when_their_reader_does(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    def unforeseen(*arguments: object) -> list[stream.Packed]:
        raise KeyError("nobody foresaw this")

    with listening(daemon) as seen:
        monkeypatch.setattr(stream, "packed_since", unforeseen)
        assert list(seen) == [], "the stream ends instead of staying silent for good"
    monkeypatch.undo()
    with listening(daemon) as seen:
        announce(daemon.database, "speaker.deleted", {"name": "after"})
        assert next(seen).data == {"name": "after"}


def test_streams_need_the_token(daemon: Daemon) -> None:
    assert daemon.anonymous.get("/v1/events").status_code == 401
    ticket = daemon.client.post("/v1/tickets", json={"path": "/v1/events"}).json()["url"]
    with daemon.anonymous.stream("GET", ticket, timeout=PATIENCE) as answer:
        assert answer.status_code == 200


def test_what_one_client_missed_is_read_and_sent_in_small_pieces(daemon: Daemon) -> None:
    """Hundreds of clients that ask for everything and read nothing must not each hold megabytes."""
    before = newest(daemon.database)
    daemon.line("We ship on Friday. " * 100)
    for number in range(60):
        daemon.line(f"We ship on Friday, {number}. " * 100)
    everything = stream.packed_since(daemon.database, before)
    page = stream.packed_since(daemon.database, before, room=stream.MISSED_BYTES)
    assert 0 < len(page) < len(everything) and sum(len(event.bytes) for event in page[:-1]) < stream.MISSED_BYTES
    pieces = list(stream._joined(everything))
    assert b"".join(pieces) == b"".join(event.bytes for event in everything)
    largest = max(len(event.bytes) for event in everything)
    assert max(map(len, pieces)) < stream.PIECE_BYTES + largest
