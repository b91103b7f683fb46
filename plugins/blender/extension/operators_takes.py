"""Operators for the takes of the selected strip, and for revising its words.

No postponed annotations in this file: Blender reads them when classes are registered.
"""

from typing import Any

import bpy

from . import background, compat, engine, keeping, takes, view, watch
from .operating import ASKS, CHANGES, READS, changed, has_scene, has_take, tell_asked, tell_placed, tell_problem
from .placing import PlacingError
from .window import of_scene


def _selected_take(scene: bpy.types.Scene, given: str) -> str:
    """Id of the take that an operator is about: the one it was given, or the selected row of the list."""
    picture = takes.picture_of(scene, view.active_strip(scene))
    if given or picture is None:
        return given
    rows = picture.retake.takes
    return rows[picture.retake.active].id if 0 <= picture.retake.active < len(rows) else ""


class RETAKE_OT_try_again(bpy.types.Operator):
    """Ask for another take of the same words, with a new seed; the ones that are there stay in the list"""

    bl_idname = "retake.try_again"
    bl_label = "Try Again"
    bl_options = ASKS

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_take(cls, context)

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        return tell_asked(self, engine.try_again(scene, view.active_strip(scene)))


class RETAKE_OT_switch_take(bpy.types.Operator):
    """Show this take; the strip keeps its place, length and look"""

    bl_idname = "retake.switch_take"
    bl_label = "Switch Take"
    bl_options = CHANGES

    take: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="Id; empty: the selected row")

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_take(cls, context)

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        try:
            placed = takes.switch(scene, view.active_strip(scene), _selected_take(scene, self.take))
        except PlacingError as error:
            return tell_problem(self, error)
        return tell_placed(self, placed.said)


class RETAKE_OT_lock_take(bpy.types.Operator):
    """Keep the take that is shown: nothing that is generated replaces it until it is unlocked"""

    bl_idname = "retake.lock_take"
    bl_label = "Lock Take"
    bl_options = CHANGES

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_take(cls, context)

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        strip = view.active_strip(scene)
        picture = takes.picture_of(scene, strip)
        try:
            takes.lock(scene, strip, not picture.retake.locked)
        except PlacingError as error:
            return tell_problem(self, error)
        changed()
        return {"FINISHED"}


class RETAKE_OT_compare_take(bpy.types.Operator):
    """Show this take over the right half of the one that is shown, as a split screen"""

    bl_idname = "retake.compare_take"
    bl_label = "Compare Take"
    bl_options = CHANGES

    take: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="Id; empty: the selected row")

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_take(cls, context)

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        takes.end_compare(scene)
        try:
            placed = takes.compare(scene, view.active_strip(scene), _selected_take(scene, self.take))
        except PlacingError as error:
            return tell_problem(self, error)
        return tell_placed(self, placed.said)


class RETAKE_OT_end_compare(bpy.types.Operator):
    """Take away the strips that are there for comparing alone"""

    bl_idname = "retake.end_compare"
    bl_label = "End Comparing"
    bl_options = CHANGES

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_scene(cls, context):
            return False
        if not comparing(compat.edited_scene(context)):
            cls.poll_message_set("Nothing is being compared")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        takes.end_compare(compat.edited_scene(context))
        changed()
        return {"FINISHED"}


def comparing(scene: bpy.types.Scene) -> bool:
    return any(strip.name.startswith(takes.COMPARED) for strip in compat.all_strips_of(scene))


class RETAKE_OT_make_own_line(bpy.types.Operator):
    """Make this copy a line of its own, so that it can be revised without changing the other one"""

    bl_idname = "retake.make_own_line"
    bl_label = "Make Own Line"
    bl_options = CHANGES

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_take(cls, context)

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        takes.make_own(scene, view.active_strip(scene))
        changed()
        return {"FINISHED"}


