"""Errors that reach a user: each names its cause, a remedy and a stable code.

Everything a user can cause raises a `RetakeError`; anything else that escapes is a bug. The exit code of the command line
and the status of the API follow from the kind, so that scripts can tell them apart.
"""

from __future__ import annotations

from enum import Enum


class ErrorKind(Enum):
    """What went wrong, from the point of view of somebody who has to react to it. The value is the exit code."""

    BAD_INPUT = 3  # the file or text given cannot work; giving another one can
    NOT_FOUND = 4  # a speaker, take or file that was named does not exist
    ENVIRONMENT = 5  # the machine: disk full, folder not writable, a system library missing
    REFUSED = 6  # consent missing, expired or revoked
    CANCELLED = 130  # the user stopped it (128 + SIGINT, as shells report it)


class RetakeError(Exception):
    """A failure with a cause and a remedy, one short sentence each.

    Args:
        cause: what is wrong, naming the thing ("No face was found in talk.mp4.").
        remedy: what to do about it ("Use a clip in which one face looks at the camera.").
        kind: how callers should react.
        code: short stable identifier for machines ("no_face").
    """

    def __init__(self, cause: str, remedy: str, *, kind: ErrorKind = ErrorKind.BAD_INPUT, code: str = "bad_input") -> None:
        super().__init__(f"{cause} {remedy}".strip())
        self.cause = cause
        self.remedy = remedy
        self.kind = kind
        self.code = code


class Cancelled(RetakeError):
    """The user asked to stop. Raised by `Progress.check` at safe points; nothing half-written is left behind."""

    def __init__(self) -> None:
        super().__init__("Stopped on request.", "Nothing was left half-written; run the command again.", kind=ErrorKind.CANCELLED, code="cancelled")
