"""What lets programs of the same user find the daemon: its lock, its token and the connection file. Read by `retake_client`, written here.

home/daemon.lock     held while a daemon runs, so that there is one for each home folder and a file of a dead one is noticed
home/token           the secret that every call carries; kept, so that plugins survive a restart
home/daemon.json     where the running daemon is; removed when it ends
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from retake.domain.errors import ErrorKind, RetakeError

log = logging.getLogger(__name__)

CONNECTION_FILE = "daemon.json"
TOKEN_FILE = "token"
LOCK_FILE = "daemon.lock"
API = 1  # version of the HTTP interface: the number in /v1
_TOKEN_BYTES = 32  # 256 bit
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
# Clients that look whether the lock is held hold it themselves for a moment.
_LOCK_SECONDS = 1.0


@dataclass(frozen=True)
class ConnectionRecord:
    """Content of the connection file.

    address: "http://127.0.0.1:7420".
    started: seconds since 1970; a process with the same pid that began later is another one.
    certificate_sha256: fingerprint of the certificate that the daemon shows, empty without HTTPS.
    """

    address: str
    token: str
    pid: int
    version: str
    api: int
    started: float
    certificate_sha256: str = ""

    def __repr__(self) -> str:  # the token is not for logs
        return f"ConnectionRecord({self.address}, pid {self.pid}, version {self.version})"


def write_record(home: Path, record: ConnectionRecord) -> Path:
    """Write the connection file, for the user's eyes only from its first byte on."""
    path = home / CONNECTION_FILE
    write_private(path, json.dumps({"format": 1, **asdict(record)}, indent=2) + "\n")
    return path


def remove_record(home: Path, record: ConnectionRecord) -> bool:
    """Remove the connection file if it is still the one of `record`."""
    found = stored_record(home)
    if found is None or (found.pid, found.started) != (record.pid, record.started):
        return False
    with suppress(OSError):
        (home / CONNECTION_FILE).unlink()
        return True
    return False


def stored_record(home: Path) -> ConnectionRecord | None:
    """What the connection file says, whether or not that daemon still lives; None where there is no such file or it cannot be read."""
    try:
        content = json.loads((home / CONNECTION_FILE).read_text(encoding="utf-8"))
        content.pop("format", None)
        return ConnectionRecord(**content)
    except (OSError, ValueError, TypeError, AttributeError):
        return None


@contextmanager
def only_daemon(home: Path) -> Iterator[ConnectionRecord | None]:
    """Hold the home folder's lock; yields what a daemon that ended without saying so left in the connection file.

    Raises RetakeError (daemon_runs) with the address and pid of the daemon that holds it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(home / LOCK_FILE, timeout=_LOCK_SECONDS, mode=0o600)
    try:
        lock.acquire()
    except Timeout as error:
        raise _occupied(home) from error
    except OSError as error:
        raise RetakeError(
            f"{home / LOCK_FILE} cannot be locked ({error.strerror or error}).",
            "Set RETAKE_HOME to a folder on a disk of this machine that you may write to.",
            kind=ErrorKind.ENVIRONMENT,
            code="home_not_writable",
        ) from error
    try:
        yield stored_record(home)
    finally:
        lock.release()


def load_token(home: Path, *, new: bool = False) -> str:
    """The home folder's token, made where there is none (or with `new`, or where others could have read it)."""
    path = home / TOKEN_FILE
    found = None if new else _stored_token(path)
    if found is not None:
        return found
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    write_private(path, token + "\n")
    return token


def write_private(path: Path, text: str) -> None:
    """Write a file that only the user can read from the moment on in which it exists; complete or not at all.

    On Windows the file gets a list of access rights with the user alone in it (icacls) before anything is written into it.
    """
    from retake.media.files import atomic

    with atomic(path) as part:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if sys.platform == "win32":
                _for_the_user_alone(part)
            else:
                os.fchmod(handle, 0o600)  # whatever the umask is
            os.write(handle, text.encode("utf-8"))
        finally:
            os.close(handle)


def icacls_arguments(path: Path, sid: str) -> list[str]:
    """The call that leaves one user in a file's list of access rights: nothing inherited, full access for `sid`."""
    return ["icacls", str(path), "/inheritance:r", "/grant:r", f"*{sid}:F", "/q"]


def sid_in(answer: str) -> str:
    """The security identifier in what ``whoami /user /fo csv /nh`` answers; raises ValueError."""
    match = re.search(r"S-1-[0-9-]+", answer)
    if match is None:
        raise ValueError("no security identifier")
    return match[0]


def _for_the_user_alone(path: Path) -> None:
    import subprocess

    try:
        sid = sid_in(_answer_of(["whoami", "/user", "/fo", "csv", "/nh"]))
        _answer_of(icacls_arguments(path, sid))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise RetakeError(
            f"{path.parent} cannot be kept from other users ({type(error).__name__}).",
            "Set RETAKE_HOME to a folder on an NTFS disk that you own.",
            kind=ErrorKind.ENVIRONMENT,
            code="not_private",
        ) from error


def _answer_of(arguments: list[str]) -> str:
    import subprocess

    return subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=True).stdout


def _stored_token(path: Path) -> str | None:
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            log.warning("%s is not a file; a new token takes its place", path)
            return None
        if sys.platform != "win32" and (status.st_mode & 0o077 or status.st_uid != os.geteuid()):
            log.warning("others could read %s; a new token takes its place", path)
            return None
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        log.warning("%s cannot be read (%s); a new token takes its place", path, type(error).__name__)
        return None
    if not _TOKEN.fullmatch(token):
        log.warning("%s holds no token; a new one takes its place", path)
        return None
    return token


def _occupied(home: Path) -> RetakeError:
    found = stored_record(home)
    where = f" at {found.address} (process {found.pid})" if found else ""
    return RetakeError(
        f"A daemon runs already for {home}{where}.",
        "Use it, or end it with 'retake stop'; another one needs another RETAKE_HOME.",
        kind=ErrorKind.ENVIRONMENT,
        code="daemon_runs",
    )
