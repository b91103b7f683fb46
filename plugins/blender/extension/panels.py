"""The panels in the sidebar of the sequencer. They draw from what is known already: nothing here waits, asks the daemon or opens a file."""

from __future__ import annotations

from typing import Any

import bpy

from . import background, compat, engine, preferences, takes, view, watch
from .lines import LineState
from .lists import short_progress
from .operators_takes import comparing
from .window import of_scene, of_window

MOST_BARS = 8  # progress lines that are shown; the rest are counted
MOST_MESSAGES = 3
CLOSED = {"DEFAULT_CLOSED"}
NOTICE_ICONS = {"INFO": "INFO", "WARNING": "ERROR", "ERROR": "CANCEL"}
CONNECTION_ICONS = {"READY": "CHECKMARK", "STARTING": "TIME", "ABSENT": "UNLINKED", "NO_WORKER": "ERROR"}


FIRST_SPEAKER = (
    "Nobody can speak yet. Add a video of a person who looks into the camera and speaks (Add > Movie, 20 seconds or more), select its strip, "
    "and enrol them."
)
FIRST_LINE = "Write what is to be said, put the playhead where it begins, and press Generate at Playhead."


class _Panel:
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Retake"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return compat.edited_scene(context) is not None


class RETAKE_PT_retake(_Panel, bpy.types.Panel):
    """The connection, messages, and who speaks."""

    bl_idname = "RETAKE_PT_retake"
    bl_label = "Retake"

    def draw(self, context: Any) -> None:
        layout = self.layout
        _connection(layout, context)
        _findings(layout, context)
        _messages(layout, context)
        _speaker(layout, context)


def _connection(layout: Any, context: Any) -> None:
    """The state of the connection in one sentence, and what to do about it."""
    hindrance = preferences.hindrance()
    status = engine.status()
    if hindrance is not None:
        view.wrapped(layout, context, f"{hindrance[0]} {hindrance[1]}", "ERROR")
        layout.operator("retake.open_preferences", icon="PREFERENCES")
        return
    if status is None or background.running("start"):
        layout.label(text="Starting Retake …" if status is not None else "Looking for Retake …", icon="TIME")
        return
    name = status.state.name
    if name == "READY":
        count = status.jobs_waiting
        waiting = f" · {count} waiting" if count else ""
        layout.label(text=f"Retake {status.version}{waiting}", icon="CHECKMARK")
        return
    sentence = status.detail or status.state.sentence
    remedy = getattr(status, "remedy", "") or status.state.remedy
    # Where a button does what the remedy says, the sentence alone is shorter.
    has_button = name == "ABSENT" and _may_start()
    view.wrapped(layout, context, sentence if has_button or name == "STARTING" else f"{sentence} {remedy}", CONNECTION_ICONS.get(name, "ERROR"))
    if name == "STARTING":
        return
    if has_button:
        layout.operator("retake.start_daemon", icon="PLAY")
    elif name in {"UNREACHABLE", "REFUSED", "MISMATCH", "UNSAFE"}:
        layout.operator("retake.reconnect", icon="FILE_REFRESH")
    row = layout.row(align=True)
    row.operator("retake.open_preferences", icon="PREFERENCES")
    row.operator("retake.doctor", icon="HELP")


def _may_start() -> bool:
    own = preferences.of_user()
    return own is None or own.source == "LOCAL"


def _findings(layout: Any, context: Any) -> None:
    """What the doctor found: what is wrong in full, the rest as a count."""
    if background.running("doctor"):
        layout.label(text="The doctor is looking …", icon="TIME")
        return
    rows = of_window(context).findings
    if not rows:
        return
    box = layout.box()
    head = box.row()
    fine = sum(row.mark == "OK" for row in rows)
    head.label(text=f"Doctor: {fine} of {len(rows)} fine", icon="HELP")
    head.operator("retake.close_findings", text="", icon="X", emboss=False)
    for row in rows:
        if row.mark != "OK":
            words = f"{row.sentence} {row.remedy}" if row.mark == "BAD" else row.sentence
            view.wrapped(box, context, words, "ERROR" if row.mark == "BAD" else "QUESTION")


