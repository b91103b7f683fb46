"""Files of takes: copied to where the user keeps takes, and used from there. Copying happens in a thread; only `apply` touches strips.

`wanted` says what would have to be copied, `copy_all` copies it in a thread, `apply` has strips and lists of takes use the copies, and
`begin_collecting` does all of that in the background.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import background, compat, placing, takes

TASK = "collect"


@dataclass(frozen=True)
class File:
    """A take whose file is to be at `goal`. sources: where it may be. sha256: of its content, "" if not known."""

    take: str
    sources: tuple[str, ...]
    goal: str
    sha256: str


@dataclass
class Copied:
    """places: take's id -> its file now. said: sentences about files that could not be copied; those stay in use where they are."""

    places: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def entries() -> Iterator[Any]:
    """Every take that this file knows: of strips, and those without a place."""
    for scene in compat.own_scenes():
        for strip in compat.all_strips_of(scene):
            if strip.retake.role == "PICTURE":
                yield from strip.retake.takes
        yield from scene.retake.unplaced


def wanted(*, under: str = "") -> list[File]:
    """The takes whose files are not in the folder for takes.

    Args:
        under: only those whose file is in this folder now.
    """
    folder = Path(takes.takes_folder())
    out: dict[str, File] = {}
    for entry in entries():
        stored = placing.real_path(entry.path)
        goal = folder / f"{entry.id}.mp4"
        if entry.id in out or Path(stored) == goal or (under and Path(under) not in Path(stored).parents):
            continue
        out[entry.id] = File(entry.id, tuple(str(place) for place in takes.places_of(entry)), str(goal), entry.sha256)
    return list(out.values())


def copy_all(files: Sequence[File]) -> Copied:
    """Copy the files, or give them a second name where that is possible. Runs in a thread; no bpy."""
    done = Copied()
    for file in files:
        goal = Path(file.goal)
        source = next((Path(place) for place in file.sources if Path(place).is_file()), None)
        if source is None:
            continue  # its absence is told elsewhere
        try:
            if not _same(goal, source, file.sha256):
                _put(source, goal, file.sha256)
            done.places[file.take] = str(goal)
        except OSError as error:
            done.said.append(f"'{source.name}' could not be copied to '{goal.parent}': {error.strerror or error}.")
    return done


def apply(places: Mapping[str, str]) -> int:
    """Have all strips and lists use the files; strips keep their place and look. Returns how many takes were changed."""
    changed: set[str] = set()
    for entry in entries():
        if entry.id in places and placing.real_path(entry.path) != places[entry.id]:
            entry.path = placing.blend_path(places[entry.id])
            changed.add(entry.id)
    for scene in compat.own_scenes():
        for strip in list(compat.all_strips_of(scene)):
            path = places.get(strip.retake.take) if strip.retake.role in {"PICTURE", "SOUND"} else None
            if path is not None and _file_of(strip) != path and Path(path).is_file():
                placing.swap(strip, path, shift=0)
                changed.add(strip.retake.take)
    return len(changed)


def begin_collecting(*, under: str = "", always_say: bool = False) -> bool:
    """Copy in the background what is not in the folder for takes, then use the copies: one undo step. False: nothing to do, or it is under way."""
    files = wanted(under=under)
    if not files or background.running(TASK):
        return False
    return background.begin(TASK, lambda: copy_all(files), then=lambda done: _collected(done, always_say), failed=_say)


def _tell(level: str, sentence: str) -> None:
    from . import engine  # which imports this module

    engine.notify(level, "", sentence)


def _collected(done: Copied, always_say: bool) -> None:
    count = apply(done.places)
    if count:
        compat.undo_step("Retake: collect takes")
        where = Path(takes.takes_folder()).name
        _tell("INFO", f"{count} {'take lies' if count == 1 else 'takes lie'} in '{where}' now. Save the file, so that it finds them there.")
    elif always_say and not done.said:
        _tell("INFO", "All takes are where they belong.")
    for sentence in done.said:
        _say(f"{sentence} Choose another folder in the preferences.")


def _say(sentence: str) -> None:
    _tell("ERROR", sentence)


def _file_of(strip: Any) -> str:
    if strip.type == "SOUND":
        return placing.real_path(strip.sound.filepath) if strip.sound is not None else ""
    return placing.real_path(strip.filepath)


def _same(goal: Path, source: Path, sha256: str) -> bool:
    """Whether the goal holds what the source does."""
    if not goal.is_file() or goal.stat().st_size != source.stat().st_size:
        return False
    return goal.samefile(source) or _digest(goal) == (sha256 or _digest(source))


def _put(source: Path, goal: Path, sha256: str) -> None:
    """The file appears under its name when it is complete and its content is right. Raises OSError."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    part = goal.with_name(f".{goal.name}.{os.getpid()}.retake-part")
    part.unlink(missing_ok=True)
    try:
        try:
            os.link(source, part)
        except (OSError, NotImplementedError):  # another drive, or a file system without second names
            shutil.copyfile(source, part)
        if sha256 and _digest(part) != sha256:
            raise OSError(f"'{source}' is damaged")
        part.replace(goal)
    finally:
        part.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@persistent
def _on_save(*_: Any) -> None:
    """What was made before the file had a place goes beside it now."""
    if bpy.data.is_saved:
        begin_collecting(under=takes.unsaved_folder())


def register() -> None:
    if _on_save not in bpy.app.handlers.save_post:
        bpy.app.handlers.save_post.append(_on_save)


def unregister() -> None:
    if _on_save in bpy.app.handlers.save_post:
        bpy.app.handlers.save_post.remove(_on_save)
