"""Every panel in every state that users can come into. The session is replaced by one whose state the test says; lines and strips are real."""

from __future__ import annotations

import importlib
import time
from types import SimpleNamespace
from typing import Any

import bpy
import recording

PACKAGE = "bl_ext.user_default.retake"


def module(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}")


class Session:
    """Says what it was told to say; nothing of the network."""

    def __init__(self, status: Any) -> None:
        self.status = status
        self.updates: list[Any] = []

    def start(self) -> None:
        pass

    def close(self, *_: Any, **__: Any) -> None:
        pass

    def render(self, _order: Any) -> None:
        pass

    enrol = resume = cancel = fetch = render

    def poll(self) -> list[Any]:
        told, self.updates = self.updates, []
        return told


def show(state: str, *, speakers: tuple[str, ...] = ("presenter",), detail: str = "", waiting: int = 0) -> Session:
    from retake_client.session import Status
    from retake_client.states import ConnectionState

    engine = module("engine")
    listed = tuple({"name": name} for name in speakers)
    session = Session(Status(ConnectionState[state], detail=detail, version="0.1.0", speakers=listed, jobs_waiting=waiting))
    engine._engine.session = session
    return session


def drawn() -> str:
    watch = module("watch")
    watch.look()
    module("view").forget()
    return recording.draw_all()


def main(_arguments: dict) -> dict:
    out: dict[str, str] = {}
    scene = bpy.context.scene
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    engine, adding, lines = module("engine"), module("adding"), module("lines")

    out["before the first look"] = drawn()
    for state in ("ABSENT", "STARTING", "NO_WORKER", "UNREACHABLE", "REFUSED", "MISMATCH", "UNSAFE"):
        show(state)
        out[state] = drawn()
    session = show("READY", speakers=())
    out["no speaker"] = drawn()
    session = show("READY", waiting=2)
    out["empty scene"] = drawn()
    scene.retake.speaker = "somebody"
    out["unknown speaker"] = drawn()
    scene.retake.speaker = "presenter"

    adding.add_placeholder(scene, "presenter", "We ship on Friday.", frame=1, frames=60)
    adding.add_placeholder(scene, "", "And now the weather, which is nice.", frame=80, frames=60, kind="COLOR")
    adding.add_marker(scene, "nobody_knows", "I am not there.", frame=200)
    out["three lines"] = drawn()
    scene.retake.active_line = 2
    out["a line with a problem"] = drawn()

    asked = engine.fill_all(scene)
    assert len(asked.orders) == 2
    assert len(asked.refused) == 1
    running, failed = asked.orders
    from retake_client.session import OrderState, Update

    session.updates = [
        Update(running, "", OrderState.RUNNING, stage="Rendering", fraction=0.4, seconds_left=12.0),
        Update(failed, "", OrderState.FAILED, error=("The words need 71 frames of 60.", "Lengthen the strip to 63 frames.", "does_not_fit")),
    ]
    engine.pump()
    out["running and failed"] = drawn()
    for state in ("ABSENT", "UNREACHABLE"):
        broken = show(state)
        broken.updates = [Update(running, "", OrderState.WAITING_FOR_DAEMON)]
        engine.pump()
        out[f"{state} while rendering"] = drawn()
    show("READY")
    engine.notify("ERROR", "presenter: We ship", "There is no room for the take: all channels are taken or locked there.")
    out["a message"] = drawn()
    engine.clear_notices()
    engine.cancel(running)
    engine.dismiss(failed)

    take = scene.sequence_editor
    strip = module("compat").new_effect(take, "COLOR", "presenter: We ship", channel=5, start=1, length=60)
    strip.retake.role, strip.retake.line, strip.retake.text = "PICTURE", lines.lines_of(scene)[0].line, "We ship on Friday."
    for seed in range(3):
        entry = strip.retake.takes.add()
        entry.id, entry.seed, entry.text, entry.path = f"take{seed}", seed, "We ship on Friday.", f"//gone{seed}.mp4"
    strip.retake.take = "take0"
    strip.retake.active = 1
    for other in module("compat").strips_of(scene):
        other.select = other == strip
    take.active_strip = strip
    module("watch").look_for_files(scene)
    deadline = time.monotonic() + 10
    while not module("watch").missing_files() and time.monotonic() < deadline:
        module("watch").look()
        time.sleep(0.01)
    assert module("watch").missing_files()
    out["takes, the file gone"] = drawn()
    strip.retake.locked = True
    out["locked"] = drawn()
    kept = scene.retake.unplaced.add()
    kept.id, kept.text = "lost", "A take that came too late, and whose line had been deleted."
    out["unplaced"] = drawn()

    window = module("window").of_window()
    doctor = (SimpleNamespace(name="daemon", ok=True, sentence="Retake runs.", remedy=""),)
    doctor += (SimpleNamespace(name="token", ok=False, sentence="The token is wrong.", remedy="Copy it anew."),)
    module("operators_daemon")._show_findings(doctor)
    assert len(window.findings) == 2
    out["doctor"] = drawn()
    window.findings.clear()

    for number in range(200):
        adding.add_marker(scene, "presenter", f"Line {number} of a long day with many words.", frame=1000 + 50 * number)
    began = time.perf_counter()
    out["200 lines"] = drawn()
    again = time.perf_counter()
    for _ in range(10):
        recording.draw_all()
    cached = (time.perf_counter() - again) / 10
    engine.fill_all(scene)
    out["200 under way"] = drawn()

    preferences = module("preferences")
    own = preferences.of_user()
    forms = {}
    for source, token in (("LOCAL", "FILE"), ("ADDRESS", "FILE"), ("ADDRESS", "TYPED"), ("ADDRESS", "ENVIRONMENT")):
        own.source, own.token_source, own.folder, own.address, own.path_map = source, token, "CHOSEN", "http://far:7420", "nonsense"
        layout = recording.Layout()
        stub = SimpleNamespace(layout=layout, **{one.identifier: getattr(own, one.identifier) for one in own.bl_rna.properties})
        stub.bl_rna = own.bl_rna
        preferences.RetakePreferences.draw(stub, bpy.context)
        forms[f"{source} {token}"] = "\n".join(f"{entry['kind']}: {entry['text']}" for entry in layout.entries)
    engine._engine.session = None
    out["may not go online"] = drawn() if not bpy.app.online_access else ""
    for strip in list(module("compat").strips_of(scene)):
        strip.select = False
    return {"states": out, "forms": forms, "seconds": {"fresh": again - began, "cached": cached}}
