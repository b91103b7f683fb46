"""What editors do to a timeline that nobody foresaw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import addon_utils
import bpy
from model import Model, facts, new_scene

MODULE = "bl_ext.user_default.retake"


def main(arguments: dict[str, Any]) -> dict[str, Any]:
    model = Model(installed=True)
    return globals()[arguments["case"]](model, arguments)


def states(model: Model, scene: Any) -> list[list[Any]]:
    return [[line.state.name, line.frame, line.frames, len(line.pictures)] for line in model.lines.lines_of(scene)]


def copies(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """A placeholder with its take: all of it cut, and all of it duplicated; then the copy is revised."""
    scene = new_scene()
    holder = model.adding.add_placeholder(scene, "presenter", "Hello everyone.", frame=1, frames=75)
    placed = model.takes.fill(scene, facts(model, arguments["sample"], line=holder.retake.line), name="one", frame=1, under=holder)
    for strip in (holder, placed.pictures[0], placed.sounds[0]):
        strip.split(frame=31, split_method="SOFT")
    out: dict[str, Any] = {"cut": states(model, scene)}
    for role, channel in (("PLACEHOLDER", 11), ("PICTURE", 13), ("SOUND", 12)):
        for strip in model.lines.strips_of_line(scene, holder.retake.line, role):
            if model.compat.start_of(strip) == 1:
                twin = strip.retake
                made = duplicate(model, scene, strip, channel, 200)
                made.retake.line, made.retake.role, made.retake.text = twin.line, twin.role, twin.text
                made.retake.speaker, made.retake.take = twin.speaker, twin.take
                for entry in twin.takes:
                    model.state.copy_take(entry, made.retake.takes.add())
    out["copied"] = states(model, scene)
    out["asked"] = len(model.engine.fill_all(scene).orders)
    copy = next(line for line in model.lines.lines_of(scene) if line.frame == 201)
    model.engine.revise(scene, copy, "Something else.")
    out["revised"] = [[line.text, line.state.name, len(line.pictures)] for line in model.lines.lines_of(scene)]
    out["ids"] = len({strip.retake.line for strip in scene.sequence_editor.strips})
    return out


def duplicate(model: Model, scene: Any, strip: Any, channel: int, by: int) -> Any:
    """What Shift D and moving makes of a strip (the operator needs a window that reacts)."""
    compat = model.compat
    start = compat.start_of(strip) + by
    if strip.type == "TEXT":
        made = compat.new_effect(scene.sequence_editor, "TEXT", strip.name, channel=channel, start=start, length=compat.length_of(strip))
        made.text = strip.text
        return made
    make = compat.new_movie if strip.type == "MOVIE" else compat.new_sound
    path = strip.filepath if strip.type == "MOVIE" else strip.sound.filepath
    made = make(scene.sequence_editor, strip.name, path, channel=channel, start=compat.content_start(strip) + by)
    compat.show(made, start, start + compat.length_of(strip))
    return made


def linked(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """A scene that is linked from another file is left alone, and said to be."""
    folder = Path(arguments["folder"])
    scene = new_scene()
    model.adding.add_marker(scene, "presenter", "Hello.", frame=1)
    model.engine.fill_all(scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "library.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(folder / "library.blend"), link=True) as (source, target):
        target.scenes = source.scenes
    (far,) = [one for one in bpy.data.scenes if one.library is not None]
    out: dict[str, Any] = {"orders": len(far.retake.orders)}
    model.engine.pump()
    model.watch.look()
    out["progress"] = len(model.engine.progress())
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = far
    with bpy.context.temp_override(scene=far):
        out["poll"] = bpy.ops.retake.fill_all.poll()
    out["still"] = len(far.retake.orders)
    return out


def odd(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """Odd rates, frames below zero, long names, everything locked."""
    out: dict[str, Any] = {"rates": []}
    scene = new_scene()
    name = "🎬" * 15
    scene.name = name
    for fps, base in ((24, 1.001), (30, 1.001), (60, 1.001), (12, 1.0), (25, 2.0)):
        scene.render.fps, scene.render.fps_base = fps, base
        out["rates"].append(str(model.rates.exact_rate(scene.render.fps, scene.render.fps_base)))
    scene.frame_start = -50
    words = "Ünïcode 🎤 words, and so many of them that no marker's name can hold them all: 日本語 as well. " * 3
    model.adding.add_marker(scene, "presenter", words, frame=-20)
    model.adding.add_placeholder(scene, "presenter", words, frame=-100, frames=10)
    model.watch.look()
    out["lines"] = [[line.frame, line.text == words.strip() or line.text == " ".join(words.split())] for line in model.lines.lines_of(scene)]
    reports = {model.reporting.write_report(scene) for _ in range(2)}
    out["reports"] = [len(reports), len(bpy.data.texts)]
    for channel in scene.sequence_editor.channels:
        channel.lock = True
    scene.retake.draft = "No room."
    out["locked"] = sorted(bpy.ops.retake.add_placeholder())
    return out


def disabled(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """The extension goes while something is under way, and comes back."""
    scene = new_scene()
    model.adding.add_placeholder(scene, "presenter", "Hello everyone.", frame=1, frames=75)
    asked = model.engine.fill_all(scene)
    model.engine.pump()
    addon_utils.disable(MODULE, default_set=True)
    without = hasattr(bpy.types.Scene, "retake")
    addon_utils.enable(MODULE, default_set=True)
    again = Model(installed=True)
    again.engine.pump()
    again.watch.look()
    return {
        "asked": asked.orders,
        "without": without,
        "after": [one.order for one in again.engine.progress()],
        "state": states(again, bpy.context.scene),
    }
