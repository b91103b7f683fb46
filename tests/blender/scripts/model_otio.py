"""The timeline out to OpenTimelineIO and back in, with what the zip brings along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from model import Model, facts, new_scene, where


def main(arguments: dict[str, Any]) -> dict[str, Any]:
    return globals()[arguments["case"]](Model(installed=True), arguments)


def there_and_back(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    samples, folder = arguments["samples"], Path(arguments["folder"])
    scene = new_scene(30, 1.001)
    scene.frame_start = 11
    holder = model.adding.add_placeholder(scene, "presenter", "Hello everyone.", frame=31, frames=75)
    model.adding.add_placeholder(scene, "presenter", "Not made yet.", frame=121, frames=50)
    model.adding.add_marker(scene, "presenter", "A marker's line, " * 8, frame=201, frames=40)
    line = holder.retake.line
    model.takes.fill(scene, facts(model, samples["plain"], line=line), name="one", frame=31, under=holder)
    model.takes.show(scene, facts(model, samples["handles"], line=line, seed=3))
    model.compat.new_movie(scene.sequence_editor, "broll", samples["plain"]["path"], channel=8, start=300)
    model.compat.new_effect(scene.sequence_editor, "COLOR", "plain colour", channel=9, start=1, length=20)
    target = folder / "edit.otio"
    said = model.otio_io.export_file(scene, str(target))
    ids = [one.line for one in model.lines.lines_of(scene)]

    bpy.ops.wm.read_homefile(use_empty=True)
    other = bpy.context.scene
    came = model.otio_io.import_file(other, str(target), frame=1)
    lines = model.lines.lines_of(other)
    picture = model.takes.first_picture(other, line)
    return {
        "said": said,
        "came": came,
        "ids": [one.line for one in lines] == ids,
        "lines": [[one.kind.name, one.state.name, one.frame, one.frames, one.takes, one.text] for one in lines],
        "picture": where(model, picture),
        "takes": [[entry.id, entry.seed, entry.handles] for entry in picture.retake.takes],
        "shown": picture.retake.take,
        "rate": str(model.rates.exact_rate(other.render.fps, other.render.fps_base)),
    }


def dissolves(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    """Two takes with handles that a cross strip mixes, one cut strip trimmed, and a mix that cannot be carried."""
    sample, target = arguments["sample"], Path(arguments["folder"]) / "mixed.otio"
    scene = new_scene()
    for number, (line, frame) in enumerate((("l1", 1), ("l2", 76), ("l3", 301))):
        take = facts(model, sample, line=line, id=f"take{number}", text=f"Line {number}.")
        holder = model.adding.add_placeholder(scene, "presenter", take.text, frame=frame, frames=75)
        holder.retake.line = line
        model.takes.fill(scene, take, name=line, frame=frame, under=holder)
    one, two, three = (model.takes.first_picture(scene, line) for line in ("l1", "l2", "l3"))
    two.channel = one.channel + 4
    model.compat.show(one, 1, 76 + 5)
    model.compat.show(two, 76 - 4, 151)
    three_sound = model.lines.strips_of_line(scene, "l3", "SOUND")[0]
    for strip in (three, three_sound):
        model.compat.show(strip, 311, 361)
    model.dissolves.mix(scene, one, two, 72, 81)
    model.compat.new_effect(
        scene.sequence_editor, "CROSS", "far", channel=20, start=140, length=11, inputs=(two, three)
    )  # they do not lie over each other
    before = [where(model, model.takes.first_picture(scene, line))[1:] for line in ("l1", "l2", "l3")]
    out: dict[str, Any] = {"said": model.otio_io.export_file(scene, str(target)), "before": before}
    bpy.ops.wm.read_homefile(use_empty=True)
    other = new_scene()
    out["came"] = model.otio_io.import_file(other, str(target), frame=1)
    out["after"] = [where(model, model.takes.first_picture(other, line))[1:] for line in ("l1", "l2", "l3")]
    crosses = [strip for strip in other.sequence_editor.strips if strip.type == "CROSS"]
    out["crosses"] = [[*where(model, cross)[1:3], cross.input_1.retake.line, cross.input_2.retake.line] for cross in crosses]
    return out


def refusals(model: Model, arguments: dict[str, Any]) -> dict[str, Any]:
    scene = new_scene()
    folder = Path(arguments["folder"])
    (folder / "bad.otio").write_text("{", encoding="utf-8")
    (folder / "a.doc").write_text("x", encoding="utf-8")
    (folder / "s.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nHello there.\n", encoding="utf-8")
    out: dict[str, Any] = {}
    for name in ("bad.otio", "a.doc", "absent.otio"):
        try:
            model.otio_io.import_file(scene, str(folder / name))
        except model.placing.PlacingError as error:
            out[name] = [error.cause, error.remedy]
    out["strips"] = len(scene.sequence_editor.strips)
    scene.retake.speaker = "presenter"
    model.otio_io.import_file(scene, str(folder / "s.srt"), frame=101)
    out["srt"] = [[line.frame, line.frames, line.text] for line in model.lines.lines_of(scene)]
    try:
        model.otio_io.export_file(scene, str(folder / "nowhere" / "a.otio"))
    except model.placing.PlacingError as error:
        out["nowhere"] = error.cause
    return out
