"""The HTTP interface on a real server in a thread of the test, over a home folder of its own; no workers."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from speaker_samples import speaker_record
from waiting import PATIENCE, until

from retake.api.app import create_app
from retake.api.context import Context, WorkerStatus
from retake.http_server import configure
from retake.jobs.database import Database, default_url
from retake.settings import Settings
from retake.speakers import store

TOKEN = "a-token-of-the-tests"


@dataclass
class Daemon:
    """A served application. `client` sends the token, `anonymous` does not."""

    app: FastAPI
    context: Context
    port: int
    client: httpx.Client
    anonymous: httpx.Client
    workers: list[WorkerStatus] = field(default_factory=list)

    @property
    def database(self) -> Database:
        return self.context.database

    def raw(self, request: bytes, *, head: bool = False) -> bytes:
        """What the server answers to these bytes: one answer, see `receive`."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(request)
            return receive(connection, head=head)

    def line(self, text: str = "We ship on Friday.", **fields: Any) -> dict[str, Any]:
        """Submit a line of the speaker "anna"; returns the job."""
        body = {"spec": {"kind": "line", "request": {"speaker": "anna", "text": text}}, **fields}
        answer = self.client.post("/v1/jobs", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()


def receive(connection: socket.socket, *, head: bool = False) -> bytes:
    """One answer: all bytes until the other side closes, or until as many have come as the answer's head says; with `head`, no more than that."""
    connection.settimeout(PATIENCE)
    received = b""
    while not _complete(received, head):
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:  # it closed while we were still sending; what it said before that counts
            break
        if not piece:
            break
        received += piece
    return received


def _complete(received: bytes, head_is_enough: bool) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    if end and head_is_enough:
        return True
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


def add_speaker(home: Path, name: str = "anna") -> None:
    """A speaker's record, without anything learnt: enough for everything but rendering."""
    with store.building(home, name) as folder:
        store.save(folder, speaker_record(name, width=640, height=360))


@contextmanager
def running(home: Path, settings: Settings | None = None) -> Iterator[Daemon]:
    """Serve the interface over `home` on a free port of the loopback."""
    home.mkdir(parents=True, exist_ok=True)
    database = Database(default_url(home))
    database.create()
    workers = [WorkerStatus("host.1", "cpu", 4242, "ready")]

    def current() -> list[WorkerStatus]:
        return workers

    context = Context(home, settings or Settings(), database, TOKEN, workers=current)
    app = create_app(context)
    made = socket.create_server(("127.0.0.1", 0))
    port = made.getsockname()[1]
    server = uvicorn.Server(configure(app, None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [made]}, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        base = f"http://127.0.0.1:{port}"
        with (
            httpx.Client(base_url=base, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE) as client,
            httpx.Client(base_url=base, timeout=PATIENCE) as anonymous,
        ):
            yield Daemon(app, context, port, client, anonymous, workers)
    finally:
        app.state.hub.close()
        server.should_exit = True
        thread.join(PATIENCE)
        database.close()
        assert not thread.is_alive(), "the server did not stop"


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error in an answer, which must have the one shape that all errors have."""
    body = json.loads(answer.text)
    assert set(body) == {"error"}, body
    error = body["error"]
    assert {"code", "kind", "cause", "remedy"} <= set(error) <= {"code", "kind", "cause", "remedy", "fields", "id"}, error
    assert error["cause"] and error["remedy"]
    return error
