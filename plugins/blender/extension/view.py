"""What panels draw from: the lines of the scene, looked at a few times a second and not at every drawing, and words cut to the sidebar's width.

Nothing here opens a file or asks the daemon.
"""

from __future__ import annotations

import textwrap
import time
from typing import Any

import bpy

from . import compat, engine, lines
from .lines import LineState, SceneLine

LOOK_SECONDS = 0.25
USUAL_WIDTH = 300  # pixels of the sidebar as Blender opens it
NARROWEST, WIDEST = 24, 90  # characters
# A character of Blender's interface font is 6 to 7 pixels wide on average; margins and an icon take some 50.
PIXELS_PER_CHARACTER, MARGIN = 6.6, 50

STATE_ICONS = {"EMPTY": "RADIOBUT_OFF", "UNDER_WAY": "TIME", "FILLED": "CHECKMARK", "LOCKED": "LOCKED", "FAILED": "ERROR"}
KIND_ICONS = {"MARKER": "MARKER_HLT", "TEXT": "FILE_TEXT", "COLOUR": "COLOR", "FILLED": "FILE_MOVIE"}

_looked: dict[int, tuple[float, list[SceneLine]]] = {}


def lines_now(scene: bpy.types.Scene) -> list[SceneLine]:
    """The lines of the scene as they were at most LOOK_SECONDS ago."""
    key, now = scene.as_pointer(), time.monotonic()
    known = _looked.get(key)
    if known is None or now - known[0] > LOOK_SECONDS:
        known = (now, lines.lines_of(scene, engine.speakers()))
        _looked[key] = known
    return known[1]


def forget() -> None:
    """Look anew: something was changed just now."""
    _looked.clear()


def line_of_strip(scene: bpy.types.Scene, strip: Any) -> SceneLine | None:
    """The line that a strip is the placeholder of, or shows."""
    return next((line for line in lines_now(scene) if strip.name in (line.strip, *line.pictures, *line.sounds)), None)


def active_strip(scene: bpy.types.Scene) -> Any:
    """The strip that is active and selected, or None."""
    editor = scene.sequence_editor
    strip = editor.active_strip if editor is not None else None
    return strip if strip is not None and strip.select else None


def chosen_line(scene: bpy.types.Scene) -> SceneLine | None:
    """The line of the selected strip, or else of the selected row of the list."""
    strip = active_strip(scene)
    found = line_of_strip(scene, strip) if strip is not None else None
    if found is not None:
        return found
    every = lines_now(scene)
    index = scene.retake.active_line
    return every[index] if 0 <= index < len(every) else None


def characters(context: Any) -> int:
    """How many characters a line of text in the sidebar can have."""
    region = getattr(context, "region", None)
    width = region.width if region is not None and region.width > 1 else USUAL_WIDTH
    scale = context.preferences.system.ui_scale or 1.0
    return int(min(WIDEST, max(NARROWEST, (width / scale - MARGIN) / PIXELS_PER_CHARACTER)))


def wrapped(layout: Any, context: Any, text: str, icon: str = "NONE") -> None:
    """A sentence as several labels, each short enough for the sidebar."""
    column = layout.column(align=True)
    for number, part in enumerate(textwrap.wrap(text, characters(context), break_long_words=True) or [""]):
        column.label(text=part, icon=icon if number == 0 else "NONE" if icon == "NONE" else "BLANK1")


def short(text: str, longest: int) -> str:
    one = " ".join(text.split())
    return one if len(one) <= longest else f"{one[: longest - 1].rstrip()}…"


def time_left(seconds: float | None) -> str:
    """ "8 s", "3 min", "2 h"; empty if not known."""
    if seconds is None or seconds < 0:
        return ""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def timecode(scene: bpy.types.Scene, frame: int) -> str:
    """Where a frame is on the timeline: minutes, seconds and frames."""
    shown = bpy.utils.smpte_from_frame(frame, fps=scene.render.fps, fps_base=scene.render.fps_base)
    return shown.removeprefix("00:")  # hours are rare


def row_of(scene: bpy.types.Scene, line: SceneLine) -> dict[str, str]:
    """What the list shows of a line."""
    problem = "" if line.problem is None or line.state == LineState.UNDER_WAY else f"{line.problem[0]} {line.problem[1]}"
    return {
        "key": line.key,
        "label": line.label or "(no words)",
        "state": line.state.name,
        "kind": line.kind.name,
        "time": timecode(scene, line.frame),
        "problem": problem,
    }


def edited(context: Any) -> bpy.types.Scene:
    return compat.edited_scene(context)
