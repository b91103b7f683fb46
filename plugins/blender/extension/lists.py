"""The lists of the panels: lines, and the takes of a line."""

from __future__ import annotations

from typing import Any

import bpy

from . import engine, view


class RETAKE_UL_lines(bpy.types.UIList):
    """Rows of `window_manager.retake`: state, kind, words, time, and how far the take is."""

    def draw_item(self, _context: Any, layout: Any, _data: Any, item: Any, _icon: int, _active: Any, _name: str) -> None:
        row = layout.row(align=True)
        row.label(text="", icon=view.STATE_ICONS.get(item.state, "QUESTION"))
        row.label(text=view.short(item.label, 24), icon=view.KIND_ICONS.get(item.kind, "QUESTION"))
        right = row.row(align=True)
        right.alignment = "RIGHT"
        if item.state == "UNDER_WAY":
            one = engine.progress_of(item.key)
            right.label(text=short_progress(one))
        elif item.problem and item.state != "FAILED":  # that has its icon in front
            right.label(text="", icon="ERROR")
            right.label(text=item.time)
        else:
            right.label(text=item.time)

    def filter_items(self, _context: Any, data: Any, name: str) -> tuple[list[int], list[int]]:
        """Search finds words, not Blender's invisible names."""
        rows = getattr(data, name)
        wanted = self.filter_name.lower()
        if not wanted:
            return [], []
        return [self.bitflag_filter_item if wanted in row.label.lower() else 0 for row in rows], []


class RETAKE_UL_takes(bpy.types.UIList):
    """Takes of a line. `data` is `strip.retake`."""

    def draw_item(self, _context: Any, layout: Any, data: Any, item: Any, _icon: int, _active: Any, _name: str) -> None:
        shown = item.id == data.take
        row = layout.row(align=True)
        row.label(text="", icon="RADIOBUT_ON" if shown else "RADIOBUT_OFF")
        row.label(text=view.short(item.text, 22))
        right = row.row(align=True)
        right.alignment = "RIGHT"
        right.label(text=f"seed {item.seed}")


def short_progress(one: Any) -> str:
    """ "12 s", "40 %", "queued": as little as fits into a row."""
    if one is None:
        return "…"
    left = view.time_left(one.seconds_left)
    if left:
        return left
    if one.state == "RUNNING":
        return f"{one.fraction * 100:.0f} %"
    return {"QUEUED": "queued", "WAITING_FOR_DAEMON": "waiting", "SENDING": "sending", "FETCHING": "fetching"}.get(one.state, "…")


CLASSES = (RETAKE_UL_lines, RETAKE_UL_takes)
