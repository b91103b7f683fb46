"""Starting an installed daemon: found, started once, and left to itself, so that it outlives the program that wanted it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from .connection import HOME_VARIABLE, LOCK_FILE, default_home, is_held, lives
from .errors import ClientError, local_fault
from .locking import hold

COMMAND_VARIABLE = "RETAKE_COMMAND"
START_LOCK = "starting.lock"
LOG = "start.log"
# A daemon answers after a second or two; on a machine that is just booting it takes longer.
PATIENCE = 30.0
_LONGEST_LOG = 1_000_000
# They are meant for the program that we run in, and would make the daemon's Python load that program's modules.
_NOT_FOR_OTHERS = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__")


class CannotStart(ClientError):
    """No daemon can be started: not_installed, or not_started."""


def find_command(command: Sequence[str] | str | None = None) -> list[str] | None:
    """How `retake` is called on this machine: `command` if given, else RETAKE_COMMAND, on the PATH, or beside this Python. None: not found."""
    given = [command] if isinstance(command, str) and command.strip() else list(command or ())
    if not given and os.environ.get(COMMAND_VARIABLE, "").strip():
        given = [os.environ[COMMAND_VARIABLE].strip()]
    if given:
        found = shutil.which(str(Path(given[0]).expanduser()))
        return [found, *given[1:]] if found else None
    name = "retake.exe" if sys.platform == "win32" else "retake"
    for folder in (None, Path(sys.executable or ".").parent, Path(sys.prefix) / ("Scripts" if sys.platform == "win32" else "bin")):
        found = shutil.which(name, path=None if folder is None else str(folder))
        if found:
            return [str(Path(found).absolute())]
    return None


def start_daemon(home: str | os.PathLike[str] | None = None, command: Sequence[str] | str | None = None) -> None:
    """Start `retake serve`, unless one runs or is being started. It goes on when this program ends; what it prints goes to logs/start.log.

    Returns at once: `Connection.find` finds it when it answers. Raises CannotStart (not_installed, not_started), LocalFault.
    """
    launch(home, command)


def launch(home: str | os.PathLike[str] | None = None, command: Sequence[str] | str | None = None) -> subprocess.Popen[bytes] | None:
    """The same; returns the process, None if there was nothing to be started."""
    folder = default_home() if home is None else Path(home)
    found = find_command(command)
    if found is None:
        named = f" ({command if isinstance(command, str) else ' '.join(command)})" if command else ""
        raise CannotStart(
            f"Retake was not found on this machine{named}.",
            "Install it, or name its 'retake' command in the preferences.",
            code="not_installed",
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "logs").mkdir(mode=0o700, exist_ok=True)
        with _alone(folder / START_LOCK) as record:
            if record is None or is_held(folder / LOCK_FILE) or _begun_just_now(record):
                return None
            process = _spawn(found, folder)
            record.seek(0)
            record.truncate()
            record.write(json.dumps({"pid": process.pid, "at": time.time()}).encode("ascii"))
            record.flush()
            return process
    except OSError as error:
        raise local_fault(error, folder) from error


def environment_for(home: Path) -> dict[str, str]:
    """The environment for a command of Retake: this program's, without what is meant for its own Python."""
    return {**{name: value for name, value in os.environ.items() if name not in _NOT_FOR_OTHERS}, HOME_VARIABLE: str(home)}


def last_words(home: str | os.PathLike[str] | None = None) -> str:
    """The last line of what the last start printed, for a message; empty if there is none."""
    path = (default_home() if home is None else Path(home)) / "logs" / LOG
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4000))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def _spawn(command: Sequence[str], home: Path) -> subprocess.Popen[bytes]:
    log = home / "logs" / LOG
    mode = "wb" if log.exists() and log.stat().st_size > _LONGEST_LOG else "ab"
    environment = environment_for(home)
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        with log.open(mode) as output:
            return subprocess.Popen(
                [*command, "serve"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=str(home),
                start_new_session=True,  # means nothing on Windows
                creationflags=flags,
            )
    except OSError as error:
        raise CannotStart(
            f"{command[0]} cannot be started ({error.strerror or type(error).__name__}).",
            "Start it with 'retake serve' and read what it says.",
            code="not_started",
        ) from error


def _begun_just_now(record: IO[bytes]) -> bool:
    """Whether another program started one that has not come as far as its own lock."""
    record.seek(0)
    try:
        content = json.loads(record.read(1000))
        pid, age = int(content["pid"]), time.time() - float(content["at"])
    except (ValueError, KeyError, TypeError):
        return False
    return 0 <= age < PATIENCE and lives(pid)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[IO[bytes] | None]:
    """The file `path`, held by us alone; None if another program holds it, which is starting the daemon then."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o600), "r+b") as file:
        yield file if hold(file.fileno()) else None
