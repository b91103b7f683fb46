"""What can go wrong when talking to the daemon: each error names its cause, a remedy and a stable code, as the daemon's own do."""

from __future__ import annotations

import errno
import os
from typing import Any


class ClientError(Exception):
    """A call that failed.

    cause, remedy: one short sentence each, for people.
    code: stable name, for programs ("unknown_speaker").
    kind: "bad_input", "not_found", "refused", "environment", "cancelled" or "internal".
    status: HTTP status, 0 where there was no answer.
    """

    usual_kind = "environment"

    def __init__(self, cause: str, remedy: str, *, code: str, kind: str = "", status: int = 0, fields: list[dict[str, str]] | None = None) -> None:
        super().__init__(f"{cause} {remedy}".strip())
        self.cause = cause
        self.remedy = remedy
        self.code = code
        self.kind = kind or self.usual_kind
        self.status = status
        self.fields = fields or []

    @property
    def may_pass(self) -> bool:
        """Whether the same call may work a little later."""
        return False


class NoDaemon(ClientError):
    """No daemon runs for this home folder."""


class UnsafeConnection(ClientError):
    """The connection file, or the daemon's certificate, is not to be trusted."""

    usual_kind = "refused"


class Unreachable(ClientError):
    """The daemon does not answer: it is starting, ending, or the network is gone."""

    @property
    def may_pass(self) -> bool:
        return True


class TimedOut(Unreachable):
    """The daemon did not answer in time."""


class Ended(Unreachable):
    """This program has given the connection up; another one may be had."""

    @property
    def may_pass(self) -> bool:
        return False


class VersionMismatch(ClientError):
    """Client and daemon speak different versions of the interface; the remedy says which one is to be updated."""


class Refused(ClientError):
    """The daemon does not want it: wrong token, or not allowed."""

    usual_kind = "refused"


class NotFound(ClientError):
    """There is no such speaker, job, take, ..."""

    usual_kind = "not_found"


class BadRequest(ClientError):
    """What was asked for cannot work; asking for something else can."""

    usual_kind = "bad_input"


class Conflict(BadRequest):
    """It cannot be done as things are now: the job is over, the name is taken."""


class ServerFailed(ClientError):
    """The daemon could not do it: disk full, database gone, or an error of its own."""

    @property
    def may_pass(self) -> bool:
        return self.status in {502, 503, 504}


class Damaged(ClientError):
    """What arrived is not what was announced."""


class LocalFault(ClientError):
    """A file or folder of this machine cannot be used: disk full, not allowed, gone."""


def local_fault(error: OSError, what: str | os.PathLike[str], *, reading: bool = False) -> LocalFault:
    """The operating system's `error` about the file or folder `what`, in words. Codes: disk_full_here, not_readable_here, not_writable_here."""
    name = os.fspath(what)
    if error.errno in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}:
        return LocalFault(f"There is no space left for {name}.", "Free some space and try again.", code="disk_full_here")
    reason = error.strerror or type(error).__name__
    if reading:
        return LocalFault(f"{name} cannot be read ({reason}).", "Check that it exists and that you may read it.", code="not_readable_here")
    return LocalFault(f"{name} cannot be written ({reason}).", "Check its permissions, or choose another folder.", code="not_writable_here")


def error_of(status: int, document: Any) -> ClientError:
    """The error in the daemon's answer `document` with the HTTP status `status`."""
    body = document.get("error") if isinstance(document, dict) else None
    if not isinstance(body, dict):
        body = {}
    cause = _text(body.get("cause")) or f"The daemon answered with status {status}."
    remedy = _text(body.get("remedy")) or "See the daemon's log (logs/daemon.log in Retake's folder)."
    kind_of_error = _class_of(status)
    fields = [entry for entry in body.get("fields") or [] if isinstance(entry, dict)]
    return kind_of_error(cause, remedy, code=_text(body.get("code")) or f"http_{status}", kind=_text(body.get("kind")), status=status, fields=fields)


def _class_of(status: int) -> type[ClientError]:
    known: dict[int, type[ClientError]] = {
        401: Refused,
        403: Refused,
        404: NotFound,
        409: Conflict,
        410: NotFound,
        421: Refused,
        426: VersionMismatch,
    }
    if status in known:
        return known[status]
    return ServerFailed if status >= 500 else BadRequest


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
