"""Files that are not complete yet: begun by one process, gone on with by the next, and tidied away when nobody comes back to them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .locking import hold

SUFFIX = ".retake-part"
# Nobody goes on with a file after this long; the same take comes anew.
FORGOTTEN_SECONDS = 24 * 3600.0
_BLOCK = 1 << 20


class Part:
    """An open part file and the digest of what is in it. `size` bytes are there."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self.file = file
        self.size = 0
        self.digest: Any = hashlib.sha256()

    def take_up(self, stop: threading.Event | None = None) -> None:
        """Read what an earlier process left in it."""
        self.file.seek(0)
        while not (stop is not None and stop.is_set()):
            piece = self.file.read(_BLOCK)
            if not piece:
                break
            self.digest.update(piece)
            self.size += len(piece)
        self.file.seek(self.size)

    def add(self, piece: bytes) -> None:
        self.file.write(piece)
        self.digest.update(piece)
        self.size += len(piece)

    def begin_anew(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.size, self.digest = 0, hashlib.sha256()

    def finish(self, goal: Path) -> None:
        """Give the file its final name."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if sys.platform == "win32":  # where open files keep their names
            self.file.close()
        self.path.replace(goal)


@contextlib.contextmanager
def part_of(goal: Path, *, content: str = "") -> Iterator[Part]:
    """The part file of `goal`, open for writing, and removed at the end unless `content` is given.

    Args:
        content: SHA-256 of what it will hold. The part is then found again by the next process and stays when this one fails. While another
            process writes it, this one has a part of its own.
    """
    if content:
        path = goal.with_name(f".{goal.name[:80]}.{content[:16]}{SUFFIX}")
        file = _locked(path)
        if file is not None:
            with file:
                part = Part(path, file)
                try:
                    yield part
                finally:
                    if part.size == 0:
                        with contextlib.suppress(OSError):
                            path.unlink()
            return
    path = goal.with_name(f".{goal.name[:80]}.{secrets.token_hex(4)}{SUFFIX}")
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644), "w+b") as file:
            yield Part(path, file)
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def tidy(folder: str | os.PathLike[str], *, older_than: float = FORGOTTEN_SECONDS) -> list[Path]:
    """Remove part files in `folder` that nobody has written to for `older_than` seconds; returns them."""
    removed: list[Path] = []
    before = time.time() - older_than
    try:
        found = [entry for entry in Path(folder).iterdir() if entry.name.startswith(".") and entry.name.endswith(SUFFIX)]
    except OSError:
        return removed
    for path in found:
        with contextlib.suppress(OSError):
            if path.lstat().st_mtime <= before:
                path.unlink()
                removed.append(path)
    return removed


def discard(goal: Path) -> None:
    """Remove the parts of `goal` that earlier processes left, except one that is being written."""
    with contextlib.suppress(OSError):
        for path in list(goal.parent.iterdir()):
            if path.name.startswith(f".{goal.name[:80]}.") and path.name.endswith(SUFFIX):
                file = _locked(path)
                if file is not None:
                    file.close()
                    with contextlib.suppress(OSError):
                        path.unlink()


def _locked(path: Path) -> IO[bytes] | None:
    """The file, open and held by us alone; None if another process or thread holds it, or if it is a link."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags, 0o644)
    except OSError:
        return None
    if not hold(handle) or not _still_there(path, handle):
        os.close(handle)
        return None
    return os.fdopen(handle, "r+b")


def _still_there(path: Path, handle: int) -> bool:
    """Whether `path` is still the file that was opened: whoever held it may have just given it its final name."""
    try:
        now, opened = path.lstat(), os.fstat(handle)
    except OSError:
        return False
    return stat.S_ISREG(opened.st_mode) and (now.st_dev, now.st_ino) == (opened.st_dev, opened.st_ino)
