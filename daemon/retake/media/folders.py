"""Folders that appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from retake.domain.errors import ErrorKind, RetakeError
from retake.media.files import host_mark

BUILDING = ".building-"
REPLACED = ".replaced-"
_OWNED = re.compile(r"\.building-.*-(?P<host>[0-9a-f]{6})-(?P<pid>\d+)-[0-9a-f]{8}")
_ATTEMPTS = 4
STALE_SECONDS = 24 * 3600.0  # what a killed process left behind; no job of ours takes a day


@contextlib.contextmanager
def new_folder(target: Path, *, unless: Callable[[], bool] | None = None) -> Iterator[Path]:
    """Yield an empty folder beside `target` that takes its place when the block ends without an error.

    What was at `target` stays untouched until then, and comes back if the exchange fails. The empty folder is removed after an error.

    Args:
        unless: asked when the block has ended; if it says yes, the new folder is dropped and what is at `target` stays (somebody else was quicker).
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        folder = target.parent / f"{BUILDING}{target.name}-{host_mark()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
    except OSError as error:
        raise RetakeError(
            f"The folder {target.parent} cannot be written ({error.strerror or error}).",
            "Make it writable, free some space, or choose another folder.",
            kind=ErrorKind.ENVIRONMENT,
            code="not_writable",
        ) from error
    try:
        yield folder
        if unless is None or not unless():
            _exchange(folder, target)
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


def folder_owner(name: str) -> int | None:
    """Number of the process of this machine that builds the folder of that name; None for any other name."""
    match = _OWNED.fullmatch(name)
    return int(match["pid"]) if match and match["host"] == host_mark() else None


def remove_folder(target: Path) -> None:
    """Remove the folder at `target`: it is gone under its name at once, also when removing its content is interrupted."""
    aside = target.parent / f"{REPLACED}{target.name}-{uuid.uuid4().hex[:8]}"
    (target / ".deleted").touch()  # `restore` must not bring it back
    target.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def restore(target: Path) -> bool:
    """Bring back the folder that an interrupted exchange had set aside; True if `target` exists now."""
    if target.exists():
        return True
    for aside in sorted(target.parent.glob(f"{REPLACED}{target.name}-????????")):
        if not (aside / ".deleted").exists():
            with contextlib.suppress(OSError):  # the process that set it aside was at work still, and has gone on
                aside.rename(target)
            return target.exists()
    return False


def _exchange(folder: Path, target: Path) -> None:
    """Put `folder` at `target`. Two processes may do this at once; then the later one wins, and neither fails."""
    for attempt in range(_ATTEMPTS):
        aside = target.parent / f"{REPLACED}{target.name}-{uuid.uuid4().hex[:8]}"
        try:
            if not target.exists():
                folder.rename(target)
                return
            target.rename(aside)
        except OSError:
            # Between the question and the answer another process put its folder here, or took it away.
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.05 * 2**attempt)
            continue
        try:
            folder.rename(target)
        except OSError:
            if not target.exists():
                with contextlib.suppress(OSError):  # another process has put its folder there, or swept what was set aside
                    aside.rename(target)
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        shutil.rmtree(aside, ignore_errors=True)
        return


def _sweep(parent: Path) -> None:
    """Remove what killed processes left here long ago."""
    before = time.time() - STALE_SECONDS
    for entry in parent.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            if entry.name.startswith(BUILDING) and entry.is_dir() and entry.stat().st_mtime < before:
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name.startswith(REPLACED) and entry.is_dir():
                name = entry.name[len(REPLACED) : -9]
                if (entry / ".deleted").exists() or (parent / name).exists():
                    shutil.rmtree(entry, ignore_errors=True)
