"""Who may call, and what may come in: looked at before anything of a request is parsed.

In this order: the Host header (a name that an attacker points at this machine is refused), the Origin header (web pages), the token, the client's
version, the kind of body, its size and its pace. See docs/api.md.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import re
import time
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retake import __version__
from retake.api import handshake, tickets
from retake.api.context import Context
from retake.api.errors import Problem, answer, internal
from retake.domain.errors import ErrorKind, RetakeError

log = logging.getLogger(__name__)

WITHOUT_TOKEN = frozenset({"/v1/health"})
WHATEVER_VERSION = frozenset({"/v1/health", "/v1/version"})  # where a client learns which version it needs
LARGEST_JSON = 8 * 1024**2
LARGEST_TIMELINE = 32 * 1024**2
BODY_SECONDS = 30.0  # for a whole JSON body
CHUNK_SECONDS = 30.0  # for each piece of an upload
# What is still read of a body that is refused, so that the client gets to read the answer instead of a broken connection.
DRAIN_BYTES = 4 * 1024**2
DRAIN_SECONDS = 2.0
STREAMED = frozenset({"PUT", "PATCH"})  # others would hold all that comes in memory
BINARY = frozenset({"application/octet-stream", "application/offset+octet-stream"})
TIMELINES = frozenset({"application/json", "application/vnd.opentimelineio+json", "application/octet-stream"})
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_-][a-z0-9_.-]{0,252})(?::([0-9]{1,5}))?")
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    handshake.SERVER_HEADER: __version__,
    handshake.CLIENT_API_HEADER: str(handshake.API_VERSION),
}
_ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, If-Range, Last-Event-ID, Range, Upload-Length, Upload-Offset, Upload-Metadata, "
    "Tus-Resumable, X-Retake-Api, X-Retake-Client, X-Retake-Client-Version"
)
_EXPOSED_HEADERS = "Accept-Ranges, Content-Range, ETag, Location, Retry-After, Upload-Length, Upload-Offset, X-Retake-Api, X-Retake-Version"


class Guard:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context
        self._token = context.token.encode()
        self._hosts = allowed_hosts(context)
        self._origins = frozenset(origin.rstrip("/").lower() for origin in context.settings.server.origins)
        self._refused = _Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        sender = _Sender(send)
        try:
            headers = single_headers(scope)
            sender.origin = self._check_caller(scope, headers)
            if scope["method"] == "OPTIONS" and "access-control-request-method" in headers and sender.origin:
                await _preflight(sender, headers)
                return
            self._check_token(scope, headers)
            if scope["path"] not in WHATEVER_VERSION:
                handshake.check(headers)
            receive = await self._body(scope, headers, receive)
        except RetakeError as error:
            if _has_body(scope) and not any(name == b"expect" for name, _ in scope["headers"]):
                await _drain(receive)
            await answer(error)(scope, receive, sender)
            return
        except ClientDisconnect:
            return
        try:
            await self._app(scope, receive, sender)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the last place where it can still be answered; what cannot be is raised below
            failure = error
        else:
            return
        if sender.started:
            raise failure
        await internal(failure, f"{scope['method']} {scope['path']}")(scope, receive, sender)

    def _check_caller(self, scope: Scope, headers: Mapping[str, str]) -> str:
        """Check Host and Origin; returns the origin if it is a configured one of another site, else ""."""
        host = headers.get("host", "").lower()
        if not self._host_allowed(host, scope):
            cause = f"This daemon is not addressed as '{host[:100]}'." if host else "The request names no host."
            raise Problem("wrong_host", cause, kind=ErrorKind.REFUSED)
        origin = headers.get("origin")
        if origin is None or origin.lower() == f"{'https' if self._context.secure else 'http'}://{host}":
            return ""
        if origin.lower() in self._origins:
            return origin
        raise Problem("wrong_origin", f"Web pages of '{origin[:100]}' may not call this daemon.", kind=ErrorKind.REFUSED)

    def _host_allowed(self, host: str, scope: Scope) -> bool:
        match = _HOST.fullmatch(host)
        if match is None or (match[2] is not None and not 1 <= int(match[2]) <= 65535):
            return False
        # The port is not compared: it may be forwarded, and a page cannot choose a name of ours by choosing a port.
        if match[1] in self._hosts or host in self._hosts:
            return True
        # The address that the connection came in at. No page can pass off its own name as an address in figures.
        server = scope.get("server")
        return bool(server) and _address(match[1]) is not None and _address(match[1]) == _address(str(server[0]))

    def _check_token(self, scope: Scope, headers: Mapping[str, str]) -> None:
        if scope["path"] in WITHOUT_TOKEN:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if given and scheme.lower() == "bearer":
            if hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self._token):
                return
            code = "wrong_token"
        else:
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
            if tickets.valid(self._context.token, query.get("ticket", [""])[-1], scope["method"], scope["path"], time.time()):
                return
            code = "wrong_token" if "ticket" in query else "no_token"
        self._refused.note(scope)
        raise Problem(code, kind=ErrorKind.REFUSED, headers={"WWW-Authenticate": "Bearer"})

    async def _body(self, scope: Scope, headers: Mapping[str, str], receive: Receive) -> Receive:
        """Check the body. One of JSON is read as a whole here; an upload goes through in pieces that are counted and timed."""
        if not _has_body(scope):
            return receive
        if "content-length" in headers and "transfer-encoding" in headers:
            raise Problem("bad_request", "The request tells its length in two ways.", "Send Content-Length or Transfer-Encoding.")
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem("wrong_content_type", "The body is compressed.", "Send it as it is.")
        mime, parameters = _content_type(headers.get("content-type", ""))
        path = str(scope["path"])
        timeline = path.startswith("/v1/timelines")
        if path.startswith("/v1/uploads") and scope["method"] in STREAMED and mime in BINARY:
            limit = self._context.settings.limits.upload_bytes
            _check_length(headers, limit)
            return _counted(receive, limit)
        if mime not in (TIMELINES if timeline else {"application/json"}) or parameters not in {"", "charset=utf-8", 'charset="utf-8"'}:
            raise Problem("wrong_content_type", f"The body is {(mime or 'of no declared type')[:100]}.")
        limit = LARGEST_TIMELINE if timeline else LARGEST_JSON
        _check_length(headers, limit)
        return _replayed(await _whole(receive, limit), receive)


def allowed_hosts(context: Context) -> frozenset[str]:
    """Names by which the daemon may be addressed, in lower case; those with a port only with that one."""
    server = context.settings.server
    names = {"localhost", "127.0.0.1", "[::1]", *(name.strip().lower() for name in server.hosts)}
    if server.listen not in _ANY_ADDRESS:
        names.add(f"[{server.listen.lower()}]" if ":" in server.listen else server.listen.lower())
    return frozenset(names)


def single_headers(scope: Scope) -> dict[str, str]:
    """Headers of a request, names in lower case; raises Problem (bad_request) where one that decides something is given twice."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        if key in found and key in {"host", "origin", "authorization", "content-type", "content-length", "transfer-encoding"}:
            raise Problem("bad_request", f"The header {key} is given twice.", "Give it once.")
        found[key] = value.decode("latin-1")
    return found


