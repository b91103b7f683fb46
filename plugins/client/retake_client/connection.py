"""Where the daemon is: read from the connection file that it keeps in Retake's folder while it runs."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .errors import NoDaemon, UnsafeConnection

HOME_VARIABLE = "RETAKE_HOME"
CONNECTION_FILE = "daemon.json"
LOCK_FILE = "daemon.lock"
_LARGEST = 64 * 1024
_START = "Start it with 'retake serve'."


@dataclass(frozen=True)
class Connection:
    """How to reach a daemon.

    address: "http://127.0.0.1:7420", or https://.
    pid, version, api, started: of the daemon; 0 and empty for one on another machine.
    certificate_sha256: with HTTPS, the one certificate that is accepted (its fingerprint in hexadecimal digits).
    authorities: else a PEM file with the certificates that may vouch for the daemon's; empty: those of the system.
    """

    address: str
    token: str = field(repr=False)
    pid: int = 0
    version: str = ""
    api: int = 1
    started: float = 0.0
    certificate_sha256: str = ""
    authorities: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UnsafeConnection(f"'{self.address}' is no address of a daemon.", "Give http://HOST:PORT or https://HOST:PORT.", code="bad_address")

    @classmethod
    def find(cls, home: str | os.PathLike[str] | None = None) -> Connection:
        """The running daemon of this user.

        Args:
            home: Retake's folder; by default RETAKE_HOME or the user's data folder.

        Raises NoDaemon if none runs, UnsafeConnection if others could have written the file.
        """
        folder = default_home() if home is None else Path(home)
        path = folder / CONNECTION_FILE
        content = _read(path)
        if not is_held(folder / LOCK_FILE):
            raise NoDaemon("The daemon has ended without saying so.", _START, code="no_daemon")
        try:
            document = json.loads(content)
            return cls(
                address=str(document["address"]),
                token=str(document["token"]),
                pid=int(document["pid"]),
                version=str(document["version"]),
                api=int(document["api"]),
                started=float(document["started"]),
                certificate_sha256=str(document.get("certificate_sha256", "")),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UnsafeConnection(
                f"{path} cannot be understood.", "Restart the daemon: 'retake stop', then 'retake serve'.", code="bad_connection_file"
            ) from error


def default_home() -> Path:
    """Retake's folder, as the daemon itself chooses it."""
    chosen = os.environ.get(HOME_VARIABLE, "").strip()
    if chosen:
        return Path(chosen).expanduser().resolve()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "retake"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "retake"
    data = os.environ.get("XDG_DATA_HOME", "").strip()
    return (Path(data) if data else Path.home() / ".local" / "share") / "retake"


def _read(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise NoDaemon("No daemon runs.", _START, code="no_daemon") from None
    except OSError as error:
        raise UnsafeConnection(
            f"{path} cannot be read ({error.strerror or error}).", "Use the account that runs the daemon.", code="unsafe_connection_file"
        ) from error
    try:
        _check_owner(path, os.fstat(handle))
        return os.read(handle, _LARGEST).decode("utf-8", "replace")
    finally:
        os.close(handle)


def _check_owner(path: Path, status: os.stat_result) -> None:
    """Somebody else's file would make us send videos to a stranger, and a readable one gives the token away."""
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeConnection(f"{path} is not a file.", "Remove it and restart the daemon.", code="unsafe_connection_file")
    if sys.platform == "win32":
        return  # its list of access rights is set by the daemon; reading it needs more than Python's own modules
    if status.st_uid != os.geteuid():
        raise UnsafeConnection(f"{path} belongs to another user.", "Use the account that runs the daemon.", code="unsafe_connection_file")
    if status.st_mode & 0o077:
        raise UnsafeConnection(
            f"Other users may read {path}, so the token in it is no secret.",
            "Restart the daemon with 'retake serve --new-token'.",
            code="unsafe_connection_file",
        )


def is_held(lock: Path) -> bool:
    """Whether a process holds the daemon's lock. Where that cannot be found out it is taken to be so: the call itself will tell."""
    try:
        handle = os.open(lock, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not _could_lock(handle)
    finally:
        os.close(handle)


def lives(pid: int) -> bool:
    """Whether a process has this number; taken to be so where it cannot be found out."""
    if sys.platform == "win32" or pid <= 0:
        return True  # asking needs more than Python's own modules
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


if sys.platform == "win32":

    def _could_lock(handle: int) -> bool:
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
        return True

else:

    def _could_lock(handle: int) -> bool:
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        fcntl.flock(handle, fcntl.LOCK_UN)
        return True
