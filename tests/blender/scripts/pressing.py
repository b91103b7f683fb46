"""Every button that is not pressed elsewhere, one after the other as an editor would, with a real daemon."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy
import recording
import story
from model import show_sequencer
from story import module, pump_until, select, wait_for_daemon

OPS = bpy.ops.retake


def main(arguments: dict) -> Any:
    return {"day": day, "start": start, "enrol": enrol}[arguments["what"]](arguments)


def press(button: str, **properties: Any) -> str:
    """Press a button: with the scene as it is, one undo step as in Blender."""
    module("view").forget()
    answer = getattr(OPS, button)("EXEC_DEFAULT", True, **properties)
    return next(iter(answer))


def settle(seconds: float = 120.0) -> None:
    pump_until(lambda: not [order for order in bpy.context.scene.retake.orders if not order.problem], seconds)


def until(over: Any, seconds: float = 30.0) -> None:
    pump_until(over, seconds)


def states() -> list[list[Any]]:
    return [[line.kind.name, line.state.name, line.text, line.frame, line.takes] for line in module("lines").lines_of(bpy.context.scene)]


def shown(role: str = "PICTURE") -> list[Any]:
    return [strip for strip in module("compat").strips_of(bpy.context.scene) if strip.retake.role == role]


def day(arguments: dict) -> dict:
    scene = story.new_scene()
    show_sequencer(scene)
    compat, engine = module("compat"), module("engine")
    out: dict[str, Any] = {"first": recording.draw_all()}
    wait_for_daemon()
    out["ready"] = recording.draw_all()
    out["speaker"] = [press("choose_speaker", name="presenter"), scene.retake.speaker]
    out["no line"] = recording.draw_all()

    # Words at a marker, at the playhead, in strips.
    scene.timeline_markers.new("here", frame=11).select = True
    scene.retake.draft = "Good morning."
    out["marker"] = press("generate_at_marker")
    for marker in scene.timeline_markers:
        marker.select = False
    scene.frame_set(101)
    scene.retake.draft = "@presenter: We ship on Friday."
    out["playhead"] = press("generate_at_playhead")
    settle()
    scene.frame_set(201)
    scene.retake.draft = "See you soon."
    out["placeholder"] = press("add_placeholder", kind="COLOR", frames=50)
    strip = scene.sequence_editor.active_strip
    out["unmark"] = [press("unmark_strip"), len(states())]
    select(scene, strip.name)
    out["mark"] = [press("mark_strip"), strip.retake.text, len(states())]
    line = module("lines").line_at(scene, strip)
    out["line"] = press("generate_line", key=line.key)
    settle()
    out["filled"] = states()
    out["folder before"] = sorted({Path(module("takes").file_of(strip.retake.takes[0])).parent.name for strip in shown()})
    out["go"] = [
        press("go_to_line", key=line.key),
        scene.frame_current,
        sorted(one.retake.role for one in scene.sequence_editor.strips if one.select),
    ]

    # Saved for the first time: the takes come along.
    bpy.ops.wm.save_as_mainfile(filepath=arguments["blend"])
    folder = Path(arguments["blend"]).parent / "retake"
    until(lambda: all(Path(bpy.path.abspath(strip.filepath)).parent == folder for strip in shown()))
    out["relative"] = [strip.filepath.startswith("//retake") for strip in shown()] + [s.sound.filepath.startswith("//retake") for s in shown("SOUND")]
    out["folder"] = len(list(folder.glob("*.mp4")))
    out["collect"] = press("collect_takes")
    bpy.ops.wm.save_mainfile()

    # Takes of one line.
    picture = next(strip for strip in shown() if strip.retake.text == "See you soon.")
    select(scene, picture.name)
    out["again"] = press("try_again")
    settle()
    first, second = (entry.id for entry in picture.retake.takes)
    out["takes"] = [picture.retake.take == second, [entry.seed for entry in picture.retake.takes]]
    count = len(compat.strips_of(scene))
    out["compare"] = [press("compare_take", take=first), len(compat.strips_of(scene)) - count, "[End Comparing]" in recording.draw_all()]
    select(scene, picture.name)
    out["end"] = [press("end_compare"), len(compat.strips_of(scene)) - count]
    select(scene, picture.name)
    out["lock"] = [press("lock_take"), picture.retake.locked, press("switch_take", take=first), press("try_again")]
    out["unlock"] = [press("lock_take"), press("switch_take", take=first), picture.retake.take == first]
    picture.lock = True
    out["locked strip"] = [press("switch_take", take=second), picture.retake.take == first]
    picture.lock = False

    # Shift D of the take alone: one line still, until it is told otherwise.
    with compat.in_sequencer(scene) as seen:
        bpy.ops.sequencer.duplicate()
    twin = next(strip for strip in shown() if strip.retake.text == "See you soon." and strip != picture)
    compat.move_by(twin, 100)
    select(scene, twin.name)
    lines_before = len(states())
    out["own"] = [seen, "[Make Own Line]" in recording.draw_all(), press("make_own_line"), len(states()) - lines_before]

    # A line that is deleted while its take is made, and one that is cancelled.
    scene.frame_set(401)
    scene.retake.draft = "This one is cancelled."
    press("generate_at_playhead")
    engine.pump()
    out["cancel"] = [press("cancel_order", order=scene.retake.orders[0].id), len(scene.retake.orders)]
    scene.frame_set(421)
    scene.retake.draft = "Good morning."
    press("generate_at_playhead")
    scene.timeline_markers.remove(next(marker for marker in scene.timeline_markers if marker.frame == 421))
    settle()
    out["unplaced"] = [entry.text for entry in scene.retake.unplaced]
    scene.frame_set(601)
    kept = scene.retake.unplaced[0].id
    out["place"] = [press("place_take", take=kept), any(compat.start_of(strip) == 601 for strip in shown()), len(scene.retake.unplaced)]
    entry = scene.retake.unplaced.add()
    entry.id = "nobody-wants-it"
    out["forget"] = [press("forget_take", take="nobody-wants-it"), len(scene.retake.unplaced)]

    # The file of a take is gone: it is brought back, unasked.
    gone = Path(bpy.path.abspath(picture.filepath))
    gone.unlink()
    module("watch").look_for_files(scene)
    until(lambda: gone.is_file() and not module("watch").background.running("files"))
    out["back"] = gone.is_file()
    out["length"] = compat.length_of(picture)
    press("clear_notices")
    out["notices"] = len(engine.notices())
    bpy.ops.wm.save_mainfile()

    # Save As into another folder: the files are still found, by all takes of the line.
    other = Path(arguments["blend"]).parent / "elsewhere" / "moved.blend"
    other.parent.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(other))
    picture = next(strip for strip in shown() if len(strip.retake.takes) == 2)
    out["after save as"] = [module("takes").file_of(entry) is not None for entry in picture.retake.takes]

    press("quality_report")
    seen_address = Path(arguments["browser"])
    until(seen_address.exists, 15)
    out["report"] = seen_address.read_text(encoding="utf-8")
    return out


def start(_arguments: dict) -> dict:
    """The daemon is started by the button and answers."""
    story.new_scene()
    engine = module("engine")
    engine.status()
    engine.pump()
    began = time.monotonic()
    answer = press("start_daemon")
    blocked = time.monotonic() - began
    wait_for_daemon()
    return {"answer": answer, "blocked": blocked, "state": engine.status().state.name}


def enrol(arguments: dict) -> dict:
    """A strip with the person's video; the dialog; the speaker can speak, or is said to be known."""
    scene = story.new_scene()
    show_sequencer(scene)
    wait_for_daemon()
    movie = module("compat").new_movie(module("compat").editor_of(scene), "reference", arguments["video"], channel=1, start=1)
    select(scene, movie.name)
    out: dict[str, Any] = {"known": "anna" in module("engine").speakers()}
    out["nobody agreed"] = press("enrol_strip", name="bert", consent="")
    out["bad name"] = press("enrol_strip", name="Bert B.", consent="I agree.")
    out["answer"] = press("enrol_strip", name="anna", consent=arguments["consent"], transcript=arguments["transcript"])
    settle(200)
    until(lambda: "anna" in module("engine").speakers())
    out["problems"] = [(order.problem, order.remedy) for order in scene.retake.orders]
    out["notices"] = [notice.text for notice in module("engine").notices()]
    out["speaker"] = scene.retake.speaker
    out["again"] = press("enrol_strip", name="anna", consent=arguments["consent"])
    return out
