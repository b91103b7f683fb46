"""What a job said while it ran: one file for each job, with everything that the worker's process wrote meanwhile, native libraries included."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

# The end of a log is what explains a failure; reading more of a huge one would only cost memory.
_TAIL_BYTES = 64 * 1024
LARGEST_WORKER_LOG = 5_000_000


def job_log(home: Path, job_id: str) -> Path:
    """File of a job's log; ids are made by us, and anything else is no file name."""
    return home / "logs" / "jobs" / f"{Path(job_id).name}.log"


def worker_log(home: Path, worker: str) -> Path:
    """File of what a worker says between jobs."""
    return home / "logs" / "workers" / f"{Path(worker).name}.log"


def open_log(path: Path) -> int:
    """A file descriptor that appends to the log; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def trim(path: Path) -> None:
    """Keep the newer half of a log that has grown too large."""
    try:
        size = path.stat().st_size
    except OSError:
        return
    if size > LARGEST_WORKER_LOG:
        from retake.media.files import atomic_bytes

        with path.open("rb") as file:
            file.seek(size - LARGEST_WORKER_LOG // 2)
            atomic_bytes(path, file.read())


def tail(path: Path, lines: int = 20) -> list[str]:
    """The last lines of a log, fewer if there are not so many; none if there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return text.splitlines()[-lines:] if lines > 0 else []


def say(text: str) -> None:
    """Write a line with the time into the log of the job that is running."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send what this process writes to its standard streams to `path` meanwhile, at the level of file descriptors."""
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = open_log(path)
    before = os.dup(1), os.dup(2)
    try:
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(before[0], 1)
        os.dup2(before[1], 2)
        for number in (*before, descriptor):
            os.close(number)
