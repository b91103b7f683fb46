"""The HTTP server under the API: uvicorn with bounds on what a stranger can hold up, on sockets that we bind, ended by us."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import ipaddress
import logging
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from retake.domain.errors import ErrorKind, RetakeError

log = logging.getLogger(__name__)

HEADER_BYTES = 32 * 1024  # of one request's line and headers together
HEADER_SECONDS = 10.0  # within which they must have arrived
STALL_SECONDS = 60.0  # without a byte of a body that is being sent
KEEP_ALIVE_SECONDS = 30
# At once. For one that comes on top, the one that has asked for nothing for longest goes; if all are being answered, there is 503 or no answer.
CONNECTIONS = 512
SPARE_CONNECTIONS = 64  # that hear why they are refused
# How long, and how much, is still read of a body that was answered before it had come as a whole, so that its sender gets to read the answer.
LINGER_SECONDS = 2.0
LINGER_BYTES = 4 * 1024**2
COMPLAINT_SECONDS = 60.0
OPEN_FILES = 2048
LOOK_SECONDS = 5
GRACE_SECONDS = 1  # for answers that are under way when the daemon is stopped
STREAMS = "/events"  # ends the address of answers that never end by themselves

_TAKEN = {errno.EADDRINUSE, errno.EACCES}  # Windows answers "access denied" for a port that another program holds for itself
_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class _Complaints:
    """Tells the log of each kind of bad connection once in a while: strangers must not fill it, and what is worth reading would be gone."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def note(self, words: str, figure: float) -> None:
        now = time.monotonic()
        if now - self._told.get(words, float("-inf")) >= COMPLAINT_SECONDS:
            self._told[words] = now
            log.info(words, figure)


_complaints = _Complaints()


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 with patience that ends: uvicorn itself waits for ever for the rest of a request."""

    _patience: asyncio.TimerHandle | None = None
    _heard = 0.0
    _unwanted: int | None = None  # bytes that are still read of a body that has been answered already

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._heard = self.loop.time()
        self._wait(HEADER_SECONDS, self._headers_are_late)
        self._make_room()

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        if self._unwanted is not None:
            self._unwanted -= len(data)
            if self._unwanted < 0:
                self.transport.close()
                return
        super().data_received(data)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self._unwanted = LINGER_BYTES  # uvicorn itself would read for as long as something comes
            self._wait(LINGER_SECONDS, self.transport.close)

    def handle_events(self) -> None:
        super().handle_events()
        state = self.conn.their_state
        if self.transport.is_closing():
            self._stop_waiting()
        elif state is h11.SEND_BODY:
            if self._unwanted is None:
                self._wait(STALL_SECONDS, self._body_stalls)
        elif state is h11.IDLE and self.timeout_keep_alive_task is None:
            # Part of a request's head is here: the time runs from its first byte, however often another one comes.
            if self._patience is None or self._unwanted is not None:
                self._wait(HEADER_SECONDS, self._headers_are_late)
            self._unwanted = None
        else:
            self._unwanted = None
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _make_room(self) -> None:
        """Keep within the open files that a process may have: without any, nobody is let in, and jobs cannot be read."""
        if len(self.connections) < CONNECTIONS:
            return
        others = [other for other in self.connections if isinstance(other, BoundedProtocol) and other is not self]
        asking_nothing = [other for other in others if other.asks_nothing()]
        if asking_nothing:
            _complaints.note("there are %d connections; the one that asked for nothing for longest was closed", CONNECTIONS)
            min(asking_nothing, key=BoundedProtocol.last_heard).transport.abort()
        elif len(self.connections) > CONNECTIONS + SPARE_CONNECTIONS:
            _complaints.note("there are %d connections; another one was closed", CONNECTIONS)
            self.transport.abort()

    def asks_nothing(self) -> bool:
        """Whether no request is here as a whole, and none is being answered."""
        return self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE and not self.transport.is_closing()

    def last_heard(self) -> float:
        """When something last came, on the clock of the loop."""
        return self._heard

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(seconds, then)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _headers_are_late(self) -> None:
        _complaints.note("closed a connection whose request did not arrive within %.0f s", HEADER_SECONDS)
        self.transport.close()

    def _body_stalls(self) -> None:
        left = self._heard + STALL_SECONDS - self.loop.time()
        if self.flow.read_paused or left > 0:  # we are the slow ones, or something came meanwhile
            self._wait(left if left > 0 else STALL_SECONDS, self._body_stalls)
            return
        _complaints.note("closed a connection of whose body nothing came for %.0f s", STALL_SECONDS)
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server; signals end it without killing the process, and event streams do not hold it up.

    Args:
        started: called when requests are answered.
        stopping: called when it has been asked to end, before anything is closed.
    """

    def __init__(self, config: uvicorn.Config, *, started: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell_started = started
        self._tell_stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._tell_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._tell_stopping()
        for server in self.servers:
            server.close()  # nobody new
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol) and connection.scope is not None and connection.scope["path"].endswith(STREAMS):
                connection.transport.close()
        # Who has not finished by then gets a broken connection, which routes know; uvicorn itself would cancel them, which ends in tracebacks.
        late = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._abort_all)
        await super().shutdown(sockets=sockets)
        late.cancel()

    def _abort_all(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol):
                connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread gets signals
            return
        with handled(self.handle_exit):
            yield