class RETAKE_OT_revise_line(bpy.types.Operator):
    """Give the chosen line the words in the field, and ask for a take of them; earlier takes stay in its list"""

    bl_idname = "retake.revise_line"
    bl_label = "Revise Line"
    bl_options = ASKS

    text: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="The new words; empty: those in the field")

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_scene(cls, context):
            return False
        if view.chosen_line(compat.edited_scene(context)) is None:
            cls.poll_message_set("Select a strip with a line, or a line of the list")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        line = view.chosen_line(scene)
        shown = of_scene(scene)
        words = (self.text or (shown.revision if shown is not None else "")).strip()
        if line is None or not words:
            self.report({"WARNING"}, "There is nothing to say: write the new words into the field")
            return {"CANCELLED"}
        if words == line.text.strip() and line.pictures:
            self.report({"WARNING"}, "The words are the same: change them, or use Try Again for another take")
            return {"CANCELLED"}
        return tell_asked(self, engine.revise(scene, line, words))


class RETAKE_OT_place_take(bpy.types.Operator):
    """Put this take, whose line is gone, at the playhead"""

    bl_idname = "retake.place_take"
    bl_label = "Place at Playhead"
    bl_options = CHANGES

    take: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_scene(cls, context)

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        try:
            placed = takes.place_unplaced(scene, self.take, scene.frame_current)
        except PlacingError as error:
            return tell_problem(self, error)
        return tell_placed(self, placed.said)


class RETAKE_OT_forget_take(bpy.types.Operator):
    """Take this take off the list; its file stays"""

    bl_idname = "retake.forget_take"
    bl_label = "Forget Take"
    bl_options = CHANGES

    take: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_scene(cls, context)

    def invoke(self, context: Any, event: Any) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: Any) -> set[str]:
        kept = compat.edited_scene(context).retake.unplaced
        index = next((number for number, entry in enumerate(kept) if entry.id == self.take), -1)
        if index < 0:
            return {"CANCELLED"}
        kept.remove(index)
        return {"FINISHED"}


class RETAKE_OT_fetch_takes(bpy.types.Operator):
    """Bring the files of takes that are not there any more from the daemon that made them"""

    bl_idname = "retake.fetch_takes"
    bl_label = "Fetch Missing Takes"
    bl_options = READS

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_scene(cls, context):
            return False
        if engine.fetching():
            cls.poll_message_set("They are being fetched")
            return False
        if not watch.missing_files():
            cls.poll_message_set("All files are there")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        gone = takes.missing(compat.edited_scene(context))
        count = engine.fetch(dict.fromkeys(take for _, take, _ in gone))
        self.report({"INFO"}, f"Asked for {count} {'file' if count == 1 else 'files'}")
        return {"FINISHED"} if count else {"CANCELLED"}


class RETAKE_OT_collect_takes(bpy.types.Operator):
    """Copy all takes of this file into the folder for takes, so that it can be moved or given away with them"""

    bl_idname = "retake.collect_takes"
    bl_label = "Collect Takes"
    bl_options = READS

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_scene(cls, context):
            return False
        if background.running(keeping.TASK):
            cls.poll_message_set("Takes are being copied")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        if not bpy.data.is_saved:
            self.report({"WARNING"}, "Save the file first: takes are kept beside it")
            return {"CANCELLED"}
        if not keeping.begin_collecting(always_say=True):
            self.report({"INFO"}, "All takes are where they belong")
            return {"CANCELLED"}
        self.report({"INFO"}, "Copying takes")
        return {"FINISHED"}


CLASSES = (
    RETAKE_OT_fetch_takes,
    RETAKE_OT_collect_takes,
    RETAKE_OT_try_again,
    RETAKE_OT_switch_take,
    RETAKE_OT_lock_take,
    RETAKE_OT_compare_take,
    RETAKE_OT_end_compare,
    RETAKE_OT_make_own_line,
    RETAKE_OT_revise_line,
    RETAKE_OT_place_take,
    RETAKE_OT_forget_take,
)
