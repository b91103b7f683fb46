"""One HTTP call: connect, check whom we talk to, send, read, turn failures into errors. Nothing but Python's own modules."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from typing import IO, Any
from urllib.parse import urlsplit

from .connection import Connection
from .errors import ClientError, Damaged, Ended, TimedOut, Unreachable, UnsafeConnection, error_of

VERSION = "0.1.0"  # of this client
API = 1
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
_LARGEST_ANSWER = 64 * 1024 * 1024
PIECE = 1 << 20
READ = 1 << 18  # bytes taken from an answer at once


class Transport:
    """Sends calls to one daemon. Every call has a connection of its own, so that threads need no care.

    Proxies of the environment are not used: the token goes to the daemon and to nobody else.
    """

    def __init__(self, connection: Connection, *, name: str = "retake_client", timeout: float = ANSWER_SECONDS) -> None:
        self.connection = connection
        self.timeout = timeout
        self._name = _header_text(name)
        parts = urlsplit(connection.address)
        self._host = parts.hostname or ""
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._base = parts.path.rstrip("/")  # behind a reverse proxy
        self._links: set[http.client.HTTPConnection] = set()
        self._ended = False

    def call(
        self,
        method: str,
        path: str,
        *,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Send `content` as JSON and return the answer's JSON (None for an empty answer). Raises ClientError."""
        body = None if content is None else json.dumps(content).encode("utf-8")
        given = dict(headers or {})
        if body is not None:
            given.setdefault("Content-Type", "application/json")
        with self.open(method, path, body=body, headers=given, timeout=timeout) as answer:
            data = answer.read_all()
        return as_json(data) if data else None

    def open(
        self,
        method: str,
        path: str,
        *,
        body: bytes | IO[bytes] | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Send a request and return its answer once status and headers are here. Raises ClientError for any status but 2xx."""
        seconds = self.timeout if timeout is None else timeout
        self._refuse_if_ended()
        link = self._connect(seconds)
        self._links.add(link)
        opened = False
        try:
            self._refuse_if_ended()
            given = {**self._usual_headers(), **(headers or {})}
            link.request(method, self._base + path, body=body, headers=given)
            response = link.getresponse()
            opened = True
        except (OSError, http.client.HTTPException) as error:
            early = _early_answer(link, error)
            if early is not None:
                raise early from error
            raise self._explained(error, seconds) from error
        finally:
            if not opened:  # also where the body was stopped half-way
                self.forget(link)
        answer = Answer(self, link, response, seconds)
        if 200 <= response.status < 300:
            return answer
        with answer:
            try:
                document = as_json(answer.read_all())
            except Damaged:
                document = None
        raise error_of(response.status, document)

    def end(self) -> None:
        """Break all calls that are under way, from any thread, and begin no new one: whoever waits for an answer gets Unreachable at once, and
        whoever tries again gets Ended."""
        self._ended = True
        for link in list(self._links):
            if link.sock is not None:
                with contextlib.suppress(OSError):
                    link.sock.shutdown(socket.SHUT_RDWR)

    def _refuse_if_ended(self) -> None:
        if self._ended:
            raise Ended("The connection was given up.", "Try again.", code="unreachable")

    def forget(self, link: http.client.HTTPConnection) -> None:
        """Close a connection that is done with."""
        self._links.discard(link)
        link.close()

    def _usual_headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.connection.token}",
            "Accept": "application/json",
            "X-Retake-Client": self._name,
            "X-Retake-Client-Version": VERSION,
            "X-Retake-Api": str(API),
            "User-Agent": f"retake_client/{VERSION} ({self._name})",
        }

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        link: http.client.HTTPConnection
        if self._secure:
            link = http.client.HTTPSConnection(self._host, self._port, timeout=CONNECT_SECONDS, context=self._tls())
        else:
            link = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        try:
            link.connect()
        except ssl.SSLCertVerificationError as error:
            link.close()
            raise UnsafeConnection(
                f"The certificate of {self.connection.address} is not to be trusted ({error.verify_message}).",
                "Give the file of the authority that issued it, or let the daemon show the right one.",
                code="wrong_certificate",
            ) from error
        except OSError as error:
            link.close()
            raise self._explained(error, CONNECT_SECONDS) from error
        assert link.sock is not None
        link.sock.settimeout(seconds)
        self._check_certificate(link)
        return link

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.connection.authorities or None)
        if self.connection.certificate_sha256:  # compared below; who vouches for it, and for which name, does not matter then
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _check_certificate(self, link: http.client.HTTPConnection) -> None:
        wanted = self.connection.certificate_sha256
        if not self._secure or not wanted:
            return
        assert isinstance(link.sock, ssl.SSLSocket)
        shown = link.sock.getpeercert(binary_form=True) or b""
        if hashlib.sha256(shown).hexdigest() != wanted.replace(":", "").lower():
            link.close()
            raise UnsafeConnection(
                f"{self.connection.address} shows another certificate than the daemon's.",
                "Restart the daemon; if that does not help, another program pretends to be it.",
                code="wrong_certificate",
            )

    def _explained(self, error: Exception, seconds: float) -> ClientError:
        if isinstance(error, (TimeoutError, socket.timeout)):
            return TimedOut(
                f"The daemon at {self.connection.address} did not answer within {seconds:.0f} s.",
                "Try again; 'retake status' looks at it.",
                code="timed_out",
            )
        return Unreachable(
            f"The daemon at {self.connection.address} does not answer ({_reason(error)}).",
            "Check with 'retake status' that it runs.",
            code="unreachable",
        )


class Answer:
    """A successful answer whose body is still to be read; close it (or use `with`)."""

    def __init__(self, transport: Transport, link: http.client.HTTPConnection, response: http.client.HTTPResponse, seconds: float) -> None:
        self._transport = transport
        self._link = link
        self._response = response
        self._seconds = seconds
        self.status = response.status
        # Counted here: not every Python's read1 does, and asks for more where all has arrived.
        self._left: int | None = None if response.chunked else response.length

    def header(self, name: str) -> str:
        return self._response.getheader(name) or ""

    def read(self, size: int = READ) -> bytes:
        """Up to `size` bytes as soon as some are there, b"" at the end. Raises Unreachable when the connection breaks before the end."""
        wanted = size if self._left is None else min(size, self._left)
        if not wanted:
            return b""
        try:
            data = self._response.read1(wanted)
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: closed by another thread
            raise self._transport._explained(error, self._seconds) from error
        if self._left is not None:
            self._left -= len(data)
            if not data:
                raise Unreachable("The connection broke before everything had arrived.", "Try again.", code="unreachable")
        return data

    def read_line(self) -> bytes:
        """One line with its end, b"" at the end of the answer. Raises TimedOut after the call's timeout without a byte."""
        try:
            return self._response.readline(PIECE)
        except (OSError, http.client.HTTPException) as error:
            raise self._transport._explained(error, self._seconds) from error

    def read_all(self) -> bytes:
        """The whole body, at most 64 MB."""
        pieces: list[bytes] = []
        size = 0
        while True:
            piece = self.read()
            if not piece:
                return b"".join(pieces)
            size += len(piece)
            if size > _LARGEST_ANSWER:
                raise Damaged("The answer is larger than expected.", "Update Retake.", code="bad_answer")
            pieces.append(piece)

    def abort(self) -> None:
        """Break the connection from another thread: whoever reads gets the end, or Unreachable."""
        if self._link.sock is not None:
            with contextlib.suppress(OSError):
                self._link.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._response.close()
        self._transport.forget(self._link)

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


def _reason(error: Exception) -> str:
    """Why there was no answer, in a few words."""
    if isinstance(error, (http.client.RemoteDisconnected, http.client.IncompleteRead, ConnectionResetError)):
        return "the connection was closed"
    if isinstance(error, http.client.HTTPException):
        return "what is there is no daemon"
    return getattr(error, "strerror", None) or type(error).__name__


def as_json(data: bytes) -> Any:
    """The JSON in an answer; raises Damaged."""
    try:
        return json.loads(data)
    except ValueError as error:
        raise Damaged("The answer is not JSON.", "Check that the address is the daemon's; a proxy may have answered.", code="bad_answer") from error


def _early_answer(link: http.client.HTTPConnection, error: Exception) -> ClientError | None:
    """A daemon that refuses an upload answers and closes while we are still sending; the answer tells more than the broken pipe."""
    if not isinstance(error, (BrokenPipeError, ConnectionResetError)) or link.sock is None:
        return None
    try:
        link.sock.settimeout(2.0)
        response = http.client.HTTPResponse(link.sock)
        response.begin()
        data = response.read(_LARGEST_ANSWER)
    except (OSError, http.client.HTTPException):
        return None
    if response.status < 400:
        return None
    try:
        return error_of(response.status, json.loads(data))
    except ValueError:
        return error_of(response.status, None)


def _header_text(text: str) -> str:
    """Printable ASCII, since it goes into a header."""
    return "".join(letter for letter in text if " " <= letter <= "~").strip()[:100].strip() or "client"
