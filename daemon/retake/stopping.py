"""End a daemon from another process: ask it, or signal its process after making sure that it is the daemon."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path

from retake.connection import LOCK_FILE
from retake.domain.errors import ErrorKind, RetakeError

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.05
# A daemon that is just starting holds the lock, but has not yet written where it is.
STARTING_SECONDS = 5.0
ASK_SECONDS = 5.0
KILLED_SECONDS = 60.0  # until a killed process is gone: it has no say in it, but the system may be busy


def stop_daemon(home: Path, *, seconds: float, force: bool = False) -> int | None:
    """End the daemon of the home folder and wait until it has; returns its pid, None if none runs.

    Args:
        seconds: how long it may take to end by itself.
        force: kill it when it has not ended by then.

    Raises RetakeError (still_running, not_stopped).
    """
    from retake_client import ClientError, Connection, NoDaemon, Transport
    from retake_client.connection import is_held

    lock = home / LOCK_FILE
    deadline = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            connection = Connection.find(home)
            break
        except NoDaemon:
            if not is_held(lock):
                return None
            if time.monotonic() > deadline:
                raise _cannot("It holds its lock, but does not say where it is.") from None
        except ClientError as error:
            raise RetakeError(error.cause, error.remedy, kind=ErrorKind.REFUSED, code=error.code) from error
        time.sleep(LOOK_SECONDS)
    try:
        Transport(connection, name="retake stop", timeout=ASK_SECONDS).call("POST", "/v1/shutdown")
    except ClientError as error:
        log.info("the daemon does not answer (%s); its process is told", error.code)
        _signal(connection.pid, connection.started, kill=False)
    if _gone(lock, seconds):
        return connection.pid
    if not force:
        raise RetakeError(
            f"The daemon (process {connection.pid}) has not ended within {seconds:.0f} s.",
            "Wait a little, or kill it with 'retake stop --force'.",
            kind=ErrorKind.ENVIRONMENT,
            code="still_running",
        )
    _signal(connection.pid, connection.started, kill=True)
    if not _gone(lock, KILLED_SECONDS):
        raise _cannot("It was killed, but its lock is still held.")
    (home / "daemon.json").unlink(missing_ok=True)
    return connection.pid


def is_daemon(pid: int, started: float) -> bool:
    """Whether the process `pid` is the daemon that wrote, at the time `started`, that it is: numbers of processes are used again."""
    import psutil

    try:
        process = psutil.Process(pid)
        # A daemon's process begins before its daemon does; clocks of the two may differ by rounding.
        return process.create_time() <= started + 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(pid: int, started: float, *, kill: bool) -> None:
    import psutil

    if not is_daemon(pid, started):
        raise _cannot(f"Process {pid} is not the daemon any more.")
    try:
        if kill:
            psutil.Process(pid).kill()
        elif sys.platform == "win32":
            return  # the only signal that Windows knows is killing; that is what --force is for
        else:
            os.kill(pid, signal.SIGTERM)
    except (psutil.Error, OSError) as error:
        raise _cannot(f"Process {pid} cannot be told to end ({type(error).__name__}).") from error


def _gone(lock: Path, seconds: float) -> bool:
    from retake_client.connection import is_held

    deadline = time.monotonic() + seconds
    while is_held(lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _cannot(why: str) -> RetakeError:
    return RetakeError(
        f"The daemon cannot be ended. {why}",
        "Look for its process ('retake serve') and end it by hand.",
        kind=ErrorKind.ENVIRONMENT,
        code="not_stopped",
    )
