"""Looks twice a second, in Blender's main thread, at what the panels show: rows, the words to revise, files of takes, results of threads.

`look()` is called by Blender's timer; tests, and scripts without an interface, call it themselves.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy

from . import background, compat, placing, state, takes, view
from .window import of_window

LOOK_SECONDS = 0.5
FILES_SECONDS = 5.0  # between two looks for the files of takes: they may lie on a slow network

_missing: dict[str, str] = {}  # picture strip's name -> file that is gone
_looked_at_files = [0.0]


def look() -> float:
    """Bring what the panels show up to date; returns seconds until it wants to be called again."""
    if not hasattr(bpy.types.WindowManager, "retake"):  # just disabled
        return LOOK_SECONDS
    changed = background.collect() > 0
    scene = compat.edited_scene()
    if scene is not None:
        if scene.retake.format == 0:
            state.migrate(scene)
        changed |= _sync_rows(scene)
        changed |= _sync_revision(scene)
        if time.monotonic() - _looked_at_files[0] > FILES_SECONDS:
            look_for_files(scene)
    if changed:
        redraw()
    return LOOK_SECONDS


def missing_files() -> dict[str, str]:
    """Picture strips whose take's file was gone when it was last looked for: name and file. For draw."""
    return dict(_missing)


def look_for_files(scene: bpy.types.Scene) -> None:
    """Begin to look, in a thread, whether the files of all shown takes are there."""
    _looked_at_files[0] = time.monotonic()
    wanted = _files_of(scene)

    def search() -> dict[str, str]:
        return {name: str(places[0]) for name, places in wanted.items() if not any(place.is_file() for place in places)}

    def found(gone: dict[str, str]) -> None:
        _missing.clear()
        _missing.update(gone)

    background.begin("files", search, then=found, failed=lambda _sentence: None)


def forget() -> None:
    """Another file is open."""
    _missing.clear()
    _looked_at_files[0] = 0.0
    view.forget()


def redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"SEQUENCE_EDITOR", "PREFERENCES"}:
                area.tag_redraw()


def _files_of(scene: bpy.types.Scene) -> dict[str, list[Path]]:
    """Where the file of each shown take may be, as `takes.file_of` looks for it."""
    folders = [Path(takes.takes_folder()), Path(bpy.path.abspath("//"))]
    out: dict[str, list[Path]] = {}
    for strip in compat.all_strips_of(scene):
        entry = takes.active_take(strip) if strip.retake.role == "PICTURE" else None
        if entry is not None:
            stored = placing.real_path(entry.path)
            name = Path(stored).name if stored else f"{entry.id}.mp4"
            out[strip.name] = [Path(stored) if stored else folders[0] / name, *(folder / name for folder in folders)]
    return out


def _sync_rows(scene: bpy.types.Scene) -> bool:
    view.forget()
    wanted = [view.row_of(scene, line) for line in view.lines_now(scene)]
    rows = of_window().rows
    changed = len(rows) != len(wanted)
    while len(rows) > len(wanted):
        rows.remove(len(rows) - 1)
    for index, values in enumerate(wanted):
        row = rows[index] if index < len(rows) else rows.add()
        for name, value in values.items():
            if getattr(row, name) != value:
                setattr(row, name, value)
                changed = True
    return changed


def _sync_revision(scene: bpy.types.Scene) -> bool:
    """Put the words of the line that was chosen just now into the field; words that are being changed stay."""
    line = view.chosen_line(scene)
    own = of_window()
    key = "" if line is None else line.line or line.key
    if own.revised == key:
        return False
    own.revised, own.revision = key, "" if line is None else line.text
    return True


@bpy.app.handlers.persistent
def _on_load(*_: Any) -> None:
    forget()


def register() -> None:
    if _on_load not in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.append(_on_load)
    if not bpy.app.background and not bpy.app.timers.is_registered(look):
        bpy.app.timers.register(look, first_interval=LOOK_SECONDS, persistent=True)


def unregister() -> None:
    if bpy.app.timers.is_registered(look):
        bpy.app.timers.unregister(look)
    if _on_load in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(_on_load)
    background.forget()
    forget()
