"""Bytes on a socket that are no proper HTTP, come too slowly, too many at once, or are never read."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
from hostile_calls import expect_refusal
from hostile_target import HEALTH_SECONDS, Scale, Target

from retake.api.events import MOST_STREAMS
from retake.http_server import HEADER_SECONDS


def framing(target: Target, scale: Scale) -> Counter[str]:
    """Lengths that lie or contradict each other, chunks that are none, heads without end."""
    outcomes: Counter[str] = Counter()
    json_type = "Content-Type: application/json"
    octets = "Content-Type: application/octet-stream"
    smuggled = b"GET /v1/jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    post, put = b"POST /v1/jobs HTTP/1.1\r\n", b"PUT /v1/uploads HTTP/1.1\r\n"
    cases = {
        "two lengths": (post, [json_type, "Content-Length: 2", "Content-Length: 9"], b"{}" + smuggled),
        "two lengths in one": (post, [json_type, "Content-Length: 2, 9"], b"{}" + smuggled),
        "length and chunks": (post, [json_type, "Content-Length: 4", "Transfer-Encoding: chunked"], b"0\r\n\r\n" + smuggled),
        "chunks and length": (post, [json_type, "Transfer-Encoding: chunked", "Content-Length: 40"], b"0\r\n\r\n" + smuggled),
        "chunked twice": (post, [json_type, "Transfer-Encoding: chunked, chunked"], b"0\r\n\r\n" + smuggled),
        "chunked, then not": (post, [json_type, "Transfer-Encoding: chunked, identity"], b"0\r\n\r\n"),
        "two encodings": (post, [json_type, "Transfer-Encoding: chunked", "Transfer-Encoding: identity"], b"0\r\n\r\n" + smuggled),
        "an encoding with a tab": (post, [json_type, "Transfer-Encoding:\tchunked\x0b"], b"0\r\n\r\n" + smuggled),
        "xchunked": (post, [json_type, "Transfer-Encoding: xchunked"], b"0\r\n\r\n"),
        "gzip": (post, [json_type, "Transfer-Encoding: gzip, chunked"], b"0\r\n\r\n"),
        "a blank before the colon": (post, [json_type, "Content-Length : 2"], b"{}"),
        "a folded header": (post, [json_type, "X-A: b\r\n c", "Content-Length: 2"], b"{}"),
        "a bare line feed": (post, [json_type, "X-A: b\nContent-Length: 2"], b"{}"),
        "length -1": (post, [json_type, "Content-Length: -1"], b"{}"),
        "length +2": (post, [json_type, "Content-Length: +2"], b"{}"),
        "length 0x2": (post, [json_type, "Content-Length: 0x2"], b"{}"),
        "length 10^30": (post, [json_type, f"Content-Length: {10**30}"], b"{}"),
        "length of a terabyte": (post, [json_type, f"Content-Length: {10**12}"], b"{}"),
        "upload of a terabyte": (put, [octets, f"Content-Length: {10**12}"], b"x" * 1000),
        "upload of 2^63": (put, [octets, f"Content-Length: {2**63}"], b"x" * 1000),
        "upload without a length": (put, [octets], b"x" * 1000),
        "a chunk of 2^64": (post, [json_type, "Transfer-Encoding: chunked"], b"FFFFFFFFFFFFFFFF\r\n" + b" " * 9_000_000),
        "a chunk of -1": (post, [json_type, "Transfer-Encoding: chunked"], b"-1\r\n{}\r\n0\r\n\r\n"),
        "a chunk with endless options": (post, [json_type, "Transfer-Encoding: chunked"], b"2;" + b"a" * 100_000),
        "chunks with endless trailers": (post, [json_type, "Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * 100_000),
        "5000 headers": (post, [json_type, *[f"X-{n}: 1" for n in range(5000)]], b""),
        "300 headers": (b"GET /v1/jobs?limit=0 HTTP/1.1\r\n", [f"X-{n}: 1" for n in range(300)], b""),
        "a header of a megabyte": (post, [json_type, "X-A: " + "a" * 1_000_000], b""),
        "an address of a megabyte": (b"GET /v1/" + b"a" * 1_000_000 + b" HTTP/1.1\r\n", [], b""),
        "garbage behind a call": (b"DELETE /v1/jobs/x HTTP/1.1\r\n", [], b"\x00\xff" * 5000),
        "HTTP/2": (b"PRI * HTTP/2.0\r\n", ["", "SM"], b"\x00" * 100),
        "HTTP/0.9": (b"GET /v1/jobs\r\n", [], b""),
        "HTTP/9.9": (b"GET /v1/jobs HTTP/9.9\r\n", [], b""),
        "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x01" * 512, [], b""),
        "a websocket": (
            b"GET /v1/events HTTP/1.1\r\n",
            ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: eA==", "Sec-WebSocket-Version: 13"],
            b"",
        ),
    }

    def send(name: str) -> Counter[str]:
        start, headers, body = cases[name]
        counted: Counter[str] = Counter()
        # A websocket, and a version of HTTP that is none, are answered as if they had not been asked for.
        allowed = "42" if name in {"a websocket", "HTTP/9.9"} else "4"
        answer = expect_refusal(target, counted, start + target.head(*headers) + body, name, allowed)
        if smuggled in body and answer.count(b"HTTP/1.1 ") > 1 and b"wrong_host" not in answer:
            target.problem(f"{name}: a second call was let in: {answer[:300]!r}")
        return counted

    with ThreadPoolExecutor(8) as pool:  # of bodies that are refused, the daemon reads a little more before it closes
        for counted in pool.map(send, cases):
            outcomes += counted
    _without_end(target, outcomes)
    pipelined = (b"GET /v1/jobs/x HTTP/1.1\r\n" + target.head()) * 500
    answer = target.raw(pipelined, 10.0)
    outcomes["pipelined: answered"] += answer.count(b"HTTP/1.1 4")
    if answer.count(b"HTTP/1.1 4") != 500:
        target.problem(f"of 500 calls in a row {answer.count(b'HTTP/1.1 4')} were answered")
    return outcomes


def _without_end(target: Target, outcomes: Counter[str]) -> None:
    """Bodies in chunks that never end, sent as fast as they are taken: cut off at the limit."""
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    for start, kind in (
        (b"POST /v1/jobs", "application/json"),
        (b"POST /v1/timelines", "application/json"),
        (b"PUT /v1/uploads", "application/octet-stream"),
    ):
        began, sent = time.monotonic(), 0
        with socket.create_connection(("127.0.0.1", target.port), timeout=10) as connection:
            connection.sendall(start + b" HTTP/1.1\r\n" + target.head(f"Content-Type: {kind}", "Transfer-Encoding: chunked"))
            with contextlib.suppress(OSError):
                while sent < 512 * 1024**2 and time.monotonic() - began < 30:
                    connection.sendall(piece)
                    sent += 65536
            answer = b""
            with contextlib.suppress(OSError):
                answer = connection.recv(4096)
        outcomes[f"without end: {answer[9:12].decode() or 'closed'}"] += 1
        if (answer and answer[9:10] != b"4") or sent > 128 * 1024**2:
            target.problem(f"a body without end to {start.decode()}: {sent / 1024**2:.0f} MiB were taken, {answer[:100]!r}")


def trickle(target: Target, scale: Scale) -> Counter[str]:
    """Heads that come byte by byte, and bodies: all at once, while everybody else is served."""
    heads = b"GET /v1/jobs HTTP/1.1\r\nX-A: " + b"a" * 4000
    body = b"POST /v1/jobs HTTP/1.1\r\n" + target.head("Content-Type: application/json", "Content-Length: 4000")
    upload = b"PUT /v1/uploads HTTP/1.1\r\n" + target.head("Content-Type: application/octet-stream", "Content-Length: 4000")
    outcomes: Counter[str] = Counter()
    opened = [
        (name, socket.create_connection(("127.0.0.1", target.port), 5))
        for name in ("head", "body", "silent upload", "nothing")
        for _ in range(scale.slow)
    ]
    began = time.monotonic()
    waits = {"head": HEADER_SECONDS, "body": 30.0, "silent upload": 30.0, "nothing": HEADER_SECONDS}
    for name, connection in opened:
        connection.setblocking(False)
        if name in {"body", "silent upload"}:
            connection.sendall(body if name == "body" else upload)
    left, sent, asked = dict(enumerate(opened)), 0, 0.0
    while left and time.monotonic() - began < 45:
        for number, (name, connection) in list(left.items()):
            try:
                if name in {"head", "body"}:
                    connection.send(heads[sent : sent + 1] if name == "head" else b" ")
                answer = connection.recv(4096)
            except BlockingIOError:
                continue
            except OSError:
                answer = b""
            after = time.monotonic() - began
            outcomes[f"{name}: {answer[9:12].decode() or 'closed'}"] += 1
            if (answer and answer[9:10] != b"4") or after > waits[name] + 5:
                target.problem(f"{name}: after {after:.1f} s {answer[:100]!r}")
            connection.close()
            del left[number]
        sent += 1
        with httpx.Client(base_url=target.http.base_url, trust_env=False, timeout=5) as stranger:
            at = time.monotonic()
            stranger.get("/v1/health")
            asked = max(asked, time.monotonic() - at)
        time.sleep(0.25)
    for name, connection in left.values():
        target.problem(f"{name}: the connection is open after 45 s")
        connection.close()
    if asked > HEALTH_SECONDS:
        target.problem(f"beside slow callers, the health check took {asked:.2f} s")
    return outcomes


def streams(target: Target, scale: Scale) -> Counter[str]:
    """Event streams that are opened and never read, while much happens."""
    outcomes: Counter[str] = Counter()
    opened: list[socket.socket] = []
    try:
        for number in range(scale.streams):
            connection = socket.create_connection(("127.0.0.1", target.port), 5)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(b"GET /v1/events HTTP/1.1\r\n" + target.head(f"Last-Event-ID: {number % 7}"))
            opened.append(connection)
        text = " ".join(["Hello there, everybody."] * 60)
        made: list[str] = []
        for number in range(20):
            answer = target.http.post("/v1/jobs/batch", json={"jobs": [target.line(f"{text} {number}.", seed=n) for n in range(10)]})
            outcomes[f"jobs beside them: {answer.status_code}"] += 1
            made += [job["id"] for job in answer.json()["jobs"]]
        for job in made:
            target.http.post(f"/v1/jobs/{job}/cancel")
        began = time.monotonic()
        answer = target.http.get("/v1/health")
        if answer.status_code != 200 or time.monotonic() - began > HEALTH_SECONDS:
            target.problem(f"beside {len(opened)} unread streams: {answer.status_code} after {time.monotonic() - began:.2f} s")
        for connection in opened:
            connection.settimeout(5)
            with contextlib.suppress(OSError):
                start = connection.recv(16)
                outcomes[f"stream: {start[9:12].decode() or 'closed'}"] += 1
        # Those that are told of what was before them, and do not listen, are cut off soon and make room.
        if outcomes["stream: 503"] > max(0, scale.streams - MOST_STREAMS) or outcomes["stream: 200"] + outcomes["stream: 503"] != scale.streams:
            target.problem(f"streams: {dict(outcomes)}")
    finally:
        for connection in opened:
            connection.close()
    return outcomes


def idle(target: Target, scale: Scale) -> Counter[str]:
    """Connections that say nothing, more than a process may usually have files: after some seconds everybody is served again."""
    outcomes: Counter[str] = Counter()
    opened: list[socket.socket] = []
    with selectors.DefaultSelector() as selector:
        try:
            for _ in range(scale.idle):
                connection = socket.socket()
                connection.setblocking(False)
                connection.connect_ex(("127.0.0.1", target.port))
                opened.append(connection)
                selector.register(connection, selectors.EVENT_READ)
                if len(opened) % 100 == 0:
                    time.sleep(0.02)
            began = time.monotonic()
            outcomes["while they are there: " + _health(target)] += 1
            left = len(opened)
            while left and time.monotonic() - began < 60:
                for key, _ in selector.select(1.0):
                    selector.unregister(key.fileobj)
                    left -= 1
            outcomes[
                f"closed by the daemon within {HEADER_SECONDS * 2:.0f} s" if time.monotonic() - began < HEADER_SECONDS * 2 else "closed later"
            ] += len(opened) - left
            if left:
                target.problem(f"{left} of {len(opened)} idle connections are held after a minute")
            answer = _health(target)
            if answer != "200":
                target.problem(f"when they are gone: {answer}")
        finally:
            for connection in opened:
                connection.close()
    return outcomes


def _health(target: Target) -> str:
    try:
        with httpx.Client(base_url=target.http.base_url, trust_env=False, timeout=3) as stranger:
            return str(stranger.get("/v1/health").status_code)
    except httpx.HTTPError as error:
        return type(error).__name__
