"""Which files of the home folder nobody needs any more. Each function says what would go; removing is `Remover`'s."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from retake.domain.errors import RetakeError
from retake.domain.speaker import NAME
from retake.media.files import remove_stale
from retake.media.folders import BUILDING, REPLACED, STALE_SECONDS, remove_folder
from retake.speakers import store as speakers
from retake.takes import store as takes

DAY = 86400.0
# What lies around for less may belong to a job that is just beginning or ending.
YOUNG_SECONDS = 3600.0


@dataclass
class Remover:
    """Removes files and folders, or with `dry_run` only counts them.

    Attributes:
        bytes: space of what was removed.
    """

    dry_run: bool = False
    bytes: int = 0
    problems: list[str] = field(default_factory=list)

    def file(self, path: Path) -> bool:
        """Remove a file; False if it is not there or could not be removed."""
        try:
            size = path.stat(follow_symlinks=False).st_size
            if not self.dry_run:
                path.unlink()
        except OSError as error:
            self._note(path, error)
            return False
        self.bytes += size
        return True

    def folder(self, path: Path) -> bool:
        """Remove a folder: it is gone under its name at once. A link to one is left alone, and so is what it leads to."""
        if path.is_symlink() or not path.is_dir():
            return False
        size = size_of(path)
        try:
            if not self.dry_run:
                remove_folder(path)
        except OSError as error:
            self._note(path, error)
            return False
        self.bytes += size
        return True

    def _note(self, path: Path, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            self.problems.append(f"{path}: {error.strerror or error}")


def size_of(folder: Path) -> int:
    """Bytes of the files below `folder`; links are not followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(parent, name).stat(follow_symlinks=False).st_size
    return total


def age_of(path: Path, now: float) -> float:
    """Seconds since a file, or the newest file below a folder, was written; of a folder without files, since it was made. 0: it is not there."""
    newest = 0.0
    for parent, _, names in os.walk(path):
        for name in names:
            newest = max(newest, _written(Path(parent, name)))
    newest = newest or _written(path)
    return max(0.0, now - newest) if newest else 0.0


def _written(path: Path) -> float:
    try:
        return path.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def uploads(home: Path, days: float, named: str, remover: Remover) -> int:
    """Remove uploads to which nothing came for `days` and that no job in `named` (the specs of active jobs) needs; returns how many."""
    now, count = time.time(), 0
    for folder in _entries(home / "uploads"):
        if folder.name in named or not folder.is_dir() or age_of(folder, now) < days * DAY:
            continue
        lock = FileLock(folder.parent / f".{folder.name}.lock", timeout=0)  # as who receives bytes for it holds
        try:
            with lock:
                count += remover.folder(folder)
        except Timeout:
            continue
        if not remover.dry_run:
            with contextlib.suppress(OSError):
                Path(lock.lock_file).unlink()
    for path in _entries(home / "uploads", hidden=True):  # of uploads that were refused when all of them had arrived
        if path.name.startswith(".") and path.suffix == ".lock" and not path.with_name(path.stem[1:]).exists() and age_of(path, now) > DAY:
            remover.file(path)
    return count


def inputs(home: Path, days: float, named: str, remover: Remover) -> int:
    """Remove fetched inputs (`jobs.artefacts`) that were not needed for `days`."""
    now = time.time()
    old = [path for path in _entries(home / "inputs") if path.is_file() and path.name not in named and age_of(path, now) > days * DAY]
    return sum(remover.file(path) for path in old)


def old_takes(home: Path, days: float, most_bytes: int, needed_since: float | None) -> list[str]:
    """Ids of the takes that were not asked for in `days` (0: all stay), and of the oldest ones beyond `most_bytes` (0: no limit).

    Args:
        needed_since: when the longest running job began (seconds since 1970); takes that were asked for since may be part of one.
    """
    now = time.time()
    found: list[tuple[float, str, int]] = []
    for folder in _entries(home / "takes"):
        with contextlib.suppress(RetakeError, OSError):
            folder = takes.take_folder(home, folder.name)
            found.append(((folder / takes.RECORD).stat().st_mtime, folder.name, size_of(folder)))
    found.sort()
    total = sum(size for _, _, size in found)
    out: list[str] = []
    for asked, identifier, size in found:
        expired = bool(days) and now - asked > days * DAY
        too_much = bool(most_bytes) and total > most_bytes
        if (expired or too_much) and (needed_since is None or asked < needed_since):
            out.append(identifier)
            total -= size
    return out


