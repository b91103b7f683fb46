"""Scripts out and in by the operators, in every format."""

from __future__ import annotations

from pathlib import Path

import bpy
import story


def main(arguments: dict) -> dict:
    folder = Path(arguments["folder"])
    scene = story.new_scene()
    adding, lines = story.module("adding"), story.module("lines")
    for number, text in enumerate(arguments["texts"]):
        adding.add_placeholder(scene, "presenter", text, frame=1 + 100 * number, frames=50)
    written = {}
    for kind, ending in (("OTIO", ".otio"), ("MARKDOWN", ".retake.md"), ("SRT", ".srt")):
        answer = bpy.ops.retake.export_script(filepath=str(folder / f"cut{ending}"), format=kind)
        written[ending] = sorted(answer)
    back = {}
    for ending in written:
        other = bpy.data.scenes.new(ending)
        other.render.fps, other.render.fps_base = 24, 1.0
        with bpy.context.temp_override(scene=other):
            story.module("otio_io").import_file(other, str(folder / f"cut{ending}"), frame=1)
        back[ending] = [(line.text, line.frame, line.frames) for line in lines.lines_of(other)]
    bad = folder / "bad.otio"
    bad.write_text("no timeline", encoding="utf-8")
    return {"written": written, "back": back, "bad": sorted(bpy.ops.retake.import_script(filepath=str(bad)))}
