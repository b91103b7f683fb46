"""How commands answer: text or JSON on stdout, one-line errors on stderr, exit codes, a log file for what nobody foresaw."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from retake.domain.errors import ErrorKind, RetakeError
from retake.settings import prepare_home

USAGE = 2  # exit code of a command line that cannot be understood, as shells and other programs use it
UNFORESEEN = 1  # exit code of an error in Retake itself


def answer_json(value: Any) -> None:
    """Print `value` as the command's one JSON document. ASCII only, so that no console's encoding can spoil it."""
    print(json.dumps(value, indent=2, default=str))


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Left-aligned columns, two spaces apart."""
    everything = [list(headings), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in everything) for column in range(len(headings))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in everything]


def report_error(error: RetakeError, *, as_json: bool) -> int:
    """Show an error that a user can react to; returns the exit code."""
    _on_stderr(f"Error: {one_line(error.cause)} {one_line(error.remedy)}".strip())
    if as_json:
        answer_json(error_document(error.code, error.kind.name.lower(), error.cause, error.remedy, error.kind.value))
    return error.kind.value


def report_usage(message: str, *, as_json: bool, command: str = "retake") -> int:
    """Show that the command line could not be understood; returns the exit code."""
    cause, remedy = one_line(message), f"See '{command} --help'."
    _on_stderr(f"Error: {cause} {remedy}")
    if as_json:
        answer_json(error_document("usage", "usage", cause, remedy, USAGE))
    return USAGE


def report_interrupt(*, as_json: bool) -> int:
    """Show that the user stopped the command the hard way; returns the exit code."""
    _on_stderr("Stopped.")
    if as_json:
        answer_json(error_document("cancelled", "cancelled", "Stopped at once on request.", "Run the command again.", ErrorKind.CANCELLED.value))
    return ErrorKind.CANCELLED.value


def error_document(code: str, kind: str, cause: str, remedy: str, exit_code: int) -> dict[str, Any]:
    return {"error": {"code": code, "kind": kind, "cause": cause, "remedy": remedy, "exit_code": exit_code}}


def install_crash_report(home: Path, *, as_json: bool, debug: bool) -> None:
    """Let errors that nobody foresaw end in one line and a log file instead of a traceback (which `debug` shows as well)."""

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            report_interrupt(as_json=as_json)
            return
        details = "".join(traceback.format_exception(kind, error, trace))
        cause = f"Retake failed unexpectedly: {kind.__name__}: {one_line(str(error))[:300]}."
        log = _write_log(home, details)
        remedy = f"Details are in {log}." if log else "Run it again with --debug to see the details."
        if debug:
            sys.stderr.write(details)
        _on_stderr(f"Error: {cause} {remedy}")
        if as_json:
            answer_json(error_document("unforeseen", "unforeseen", cause, remedy, UNFORESEEN))

    sys.excepthook = report
    # Libraries' log records would otherwise mix with ours on stderr.
    logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR, stream=sys.stderr, format="%(name)s: %(message)s")


def one_line(text: str) -> str:
    return " ".join(text.split())


def tolerant_streams() -> None:
    """A console that cannot show a character gets a question mark, not a crash; what is said without a console (pythonw) is gone."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for as long as the process lives
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _on_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _write_log(home: Path, details: str) -> Path | None:
    folder = home / "logs"
    now = datetime.now(UTC)
    path = folder / f"error-{now:%Y%m%d-%H%M%S}-{os.getpid()}.log"
    try:
        prepare_home(home)
        folder.mkdir(exist_ok=True)
        path.write_text(f"{now.isoformat()}\n{' '.join(sys.argv)}\nPython {sys.version}\n\n{details}", encoding="utf-8")
    except (OSError, RetakeError):
        return None
    return path
