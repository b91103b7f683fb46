"""A batch: tasks become orders to the daemon, and takes that are done go onto the timeline, one at a time, while the others are rendered.

Nothing here waits: `step` is called again and again, by a window's timer or by the console's loop. Resolve is spoken to only for as long as one clip
takes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from retake_client.local_takes import LocalTake
from retake_client.orders import Order, OrderState, Status, Update

from . import clips, lines, placing, takes
from .clips import Clip, Shown
from .editor import Editor
from .errors import EditorError
from .lines import Line
from .planning import Task, first_frame
from .report import Entry, Outcome, Report
from .settings import Settings

if TYPE_CHECKING:
    from fusionscript import MediaPoolItem

_KEPT = "The take is kept and need not be rendered again."
# Takes that are there at once, since they were made before, are placed in steps of about so long, so that Resolve can be used in between.
PLACING_SECONDS = 0.2
ENDED = (OrderState.DONE, OrderState.FAILED, OrderState.CANCELLED)


class Orders(Protocol):
    """What a batch needs of `retake_client.session.Session`."""

    @property
    def status(self) -> Status: ...

    def render(self, order: Order, *, again: bool = False) -> None: ...

    def cancel(self, order_id: str) -> None: ...

    def poll(self) -> list[Update]: ...


@dataclass
class Running:
    """A task that was ordered. `stage`, `fraction` (0 to 1) and `seconds_left` are for people."""

    task: Task
    order_id: str
    state: OrderState = OrderState.WAITING_FOR_DAEMON
    stage: str = ""
    fraction: float = 0.0
    seconds_left: float | None = None
    entry: Entry | None = None

    @property
    def over(self) -> bool:
        return self.entry is not None


class Batch:
    """Renders and places some lines of one timeline; make it, `begin` it, and `step` until it is `over`.

    Args:
        tasks: what to do; those with an error are only reported.
        folder: where takes are put.
    """

    def __init__(self, editor: Editor, session: Orders, settings: Settings, tasks: Sequence[Task], *, folder: Path) -> None:
        self.editor = editor
        self.settings = settings
        self.report = Report(str(editor.timeline.GetName()))
        self.running: list[Running] = []
        self._session = session
        self._folder = folder
        self._tasks = list(tasks)
        self._arrived: deque[tuple[Running, Update]] = deque()  # takes that are to be placed
        self._rule = placing.EndRule()
        # Kept, since a Resolve that has ended cannot be asked any more.
        self._timecodes = {task.line.id: editor.timecode(task.line.start) for task in self._tasks}

    @property
    def over(self) -> bool:
        return all(one.over for one in self.running)

    def begin(self) -> None:
        """Keep a copy of the timeline, note the lines' ids in their markers, and order the takes.

        Raises EditorError (no_backup, other_project, timeline_gone): nothing was changed or ordered then.
        """
        able = [task for task in self._tasks if task.error is None]
        for task in self._tasks:
            if task.error is not None:
                self.report.entries.append(self._entry(task, Outcome.FAILED, error=task.error))
        if not able:
            return
        with self.editor.at_work():
            self.report.backup = placing.back_up(self.editor)
            for task in able:
                try:
                    task.line = lines.identify(self.editor, task.line)
                except EditorError as error:
                    self.report.entries.append(self._entry(task, Outcome.FAILED, error=error))
                    continue
                self.running.append(Running(task, task.order_id(self.editor)))
        priority = "interactive" if len(self.running) == 1 else "batch"
        for one in self.running:
            label = f"{one.task.request['speaker']}: {' '.join(one.task.line.text.split())}"[:120]
            order = Order(id=one.order_id, key=one.task.line.id, request=one.task.request, folder=self._folder, priority=priority, label=label)
            self._session.render(order, again=True)  # whoever starts the script again wants what failed to be tried again
        if not self.running:
            self._finish()

    def step(self) -> bool:
        """Take in what happened and place what is done; returns whether anything changed."""
        if self.over:
            return False
        by_id = {one.order_id: one for one in self.running if not one.over}
        changed = False
        for update in self._session.poll():
            one = by_id.get(update.order_id)
            if one is None or one.over:
                continue
            changed = True
            if update.state is OrderState.DONE:
                one.state = OrderState.DONE
                self._arrived.append((one, update))
            else:
                self._take_in(one, update)
        until = time.monotonic() + PLACING_SECONDS
        while self._arrived:
            one, update = self._arrived.popleft()
            if not one.over:
                self._take_in(one, update)
                changed = True
            if time.monotonic() >= until:
                break
        if changed and self.over:
            self._finish()
        return changed

    def cancel(self) -> None:
        """Stop what is not done; what lies on the timeline already stays."""
        changed = bool(self._arrived)
        for one, update in self._arrived:
            if not one.over:
                self._take_in(one, replace(update, state=OrderState.CANCELLED))
        self._arrived.clear()
        if changed and self.over:
            self._finish()
        for one in self.running:
            if not one.over:
                self._session.cancel(one.order_id)

    def abandon(self, cause: str = "The script was ended before the take was there.", remedy: str = "Start it again.") -> None:
        """Stop listening at once: what is rendered then is found again by the next batch."""
        for one in self.running:
            if not one.over:
                one.entry = self._entry(one.task, Outcome.CANCELLED, cause=cause, remedy=remedy)
                self.report.entries.append(one.entry)
        self._finish()

    def _take_in(self, one: Running, update: Update) -> None:
        one.state, one.stage = update.state, update.stage
        one.fraction, one.seconds_left = update.fraction, update.seconds_left
        if update.state not in ENDED:
            return
        if update.state is OrderState.CANCELLED:
            one.entry = self._entry(one.task, Outcome.CANCELLED)
        elif update.state is OrderState.FAILED or update.take is None:
            cause, remedy = (update.error or ("The take could not be made.", "The daemon's log says more.", ""))[:2]
            one.entry = self._entry(one.task, Outcome.FAILED, cause=cause, remedy=remedy)
        else:
            one.entry = self._put(one.task, update.take)
        self.report.entries.append(one.entry)

    def _put(self, task: Task, take: LocalTake) -> Entry:
        try:
            with self.editor.at_work():
                if take.rate != self.editor.rate.rate:
                    raise EditorError(
                        f"The take has {take.rate} frames per second, the timeline {self.editor.rate}.", "Start the script again.", "other_rate"
                    )
                media = placing.import_take(self.editor, str(take.path), take.frames, take.rate)
                shown = Shown(task.line.id, take.id, str(take.path), task.request)
                if task.clip is not None:
                    return self._as_take(task, take, shown, media)
                line = self._line_now(task.line)
                there = clips.clips_by_line(self.editor, {line.id: line.start}).get(line.id)
                if there is not None:  # another script was at the same line, or the user has copied its clip back
                    return self._is_there(replace(task, line=line), there, take)
                self._timecodes[line.id] = self.editor.timecode(line.start)
                stretch = _stretch(line, take, first_frame(task.request))
                put = placing.place(
                    self.editor, media, stretch, first=first_frame(task.request), rule=self._rule, above=line.track,
                    tracks=(self.settings.video_track, self.settings.audio_track),
                )  # fmt: skip
                notes = [*put.notes, *_notes_of(take)]
                if not clips.mark(put.video, shown):
                    notes.append("The clip could not be marked, so that the line cannot be revised on it.")
                return self._entry(replace(task, line=line), Outcome.PLACED, notes=notes, frames=stretch.frames)
        except EditorError as error:
            return self._entry(task, Outcome.FAILED, error=error, notes=[_KEPT])
        except (AttributeError, TypeError):  # what objects of a program that has just ended raise
            try:
                self.editor.check_open()
            except EditorError as error:
                return self._entry(task, Outcome.FAILED, error=error, notes=[_KEPT])
            raise

    def _is_there(self, task: Task, clip: Clip, take: LocalTake) -> Entry:
        if clip.take != take.id:
            raise EditorError("The line has got a clip meanwhile, with another take.", "Start the script again.", "clip_there")
        return self._entry(task, Outcome.NOTHING, notes=["The take lay there already."], frames=clip.frames)

    def _as_take(self, task: Task, take: LocalTake, shown: Shown, media: MediaPoolItem) -> Entry:
        clip = self._clip_now(task.clip)
        first = first_frame(task.request)
        if take.frames - 2 * first != clip.frames:
            raise EditorError(
                f"The clip has {clip.frames} frames now, and the take was made for {take.frames - 2 * first}.",
                "Start the script again.",
                "slot_changed",
            )
        notes = [*takes.add_take(self.editor, clip.item, media, first=first, rule=self._rule), *_notes_of(take)]
        if not clips.mark(clip.item, shown, clip):
            notes.append("The clip could not be marked, so that the line cannot be revised on it.")
        try:
            lines.rewrite(self.editor, task.line, task.line.text)
        except EditorError as error:
            notes.append(f"{error.cause} {error.remedy}")
        return self._entry(task, Outcome.TAKE, notes=notes, frames=clip.frames)

    def _clip_now(self, clip: Clip | None) -> Clip:
        found = next((found for found in clips.find_clips(self.editor) if clip is not None and clips.same_item(found.item, clip.item)), None)
        if found is None:
            raise EditorError("The clip of the line has gone.", "Start the script again to place the take anew.", "clip_gone")
        return found

    def _line_now(self, line: Line) -> Line:
        """The line where it stands now: the user may have moved its marker while the take was rendered."""
        now = next((found for found in lines.find_lines(self.editor, self.settings.which_subtitles) if found.id == line.id), None)
        if now is None:
            raise EditorError("The line has gone from the timeline.", "Set its marker again and start the script again.", "line_gone")
        if now.frames != line.frames:
            raise EditorError(
                f"The line has {now.frames or 'no fixed number of'} frames now, and the take was made for {line.frames or 'its own length'}.",
                "Start the script again.",
                "slot_changed",
            )
        return now

    def _finish(self) -> None:
        self.report.entries.sort(key=lambda entry: entry.timecode)
        if not self.report.backup or self.report.changed:
            return
        try:
            self.editor.check_open()
            if placing.drop_back_up(self.editor, self.report.backup):
                self.report.backup = ""
        except EditorError as error:
            self.report.notes.append(f"{error.cause} {error.remedy}")

    def _entry(
        self,
        task: Task,
        outcome: Outcome,
        *,
        error: EditorError | None = None,
        cause: str = "",
        remedy: str = "",
        notes: Sequence[str] = (),
        frames: int = 0,
    ) -> Entry:
        doubt = (task.line.doubt,) if task.line.doubt else ()
        return Entry(
            line=task.line.id,
            timecode=self._timecodes.get(task.line.id, ""),
            speaker=str(task.request.get("speaker", task.line.speaker or self.settings.speaker or "?")),
            text=task.line.text,
            outcome=outcome,
            cause=cause if error is None else error.cause,
            remedy=remedy if error is None else error.remedy,
            notes=(*notes, *doubt),
            frames=frames,
        )


def _stretch(line: Line, take: LocalTake, first: int) -> placing.Stretch:
    shown = take.frames - 2 * first
    if line.frames is not None and shown != line.frames:
        raise EditorError(
            f"The take has {shown} frames, and the line's time {line.frames}.", "Update Retake on the daemon's machine.", "take_does_not_match"
        )
    return placing.Stretch(line.start, line.start + shown)


def _notes_of(take: LocalTake) -> list[str]:
    """What the daemon measured that a person should hear."""
    found = take.measured.get("notes")
    return [str(note) for note in found] if isinstance(found, list) else []
