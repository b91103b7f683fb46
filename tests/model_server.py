"""A real HTTP server on loopback that speaks the chat-completions API and answers what a test tells it to."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """One answer: an error status, or the pieces of a streamed text. `raw` is sent as it is instead of events."""

    pieces: tuple[str, ...] = ()
    status: int = 200
    reason: str = "stop"
    refusal: str = ""
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    tokens: tuple[int, int] | None = (100, 20)
    hold: threading.Event | None = None  # waited for before anything is sent


@dataclass
class ModelServer:
    """Where it listens, and what it was asked."""

    port: int
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@contextmanager
def model_server(answer: Callable[[int, dict[str, Any]], Reply]) -> Iterator[ModelServer]:
    """`answer(number of the request, from 0, its body)` is the reply."""
    seen = ModelServer(0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = len(seen.requests)
            seen.requests.append(body)
            seen.keys.append(self.headers.get("Authorization", ""))
            reply = answer(number, body)
            if reply.hold is not None:
                reply.hold.wait(60)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client had enough
                self._send(reply)

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "text/event-stream" if reply.status == 200 else "application/json")
            self.end_headers()
            if reply.raw is not None:
                self.wfile.write(reply.raw)
            elif reply.status != 200:
                self.wfile.write(json.dumps({"error": {"message": "no", "type": "error"}}).encode())
            else:
                for event in _events(reply):
                    self.wfile.write(f"data: {event}\n\n".encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    seen.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _events(reply: Reply) -> Iterator[str]:
    common = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    for piece in reply.pieces:
        yield json.dumps({**common, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
    last = {"refusal": reply.refusal} if reply.refusal else {}
    yield json.dumps({**common, "choices": [{"index": 0, "delta": last, "finish_reason": reply.reason}]})
    if reply.tokens is not None:
        usage = {"prompt_tokens": reply.tokens[0], "completion_tokens": reply.tokens[1], "total_tokens": sum(reply.tokens)}
        yield json.dumps({**common, "choices": [], "usage": usage})
    yield "[DONE]"
