"""Folders that appear complete or not at all."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retake.domain.errors import ErrorKind, RetakeError

BUILDING = ".building-"
REPLACED = ".replaced-"
STALE_SECONDS = 24 * 3600.0  # what a killed process left behind; no job of ours takes a day


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target` that takes its place when the block ends without an error.

    What was at `target` stays untouched until then, and comes back if the exchange fails. The empty folder is removed after an error.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        folder = target.parent / f"{BUILDING}{target.name}-{uuid.uuid4().hex[:8]}"
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
        _exchange(folder, target)
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


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
            aside.rename(target)
            return True
    return False


def _exchange(folder: Path, target: Path) -> None:
    if not target.exists():
        folder.rename(target)
        return
    aside = target.parent / f"{REPLACED}{target.name}-{uuid.uuid4().hex[:8]}"
    target.rename(aside)
    try:
        folder.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove what killed processes left here long ago."""
    before = time.time() - STALE_SECONDS
    for entry in parent.iterdir():
        if entry.name.startswith(BUILDING) and entry.is_dir() and entry.stat().st_mtime < before:
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name.startswith(REPLACED) and entry.is_dir():
            name = entry.name[len(REPLACED) : -9]
            if (entry / ".deleted").exists() or (parent / name).exists():
                shutil.rmtree(entry, ignore_errors=True)