def caches(home: Path, most_bytes: int, remover: Remover) -> int:
    """Remove spoken lines of speakers that are gone, and those used longest ago beyond `most_bytes` (0: no limit); returns how many lines."""
    root, now, count = home / "cache" / "speech", time.time(), 0
    for folder in _entries(root):
        if folder.is_dir() and NAME.fullmatch(folder.name) and not _is_speaker(home, folder.name) and age_of(folder, now) > YOUNG_SECONDS:
            spoken = len({path.stem for path in _entries(folder)})
            count += spoken if remover.folder(folder) else 0
    if not most_bytes:
        return count
    lines: dict[tuple[Path, str], list[Path]] = {}
    for parent, _, names in os.walk(root):
        for name in names:
            if not name.startswith("."):
                path = Path(parent, name)
                lines.setdefault((path.parent, path.stem), []).append(path)
    # Reading a line marks it (speech.cache), so that the time of its newest file is the time of its last use.
    used = sorted((age_of_files(files, now), sum(_size(path) for path in files), files) for files in lines.values())
    total = 0
    for _, size, files in used:
        total += size
        if total > most_bytes:
            count += 1
            for path in files:
                remover.file(path)
    return count


def strays(home: Path, active: frozenset[str], remover: Remover) -> int:
    """Remove what killed processes left half-made, and working folders of jobs that are over; returns how many."""
    now, count = time.time(), 0
    for parent in (home / "takes", home / "speakers", home / "results", home / "uploads"):
        for entry in _entries(parent, hidden=True):
            old = entry.name.startswith(BUILDING) and age_of(entry, now) > STALE_SECONDS
            replaced = entry.name.startswith(REPLACED) and ((entry / ".deleted").exists() or (parent / entry.name[len(REPLACED) : -9]).exists())
            if entry.is_dir() and (old or (replaced and age_of(entry, now) > YOUNG_SECONDS)):
                count += _removed(entry, remover)
    for folder in _entries(home / "work"):
        if folder.name not in active and age_of(folder, now) > YOUNG_SECONDS:
            count += remover.folder(folder)
    if not remover.dry_run:
        folders = (
            home,
            *(path for name in ("takes", "speakers", "cache", "results", "work", "inputs", "uploads", "logs") for path in _folders(home / name)),
        )
        count += sum(len(remove_stale(folder)) for folder in folders)
    return count


def job_files(home: Path, job_id: str, remover: Remover) -> None:
    """Remove log, results and working folder of a job that is not remembered any more."""
    remover.file(home / "logs" / "jobs" / f"{job_id}.log")
    for name in ("results", "work"):
        remover.folder(home / name / job_id)


def orphans(home: Path, days: float, known: frozenset[str], remover: Remover) -> int:
    """Remove logs and results of jobs that the database does not know, and reports of unexpected errors, after `days`; returns how many."""
    now, count = time.time(), 0
    for path in _entries(home / "logs" / "jobs"):
        if path.suffix == ".log" and path.stem not in known and age_of(path, now) > days * DAY:
            count += remover.file(path)
    for folder in _entries(home / "results"):
        if folder.name not in known and age_of(folder, now) > days * DAY:
            count += remover.folder(folder)
    for path in _entries(home / "logs"):
        if path.name.startswith("error-") and path.suffix == ".log" and age_of(path, now) > days * DAY:
            count += remover.file(path)
    return count


def age_of_files(files: list[Path], now: float) -> float:
    return min(age_of(path, now) for path in files)


def _removed(entry: Path, remover: Remover) -> bool:
    """Remove a hidden folder that has no name anybody looks for; so it needs no renaming first."""
    size = size_of(entry)
    if not remover.dry_run:
        shutil.rmtree(entry, ignore_errors=True)
    remover.bytes += size
    return True


def _is_speaker(home: Path, name: str) -> bool:
    try:
        return speakers.exists(home, name)
    except RetakeError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def _entries(folder: Path, *, hidden: bool = False) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if hidden or not path.name.startswith("."))
    except OSError:
        return []


def _folders(root: Path) -> Iterator[Path]:
    """`root` and all folders below it; links are not followed."""
    for parent, _, _ in os.walk(root):
        yield Path(parent)
