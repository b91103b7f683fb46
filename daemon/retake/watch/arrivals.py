"""Which dropped files are complete: closed, moved in, or the same for two looks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from retake.watch.names import is_temporary
from retake.watch.reader import LARGEST

STABLE_SECONDS = 0.5  # at least so much lies between two looks that count
# A file that is seen being written and was not closed counts after this: whoever wrote it may hold it open for good.
STALLED_SECONDS = 30.0
EMPTY_SECONDS = 10.0  # some programs make an empty file first and fill it later


@dataclass
class _Seen:
    size: int
    changed_ns: int
    since: float  # on the clock: when it was first seen like this


class Arrivals:
    """What lies in a watched folder and may be taken. `scan` is called by one thread; the notes come from another.

    Args:
        clock: seconds.
    """

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._closed: set[str] = set()
        self._writing: set[str] = set()
        self._had_close: set[str] = set()
        self._lock = threading.Lock()
        self._strangers: set[str] = set()

    def note_written(self, name: str) -> None:
        """The system says that somebody writes to the file, or changes its time or its permissions.

        Only to be called where the system also tells about closing. Copying programs set times and permissions behind the close, and nothing
        is told after that: then the file counts when it is stable.
        """
        with self._lock:
            if name not in self._had_close:
                self._writing.add(name)
            self._closed.discard(name)

    def note_closed(self, name: str) -> None:
        """The system says that whoever wrote to the file has closed it, or that it was moved here."""
        with self._lock:
            self._closed.add(name)
            self._had_close.add(name)
            self._writing.discard(name)

    def scan(self) -> list[str]:
        """Names of the files that are complete, in the order of their names.

        Raises OSError when the folder cannot be read (a drive that was taken away).
        """
        now = self._clock()
        with self._lock:
            closed, writing = set(self._closed), set(self._writing)
            noted = closed | writing | self._had_close
        found: dict[str, _Seen] = {}
        complete: list[str] = []
        self._strangers.clear()
        with os.scandir(self._root) as entries:
            for entry in entries:
                if not self._wanted(entry):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                seen = self._seen.get(entry.name)
                if seen is None or (seen.size, seen.changed_ns) != (status.st_size, status.st_mtime_ns):
                    seen = _Seen(status.st_size, status.st_mtime_ns, now)
                found[entry.name] = seen
                needed = STALLED_SECONDS if entry.name in writing else STABLE_SECONDS
                if status.st_size == 0:
                    needed = max(needed, EMPTY_SECONDS)
                elif entry.name in closed:
                    needed = 0.0
                if now - seen.since >= needed:
                    complete.append(entry.name)
        self._seen = found
        with self._lock:
            for names in (self._closed, self._writing, self._had_close):
                names -= noted - found.keys()  # gone; what was noted during the scan may be of files that came behind it
        return sorted(complete)

    def forget(self, name: str) -> None:
        """The file was taken; one of the same name that comes later is another one."""
        self._seen.pop(name, None)
        with self._lock:
            for names in (self._closed, self._writing, self._had_close):
                names.discard(name)

    @property
    def waiting(self) -> int:
        """Files that are there and not complete yet, as of the last scan."""
        return len(self._seen)

    @property
    def strangers(self) -> list[str]:
        """Files that are left alone because nothing of theirs is read, as of the last scan."""
        return sorted(self._strangers)

    def _wanted(self, entry: os.DirEntry[str]) -> bool:
        if is_temporary(entry.name) or not entry.is_file(follow_symlinks=False):
            return False
        if Path(entry.name).suffix.lower() in LARGEST:
            return True
        self._strangers.add(entry.name)
        return False
