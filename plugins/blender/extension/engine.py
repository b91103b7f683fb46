"""Between Blender and the daemon: what is asked for, what comes back, and what becomes of it on the timeline.

One of it exists. Everything that waits happens in the threads of `retake_client.session.Session`, which know nothing of Blender; everything that
touches Blender happens in `pump`, which Blender's timer calls in the main thread (tests call it themselves). Each take that arrives is one undo step.

Nothing here holds on to Blender's objects: undo and loading free them. What is under way is in `scene.retake.orders` by its id, so that it goes on
after the file is opened again; an order given again with the same id goes on where it was instead of being made twice.

    engine.configure(provider)            provider() -> retake_client.session.SessionSettings; asked when a session begins
    engine.register(), engine.unregister(), engine.restart()
    engine.status()                       -> retake_client.session.Status, or None before the first look; for draw
    engine.progress()                     -> list[Progress]; for draw
    engine.notices()                      -> list[Notice], newest last; for draw
    engine.generate(scene, lines, ...)    -> Asked; likewise fill_all, try_again, revise, enrol_strip
    engine.cancel(order), engine.dismiss(order)
    engine.pump()                         -> seconds until it wants to be called again

Functions that operators call change the scene and leave the undo step to the operator (`bl_options = {"REGISTER", "UNDO"}`).
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import compat, keeping, lines, ordering, placing, takes
from .arriving import Arrivals
from .ordering import Asked, Notice, Progress

BUSY_SECONDS = 0.2  # between two looks while something is under way
IDLE_SECONDS = 1.0
MOST_NOTICES = 50
# While one of these runs, the user is dragging something: takes wait until it is over.
_DRAGGING = ("TRANSFORM_OT_", "SEQUENCER_OT_")

Provider = Callable[[], Any]


class Engine:
    """The state between Blender and the daemon; see the module's text. Everything is called in Blender's main thread."""

    def __init__(self) -> None:
        self.provider: Provider | None = None
        self.session: Any = None
        self.arrivals = Arrivals()
        self.latest: dict[str, Any] = {}  # order's id -> its last Update
        self.told: deque[Notice] = deque(maxlen=MOST_NOTICES)
        self.fetching: dict[str, str] = {}  # order's id -> the take whose file is brought back
        self.sought: set[str] = set()  # takes that were asked for unasked: once for each file that is opened
        self.wanted = False  # somebody looks at the panel, or something is under way
        self.stale = False  # the scenes may hold other orders than before: loaded, undone

    # The session

    def start(self) -> Any:
        """The running session; begun if there is none."""
        if self.session is None:
            from retake_client.session import Session, SessionSettings

            settings = self.provider() if self.provider is not None else SessionSettings(name="blender", folder=takes.takes_folder())
            self.session = Session(settings)
            self.session.start()
        return self.session

    def close(self) -> None:
        session, self.session = self.session, None
        self.latest.clear()
        self.fetching.clear()
        if session is not None:
            session.close()

    def give(self, scene: bpy.types.Scene, entry: Any) -> None:
        """Hand a stored order to the session; one that it knows already goes on."""
        self.start()
        self.arrivals.expect(entry)
        ordering.give(self.session, scene, entry)

    def resume(self) -> int:
        """Hand all orders of all scenes to the session that it does not have; returns how many."""
        given = 0
        for scene in compat.own_scenes():
            for entry in list(scene.retake.orders):
                if entry.problem or entry.id in self.latest or self.arrivals.settle(scene, entry.id):
                    continue
                self.latest[entry.id] = None
                self.give(scene, entry)
                given += 1
        self.stale = False
        return given

    # What arrives

    def pump(self) -> float:
        """Take in what has happened. Never raises: a daemon that is gone is a state that `status` tells."""
        if self.stale:
            self.resume()
        if self.session is None:
            if not self.wanted:
                return IDLE_SECONDS
            self.start()
        for scene in compat.own_scenes():
            lines.note_markers(scene)
            placing.connect_waiting(scene)
        if not self._may_change():
            return BUSY_SECONDS
        updates = self.session.poll()
        for update in updates:
            try:
                self._take_in(update)
            except Exception as error:  # noqa: BLE001 - Blender ends a timer that raises, and the other updates would be lost
                self.told.append(
                    Notice("ERROR", update.key, f"This could not be taken in: {error or type(error).__name__}. Generate the line again.")
                )
        if updates:
            _redraw()
        return BUSY_SECONDS if any(scene.retake.orders for scene in compat.own_scenes()) else IDLE_SECONDS

    def _take_in(self, update: Any) -> None:
        name = update.state.name
        if update.order_id in self.fetching:
            self._fetched(update, name)
            return
        self.latest[update.order_id] = update
        if name == "DONE":
            self.told.extend(self.arrivals.done(update))
        elif name == "FAILED":
            self.told.extend(self.arrivals.failed(update))
        elif name == "CANCELLED":
            self.arrivals.cancelled(update)
        if name in {"DONE", "CANCELLED"}:
            self.latest.pop(update.order_id, None)

    def fetch(self, wanted: Iterable[str], unasked: bool) -> int:
        from retake_client.session import FetchOrder

        takes_now = set(self.fetching.values()) | (self.sought if unasked else set())
        chosen = [take for take in wanted if take and take not in takes_now]
        if unasked and (self.session is None or self.session.status.state.name not in {"READY", "NO_WORKER"}):
            return 0
        for take in chosen:
            order = uuid.uuid4().hex
            self.start().fetch(FetchOrder(order, take, take, folder=takes.takes_folder()))
            self.sought.add(take)
            self.fetching[order] = take
        return len(chosen)

    def _fetched(self, update: Any, name: str) -> None:
        """A take that exists, and whose file was gone here, is there; or it cannot be had."""
        if name not in {"DONE", "FAILED", "CANCELLED"}:
            return
        take = self.fetching.pop(update.order_id)
        if name == "DONE":
            keeping.apply({take: str(update.take.path)})
            compat.undo_step("Retake: fetch take")
            self.told.append(Notice("INFO", "", f"The file of '{update.take.text}' was gone and is there again."))
        elif name == "FAILED":
            cause = (*(update.error or ()), "It failed.")[0]
            self.told.append(Notice("WARNING", "", f"A take's file is gone and cannot be fetched: {cause} Put it back, or generate the line again."))

    @staticmethod
    def _may_change() -> bool:
        """Not while the user drags something or Blender renders: both hold on to the strips."""
        if bpy.app.is_job_running("RENDER"):
            return False
        running = (operator.bl_idname for window in bpy.context.window_manager.windows for operator in window.modal_operators)
        return not any(name.startswith(_DRAGGING) for name in running)


_engine = Engine()


def configure(provider: Provider | None) -> None:
    """Say where the settings come from: `provider()` returns SessionSettings and is called whenever a session begins."""
    _engine.provider = provider


def restart() -> None:
    """Begin a new session, for instance because the preferences were changed. What is under way goes on."""
    _engine.close()
    _engine.stale = _engine.wanted = True


def status() -> Any:
    """How things stand with the daemon (`Status`), or None before the first look. Cheap: for draw. Asking makes the next pump look."""
    _engine.wanted = True
    return _engine.session.status if _engine.session is not None else None


def speakers() -> list[str] | None:
    """Names of the speakers that the daemon knows, or None while it is not known."""
    now = status()
    return None if now is None or now.state.name not in {"READY", "NO_WORKER"} else [str(speaker["name"]) for speaker in now.speakers]


def progress() -> list[Progress]:
    """What is under way or went wrong, in all scenes. For draw."""
    return [ordering.progress_of(scene, entry, _engine.latest.get(entry.id)) for scene in compat.own_scenes() for entry in scene.retake.orders]


def progress_of(line: str) -> Progress | None:
    """What is under way for the line with this id. For draw."""
    return next((one for one in progress() if line and one.line == line), None)


def notices() -> list[Notice]:
    """What users should have read, newest last. For draw."""
    return list(_engine.told)


def notify(level: str, label: str, text: str) -> None:
    """Add something that users should read. `level`: INFO, WARNING or ERROR."""
    _engine.told.append(Notice(level, label, text))


def clear_notices() -> None:
    _engine.told.clear()


def generate(
    scene: bpy.types.Scene,
    wanted: Iterable[lines.SceneLine | str] | None = None,
    *,
    conform: str | None = None,
    again: bool = False,
    priority: str = "interactive",
) -> Asked:
    """Ask for takes of lines.

    Args:
        wanted: lines, or their keys; None: all that are empty or failed.
        conform: FIT, KEEP or RIPPLE; None: as the line says, else the scene.
        again: another take than those that are there (a new seed).
        priority: interactive, batch or background.

    Returns what was asked for and what was refused, with cause and remedy; nothing is raised, and one bad line does not stop the others.
    """
    asked = ordering.ask(scene, wanted, conform=conform, again=again, priority=priority, known=speakers())
    _start_orders(scene, asked)
    return asked


def fill_all(scene: bpy.types.Scene, *, conform: str | None = None) -> Asked:
    """Ask for every line that shows no take."""
    return generate(scene, None, conform=conform, priority="batch")


def try_again(scene: bpy.types.Scene, strip: Any) -> Asked:
    """Ask for another take of the line that `strip` shows or is the placeholder of."""
    line = lines.line_at(scene, strip)
    if line is None:
        return Asked(refused=[("", "This strip belongs to no line.", "Select a placeholder, or a strip with a take.")])
    return generate(scene, [line], again=True)


def revise(scene: bpy.types.Scene, line: lines.SceneLine | str, text: str) -> Asked:
    """Give a line other words, where they are written (text strip, marker, strip), and ask for a take of them."""
    found = lines.find_line(scene, line) if isinstance(line, str) else line
    if found is None:
        return Asked(refused=[("", "The line is not there any more.", "Choose one of the list.")])
    key = lines.rewrite(scene, found, text)
    return generate(scene, [key])


def enrol_strip(scene: bpy.types.Scene, strip: Any, name: str, consent: str, transcript: str = "", *, replace: bool = False) -> Asked:
    """Have a speaker learnt from the file of a movie strip. `consent`: the person's statement that they agree. `replace`: one who is known."""
    if name in (speakers() or []) and not replace:
        return Asked(refused=[(f"Enrol {name}", f"'{name}' is known already.", "Give another name, or choose Replace.")])
    asked = ordering.ask_enrolment(scene, strip, name, consent, transcript, replace=replace)
    _start_orders(scene, asked)
    return asked