@contextlib.contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Generator[None, None, None]:
    """Have the signals that ask a process to end call `handler`. Those that whoever started us wants ignored (nohup, a shell's &) stay so."""
    wanted = [signal.SIGINT, signal.SIGTERM]
    wanted.append(signal.SIGBREAK if sys.platform == "win32" else signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in wanted if signal.getsignal(number) is not signal.SIG_IGN}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def configure(app: Any, context: ssl.SSLContext | None, look_after: Callable[[], Awaitable[None]] | None = None) -> uvicorn.Config:
    """How the API is served. Headers that a proxy adds are not believed: anybody could send them.

    Args:
        look_after: called every few seconds.
    """

    def given_context(config: uvicorn.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        assert context is not None
        return context

    return uvicorn.Config(
        app,
        loop="asyncio",
        http=BoundedProtocol,
        ws="none",
        log_config=None,  # the daemon's own log
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        backlog=128,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS + 1,
        h11_max_incomplete_event_size=HEADER_BYTES,
        callback_notify=look_after,
        timeout_notify=LOOK_SECONDS,
        ssl_context_factory=given_context if context is not None else None,
    )


def allow_files(count: int = OPEN_FILES) -> None:
    """Let this process and its children have `count` files open, or as many as the system allows: macOS begins with 256, fewer than CONNECTIONS."""
    if sys.platform == "win32":
        return  # sockets do not count there
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # a system that allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def bind(listen: str, port: int, *, fixed: bool) -> list[socket.socket]:
    """Sockets bound to `listen` (an address or a name, which may stand for several addresses) and `port`.

    Args:
        port: 0 for any free one.
        fixed: refuse another port if this one is taken; else any free one is used.

    Raises RetakeError (port_taken, bad_address).
    """
    try:
        return _bind_all(listen, port)
    except (OSError, UnicodeError) as error:  # names that cannot be looked up at all are a UnicodeError
        number = getattr(error, "errno", None)
        if number not in _TAKEN or (sys.platform != "win32" and number == errno.EACCES):
            raise _cannot_listen(listen, port, error) from error
        if fixed or port == 0:
            raise RetakeError(
                f"Port {port} of {listen} is taken by another program.",
                "Give another one with --port, or 0 for any free one.",
                kind=ErrorKind.ENVIRONMENT,
                code="port_taken",
            ) from error
    log.warning("port %d is taken by another program; a free one is used", port)
    return bind(listen, 0, fixed=True)


def _bind_all(listen: str, port: int) -> list[socket.socket]:
    found = socket.getaddrinfo(listen, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            if port == 0 and sockets:
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            try:
                sockets.append(_bind_one(family, kind, protocol, address))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error  # "localhost" may name ::1 where there is no IPv6
    except OSError:
        for made in sockets:
            made.close()
        raise
    if not sockets:
        raise missing or OSError(errno.EADDRNOTAVAIL, "no such address")
    return sockets


def _bind_one(family: int, kind: int, protocol: int, address: tuple[Any, ...]) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    try:
        if sys.platform == "win32":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)  # else another program could take the port from us
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that are being closed do not hold it
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # "::" means what it says
        made.bind(address)
        made.listen(128)  # from here on the port is really ours
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


def _cannot_listen(listen: str, port: int, error: OSError | UnicodeError) -> RetakeError:
    return RetakeError(
        f"It is not possible to listen at {listen}, port {port} ({getattr(error, 'strerror', None) or 'no such name'}).",
        "Give an address of this machine with --listen, such as 127.0.0.1, ::1 or 0.0.0.0, and a port above 1023.",
        kind=ErrorKind.ENVIRONMENT,
        code="bad_address",
    )


def beyond_loopback(sockets: list[socket.socket]) -> bool:
    """Whether other machines can reach one of them."""
    return any(not ipaddress.ip_address(made.getsockname()[0].partition("%")[0]).is_loopback for made in sockets)


def address_of(made: socket.socket, *, secure: bool) -> str:
    """Where programs of this machine reach it: "http://127.0.0.1:7420". "Any address" becomes the loopback one."""
    host, port = made.getsockname()[:2]
    found = ipaddress.ip_address(host.partition("%")[0])
    if found.is_unspecified:
        host = "127.0.0.1" if found.version == 4 else "::1"
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{shown}:{port}"


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """TLS 1.2 or newer with the given PEM files; raises RetakeError (bad_certificate)."""

    def no_password() -> str:
        raise ValueError("the key is encrypted")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key or None, password=no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "strerror", None) or str(error)
        raise RetakeError(
            f"The certificate {certificate} cannot be used ({reason}).",
            "Give PEM files: the certificate with --cert, its key (without a password) with --key.",
            kind=ErrorKind.ENVIRONMENT,
            code="bad_certificate",
        ) from error
    return context


def certificate_fingerprint(certificate: str) -> str:
    """SHA-256 of the first certificate in a PEM file: the one that the daemon shows."""
    text = Path(certificate).read_text(encoding="ascii", errors="replace")
    end = "-----END CERTIFICATE-----"
    first = text[text.index("-----BEGIN CERTIFICATE-----") : text.index(end) + len(end)]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()
