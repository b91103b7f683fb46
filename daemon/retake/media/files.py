"""Files that appear complete or not at all, and operating-system failures in words a user can act on."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from retake.domain.errors import ErrorKind, RetakeError

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_GONE = {errno.ENOENT, errno.ENOTDIR}

# Temporaries are named .STEM.HOST-PID-TOKEN.retake-part.SUFFIX: hidden, beside the target (a rename within one file system is atomic), with the
# target's suffix (muxers and image writers guess the format from it), and telling which process to ask whether they are still wanted.
_PART = re.compile(r"\..*\.(?P<host>[0-9a-f]{6})-(?P<pid>\d+)-[0-9a-f]{8}\.retake-part(\.[^.]*)?")
_STALE_AFTER_SECONDS = 24 * 3600.0


def explain_os_error(error: BaseException, path: str | os.PathLike[str]) -> RetakeError:
    """Turn a failure of the operating system (any exception with an `errno`) while writing `path` into a RetakeError with a remedy."""
    number = getattr(error, "errno", None)
    path = Path(path)
    if number in _FULL:
        cause, remedy, code = f"No space is left to write {path.name} in {path.parent}.", "Free some space or choose another folder.", "disk_full"
    elif number in _DENIED:
        cause, remedy, code = f"{path.parent} does not let {path.name} be written.", "Choose a folder that you may write to.", "not_writable"
    elif number in _GONE:
        cause, remedy, code = f"The folder {path.parent} does not exist.", "Create it or choose another folder.", "no_folder"
    else:
        text = getattr(error, "strerror", None) or str(error)
        cause, remedy, code = f"{path.name} could not be written: {text}.", "Check the disk and the folder, then run it again.", "write_failed"
    return RetakeError(cause, remedy, kind=ErrorKind.ENVIRONMENT, code=code)


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and rename it to `path`, on any failure remove it.

    The body must create the file at the yielded path. Failures include KeyboardInterrupt and Cancelled.

    Raises:
        RetakeError: kind ENVIRONMENT, codes no_folder, not_writable, disk_full, is_folder or write_failed.
    """
    target = Path(path).absolute()
    _check_target(target)
    remove_stale(target.parent)
    part = target.with_name(f".{_short(target.stem)}.{host_mark()}-{os.getpid()}-{secrets.token_hex(4)}.retake-part{target.suffix}")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        _replace(part, target)
        sync_folder(target.parent)
    except RetakeError:
        raise
    except OSError as error:
        raise explain_os_error(error, target) from error
    except SafetensorError as error:
        raise explain_os_error(_named_in(error), target) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def atomic_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 with \\n line ends, complete or not at all."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def atomic_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data`, complete or not at all."""
    with atomic(path) as part:
        part.write_bytes(data)


def atomic_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON, complete or not at all. NaN and infinity are refused: other readers do not know them."""
    atomic_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def check_space(folder: str | os.PathLike[str], size: int) -> None:
    """Raise RetakeError (disk_full, no_folder) unless `folder` exists and its disk has `size` bytes free."""
    folder = Path(folder).absolute()
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise explain_os_error(error, folder / "file") from error
    if free < size:
        raise RetakeError(
            f"{folder} has {_megabytes(free)} left, {_megabytes(size)} are needed.",
            "Free some space or choose another folder.",
            kind=ErrorKind.ENVIRONMENT,
            code="disk_full",
        )


def sha256(path: str | os.PathLike[str]) -> str:
    """Hex digest of a file's content, read in pieces."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_stale(folder: str | os.PathLike[str]) -> list[Path]:
    """Remove temporaries that runs which ended by force (power, kill -9) left in `folder`; returns what was removed."""
    removed: list[Path] = []
    try:
        entries = [Path(entry.path) for entry in os.scandir(folder) if ".retake-part" in entry.name]
    except OSError:
        return removed
    for entry in entries:
        match = _PART.fullmatch(entry.name)
        if match and _is_stale(entry, match["host"], int(match["pid"])):
            with contextlib.suppress(OSError):
                entry.unlink()
                removed.append(entry)
    return removed


def part_owner(name: str) -> int | None:
    """Number of the process of this machine that writes the temporary of that name; None for any other name."""
    match = _PART.fullmatch(name)
    return int(match["pid"]) if match and match["host"] == host_mark() else None


def _named_in(error: SafetensorError) -> BaseException:
    """The operating system's failure that safetensors only tells about in words ("... (os error 28)"), or else the error itself."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else error


def _check_target(target: Path) -> None:
    if target.is_dir():
        raise RetakeError(f"{target} is a folder.", "Give the name of a file.", kind=ErrorKind.ENVIRONMENT, code="is_folder")
    if not target.parent.is_dir():
        raise explain_os_error(FileNotFoundError(errno.ENOENT, "no such folder"), target)
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise explain_os_error(PermissionError(errno.EACCES, "not writable"), target)


def _replace(part: Path, target: Path) -> None:
    # Windows refuses to replace a file that somebody (a player, a virus scanner) has open just now; a short wait usually helps.
    for attempt in range(5):
        try:
            part.replace(target)
            return
        except PermissionError:
            if sys.platform != "win32" or attempt == 4:
                raise
            time.sleep(0.1 * 2**attempt)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable. Windows has no such call and some network disks refuse it."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_stale(entry: Path, host: str, pid: int) -> bool:
    # Windows has no harmless way to ask for a process (signal 0 is Ctrl-C there), and other hosts' processes cannot be asked: age decides.
    if host == host_mark() and sys.platform != "win32":
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False
    try:
        return time.time() - entry.stat().st_mtime > _STALE_AFTER_SECONDS
    except OSError:
        return False


def host_mark() -> str:
    """Six digits that stand for this machine in the names of temporaries: other machines may write into the same folder."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _short(stem: str) -> str:
    # File names may have 255 bytes; the marks that a temporary adds need about 60 of them.
    return stem.encode()[:150].decode(errors="ignore")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