class _Sender:
    """Sends an answer with the headers that every answer has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.origin = ""
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if self.origin:
                headers["Access-Control-Allow-Origin"] = self.origin
                headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
                headers.add_vary_header("Origin")
        await self._send(message)


class _Refusals:
    """Tells the log of wrong tokens without letting them fill it."""

    def __init__(self, every: float = 60.0) -> None:
        self._every = every
        self._count = 0
        self._told = float("-inf")

    def note(self, scope: Scope) -> None:
        self._count += 1
        now = time.monotonic()
        if now - self._told >= self._every:
            client = scope.get("client")
            log.warning("%d calls without a valid token, the last one from %s", self._count, client[0] if client else "an unknown address")
            self._told, self._count = now, 0


async def _preflight(send: _Sender, headers: Mapping[str, str]) -> None:
    fields = {"Access-Control-Allow-Methods": _ALLOWED_METHODS, "Access-Control-Allow-Headers": _ALLOWED_HEADERS, "Access-Control-Max-Age": "600"}
    if headers.get("access-control-request-private-network") == "true":
        fields["Access-Control-Allow-Private-Network"] = "true"
    raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": 204, "headers": raw})
    await send({"type": "http.response.body", "body": b""})


def _has_body(scope: Scope) -> bool:
    return any(name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0") for name, value in scope["headers"])


def _content_type(value: str) -> tuple[str, str]:
    mime, _, parameters = value.partition(";")
    return mime.strip().lower(), parameters.replace(" ", "").lower()


def _check_length(headers: Mapping[str, str], limit: int) -> None:
    announced = headers.get("content-length", "0").strip()
    if not announced.isascii() or not announced.isdigit():
        raise Problem("bad_request", "Content-Length is not a number.", "Send the number of bytes.")
    if len(announced) > 18 or int(announced) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> Problem:
    size = f"{limit / 1024**2:.0f} MiB" if limit >= 1024**2 else f"{limit:,} bytes"
    return Problem("body_too_large", f"The body is larger than {size}.")


def _slow() -> Problem:
    return Problem("slow_body", headers={"Connection": "close"})


async def _whole(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                body += message.get("body", b"")
                if len(body) > limit:
                    raise _too_large(limit)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise _slow() from error


def _replayed(body: bytes, receive: Receive) -> Receive:
    """`receive` that gives `body` once and then whatever else comes (the end of the connection)."""
    waiting = [body]

    async def replay() -> Message:
        return {"type": "http.request", "body": waiting.pop(), "more_body": False} if waiting else await receive()

    return replay


def _counted(receive: Receive, limit: int) -> Receive:
    count = 0

    async def counted() -> Message:
        nonlocal count
        try:
            async with asyncio.timeout(CHUNK_SECONDS):
                message = await receive()
        except TimeoutError as error:
            raise _slow() from error
        count += len(message.get("body", b""))
        if count > limit:
            raise _too_large(limit)
        return message

    return counted


async def _drain(receive: Receive) -> None:
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
