"""Looks twice a second, in Blender's main thread, at what the panels show: rows, the words to revise, files of takes, results of threads.

`look()` is called by Blender's timer; tests, and scripts without an interface, call it themselves.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy

from . import background, compat, engine, keeping, state, takes, view
from .window import of_scene

LOOK_SECONDS = 0.5
FILES_SECONDS = 5.0  # between two looks for the files of takes: they may lie on a slow network

_missing: dict[str, str] = {}  # picture strip's name -> file that is gone
_looked_at_files = [0.0]
_last_error = [""]


def look() -> float:
    """Bring what the panels show up to date; returns seconds until it wants to be called again."""
    if not hasattr(bpy.types.WindowManager, "retake"):  # just disabled
        return LOOK_SECONDS
    changed = False
    try:
        changed = background.collect() > 0
        for scene in dict.fromkeys([*compat.shown_scenes(), compat.edited_scene()]):
            if scene is not None and scene.library is None:
                changed |= _look_at(scene)
    except Exception as error:  # noqa: BLE001 - Blender ends a timer that raises, and the panels would stand still
        if str(error) != _last_error[0]:
            _last_error[0] = str(error)
            engine.notify("ERROR", "", f"The panels could not be brought up to date: {error or type(error).__name__}.")
    if changed:
        redraw()
    return LOOK_SECONDS


def _look_at(scene: bpy.types.Scene) -> bool:
    if scene.retake.format == 0:
        state.migrate(scene)
    changed = _sync_rows(scene)
    changed |= _sync_revision(scene)
    if scene == compat.edited_scene() and time.monotonic() - _looked_at_files[0] > FILES_SECONDS:
        look_for_files(scene)
    return changed


def missing_files() -> dict[str, str]:
    """Picture strips whose take's file was gone when it was last looked for: name and file. For draw."""
    return dict(_missing)


def look_for_files(scene: bpy.types.Scene) -> None:
    """Begin to look, in a thread, whether the files of all shown takes are there."""
    _looked_at_files[0] = time.monotonic()
    wanted = _files_of(scene)

    def search() -> dict[tuple[str, str], str]:
        return {key: str(places[0]) for key, places in wanted.items() if not any(place.is_file() for place in places)}

    def found(gone: dict[tuple[str, str], str]) -> None:
        _missing.clear()
        _missing.update({name: file for (name, _), file in gone.items()})
        engine.fetch(dict.fromkeys(take for _, take in gone), unasked=True)

    background.begin("files", search, then=found, failed=lambda _sentence: None)


def forget() -> None:
    """Another file is open."""
    _missing.clear()
    _looked_at_files[0] = 0.0
    _last_error[0] = ""
    view.forget()


def redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"SEQUENCE_EDITOR", "PREFERENCES"}:
                area.tag_redraw()


def _files_of(scene: bpy.types.Scene) -> dict[tuple[str, str], list[Path]]:
    """(strip's name, take's id) of shown takes, and where their files may be."""
    out: dict[tuple[str, str], list[Path]] = {}
    folders = takes.folders_of(scene)
    for strip in compat.all_strips_of(scene):
        entry = takes.active_take(strip) if strip.retake.role == "PICTURE" else None
        if entry is not None:
            out[strip.name, entry.id] = takes.places_of(entry, folders)
    return out


def _sync_rows(scene: bpy.types.Scene) -> bool:
    view.forget()
    wanted = [view.row_of(scene, line) for line in view.lines_now(scene)]
    rows = of_scene(scene, make=True).rows
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
    own = of_scene(scene, make=True)
    key = "" if line is None else line.line or line.key
    if own.revised == key:
        return False
    own.revised, own.revision = key, "" if line is None else line.text
    return True


@bpy.app.handlers.persistent
def _on_load(*_: Any) -> None:
    forget()


def register() -> None:
    keeping.register()
    if _on_load not in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.append(_on_load)
    if not bpy.app.background and not bpy.app.timers.is_registered(look):
        bpy.app.timers.register(look, first_interval=LOOK_SECONDS, persistent=True)


def unregister() -> None:
    keeping.unregister()
    if bpy.app.timers.is_registered(look):
        bpy.app.timers.unregister(look)
    if _on_load in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(_on_load)
    background.forget()
    forget()
