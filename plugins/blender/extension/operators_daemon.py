"""Operators for the connection to the daemon, the queue and the speakers.

No postponed annotations in this file: Blender reads them when classes are registered.
"""

from typing import Any

import bpy

from . import background, compat, engine, preferences, view
from .operating import ASKS, CHANGES, READS, changed, has_scene, has_strip, tell_asked
from .window import of_window


class RETAKE_OT_start_daemon(bpy.types.Operator):
    """Start Retake on this computer; it goes on when Blender is closed"""

    bl_idname = "retake.start_daemon"
    bl_label = "Start Retake"
    bl_options = READS

    @classmethod
    def poll(cls, _context: Any) -> bool:
        if background.running("start"):
            cls.poll_message_set("Retake is being started")
            return False
        own = preferences.of_user()
        if own is not None and own.source != "LOCAL":
            cls.poll_message_set("The daemon is on another computer: start it there")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        from retake_client.starting import start_daemon

        background.begin("start", start_daemon, then=lambda _nothing: engine.restart(), failed=engine_says)
        self.report({"INFO"}, "Starting Retake")
        return {"FINISHED"}


def engine_says(sentence: str) -> None:
    """Tell the user something that went wrong in the background."""
    engine.notify("ERROR", "", sentence)


class RETAKE_OT_reconnect(bpy.types.Operator):
    """Ask for the daemon anew"""

    bl_idname = "retake.reconnect"
    bl_label = "Try Again"
    bl_options = READS

    def execute(self, _context: Any) -> set[str]:
        engine.restart()
        return {"FINISHED"}


class RETAKE_OT_open_preferences(bpy.types.Operator):
    """Open Retake's preferences"""

    bl_idname = "retake.open_preferences"
    bl_label = "Preferences"
    bl_options = READS

    def execute(self, _context: Any) -> set[str]:
        bpy.ops.preferences.addon_show(module=__package__)
        return {"FINISHED"}


class RETAKE_OT_doctor(bpy.types.Operator):
    """Look at everything that Retake needs, and say what is wrong"""

    bl_idname = "retake.doctor"
    bl_label = "Doctor"
    bl_options = READS

    @classmethod
    def poll(cls, _context: Any) -> bool:
        if background.running("doctor"):
            cls.poll_message_set("The doctor is looking")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        from retake_client.doctor import examine

        settings = preferences.session_settings()
        host = _of_blender()
        background.begin("doctor", lambda: examine(settings, host=host), then=_show_findings, failed=engine_says)
        return {"FINISHED"}


def _of_blender() -> list[Any]:
    """What the doctor cannot see from outside of Blender."""
    from retake_client.doctor import Finding

    found = [Finding("Blender", True, f"This is Blender {bpy.app.version_string}.")]
    hindrance = preferences.hindrance()
    if hindrance is not None:
        found.append(Finding("Preferences", False, *hindrance))
    if not bpy.data.is_saved and not preferences.chosen_folder():
        found.append(Finding("File", None, "This file is not saved, so takes go into a folder of Blender's own.", "Save it first."))
    return found


def _show_findings(findings: Any) -> None:
    rows = of_window().findings
    rows.clear()
    for finding in findings:
        row = rows.add()
        row.name, row.sentence, row.remedy = finding.name, finding.sentence, finding.remedy or ""
        row.mark = {True: "OK", False: "BAD"}.get(finding.ok, "UNKNOWN")


class RETAKE_OT_close_findings(bpy.types.Operator):
    """Put the doctor's findings away"""

    bl_idname = "retake.close_findings"
    bl_label = "Close"
    bl_options = READS

    def execute(self, context: Any) -> set[str]:
        of_window(context).findings.clear()
        return {"FINISHED"}


class RETAKE_OT_clear_notices(bpy.types.Operator):
    """Put these messages away"""

    bl_idname = "retake.clear_notices"
    bl_label = "Clear Messages"
    bl_options = READS

    def execute(self, _context: Any) -> set[str]:
        engine.clear_notices()
        return {"FINISHED"}


class RETAKE_OT_cancel_order(bpy.types.Operator):
    """Give this take up; the line stays"""

    bl_idname = "retake.cancel_order"
    bl_label = "Cancel"
    bl_options = ASKS

    order: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, _context: Any) -> set[str]:
        engine.cancel(self.order)
        changed()
        return {"FINISHED"}


class RETAKE_OT_cancel_all(bpy.types.Operator):
    """Give up everything that is under way in this file"""

    bl_idname = "retake.cancel_all"
    bl_label = "Cancel All"
    bl_options = ASKS

    @classmethod
    def poll(cls, _context: Any) -> bool:
        if not engine.progress():
            cls.poll_message_set("Nothing is under way")
            return False
        return True

    def invoke(self, context: Any, event: Any) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: Any) -> set[str]:
        for one in engine.progress():
            if one.problem:
                engine.dismiss(one.order)
            else:
                engine.cancel(one.order)
        changed()
        return {"FINISHED"}


