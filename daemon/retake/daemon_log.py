"""The daemon's log: a file that is kept small, and the console. Neither ever holds the token or the database's password."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from retake.domain.errors import RetakeError

LOG_FILE = "daemon.log"
LARGEST_BYTES = 5_000_000
KEPT = 4  # older files, daemon.log.1 being the newest
HIDDEN = "[hidden]"
# They tell of every request they make, with its whole address, or of every step.
CHATTY = ("httpx", "httpcore", "dbos", "alembic", "sqlalchemy", "watchdog", "uvicorn.error", "asyncio", "fsspec")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Discreet(logging.Formatter):
    """Takes secrets out of what is logged, wherever they come from."""

    def __init__(self, text: str, secrets: Sequence[str]) -> None:
        super().__init__(text)
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return line


class _PrivateFile(RotatingFileHandler):
    """A log file that only the user can read, the ones it is rotated into included."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, errors="backslashreplace", opener=_for_the_user)


def _for_the_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def worth_keeping(record: logging.LogRecord) -> bool:
    """Filter for the access log: calls that change something or fail, by their address without what follows the question mark.

    Clients ask for states many times a second; their questions would push everything else out of the log.
    """
    if not isinstance(record.args, tuple) or len(record.args) != 5:
        return True
    client, method, path, version, status = record.args
    record.args = (client, method, str(path).partition("?")[0], version, status)
    return method not in {"GET", "HEAD"} or not isinstance(status, int) or status >= 400


def not_access(record: logging.LogRecord) -> bool:
    """Filter for the console: it shows no single requests."""
    return record.name != "uvicorn.access"


@contextmanager
def logging_to(home: Path, secrets: Sequence[str]) -> Iterator[Path]:
    """Log into `home`/logs/daemon.log and to stderr for as long as the context is open; yields the file.

    Where the file cannot be written there is the console alone.
    """
    root = logging.getLogger()
    access = logging.getLogger("uvicorn.access")
    before = (root.level, list(root.handlers))
    path = home / "logs" / LOG_FILE
    console = logging.StreamHandler(sys.stderr)
    console.setFormatter(_Discreet("%(levelname)s: %(message)s", secrets))
    console.addFilter(not_access)
    handlers: list[logging.Handler] = [console]
    problem = ""
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        file = _PrivateFile(path, maxBytes=LARGEST_BYTES, backupCount=KEPT, encoding="utf-8")
        file.setFormatter(_Discreet(_FORMAT, secrets))
        handlers.append(file)
    except OSError as error:
        problem = error.strerror or str(error)
    root.handlers[:] = handlers
    root.setLevel(logging.INFO)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    access.addFilter(worth_keeping)
    if problem:
        logging.getLogger(__name__).warning("%s cannot be written (%s): there is no log file", path, problem)
    try:
        yield path
    finally:
        access.removeFilter(worth_keeping)
        root.setLevel(before[0])
        root.handlers[:] = before[1]
        for handler in handlers:
            handler.close()


def told(error: RetakeError) -> str:
    """An error as one line of a log."""
    return f"{error.cause} {error.remedy} [{error.code}]"
