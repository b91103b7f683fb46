"""What users are told: the state of the connection, and what kind of thing went wrong. One plain sentence and one remedy for each.

An error has words of its own (`cause`, `remedy`), which name the thing; these here are for icons, headings and where there is no error at hand.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from .errors import (
    BadRequest,
    ClientError,
    Conflict,
    Damaged,
    LocalFault,
    NoDaemon,
    NotFound,
    Refused,
    ServerFailed,
    TimedOut,
    Unreachable,
    UnsafeConnection,
    VersionMismatch,
)


class _Told(Enum):
    """Members are written as (name, sentence, remedy); the name is their value."""

    sentence: str
    remedy: str

    def __new__(cls, value: str, sentence: str, remedy: str) -> Any:
        member = object.__new__(cls)
        member._value_ = value
        member.sentence = sentence
        member.remedy = remedy
        return member


class ConnectionState(_Told):
    """How things stand between this program and the daemon. `usable`: orders are taken and worked on."""

    ABSENT = ("absent", "Retake does not run.", "Start it with 'retake serve'.")
    STARTING = ("starting", "Retake is starting.", "Wait a moment.")
    READY = ("ready", "Retake is ready.", "Nothing is to be done.")
    NO_WORKER = ("no_worker", "Retake runs, but nothing that renders does.", "Run 'retake doctor'; the daemon's log says why its workers end.")
    UNREACHABLE = ("unreachable", "Retake does not answer.", "Check the address, the network and that 'retake serve' runs there.")
    REFUSED = ("refused", "Retake does not accept this program's token.", "Copy the token anew from the file 'token' in Retake's folder.")
    MISMATCH = ("mismatch", "Retake and this plugin are of versions that do not fit.", "Update the older one of the two.")
    UNSAFE = (
        "unsafe",
        "The way to Retake is not safe, so it is not used.",
        "Use the account that runs Retake, and restart it with 'retake serve --new-token'.",
    )

    @property
    def usable(self) -> bool:
        return self in {ConnectionState.READY, ConnectionState.NO_WORKER}


class Problem(_Told):
    """Kinds of failure, by what the user can do."""

    NO_DAEMON = ("no_daemon", "Retake does not run.", "Start it with 'retake serve'.")
    NOT_INSTALLED = ("not_installed", "Retake was not found on this machine.", "Install it, or name its 'retake' command in the preferences.")
    NOT_STARTED = ("not_started", "Retake could not be started.", "Start it with 'retake serve' and read what it says.")
    UNREACHABLE = ("unreachable", "Retake does not answer.", "Check the network and that 'retake serve' runs; then try again.")
    TOO_SLOW = ("too_slow", "Retake did not answer in time.", "Try again; the network or the machine may be busy.")
    UNSAFE = ("unsafe", "The way to Retake is not safe, so it was not used.", "Use the account that runs Retake, and check its address.")
    WRONG_TOKEN = ("wrong_token", "Retake does not accept the token.", "Copy the token anew from the file 'token' in Retake's folder.")
    NOT_ALLOWED = ("not_allowed", "Retake is not allowed to do this.", "The message names the setting that allows it.")
    VERSION = ("version", "Retake and this plugin are of versions that do not fit.", "Update the older one of the two.")
    NO_WORKER = ("no_worker", "Nothing that renders is running.", "Run 'retake doctor' on the daemon's machine.")
    CONSENT = ("consent", "The person's consent is missing or does not allow this.", "Give the statement in their own words.")
    NOT_FOUND = ("not_found", "What was named does not exist.", "Choose one of those that are listed.")
    BAD_INPUT = ("bad_input", "What was given cannot be used.", "Change what the message names.")
    DOES_NOT_FIT = ("does_not_fit", "The line does not fit its time.", "Lengthen the slot or shorten the text.")
    CONFLICT = ("conflict", "It cannot be done as things are now.", "Look at the present state and try again.")
    FULL = ("full", "There is no space left on the disk.", "Free some space and try again.")
    NOT_WRITABLE = ("not_writable", "A file or folder cannot be written.", "Check its permissions, or choose another folder.")
    NOT_READABLE = ("not_readable", "A file cannot be read.", "Check that it exists and that you may read it.")
    DAMAGED = ("damaged", "Something arrived or was stored damaged.", "Try again; if that does not help, make it anew.")
    BUSY = ("busy", "Retake has too much to do just now.", "Try again a little later.")
    FAILED = ("failed", "Retake could not do it.", "The daemon's log says more.")
    STOPPED = ("stopped", "It was stopped on request.", "Nothing is to be done.")


# Each code stands once. What is not here goes by the class of the error, and an error of a job by its kind.
CODES: dict[Problem, frozenset[str]] = {
    Problem.NO_DAEMON: frozenset({"no_daemon"}),
    Problem.NOT_INSTALLED: frozenset({"not_installed"}),
    Problem.NOT_STARTED: frozenset({"not_started", "not_to_be_started"}),
    Problem.UNREACHABLE: frozenset({"unreachable"}),
    Problem.TOO_SLOW: frozenset({"timed_out", "slow_body"}),
    Problem.UNSAFE: frozenset({"unsafe_connection_file", "bad_connection_file", "wrong_certificate", "bad_address", "wrong_host", "wrong_origin"}),
    Problem.WRONG_TOKEN: frozenset({"no_token", "wrong_token"}),
    Problem.NOT_ALLOWED: frozenset({"outside_roots", "bad_webhook"}),
    Problem.VERSION: frozenset({"version_mismatch", "unreadable_job", "newer_database", "newer_timeline"}),
    Problem.NO_WORKER: frozenset({"not_ready"}),
    Problem.CONSENT: frozenset({"consent_missing", "consent_too_long"}),
    Problem.NOT_FOUND: frozenset(
        {
            "engine_not_installed", "missing_file", "no_poster", "not_found", "unknown_job", "unknown_speaker", "unknown_take", "unknown_timeline",
            "unknown_upload",
        }
    ),
    Problem.BAD_INPUT: frozenset(
        {
            "bad_json", "bad_move", "bad_name", "bad_output", "bad_path_map", "bad_rate", "bad_request", "bad_size", "bad_text", "bad_timeline",
            "bad_upload_offset", "empty_file", "no_folder", "not_a_file", "text_empty", "text_language", "bad_language", "engine_language",
            "text_too_long", "unknown_engine",
            "bad_hint",
            "unwanted_file", "upload_too_long", "wrong_upload", "wrong_method", "body_too_large", "one_shot_too_large", "timeline_too_large",
            "upload_too_large", "wrong_content_type", "bad_range", "invalid", "bad_order",
        }
    ),
    Problem.DOES_NOT_FIT: frozenset({"does_not_fit"}),
    Problem.CONFLICT: frozenset(
        {
            "key_reused", "speaker_exists", "upload_finished", "upload_in_use", "upload_offset", "upload_unfinished", "wrong_state", "other_file",
            "changed_download", "daemon_runs",
        }
    ),
    Problem.FULL: frozenset({"disk_full", "disk_full_here"}),
    Problem.NOT_WRITABLE: frozenset({"not_writable", "home_not_writable", "speaker_is_link", "not_writable_here"}),
    Problem.NOT_READABLE: frozenset({"not_readable_here", "not_readable"}),
    Problem.DAMAGED: frozenset({"bad_answer", "damaged_download", "bad_speaker_record", "bad_take_record", "bad_artefact", "upload_corrupt"}),
    Problem.BUSY: frozenset({"too_many_streams", "too_many_uploads", "upload_busy"}),
    Problem.FAILED: frozenset({"engine_outdated", "internal", "no_database", "artefacts_unreachable", "artefacts_denied", "unforeseen"}),
    Problem.STOPPED: frozenset({"cancelled"}),
}  # fmt: skip

_OF_CODE = {code: problem for problem, codes in CODES.items() for code in codes}

# The more special classes come first.
_OF_CLASS: tuple[tuple[type[ClientError], Problem], ...] = (
    (NoDaemon, Problem.NO_DAEMON),
    (UnsafeConnection, Problem.UNSAFE),
    (TimedOut, Problem.TOO_SLOW),
    (Unreachable, Problem.UNREACHABLE),
    (VersionMismatch, Problem.VERSION),
    (Refused, Problem.NOT_ALLOWED),
    (NotFound, Problem.NOT_FOUND),
    (Conflict, Problem.CONFLICT),
    (BadRequest, Problem.BAD_INPUT),
    (LocalFault, Problem.NOT_WRITABLE),
    (Damaged, Problem.DAMAGED),
    (ServerFailed, Problem.FAILED),
)

_OF_KIND = {
    "bad_input": Problem.BAD_INPUT,
    "not_found": Problem.NOT_FOUND,
    "refused": Problem.NOT_ALLOWED,
    "cancelled": Problem.STOPPED,
}

_STATE_OF_PROBLEM = {
    Problem.NO_DAEMON: ConnectionState.ABSENT,
    Problem.NOT_INSTALLED: ConnectionState.ABSENT,
    Problem.NOT_STARTED: ConnectionState.ABSENT,
    Problem.UNREACHABLE: ConnectionState.UNREACHABLE,
    Problem.TOO_SLOW: ConnectionState.UNREACHABLE,
    Problem.UNSAFE: ConnectionState.UNSAFE,
    Problem.WRONG_TOKEN: ConnectionState.REFUSED,
    Problem.NOT_ALLOWED: ConnectionState.REFUSED,
    Problem.VERSION: ConnectionState.MISMATCH,
    Problem.NO_WORKER: ConnectionState.NO_WORKER,
}


def problem_of(error: ClientError) -> Problem:
    """What kind of failure an error is: by its code, else by its class."""
    known = _OF_CODE.get(error.code)
    if known is not None:
        return known
    return next((problem for kind, problem in _OF_CLASS if isinstance(error, kind)), _OF_KIND.get(error.kind, Problem.FAILED))


def problem_of_code(code: str, kind: str = "") -> Problem:
    """The same for the `code` and `kind` of a job's error ("does_not_fit", "bad_input"), which is no exception here."""
    return _OF_CODE.get(code) or _OF_KIND.get(kind, Problem.FAILED)


def state_of(error: ClientError | None) -> ConnectionState:
    """The state of the connection in which a call for the daemon itself fails with `error`; READY for None."""
    if error is None:
        return ConnectionState.READY
    return _STATE_OF_PROBLEM.get(problem_of(error), ConnectionState.UNREACHABLE)
