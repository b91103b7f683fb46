"""The report: what is said on a timeline, by which takes, and what was measured of them, as a text of the .blend."""

from __future__ import annotations

import json
from typing import Any

import bpy

from . import engine, lines, placing, takes, view
from .lines import SceneLine

# Figures of a take that an editor can judge: (key in `measured`, words).
FIGURES = (
    ("voice_similarity", "voice"),
    ("sync_offset_ms", "sync ms"),
    ("loudness_lufs", "LUFS"),
    ("overrun_frames", "overrun frames"),
)


def write_report(scene: bpy.types.Scene) -> str:
    """Write the report into a text datablock of its own and return its name; an earlier report of the scene is replaced."""
    name = placing.short_name(f"Retake Report {scene.name}")
    text = bpy.data.texts.get(name) or bpy.data.texts.new(name)
    text.from_string(report_of(scene))
    return text.name


def report_of(scene: bpy.types.Scene) -> str:
    every = lines.lines_of(scene, engine.speakers())
    counts: dict[str, int] = {}
    for line in every:
        counts[line.state.value] = counts.get(line.state.value, 0) + 1
    told = ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"
    out = [f"Retake: lines of '{scene.name}'", f"{len(every)} lines: {told}", ""]
    for line in every:
        out += _of_line(scene, line)
    gone = takes.missing(scene)
    if gone:
        out += ["Files that are not there:", *(f"  {path} (shown by '{strip}')" for strip, _, path in gone)]
    return "\n".join(out) + "\n"


def _of_line(scene: bpy.types.Scene, line: SceneLine) -> list[str]:
    length = "" if line.frames is None else f", {line.frames} frames"
    out = [f"{view.timecode(scene, line.frame)}{length}  [{line.state.value}]  {line.speaker or '(nobody)'}: {line.text}"]
    if line.problem is not None:
        out.append(f"    {line.problem[0]} {line.problem[1]}")
    picture = takes.first_picture(scene, line.line) if line.line else None
    entry = takes.active_take(picture) if picture is not None else None
    if entry is not None:
        out.append(f"    take {entry.id}, seed {entry.seed}, {entry.frames} frames at {entry.rate}; {len(picture.retake.takes)} takes in all")
        figures = _figures(entry)
        if figures:
            out.append(f"    {figures}")
    return [*out, ""]


def _figures(entry: Any) -> str:
    measured = json.loads(entry.measured or "{}")
    told = [f"{words} {measured[key]}" for key, words in FIGURES if isinstance(measured.get(key), int | float)]
    return ", ".join(told)
