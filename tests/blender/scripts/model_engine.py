"""Orders through a real daemon: given, interrupted, undone, moved under, taken up again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy
from model import Model, new_scene, where

WAIT = 80.0


def main(arguments: dict[str, Any]) -> dict[str, Any]:
    model = Model()
    from retake_client.session import SessionSettings

    settings = SessionSettings(home=arguments["home"], folder=arguments["folder"], may_start=False, name="blender-test")
    model.engine.configure(lambda: settings)
    try:
        return globals()[arguments["case"]](model, arguments)
    finally:
        model.engine.unregister()
        model.state.unregister()


def pump_until(model: Model, done: Any, seconds: float = WAIT) -> float:
    """Pump as Blender's timer does; returns the longest that one call took."""
    deadline, longest = time.monotonic() + seconds, 0.0
    while time.monotonic() < deadline:
        begin = time.monotonic()
        model.engine.pump()
        longest = max(longest, time.monotonic() - begin)
        if done():
            return longest
        if any(one.problem for one in model.engine.progress()):
            break
        time.sleep(0.05)
    raise AssertionError(f"not done after {seconds:.0f} s: {model.engine.status()}, {model.engine.progress()}, {model.engine.notices()}")


def nothing_left(model: Model) -> bool:
    return not any(scene.retake.orders for scene in bpy.data.scenes)


def lines(model: Model, scene: Any) -> list[list[Any]]:
    return [[line.kind.name, line.state.name, line.frame, line.frames, line.takes] for line in model.lines.lines_of(scene)]


def generate(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """A marker, two placeholders, one of them without a known speaker; saved, opened again, one line again; undone and redone."""
    scene = new_scene(size=(320, 180))
    adding, engine = model.adding, model.engine
    adding.add_placeholder(scene, "presenter", "Hello everyone.", frame=11, frames=50)
    adding.add_placeholder(scene, "nobody", "I am not there.", frame=71, frames=50)
    adding.add_marker(scene, "presenter", "We ship on Friday.", frame=201)
    pump_until(model, lambda: engine.speakers() is not None)
    bpy.ops.ed.undo_push(message="Before")
    asked = engine.fill_all(scene)
    bpy.ops.ed.undo_push(message="Fill all")
    out: dict[str, Any] = {"orders": len(asked.orders), "refused": asked.refused}
    bpy.ops.wm.save_as_mainfile(filepath=arguments["blend"])
    out["longest_pump"] = pump_until(model, lambda: nothing_left(model))
    out["lines"] = lines(model, scene)
    out["notices"] = [notice.level for notice in engine.notices()]
    placed = {strip.name: where(model, strip) for strip in scene.sequence_editor.strips}
    out["placed"] = placed
    out["paths"] = [strip.filepath for strip in scene.sequence_editor.strips if strip.type == "MOVIE"]

    # Each take is one step.
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    out["after_undo"] = sum(line[1] == "FILLED" for line in lines(model, scene))
    engine.pump()
    out["unplaced"] = len(scene.retake.unplaced)
    out["orders_after_undo"] = len(scene.retake.orders)
    bpy.ops.ed.redo()
    scene = bpy.context.scene
    engine.pump()
    out["after_redo"] = [sum(line[1] == "FILLED" for line in lines(model, scene)), len(scene.retake.unplaced)]

    # Saved, opened, one line again.
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=arguments["blend"])
    scene = bpy.context.scene
    out["opened"] = lines(model, scene)
    picture = next(strip for strip in scene.sequence_editor.strips if strip.retake.role == "PICTURE")
    before = where(model, picture)
    again = engine.try_again(scene, picture)
    out["again"] = [len(again.orders), again.refused]
    pump_until(model, lambda: nothing_left(model))
    picture = model.lines.scene_strip(scene, picture.name)
    out["second_take"] = [[entry.seed for entry in picture.retake.takes], where(model, picture) == before]
    return out