def _messages(layout: Any, context: Any) -> None:
    in_queue = {
        f"{one.problem} {one.remedy}".strip() for one in engine.progress() if one.problem
    }  # those stand in the queue until they are dismissed
    told = [notice for notice in engine.notices() if notice.text not in in_queue]
    if not told:
        return
    box = layout.box()
    head = box.row()
    head.label(text="Messages" if len(told) <= MOST_MESSAGES else f"Messages (last {MOST_MESSAGES} of {len(told)})")
    head.operator("retake.clear_notices", text="", icon="X", emboss=False)
    for notice in told[-MOST_MESSAGES:]:
        view.wrapped(box, context, f"{notice.label}: {notice.text}" if notice.label else notice.text, NOTICE_ICONS.get(notice.level, "INFO"))


def _speaker(layout: Any, context: Any) -> None:
    scene = compat.edited_scene(context)
    known = engine.speakers()
    name = scene.retake.speaker
    row = layout.row(align=True)
    row.label(text="Speaker")
    if known:
        row.menu("RETAKE_MT_speakers", text=view.short(name, 16) or "Choose", icon="USER")
        row.operator("retake.quality_report", text="", icon="INFO")
    else:
        row.prop(scene.retake, "speaker", text="")
    if known != []:
        row.operator("retake.enrol_strip", text="", icon="ADD")
    else:
        view.wrapped(layout, context, FIRST_SPEAKER, "INFO")
        layout.operator("retake.enrol_strip", icon="ADD")
    if known and not name:
        view.wrapped(layout, context, "Choose who speaks where a line names nobody.", "INFO")
    elif known and name and name not in known:
        view.wrapped(layout, context, f"Retake does not know '{name}'. Choose another speaker, or enrol this one with +.", "ERROR")


class RETAKE_MT_speakers(bpy.types.Menu):
    """The speakers that the daemon knows."""

    bl_idname = "RETAKE_MT_speakers"
    bl_label = "Speakers"

    def draw(self, _context: Any) -> None:
        for name in engine.speakers() or []:
            self.layout.operator("retake.choose_speaker", text=name).name = name


class RETAKE_PT_script(_Panel, bpy.types.Panel):
    """What is to be said next."""

    bl_idname = "RETAKE_PT_script"
    bl_label = "Script"
    bl_parent_id = "RETAKE_PT_retake"

    def draw(self, context: Any) -> None:
        scene = compat.edited_scene(context)
        layout = self.layout
        layout.prop(scene.retake, "draft", text="", icon="TEXT", placeholder="Words, or @name: words")
        if scene.retake.speaker and engine.speakers() and not scene.retake.draft and not view.lines_now(scene):
            view.wrapped(layout, context, FIRST_LINE, "INFO")
        column = layout.column(align=True)
        column.operator("retake.generate_at_playhead", icon="PLAY")
        column.operator("retake.generate_at_marker", icon="MARKER_HLT")


class RETAKE_PT_settings(_Panel, bpy.types.Panel):
    """How takes of this scene are made."""

    bl_idname = "RETAKE_PT_settings"
    bl_label = "Takes of This Scene"
    bl_parent_id = "RETAKE_PT_script"
    bl_options = CLOSED

    def draw(self, context: Any) -> None:
        own = compat.edited_scene(context).retake
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(own, "conform")
        layout.prop(own, "size")
        layout.prop(own, "handles")
        layout.prop(own, "seed")


