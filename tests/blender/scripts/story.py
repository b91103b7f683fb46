"""An editor's day: lines on a timeline, all filled by a real daemon, rendered, saved, reopened, revised; the daemon dies in the middle."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

import bpy

PACKAGE = "bl_ext.user_default.retake"
PLACEHOLDERS = (
    ("TEXT", "presenter", "We ship on Friday.", 1),
    ("TEXT", "presenter", "The weather is nice.", 61),
    ("COLOR", "presenter", "Thank you for watching.", 121),
    ("TEXT", "presenter", "This is the last one.", 181),
    ("COLOR", "presenter", "Come back tomorrow.", 241),
)
MARKERS = (("presenter", "Good morning.", 301), ("presenter", "See you soon.", 361), ("nobody", "I am not there.", 421))
SLOT = 50
END = 430


def module(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}")


def main(arguments: dict) -> Any:
    return {"edit": edit, "reopen": reopen, "killed": killed}[arguments["what"]](arguments)


def edit(arguments: dict) -> dict:
    """A new .blend with 3 markers, 5 placeholders and one missing speaker; everything filled; rendered to mp4."""
    scene = new_scene()
    adding, lines, compat = module("adding"), module("lines"), module("compat")
    for kind, speaker, text, frame in PLACEHOLDERS:
        adding.add_placeholder(scene, speaker, text, frame=frame, frames=SLOT, kind=kind)
    for speaker, text, frame in MARKERS:
        scene.timeline_markers.new(f"@{speaker}: {text}", frame=frame)
    bpy.ops.wm.save_as_mainfile(filepath=arguments["blend"])
    bpy.ops.ed.undo_push(message="begin")
    wait_for_daemon()
    answer = bpy.ops.retake.fill_all("EXEC_DEFAULT", True)
    asked = len(scene.retake.orders)
    began = time.monotonic()
    longest = pump_until(lambda: not [order for order in bpy.context.scene.retake.orders if not order.problem], arguments["fill_seconds"])
    scene = bpy.context.scene
    out = {
        "operator": sorted(answer),
        "asked": asked,
        "seconds": time.monotonic() - began,
        "longest_pump": longest,
        "problems": [(order.label, order.problem, order.remedy) for order in scene.retake.orders],
        "notices": [(notice.level, notice.label, notice.text) for notice in module("engine").notices()],
        "lines": listed(scene),
        "folder": sorted(path.name for path in (Path(arguments["blend"]).parent / "retake").glob("*")),
    }
    bpy.ops.wm.save_mainfile()
    if not arguments["render"]:
        return out
    compat.movie_output(scene, arguments["movie"])
    bpy.ops.render.render(animation=True)
    out["undo"] = undo_the_last_take(scene)
    out["again"] = len(lines.lines_of(bpy.context.scene))
    return out


def undo_the_last_take(scene: Any) -> dict:
    """One more line, asked for and placed: each is one step back."""
    scene.retake.draft = "@presenter: Good morning."
    scene.frame_set(460)
    bpy.ops.ed.undo_push(message="before the draft")
    before = counted()
    bpy.ops.retake.generate_at_playhead("EXEC_DEFAULT", True)
    asked = counted()
    pump_until(lambda: not [order for order in bpy.context.scene.retake.orders if not order.problem], 60)
    placed = counted()
    bpy.ops.ed.undo()
    once = counted()
    bpy.ops.ed.undo()
    twice = counted()
    return {"before": before, "asked": asked, "placed": placed, "undone once": once, "undone twice": twice}


def counted() -> dict:
    scene = bpy.context.scene
    strips = module("compat").strips_of(scene)
    return {"strips": len(strips), "markers": len(scene.timeline_markers), "orders": len(scene.retake.orders)}


def reopen(arguments: dict) -> dict:
    """Open the file again in a new Blender, revise one line, switch back, and save."""
    bpy.ops.wm.open_mainfile(filepath=arguments["blend"])
    scene = use(bpy.context.scene)
    compat, takes = module("compat"), module("takes")
    before = listed(scene)
    missing = takes.missing(scene)
    wait_for_daemon()
    select(scene, before[0]["pictures"][0])
    module("watch").look()
    words = module("window").of_scene(scene).revision
    bpy.ops.retake.revise_line("EXEC_DEFAULT", True, text="We ship on Monday.")
    pump_until(lambda: not [order for order in scene.retake.orders if not order.problem], arguments["fill_seconds"])
    after = listed(scene)
    strip = select(scene, after[0]["pictures"][0])
    first = strip.retake.takes[0].id
    shown = strip.retake.take
    bpy.ops.retake.switch_take("EXEC_DEFAULT", True, take=first)
    switched = strip.retake.take
    bpy.ops.retake.switch_take("EXEC_DEFAULT", True, take=shown)
    bpy.ops.wm.save_mainfile()
    bpy.ops.retake.report()
    return {
        "before": before,
        "missing": missing,
        "field": words,
        "after": after,
        "problems": [(order.label, order.problem) for order in scene.retake.orders],
        "takes": [(entry.text, entry.id) for entry in strip.retake.takes],
        "shown": shown,
        "first": first,
        "switched": switched,
        "length": compat.length_of(strip),
        "report": bpy.data.texts[f"Retake Report {scene.name}"].as_string(),
    }


def killed(arguments: dict) -> dict:
    """Ask for a line and see it through the daemon's death; `arguments["flag"]` is made when it is under way."""
    scene = new_scene()
    engine, adding = module("engine"), module("adding")
    bpy.ops.wm.save_as_mainfile(filepath=arguments["blend"])
    wait_for_daemon()
    adding.add_placeholder(scene, "presenter", arguments["text"], frame=1, frames=70)
    bpy.ops.retake.fill_all("EXEC_DEFAULT", True)
    states: list[str] = []
    connection: list[str] = []

    def over() -> bool:
        for one in engine.progress():
            if not states or states[-1] != one.state:
                states.append(one.state)
            if one.state == "RUNNING":
                Path(arguments["flag"]).touch()
        name = engine.status().state.name if engine.status() is not None else "NONE"
        if not connection or connection[-1] != name:
            connection.append(name)
            module("view").forget()
        return not [order for order in scene.retake.orders if not order.problem]

    longest = pump_until(over, arguments["fill_seconds"])
    return {
        "states": states,
        "connection": connection,
        "lines": listed(scene),
        "problems": [(order.label, order.problem) for order in scene.retake.orders],
        "longest_pump": longest,
    }


