"""What a job said while it ran: one file for each job, with everything that the worker's process wrote meanwhile, native libraries included."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
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


def tail(path: Path, lines: int = 20, *, most_bytes: int = _TAIL_BYTES) -> list[str]:
    """The last lines of a log, fewer if there are not so many in its last `most_bytes`; none if there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - most_bytes))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return text.splitlines()[-lines:] if lines > 0 else []


def say(text: str) -> None:
    """Write a line with the time into the log of the job that is running. On a full disk it gets lost: no job fails for want of its log."""
    with contextlib.suppress(OSError):
        print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


class Calm(logging.Filter):
    """Lets so many records through in each `seconds`: a database that is away is told many times a second, for as long as it is away.

    Args:
        usual: errors that are no news, such as those by which a cancelled job ends.
        clock: seconds, growing.
    """

    def __init__(
        self, most: int = 20, seconds: float = 60.0, *, usual: tuple[type[BaseException], ...] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._usual = usual
        self._most, self._seconds, self._clock = most, seconds, clock
        self._since, self._count = clock(), 0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], self._usual):
            return False
        now = self._clock()
        if now - self._since >= self._seconds:
            self._since, self._count = now, 0
        self._count += 1
        return self._count <= self._most


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send what this process writes to its standard streams to `path` meanwhile, at the level of file descriptors.

    Where the file cannot be made (a full disk) everything goes where it went before.
    """
    _flush()
    try:
        descriptor = open_log(path)
    except OSError as error:
        say(f"{path} cannot be written ({error.strerror or error})")
        yield
        return
    before = os.dup(1), os.dup(2)
    try:
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        yield
    finally:
        _flush()
        os.dup2(before[0], 1)
        os.dup2(before[1], 2)
        for number in (*before, descriptor):
            os.close(number)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # the disk is full
            stream.flush()