class RETAKE_PT_lines(_Panel, bpy.types.Panel):
    """All lines of the timeline: placeholders, markers and takes."""

    bl_idname = "RETAKE_PT_lines"
    bl_label = "Placeholders"
    bl_parent_id = "RETAKE_PT_retake"

    def draw(self, context: Any) -> None:
        scene = compat.edited_scene(context)
        layout = self.layout
        every = view.lines_now(scene)
        own = of_scene(scene)
        row = layout.row(align=True)
        row.operator("retake.add_placeholder", text="Text", icon="FILE_TEXT").kind = "TEXT"
        row.operator("retake.add_placeholder", text="Colour", icon="COLOR").kind = "COLOR"
        row.operator("retake.add_placeholder", text="Marker", icon="MARKER_HLT").kind = "MARKER"
        strip = view.active_strip(scene)
        if strip is not None and strip.retake.role == "NONE" and strip.type not in {"MOVIE", "SOUND", "TEXT"}:
            layout.operator("retake.mark_strip", icon="ADD")
        if not every or own is None:
            view.wrapped(layout, context, "Add placeholders where somebody is to speak, or name text strips and markers '@speaker'.", "INFO")
            return
        layout.template_list("RETAKE_UL_lines", "", own, "rows", scene.retake, "active_line", rows=4, maxrows=10)
        empty = [line for line in every if line.state in {LineState.EMPTY, LineState.FAILED}]
        ready = sum(line.words is None for line in empty)
        row = layout.row(align=True)
        fill = row.row(align=True)
        fill.enabled = ready > 0
        fill.operator("retake.fill_all", text=f"Fill All ({ready})", icon="RENDER_ANIMATION")
        row.operator("retake.generate_line", text="", icon="PLAY")
        row.operator("retake.go_to_line", text="", icon="VIEWZOOM")
        if ready < len(empty):
            count = len(empty) - ready
            layout.label(text=f"{count} {'line cannot' if count == 1 else 'lines cannot'} be filled yet", icon="ERROR")
        chosen = own.rows[scene.retake.active_line] if 0 <= scene.retake.active_line < len(own.rows) else None
        if chosen is not None and chosen.problem:
            view.wrapped(layout, context, chosen.problem, "ERROR")


class RETAKE_PT_takes(_Panel, bpy.types.Panel):
    """The takes of the selected strip, and its words."""

    bl_idname = "RETAKE_PT_takes"
    bl_label = "Takes"
    bl_parent_id = "RETAKE_PT_retake"

    def draw(self, context: Any) -> None:
        scene = compat.edited_scene(context)
        layout = self.layout
        line = view.chosen_line(scene)
        if line is None:
            layout.label(text="Select a strip with a line", icon="INFO")
        else:
            _revision(layout, context, line)
        strip = view.active_strip(scene)
        of_strip = view.line_of_strip(scene, strip) if strip is not None else None
        if of_strip is not None and of_strip.pictures:
            _takes_of(layout, context, scene, strip)
        if comparing(scene):
            layout.operator("retake.end_compare", icon="X")


def _revision(layout: Any, context: Any, line: Any) -> None:
    """The words of the line, to be changed."""
    own = of_scene(compat.edited_scene(context))
    if own is None:  # before the first look
        return
    layout.prop(own, "revision", text="", icon="GREASEPENCIL")
    row = layout.row(align=True)
    words = own.revision.strip()
    row.enabled = bool(words) and (words != line.text.strip() or not line.pictures) and line.state not in {LineState.LOCKED, LineState.UNDER_WAY}
    row.operator("retake.revise_line", text="Revise Line" if line.pictures or words != line.text.strip() else "Generate Line", icon="FILE_REFRESH")


def _takes_of(layout: Any, context: Any, scene: Any, strip: Any) -> None:
    picture = takes.picture_of(scene, strip)
    if picture is None:
        return
    own = picture.retake
    gone = watch.missing_files().get(picture.name)
    if gone is not None:
        view.wrapped(layout, context, "The file of this take is not where it was. Put it back, fetch it, or try again.", "ERROR")
        layout.operator("retake.fetch_takes", icon="IMPORT")
    layout.template_list("RETAKE_UL_takes", "", own, "takes", own, "active", rows=2, maxrows=6)
    row = layout.row(align=True)
    again = row.row(align=True)
    again.enabled = not own.locked
    again.operator("retake.try_again", icon="FILE_REFRESH")
    row.operator("retake.lock_take", text="Unlock" if own.locked else "Lock", icon="LOCKED" if own.locked else "UNLOCKED")
    chosen = own.takes[own.active] if 0 <= own.active < len(own.takes) else None
    if chosen is not None and chosen.id != own.take:
        row = layout.row(align=True)
        other = row.row(align=True)
        other.enabled = not own.locked
        other.operator("retake.switch_take", text="Show", icon="HIDE_OFF").take = chosen.id
        row.operator("retake.compare_take", text="Compare", icon="MOD_MULTIRES").take = chosen.id
    if strip.retake.role != "PLACEHOLDER" and has_copies(scene, strip):
        layout.operator("retake.make_own_line", icon="COPYDOWN")


