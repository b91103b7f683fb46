"""The `retake` command and ``python -m retake``: answers Ctrl-C from the first moment on, while everything else is still being loaded."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

CANCELLED = 130  # as domain.errors.ErrorKind, which is not loaded yet
STOPPED = b"Stopped.\n"
STOPPED_JSON = (
    b'{"error": {"code": "cancelled", "kind": "cancelled", "cause": "Stopped at once on request.", "remedy": "Run the command again.", '
    b'"exit_code": 130}}\n'
)


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started us wants it ignored
        signal.signal(signal.SIGINT, _interrupted)
    try:
        from retake.cli import main as run
    except KeyboardInterrupt:  # between two modules
        _stop()
    try:
        run()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the answer is given; what is left is unloading


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Native modules that are interrupted while they load abort the process or report errors of their own; as nothing is begun then, just stop."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _stop()
        frame = frame.f_back
    raise KeyboardInterrupt


def _stop() -> NoReturn:
    os.write(2, STOPPED)
    if "--json" in sys.argv:
        os.write(1, STOPPED_JSON)
    os._exit(CANCELLED)


if __name__ == "__main__":
    main()
