"""What a process that was killed left half-written: found by the process's number in the name, and removed at once."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from retake.media.files import part_owner
from retake.media.folders import folder_owner


def remove_of(pid: int, folders: Iterable[Path]) -> list[Path]:
    """Remove the temporary files and folders that process `pid` of this machine has left directly in `folders`; returns what was removed.

    The process must be dead.
    """
    return _remove(folders, lambda owner: owner == pid)


def remove_dead(folders: Iterable[Path]) -> list[Path]:
    """The same for all processes of this machine that are dead. A number that was given to another process since hides its strays for a while."""
    import psutil

    def is_dead(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False

    return _remove(folders, is_dead)


def _remove(folders: Iterable[Path], unwanted: Callable[[int], bool]) -> list[Path]:
    removed: list[Path] = []
    for folder in folders:
        try:
            entries = list(folder.iterdir())
        except OSError:
            continue
        for entry in entries:
            owner = part_owner(entry.name) or folder_owner(entry.name)
            if owner is None or not unwanted(owner):
                continue
            with contextlib.suppress(OSError):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink()
                removed.append(entry)
    return removed