def has_copies(scene: Any, strip: Any) -> bool:
    """Whether more than one clip shows the line, so that one of them can be made a line of its own."""
    line = view.line_of_strip(scene, strip)
    return line is not None and len(line.pictures) > 1


class RETAKE_PT_queue(_Panel, bpy.types.Panel):
    """What is under way, with the time left."""

    bl_idname = "RETAKE_PT_queue"
    bl_label = "Queue"
    bl_parent_id = "RETAKE_PT_retake"

    def draw(self, context: Any) -> None:
        layout = self.layout
        under_way = engine.progress()
        if not under_way:
            layout.label(text="Nothing is under way")
            return
        order = {"FAILED": 0, "FETCHING": 1, "RUNNING": 1, "SENDING": 2}
        shown = sorted(under_way, key=lambda one: order.get(one.state, 3))
        for one in shown[:MOST_BARS]:
            _bar(layout, context, one)
        if len(shown) > MOST_BARS:
            layout.label(text=f"and {len(shown) - MOST_BARS} more")
        if len(under_way) > 1:
            layout.operator("retake.cancel_all", icon="X")


def _bar(layout: Any, context: Any, one: Any) -> None:
    """One thing that is under way: a bar and a button, or what went wrong and what to do."""
    if one.problem:
        box = layout.box()
        head = box.row(align=True)
        head.label(text=view.short(one.label, 28), icon="ERROR")
        if one.line:
            head.operator("retake.generate_line", text="", icon="FILE_REFRESH").key = one.line
        head.operator("retake.dismiss_order", text="", icon="X").order = one.order
        view.wrapped(box, context, f"{one.problem} {one.remedy}".strip())
        return
    row = layout.row(align=True)
    left = view.time_left(one.seconds_left)
    words = f"{view.short(one.label, 18)} · {left or short_progress(one)}"
    row.progress(factor=min(1.0, max(0.0, one.fraction)), type="BAR", text=words)
    row.operator("retake.cancel_order", text="", icon="X").order = one.order


class RETAKE_PT_files(_Panel, bpy.types.Panel):
    """Scripts in and out, the report, and takes that have no place."""

    bl_idname = "RETAKE_PT_files"
    bl_label = "Script Files and Report"
    bl_parent_id = "RETAKE_PT_retake"
    bl_options = CLOSED

    def draw(self, context: Any) -> None:
        scene = compat.edited_scene(context)
        layout = self.layout
        row = layout.row(align=True)
        row.operator("retake.import_script", text="Import", icon="IMPORT")
        row.operator("retake.export_script", text="Export", icon="EXPORT")
        layout.operator("retake.report", icon="TEXT")
        layout.operator("retake.collect_takes", icon="FILE_FOLDER")
        gone = watch.missing_files()
        if gone:
            count = len(gone)
            if engine.fetching():
                layout.label(text=f"Fetching {engine.fetching()} of {count} missing takes …", icon="TIME")
            elif count == 1:
                view.wrapped(layout, context, "The file of a take is gone. Put it back, fetch it, or generate the line again.", "ERROR")
            else:
                view.wrapped(
                    layout, context, f"The files of {count} takes are gone. Put them back, fetch them, or generate the lines again.", "ERROR"
                )
            layout.operator("retake.fetch_takes", icon="IMPORT")
        kept = scene.retake.unplaced
        if kept:
            box = layout.box()
            box.label(text="Takes Without a Place")
            for entry in kept:
                row = box.row(align=True)
                row.label(text=view.short(entry.text, 26))
                row.operator("retake.place_take", text="", icon="ADD").take = entry.id
                row.operator("retake.forget_take", text="", icon="X").take = entry.id


CLASSES = (
    RETAKE_MT_speakers,
    RETAKE_PT_retake,
    RETAKE_PT_script,
    RETAKE_PT_settings,
    RETAKE_PT_lines,
    RETAKE_PT_takes,
    RETAKE_PT_queue,
    RETAKE_PT_files,
)