def new_scene() -> Any:
    scene = use(bpy.context.scene)
    render = scene.render
    render.fps, render.fps_base = 24, 1.0
    render.resolution_x, render.resolution_y, render.resolution_percentage = 320, 240, 100
    scene.frame_start, scene.frame_end = 1, END
    module("state").migrate(scene)
    scene.retake.conform = "KEEP"
    scene.view_settings.view_transform = "Standard"
    return scene


def use(scene: Any) -> Any:
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    return scene


def select(scene: Any, name: str) -> Any:
    found = None
    for strip in module("compat").strips_of(scene):
        strip.select = strip.name == name
        found = strip if strip.select else found
    scene.sequence_editor.active_strip = found
    module("view").forget()
    return found


def wait_for_daemon() -> None:
    engine = module("engine")
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        engine.status()
        engine.pump()
        status = engine.status()
        if status is not None and status.state.name == "READY" and engine.speakers():
            return
        time.sleep(0.05)
    raise AssertionError(f"no daemon: {engine.status()}")


def pump_until(over: Any, seconds: float) -> float:
    """Do what Blender's timer does; returns the longest time that one pump took, which is how long the interface stood still."""
    engine, watch = module("engine"), module("watch")
    deadline, longest = time.monotonic() + seconds, 0.0
    while not over():
        assert time.monotonic() < deadline, f"not done after {seconds} s: {[(one.label, one.words) for one in engine.progress()]}"
        began = time.monotonic()
        engine.pump()
        watch.look()
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.03)
    return longest


def listed(scene: Any) -> list[dict]:
    compat, lines = module("compat"), module("lines")
    out = []
    for line in lines.lines_of(scene, module("engine").speakers()):
        one = {"text": line.text, "speaker": line.speaker, "state": line.state.name, "frame": line.frame, "frames": line.frames}
        one |= {"pictures": list(line.pictures), "sounds": list(line.sounds), "problem": line.problem, "line": line.line}
        one["ranges"] = []
        for name in (*line.pictures, *line.sounds):
            strip = lines.scene_strip(scene, name)
            one["ranges"].append((compat.start_of(strip), compat.end_of(strip), strip.channel))
        if line.pictures:
            picture = lines.scene_strip(scene, line.pictures[0])
            entry = module("takes").active_take(picture)
            one |= {
                "path": module("takes").file_of(entry),
                "rate": entry.rate,
                "take": entry.id,
                "take_frames": entry.frames,
                "handles": entry.handles,
            }
        out.append(one)
    return out
