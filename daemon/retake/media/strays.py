"""What a process that was killed left half-written: found by the process's number in the name, and removed at once."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from retake.media.files import part_owner
from retake.media.folders import folder_owner


def remove_of(pid: int, folders: Iterable[Path]) -> list[Path]:
    """Remove the temporary files and folders that process `pid` of this machine has left directly in `folders`; returns what was removed.

    The process must be dead.
    """
    removed: list[Path] = []
    for folder in folders:
        try:
            entries = list(folder.iterdir())
        except OSError:
            continue
        for entry in entries:
            if pid not in {part_owner(entry.name), folder_owner(entry.name)}:
                continue
            with contextlib.suppress(OSError):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink()
                removed.append(entry)
    return removed
