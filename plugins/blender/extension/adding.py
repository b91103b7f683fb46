"""New lines on a timeline: placeholder strips and markers. Operators call these and leave the undo step to Blender."""

from __future__ import annotations

from typing import Any

import bpy

from retake_client.convention import marker_name, new_line_id

from . import compat, placing
from .channels import taken_channels
from .placing import PlacingError

USUAL_SECONDS = 4.0  # of a placeholder whose length nobody has said
COLOUR = (0.16, 0.24, 0.34)


def usual_frames(scene: bpy.types.Scene) -> int:
    """Frames of a placeholder whose length nobody has said."""
    return max(1, round(USUAL_SECONDS * scene.render.fps / scene.render.fps_base))


def add_placeholder(
    scene: bpy.types.Scene, speaker: str, text: str, *, frame: int, frames: int | None = None, kind: str = "TEXT", channel: int | None = None
) -> Any:
    """Add a placeholder: a TEXT strip named `@speaker` with the words, or a COLOR strip that keeps them in `strip.retake`; returns the strip.

    Args:
        speaker: empty: the scene's speaker says it.
        channel: None: the lowest one with room that is not locked.

    Raises PlacingError: no room.
    """
    length = frames or usual_frames(scene)
    editor = compat.editor_of(scene)
    taken = taken_channels(placing.spans_of(editor), frame, frame + length) | compat.locked_channels(editor)
    chosen = channel or next((number for number in range(1, 129) if number not in taken), None)
    if chosen is None:
        raise PlacingError("There is no room for the placeholder: all channels are taken or locked there.", "Unlock or clear a channel.")
    name = f"@{speaker}" if speaker else "Line"
    strip = compat.new_effect(editor, kind, name, channel=chosen, start=frame, length=length)
    if kind == "TEXT":
        strip.text = text
        strip.font_size = max(12.0, scene.render.resolution_y / 24)
        strip.wrap_width = 0.9
    else:
        strip.color = COLOUR
    mark_strip(strip, text, speaker)
    return strip


def mark_strip(strip: Any, text: str = "", speaker: str = "") -> str:
    """Make a strip that is there a placeholder; returns the line's id. A TEXT strip keeps its own text."""
    own = strip.retake
    own.role = "PLACEHOLDER"
    own.line = own.line or new_line_id()
    own.speaker = speaker
    own.text = "" if strip.type == "TEXT" else text
    return own.line


def unmark_strip(strip: Any) -> None:
    """Make a placeholder an ordinary strip again."""
    strip.retake.role = "NONE"
    strip.retake.line = ""


def add_marker(scene: bpy.types.Scene, speaker: str, text: str, *, frame: int, frames: int = 0) -> Any:
    """Add a marker with a line: its name is script text, cut to what a marker's name holds, and the whole text is kept in the scene.

    Args:
        frames: the time for it; 0: as long as it needs.
    """
    marker = scene.timeline_markers.new(marker_name(speaker or None, text) or "@", frame=frame)
    entry = scene.retake.markers.add()
    entry.line, entry.name, entry.frame, entry.length, entry.speaker = new_line_id(), marker.name, marker.frame, frames, speaker
    if marker.name.endswith("…") or not speaker:
        entry.text = text
    return marker
