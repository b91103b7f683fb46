"""Operators that make lines and ask for their takes.

No postponed annotations in this file: Blender reads them when classes are registered.
"""

from typing import Any

import bpy

from retake_client.convention import new_line_id, parse_line

from . import adding, compat, engine, lines, view
from .operating import ASKS, CHANGES, changed, has_scene, has_strip, tell_asked, tell_problem
from .placing import PlacingError


def _draft(scene: bpy.types.Scene) -> tuple[str, str]:
    """(speaker or "", words) of the script box."""
    written = parse_line(scene.retake.draft)
    return written.speaker or "", written.text


class RETAKE_OT_generate_at_playhead(bpy.types.Operator):
    """Say the script at the playhead: a marker keeps the words. With an empty script, generate the line that the playhead is in"""

    bl_idname = "retake.generate_at_playhead"
    bl_label = "Generate at Playhead"
    bl_options = ASKS

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_scene(cls, context)

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        speaker, text = _draft(scene)
        frame = scene.frame_current
        if not text:
            here = [line for line in lines.lines_of(scene) if line.frame <= frame < line.frame + (line.frames or 1)]
            if not here:
                self.report({"WARNING"}, "Write what is to be said into the script field, or put the playhead into a line")
                return {"CANCELLED"}
            return tell_asked(self, engine.generate(scene, here[:1]))
        marker = adding.add_marker(scene, speaker, text, frame=frame)
        asked = engine.generate(scene, [scene.retake.markers[-1].line])
        if not asked.orders:  # nothing remains of what could not be asked for
            scene.timeline_markers.remove(marker)
            scene.retake.markers.remove(len(scene.retake.markers) - 1)
        else:
            scene.retake.draft = ""
        return tell_asked(self, asked)


class RETAKE_OT_generate_at_marker(bpy.types.Operator):
    """Say the script at the selected markers, or at the one under the playhead. With an empty script, generate what the markers say"""

    bl_idname = "retake.generate_at_marker"
    bl_label = "Generate at Marker"
    bl_options = ASKS

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_scene(cls, context):
            return False
        if not _markers(compat.edited_scene(context)):
            cls.poll_message_set("Select a marker, or put the playhead on one")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        speaker, text = _draft(scene)
        chosen = _markers(scene)
        by_marker = {line.marker: line for line in lines.lines_of(scene) if line.marker is not None}
        wanted: list[str] = []
        for index in chosen:
            line = by_marker.get(index)
            if line is None and not text:
                continue
            if line is None:
                wanted.append(_make_line(scene, index, speaker, text))
            elif text and text != line.text:
                wanted.append(lines.rewrite(scene, line, text))
            else:
                wanted.append(line.key)
        if not wanted:
            self.report({"WARNING"}, "The marker has no words: write them into the script field")
            return {"CANCELLED"}
        asked = engine.generate(scene, wanted)
        if asked.orders:
            scene.retake.draft = ""
        return tell_asked(self, asked)


def _markers(scene: bpy.types.Scene) -> list[int]:
    """Indices of the selected markers, or else of those under the playhead."""
    selected = [index for index, marker in enumerate(scene.timeline_markers) if marker.select]
    return selected or [index for index, marker in enumerate(scene.timeline_markers) if marker.frame == scene.frame_current]


def _make_line(scene: bpy.types.Scene, index: int, speaker: str, text: str) -> str:
    """Make a plain marker a line; its name stays, since it may mean something to somebody."""
    marker = scene.timeline_markers[index]
    entry = scene.retake.markers.add()
    entry.line, entry.name, entry.frame, entry.speaker, entry.text = new_line_id(), marker.name, marker.frame, speaker, text
    return entry.line