class RETAKE_OT_dismiss_order(bpy.types.Operator):
    """Put this failure away; the line stays"""

    bl_idname = "retake.dismiss_order"
    bl_label = "Dismiss"
    bl_options = ASKS

    order: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, _context: Any) -> set[str]:
        engine.dismiss(self.order)
        changed()
        return {"FINISHED"}


class RETAKE_OT_choose_speaker(bpy.types.Operator):
    """Who speaks where a line names nobody"""

    bl_idname = "retake.choose_speaker"
    bl_label = "Choose Speaker"
    bl_options = CHANGES

    name: bpy.props.StringProperty(name="Speaker")

    @classmethod
    def poll(cls, context: Any) -> bool:
        return has_scene(cls, context)

    def execute(self, context: Any) -> set[str]:
        compat.edited_scene(context).retake.speaker = self.name
        changed()
        return {"FINISHED"}


class RETAKE_OT_enrol_strip(bpy.types.Operator):
    """Learn a speaker from the file of the selected movie strip: about 20 seconds of one person who looks into the camera and speaks"""

    bl_idname = "retake.enrol_strip"
    bl_label = "Enrol Speaker"
    bl_options = ASKS

    name: bpy.props.StringProperty(name="Name", description="Lower-case letters, digits, '-' and '_'")
    consent: bpy.props.StringProperty(
        name="Consent", description="The person's statement that they agree to be imitated; it is kept with the speaker"
    )
    transcript: bpy.props.StringProperty(name="Transcript", description="What is said in the video; empty: it is recognised")
    replace: bpy.props.BoolProperty(name="Replace", description="Learn a speaker anew who is known already; their takes stay", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_strip(cls, context):
            return False
        if view.active_strip(compat.edited_scene(context)).type != "MOVIE":
            cls.poll_message_set("Select the movie strip with the person's video")
            return False
        return True

    def invoke(self, context: Any, _event: Any) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        strip = view.active_strip(compat.edited_scene(context))
        layout.label(text=f"From '{view.short(strip.name, 40)}'" if strip is not None else "No strip is selected", icon="FILE_MOVIE")
        layout.prop(self, "name")
        layout.prop(self, "consent")
        layout.prop(self, "transcript")
        if self.name.strip() in (engine.speakers() or []):
            layout.label(text=f"'{view.short(self.name, 30)}' is known already.", icon="ERROR")
            layout.prop(self, "replace")
        layout.label(text="The file's first minute is used, whatever the strip shows of it.", icon="INFO")
        layout.label(text="Retake imitates nobody who has not agreed.", icon="INFO")

    def execute(self, context: Any) -> set[str]:
        scene = compat.edited_scene(context)
        return tell_asked(
            self, engine.enrol_strip(scene, view.active_strip(scene), self.name.strip(), self.consent, self.transcript, replace=self.replace)
        )


class RETAKE_OT_quality_report(bpy.types.Operator):
    """Open the speaker's quality report in the browser"""

    bl_idname = "retake.quality_report"
    bl_label = "Quality Report"
    bl_options = READS

    name: bpy.props.StringProperty(name="Speaker", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: Any) -> bool:
        if not engine.speakers():
            cls.poll_message_set("Retake is not connected, or knows no speaker")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        name = self.name or compat.edited_scene(context).retake.speaker
        if name not in (engine.speakers() or []):
            self.report({"WARNING"}, "Choose a speaker first")
            return {"CANCELLED"}
        settings = preferences.session_settings()
        background.begin("report", lambda: _report_address(settings, name), then=_open, failed=engine_says)
        return {"FINISHED"}


def _report_address(settings: Any, name: str) -> str:
    """An address that a browser may open for a while without the token. Runs in a thread."""
    from urllib.parse import quote

    from retake_client import Client, Connection

    elsewhere = Connection(settings.address, settings.token) if settings.address else None
    client = Client.local(settings.home, name="blender") if elsewhere is None else Client(elsewhere, name="blender")
    return client.ticket(f"/v1/speakers/{quote(name, safe='')}/report")


def _open(address: str) -> None:
    bpy.ops.wm.url_open(url=address)


CLASSES = (
    RETAKE_OT_start_daemon,
    RETAKE_OT_reconnect,
    RETAKE_OT_open_preferences,
    RETAKE_OT_doctor,
    RETAKE_OT_close_findings,
    RETAKE_OT_clear_notices,
    RETAKE_OT_cancel_order,
    RETAKE_OT_cancel_all,
    RETAKE_OT_dismiss_order,
    RETAKE_OT_choose_speaker,
    RETAKE_OT_enrol_strip,
    RETAKE_OT_quality_report,
)