def meanwhile(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """While takes are made: one placeholder is moved, renamed and a copy made of it, one is deleted."""
    scene = new_scene(size=(320, 180))
    moved = model.adding.add_placeholder(scene, "presenter", "Hello everyone.", frame=11, frames=50)
    gone = model.adding.add_placeholder(scene, "presenter", "We ship on Friday.", frame=111, frames=60)
    marker = model.adding.add_marker(scene, "presenter", "Good morning.", frame=301)
    asked = model.engine.fill_all(scene)
    model.compat.move_content(moved, 411)
    moved.name = "@presenter renamed"
    model.compat.remove_strip(scene, gone)
    marker.frame = 350
    model.engine.pump()
    marker.name = "@presenter: Good morning to you."
    pump_until(model, lambda: nothing_left(model))
    shown = {strip.retake.text: where(model, strip)[1] for strip in scene.sequence_editor.strips if strip.retake.role == "PICTURE"}
    kept = scene.retake.unplaced[0]
    model.takes.place_unplaced(scene, kept.id, 600)
    return {
        "asked": len(asked.orders),
        "shown": shown,
        "kept": kept.text if scene.retake.unplaced else "placed",
        "left": len(scene.retake.unplaced),
        "warned": [notice.text for notice in model.engine.notices() if notice.level == "WARNING"],
    }


def begin(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """Ask, save, and be gone before anything arrives."""
    scene = new_scene(size=(320, 180))
    model.adding.add_placeholder(scene, "presenter", "Hello everyone.", frame=11, frames=50)
    model.engine.fill_all(scene)
    out = {"orders": [order.id for order in scene.retake.orders]}
    bpy.ops.wm.save_as_mainfile(filepath=arguments["blend"])
    for _ in range(10):
        model.engine.pump()
        time.sleep(0.05)
    out["states"] = [one.state for one in model.engine.progress()]
    return out


def go_on(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """Another Blender opens the file: what is under way goes on."""
    bpy.ops.wm.open_mainfile(filepath=arguments["blend"])
    scene = bpy.context.scene
    before = [order.id for order in scene.retake.orders]
    pump_until(model, lambda: nothing_left(model))
    text = Path(arguments["blend"]).read_bytes()
    return {"orders": before, "lines": lines(model, scene), "token": arguments["token"].encode() in text}


def cancelled(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """Cancelled, failed, dismissed."""
    scene = new_scene(size=(320, 180))
    model.adding.add_placeholder(scene, "presenter", "Hello everyone.", frame=11, frames=50)
    tight = model.adding.add_placeholder(scene, "presenter", "This is far too much to say in the time that there is.", frame=111, frames=12)
    first = model.engine.generate(scene, [model.lines.lines_of(scene)[0]])
    model.engine.pump()
    model.engine.cancel(first.orders[0])
    out: dict[str, Any] = {"after_cancel": lines(model, scene)}
    second = model.engine.generate(scene, [tight.retake.line])
    pump_until(model, lambda: any(one.problem for one in model.engine.progress()))
    failed = model.engine.progress()[0]
    out["failed"] = [failed.state, failed.problem, failed.remedy]
    out["line"] = lines(model, scene)
    model.engine.dismiss(second.orders[0])
    out["after_dismiss"] = [len(scene.retake.orders), lines(model, scene)]
    return out


def overhang(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """Words that are longer than their slot, at their natural pace: the slot stays, the end lies in the handle, and that is said."""
    scene = new_scene(size=(320, 180))
    strip = model.adding.add_placeholder(scene, "presenter", "This is far too much to say in the time that there is.", frame=11, frames=40)
    model.engine.generate(scene, [model.lines.lines_of(scene)[0]], conform="KEEP")
    pump_until(model, lambda: nothing_left(model))
    picture = model.lines.strips_of_line(scene, strip.retake.line, "PICTURE")[0]
    entry = picture.retake.takes[0]
    out = {"where": where(model, picture)[1:3], "handles": entry.handles, "frames": entry.frames}
    out["said"] = [notice.text for notice in model.engine.notices() if notice.level == "WARNING"]
    return out


def nobody(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """No daemon at all."""
    scene = new_scene(size=(320, 180))
    model.adding.add_placeholder(scene, "presenter", "Hello everyone.", frame=11, frames=50)
    model.engine.fill_all(scene)
    for _ in range(10):
        model.engine.pump()
        time.sleep(0.05)
    status = model.engine.status()
    return {"state": status.state.name, "sentence": status.sentence, "progress": [one.words for one in model.engine.progress()]}
