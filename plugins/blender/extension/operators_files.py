"""Operators that read and write scripts, and the one that writes the report.

No postponed annotations in this file: Blender reads them when classes are registered.
"""

from pathlib import Path
from typing import Any

import bpy

from . import compat, reporting
from .operating import CHANGES, READS, changed, has_scene, tell_problem
from .placing import PlacingError

FORMATS = (
    ("OTIO", "OpenTimelineIO (.otio)", "The timeline with lines and takes, for any editor that reads OpenTimelineIO"),
    ("MARKDOWN", "Script (.retake.md)", "A script document: paragraphs are lines"),
    ("SRT", "Subtitles (.srt)", "What is said, with times"),
)
ENDINGS = {"OTIO": ".otio", "MARKDOWN": ".retake.md", "SRT": ".srt"}
PATTERN = "*.otio;*.retake.md;*.md;*.srt"


class RETAKE_OT_export_script(bpy.types.Operator):
    """Write the lines and takes of this timeline to a file"""

    bl_idname = "retake.export_script"
    bl_label = "Export Script"
    bl_options = READS

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    format: bpy.props.EnumProperty(name="Format", items=FORMATS, default="OTIO")
    filter_glob: bpy.props.StringProperty(default=PATTERN, options={"HIDDEN"})
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_scene(cls, context)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        if not self.filepath:
            name = Path(bpy.data.filepath).stem or "timeline"
            self.filepath = f"{name}{ENDINGS[self.format]}"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, _context: Any) -> bool:
        """The name's ending follows the format."""
        path = with_ending(self.filepath, self.format)
        different = path != self.filepath
        self.filepath = path
        return different

    def execute(self, context: Any) -> set[str]:
        from . import otio_io

        path = with_ending(self.filepath, self.format)
        try:
            said = otio_io.export_file(compat.edited_scene(context), path)
        except PlacingError as error:
            return tell_problem(self, error)
        for sentence in said or ():
            self.report({"WARNING"}, sentence)
        self.report({"INFO"}, f"Wrote {Path(path).name}")
        return {"FINISHED"}


def with_ending(path: str, chosen: str) -> str:
    """The path with the ending of the format."""
    for ending in (*ENDINGS.values(), ".md"):
        if path.lower().endswith(ending):
            path = path[: -len(ending)]
            break
    return path + ENDINGS[chosen]


class RETAKE_OT_import_script(bpy.types.Operator):
    """Put the lines of a script, subtitles or OpenTimelineIO file onto this timeline, beginning at the playhead"""

    bl_idname = "retake.import_script"
    bl_label = "Import Script"
    bl_options = CHANGES

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default=PATTERN, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_scene(cls, context)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        from . import otio_io

        scene = compat.edited_scene(context)
        try:
            said = otio_io.import_file(scene, self.filepath, frame=scene.frame_current)
        except PlacingError as error:
            return tell_problem(self, error)
        for sentence in said or ():
            self.report({"WARNING"}, sentence)
        changed()
        return {"FINISHED"}


class RETAKE_OT_report(bpy.types.Operator):
    """Write what is said on this timeline, by which takes and how good they are, into a text of this file"""

    bl_idname = "retake.report"
    bl_label = "Write Report"
    bl_options = CHANGES

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_scene(cls, context)

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        name = reporting.write_report(scene)
        self.report({"INFO"}, f"Wrote the text '{name}': open it in the Text Editor")
        return {"FINISHED"}


CLASSES = (RETAKE_OT_export_script, RETAKE_OT_import_script, RETAKE_OT_report)
