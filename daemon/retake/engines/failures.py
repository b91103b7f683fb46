"""What can go wrong with an engine of its own process, each with a remedy."""

from __future__ import annotations

import signal
from pathlib import Path

from retake.domain.errors import ErrorKind, RetakeError

TAIL_LINES = 12
_TAIL_BYTES = 16 * 1024


class HostFailure(RetakeError):
    """A host failed. `log_tail` holds the last lines that it wrote, `exit_code` how it ended (None: it was ended for hanging or talking nonsense)."""

    def __init__(self, cause: str, remedy: str, *, code: str, exit_code: int | None = None, log_tail: tuple[str, ...] = ()) -> None:
        super().__init__(cause, remedy, kind=ErrorKind.ENVIRONMENT, code=code)
        self.exit_code = exit_code
        self.log_tail = log_tail


class OutOfMemory(RetakeError):
    """The engine ran out of memory; asking for less may work."""


def log_tail(path: Path) -> tuple[str, ...]:
    """The last lines of a host's log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    return tuple(line for line in lines if line.strip())[-TAIL_LINES:]


def crashed(engine: str, exit_code: int, log: Path) -> HostFailure:
    """The process ended by itself."""
    tail = log_tail(log)
    killed = exit_code == -9
    remedy = (
        "It was killed from outside; the system does that when memory runs out. Free some memory, or use a shorter line."
        if killed
        else f"Its last lines are in {log}. Run 'retake engines test {engine}' to see whether it works at all."
    )
    said = f" Its last line: {tail[-1][:200]}" if tail and not killed else ""
    cause = f"The engine '{engine}' ended unexpectedly ({exit_words(exit_code)}).{said}"
    return HostFailure(cause, remedy, code="engine_crashed", exit_code=exit_code, log_tail=tail)


def hung(engine: str, seconds: float, doing: str, log: Path) -> HostFailure:
    """Nothing was heard of it for too long."""
    cause = f"The engine '{engine}' was ended: nothing was heard of it for {seconds:.0f} s while {doing}."
    return HostFailure(cause, f"Try again; if it happens once more, {log} may tell why.", code="engine_hung", log_tail=log_tail(log))


def garbled(engine: str, reason: str, log: Path) -> HostFailure:
    """It said something that is no frame."""
    cause = f"The engine '{engine}' was ended: it sent something that cannot be understood ({reason})."
    return HostFailure(cause, f"Install it again with 'retake engines install {engine}'.", code="engine_garbled", log_tail=log_tail(log))


def other_version(engine: str, log: Path) -> HostFailure:
    """Its program speaks another version of the protocol."""
    cause = f"The engine '{engine}' belongs to another version of Retake."
    return HostFailure(cause, f"Install it again with 'retake engines install {engine}'.", code="engine_protocol", log_tail=log_tail(log))


def cannot_start(engine: str, error: OSError) -> HostFailure:
    cause = f"The engine '{engine}' cannot be started ({error.strerror or error})."
    return HostFailure(cause, f"Install it again with 'retake engines install {engine}'.", code="engine_not_startable")


def told(engine: str, kind: str, cause: str, remedy: str, log: Path) -> RetakeError:
    """What a host said of its failure, as the error that a user sees."""
    if kind == "memory":
        return OutOfMemory(
            f"The engine '{engine}' ran out of memory.",
            "Close other programs that use the GPU or much memory, or split the line.",
            kind=ErrorKind.ENVIRONMENT,
            code="engine_out_of_memory",
        )
    if kind == "refused":
        return RetakeError(cause, remedy, code="engine_refused")
    if kind == "network":
        return HostFailure(cause, f"Its files may be incomplete: 'retake engines install {engine}' looks at them.", code="engine_network")
    return HostFailure(f"The engine '{engine}' failed: {cause}", f"The details are in {log}.", code="engine_failed", log_tail=log_tail(log))


def not_installed(engine: str, stage: str) -> RetakeError:
    return RetakeError(
        f"The {stage} engine '{engine}' is not installed.",
        f"Install it with 'retake engines install {engine}'.",
        kind=ErrorKind.NOT_FOUND,
        code="engine_not_installed",
    )


def exit_words(code: int) -> str:
    """``-11`` -> "signal 11, SIGSEGV"."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
