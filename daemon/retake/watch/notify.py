"""Being told about changes in a folder, where the file system can tell; elsewhere the watcher looks by itself."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.events import FileSystemEvent, FileSystemEventHandler

from retake.watch.arrivals import Arrivals

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

log = logging.getLogger(__name__)

# File systems on which changes made by other machines are not told.
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "9p", "ceph", "glusterfs", "lustre", "davfs", "vboxsf", "vmhgfs", "prl_fs", "virtiofs"}
)
# Elsewhere one hears that a file is written, and never that it is complete.
_TELLS_CLOSING = sys.platform == "linux"


def must_poll(folder: Path) -> bool:
    """Whether changes in `folder` may go unnoticed by the system: network mounts and folders shared with a virtual machine's host."""
    if sys.platform == "win32":
        return str(folder).startswith("\\\\")
    kind = _file_system(folder)
    return kind in _NETWORK or kind.startswith("fuse")


class Bell:
    """Tells `arrivals` what the system says about the files in a folder, and calls `ring` for everything that happens there."""

    def __init__(self, folder: Path, arrivals: Arrivals, ring: Callable[[], None]) -> None:
        self._folder = folder
        self._handler = _Handler(arrivals, ring)
        self._observer: BaseObserver | None = None

    def start(self) -> bool:
        """False if the system cannot tell (no such service, or its limit on watched folders is reached)."""
        from watchdog.observers import Observer

        observer = Observer()
        try:
            observer.schedule(self._handler, str(self._folder), recursive=False)
            observer.start()
        except OSError as error:
            log.warning("%s is looked at every second, because the system does not tell about changes (%s)", self._folder, error)
            return False
        self._observer = observer
        return True

    def stop(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=5.0)
            self._observer = None


class _Handler(FileSystemEventHandler):
    def __init__(self, arrivals: Arrivals, ring: Callable[[], None]) -> None:
        self._arrivals = arrivals
        self._ring = ring

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.is_directory:
            return
        if event.event_type == "modified" and _TELLS_CLOSING:
            self._arrivals.note_written(_name(event.src_path))
        elif event.event_type == "closed":
            self._arrivals.note_closed(_name(event.src_path))
            self._ring()
        elif event.event_type == "moved":
            self._arrivals.note_closed(_name(event.dest_path))
            self._ring()
        elif event.event_type == "created":
            self._ring()


def _name(path: bytes | str) -> str:
    return os.fsdecode(path).rpartition(os.sep)[2]


def _file_system(folder: Path) -> str:
    """Kind of file system that `folder` is on; "" where the system does not say."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        mount = parts[1].replace("\\040", " ")
        if folder.is_relative_to(mount) and len(mount) >= best:
            best, kind = len(mount), parts[2].lower()
    return kind