def fetch(wanted: Iterable[str], *, unasked: bool = False) -> int:
    """Have the files of takes (ids) brought here by the daemon that made them; returns how many are asked for.

    Args:
        unasked: nobody has pressed a button: each take once, and only if the daemon is there.
    """
    return _engine.fetch(wanted, unasked)


def fetching() -> int:
    """How many files are being brought back. For draw."""
    return len(_engine.fetching)


def cancel(order: str) -> None:
    """Give up an order; nothing of it remains."""
    _engine.latest.pop(order, None)
    if _engine.session is not None:
        _engine.session.cancel(order)
    _forget(order)


def dismiss(order: str) -> None:
    """Put away an order that failed."""
    _engine.latest.pop(order, None)
    _forget(order)


def pump() -> float:
    """Take in what has happened; returns seconds until it wants to be called again. Blender's timer calls it."""
    return _engine.pump()


def register() -> None:
    for handlers, function in _handlers():
        if function not in handlers:
            handlers.append(function)
    _engine.stale = True
    if not bpy.app.background and not bpy.app.timers.is_registered(pump):
        bpy.app.timers.register(pump, first_interval=IDLE_SECONDS, persistent=True)


def unregister() -> None:
    if bpy.app.timers.is_registered(pump):
        bpy.app.timers.unregister(pump)
    for handlers, function in _handlers():
        if function in handlers:
            handlers.remove(function)
    _engine.close()


def _start_orders(scene: bpy.types.Scene, asked: Asked) -> None:
    for entry in list(scene.retake.orders):
        if entry.id in asked.orders:
            _engine.latest[entry.id] = None
            _engine.give(scene, entry)


def _forget(order: str) -> None:
    for scene in compat.own_scenes():
        ordering.remove(scene, order)


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR":
                area.tag_redraw()


@persistent
def _on_load_pre(*_: Any) -> None:
    _engine.close()
    _engine.arrivals.forget()
    _engine.sought.clear()


@persistent
def _on_changed(*_: Any) -> None:
    """Another file, or another state of this one: the orders of its scenes are looked at again at the next pump."""
    _engine.stale = True


def _handlers() -> list[tuple[Any, Any]]:
    on = bpy.app.handlers
    return [(on.load_pre, _on_load_pre), (on.load_post, _on_changed), (on.undo_post, _on_changed), (on.redo_post, _on_changed)]