class RETAKE_OT_add_placeholder(bpy.types.Operator):
    """Add a placeholder at the playhead with the words of the script field"""

    bl_idname = "retake.add_placeholder"
    bl_label = "Add Placeholder"
    bl_options = CHANGES

    kind: bpy.props.EnumProperty(
        name="Kind",
        items=(
            ("TEXT", "Text Strip", "A text strip named after the speaker, with the words in it"),
            ("COLOR", "Colour Strip", "A colour strip; Retake keeps the words"),
            ("MARKER", "Marker", "A timeline marker; the take lasts as long as its words need"),
        ),
        default="TEXT",
    )
    frames: bpy.props.IntProperty(name="Frames", description="How long it is; 0: four seconds", min=0, default=0)

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_scene(cls, context)

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        speaker, text = _draft(scene)
        speaker = speaker or scene.retake.speaker
        if self.kind == "MARKER":
            adding.add_marker(scene, speaker, text or "Words", frame=scene.frame_current, frames=self.frames)
        else:
            try:
                strip = adding.add_placeholder(scene, speaker, text or "Words", frame=scene.frame_current, frames=self.frames or None, kind=self.kind)
            except PlacingError as error:
                return tell_problem(self, error)
            for other in compat.strips_of(scene):
                other.select = other == strip
            scene.sequence_editor.active_strip = strip
        changed()
        return {"FINISHED"}


class RETAKE_OT_mark_strip(bpy.types.Operator):
    """Make the selected strip a placeholder: its place and length are those of the take"""

    bl_idname = "retake.mark_strip"
    bl_label = "Mark Strip as Placeholder"
    bl_options = CHANGES

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_strip(cls, context):
            return False
        if view.active_strip(compat.edited_scene(context)).retake.role != "NONE":
            cls.poll_message_set("The strip is one of Retake's already")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        speaker, text = _draft(scene)
        adding.mark_strip(view.active_strip(scene), text, speaker)
        changed()
        return {"FINISHED"}


class RETAKE_OT_unmark_strip(bpy.types.Operator):
    """Make the selected placeholder an ordinary strip again"""

    bl_idname = "retake.unmark_strip"
    bl_label = "Unmark Placeholder"
    bl_options = CHANGES

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_strip(cls, context):
            return False
        if view.active_strip(compat.edited_scene(context)).retake.role != "PLACEHOLDER":
            cls.poll_message_set("Select a placeholder")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        adding.unmark_strip(view.active_strip(compat.edited_scene(context)))
        changed()
        return {"FINISHED"}


class RETAKE_OT_fill_all(bpy.types.Operator):
    """Ask for a take of every line that shows none"""

    bl_idname = "retake.fill_all"
    bl_label = "Fill All"
    bl_options = ASKS

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_scene(cls, context)

    def execute(self, context: Any) -> set[str]:
        return tell_asked(self, engine.fill_all(compat.edited_scene(context)))


class RETAKE_OT_generate_line(bpy.types.Operator):
    """Ask for a take of this line"""

    bl_idname = "retake.generate_line"
    bl_label = "Generate Line"
    bl_options = ASKS

    key: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="Of the line; empty: the chosen one")

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_scene(cls, context):
            return False
        if not view.lines_now(compat.edited_scene(context)):
            cls.poll_message_set("There are no lines on this timeline")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        line = lines.find_line(scene, self.key) if self.key else view.chosen_line(scene)
        if line is None:
            self.report({"WARNING"}, "Choose a line of the list")
            return {"CANCELLED"}
        return tell_asked(self, engine.generate(scene, [line]))


class RETAKE_OT_go_to_line(bpy.types.Operator):
    """Put the playhead at the line and select its strips"""

    bl_idname = "retake.go_to_line"
    bl_label = "Go to Line"
    bl_options = CHANGES

    key: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="Of the line; empty: the chosen one")

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_scene(cls, context)

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        line = lines.find_line(scene, self.key) if self.key else view.chosen_line(scene)
        if line is None:
            self.report({"WARNING"}, "The line is not there any more")
            return {"CANCELLED"}
        names = {line.strip, *line.pictures, *line.sounds}
        for strip in compat.strips_of(scene):
            strip.select = strip.name in names
            if strip.name == (line.pictures[0] if line.pictures else line.strip):
                scene.sequence_editor.active_strip = strip
        scene.frame_set(line.frame)
        changed()
        return {"FINISHED"}


CLASSES = (
    RETAKE_OT_generate_at_playhead,
    RETAKE_OT_generate_at_marker,
    RETAKE_OT_add_placeholder,
    RETAKE_OT_mark_strip,
    RETAKE_OT_unmark_strip,
    RETAKE_OT_fill_all,
    RETAKE_OT_generate_line,
    RETAKE_OT_go_to_line,
)
