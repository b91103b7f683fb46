"""What a window or a console shows and does, without either: it holds the timeline, the connection and the batch that runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retake_client.connection import default_home
from retake_client.orders import OrderState
from retake_client.session import Session
from retake_client.states import ConnectionState

from . import media_folder, planning, takes
from .bridge import Host
from .clips import Clip, clip_at, clips_by_line
from .editor import Editor
from .errors import EditorError
from .lines import find_lines, starts_of
from .placing import EndRule
from .planning import State, Task
from .report import Report
from .settings import Settings
from .workflow import Batch, Orders, Running

HOPELESS = frozenset({ConnectionState.REFUSED, ConnectionState.MISMATCH, ConnectionState.UNSAFE})  # waiting does not mend these
_WORDS = {
    OrderState.WAITING_FOR_DAEMON: "waits for Retake",
    OrderState.SENDING: "is sent",
    OrderState.QUEUED: "waits its turn",
    OrderState.RUNNING: "is rendered",
    OrderState.FETCHING: "is fetched",
    OrderState.DONE: "is placed",
    OrderState.FAILED: "failed",
    OrderState.CANCELLED: "was cancelled",
}


@dataclass(frozen=True)
class Row:
    """A line in the list. `frames` is 0 where the line has no fixed length."""

    line: str
    timecode: str
    speaker: str
    text: str
    frames: int
    state: State
    takes: int


class Presenter:
    """The model behind both faces. Methods raise EditorError for what the user can mend; what a batch does is in its report."""

    def __init__(self, host: Host, session: Orders, settings: Settings) -> None:
        self.host = host
        self.session = session
        self.settings = settings
        self.batch: Batch | None = None

    def status_line(self) -> str:
        """One sentence on the connection."""
        status = self.session.status
        if not status.state.usable or status.detail:
            return status.sentence
        return f"{status.sentence} Speakers: {', '.join(self.speakers()) or 'nobody is enrolled yet'}."

    def speakers(self) -> list[str]:
        return [str(entry["name"]) for entry in self.session.status.speakers if entry.get("name")]

    def wait_for_connection(self, seconds: float) -> None:
        """Wait until the daemon has answered, or will not: with it the speakers are known, and mistakes are found before anything is rendered."""
        ended = time.monotonic() + seconds
        while time.monotonic() < ended:
            state = self.session.status.state
            if state.usable or state in HOPELESS:
                return
            time.sleep(0.1)

    def editor(self) -> Editor:
        """The timeline that is open now."""
        return Editor.of_current(self.host)

    def rows(self) -> list[Row]:
        """All lines of the timeline that is open."""
        editor = self.editor()
        lines = find_lines(editor, self.settings.which_subtitles)
        clips = clips_by_line(editor, starts_of(lines))
        out: list[Row] = []
        for line in lines:
            clip = clips.get(line.id)
            state = planning.state_of(line, clip, self.settings)
            speaker = line.speaker or self.settings.speaker or "?"
            count = len(takes.list_takes(clip.item)) if clip is not None else 0
            out.append(Row(line.id, editor.timecode(line.start), speaker, line.text, line.frames or 0, state, count))
        return out

    def fill(self, chosen: Sequence[str] | None = None) -> Batch:
        """Begin to fill all lines without a take, or those that are named."""
        editor = self._free_editor()
        return self._begin(editor, planning.plan_missing(editor, self.settings, self.speakers(), chosen))

    def generate_at_playhead(self) -> Batch:
        """Begin to make the line at the playhead; a further take if it has a clip already and says the same."""
        editor = self._free_editor()
        task = planning.plan_at(editor, self.settings, editor.playhead(), self.speakers())
        return self._begin(editor, [_another(task)])

    def clip_under_playhead(self) -> Clip:
        """Raises EditorError (no_clip)."""
        editor = self.editor()
        return planning.clip_to_revise(editor, editor.playhead())

    def revise(self, text: str) -> Batch:
        """Begin a take of the clip under the playhead with other words."""
        editor = self._free_editor()
        clip = planning.clip_to_revise(editor, editor.playhead())
        task = planning.plan_revision(editor, self.settings, clip, text, speakers=self.speakers())
        return self._begin(editor, [_another(task)])

    def choose_take(self, index: int) -> list[str]:
        """Show another take of the clip under the playhead; returns what the user should know."""
        editor = self._free_editor()
        clip = clip_at(editor, editor.playhead())
        if clip is None:
            clip = planning.clip_to_revise(editor, editor.playhead())
        return takes.choose_take(editor, clip.item, index, rule=EndRule())

    def step(self) -> bool:
        """Go on with what runs; returns whether there is news."""
        return self.batch.step() if self.batch is not None else False

    @property
    def busy(self) -> bool:
        return self.batch is not None and not self.batch.over

    @property
    def report(self) -> Report | None:
        return self.batch.report if self.batch is not None else None

    def progress_lines(self) -> list[str]:
        """One line for each take of the batch."""
        return [progress_line(one) for one in self.batch.running] if self.batch is not None else []

    def _free_editor(self) -> Editor:
        if self.busy:
            raise EditorError("Lines are being made already.", "Wait until they are done, or cancel them.", "busy")
        return self.editor()

    def _begin(self, editor: Editor, tasks: list[Task]) -> Batch:
        folder = media_folder.folder_of(self.settings, str(editor.project.GetName() or ""))
        if any(task.error is None for task in tasks):
            media_folder.check(folder)
        batch = Batch(editor, self.session, self.settings, tasks, folder=folder)
        batch.begin()
        self.batch = batch
        return batch


def open_session(settings: Settings, home: Path | None = None) -> Session:
    """The connection to the daemon, started. Raises EditorError, ClientError."""
    session = Session(settings.session(default_home() if home is None else home, media_folder.folder_of(settings)))
    session.start()
    return session


def progress_line(one: Running) -> str:
    """What is happening to one take, for people."""
    words = one.entry.outcome.value if one.entry is not None else _WORDS[one.state]
    parts = [f"@{one.task.request.get('speaker', '?')}: {' '.join(one.task.line.text.split())[:50]}", words]
    if one.entry is None and one.state is OrderState.RUNNING:
        parts.append(f"{one.stage} {one.fraction:.0%}".strip())
        if one.seconds_left is not None:
            parts.append(f"about {one.seconds_left:.0f} s left")
    return " - ".join(parts)


def _another(task: Task) -> Task:
    """The same words again mean another try: with the next seed, since the same request would give the same take."""
    earlier = task.clip.request if task.clip is not None else None
    if earlier is not None and task.request and earlier.get("text") == task.request.get("text"):
        task.request["seed"] = (int(task.request.get("seed", 0)) + 1) % (planning.LARGEST_SEED + 1)
    return task
