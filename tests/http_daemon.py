"""The daemon's HTTP side in a thread of the test: the real application, server and sockets, without workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waiting import PATIENCE

from retake import http_server
from retake.api.app import create_app
from retake.api.context import Context
from retake.jobs.database import Database, default_url
from retake.settings import Settings
from retake_client import Client, Connection

TOKEN = "t" * 43


@dataclass
class HttpDaemon:
    """A served application."""

    context: Context
    server: http_server.Server
    address: str

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def client(self, **options: Any) -> Client:
        return Client(Connection(self.address, TOKEN), **{"timeout": PATIENCE, **options})


@contextmanager
def http_daemon(home: Path, *, port: int = 0, settings: Settings | None = None) -> Iterator[HttpDaemon]:
    """Serve the API of the home folder `home`."""
    home.mkdir(parents=True, exist_ok=True)
    database = Database(default_url(home))
    database.create()
    context = Context(home, settings or Settings(), database, TOKEN)
    app = create_app(context)
    started = threading.Event()
    server = http_server.Server(http_server.configure(app, None), started=started.set, stopping=app.state.hub.close)
    sockets = http_server.bind("127.0.0.1", port, fixed=True)
    thread = threading.Thread(target=server.run, args=(sockets,), daemon=True)
    thread.start()
    assert started.wait(PATIENCE)
    try:
        yield HttpDaemon(context, server, http_server.address_of(sockets[0], secure=False))
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        database.close()
        assert not thread.is_alive()
