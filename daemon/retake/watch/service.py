"""The watch folders of a daemon, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from retake.domain.errors import RetakeError
from retake.jobs.database import Database
from retake.settings import Settings, WatchSettings
from retake.watch.folder import FolderWatcher
from retake.watch.work import Note

log = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0  # before a folder is tried again that could not be used
_STOP_SECONDS = 20.0


@dataclass(frozen=True)
class FolderStatus:
    """How a watched folder is.

    state: "watching", "waiting" (another process watches it) or "problem".
    text: the problem, empty without one.
    """

    folder: str
    state: str
    text: str
    busy: bool


class WatchService:
    """Watches all folders of `settings.watch`. A folder that cannot be used now is tried again every few seconds, and disturbs no other.

    Args:
        home: Retake's folder.
        database: made (`Database.create`) by the caller.
        tell: called, from the folders' threads, with what people want to know; the log gets it in any case.
    """

    def __init__(self, home: Path, database: Database, settings: Settings, *, tell: Callable[[Note], None] | None = None) -> None:
        self._folders = [_Folder(home, database, settings, watch, tell) for watch in settings.watch]

    def start(self) -> None:
        """Begin to watch; returns at once."""
        for folder in self._folders:
            folder.thread.start()

    def stop(self) -> None:
        """Stop watching. Files that are worked on stay in `processing`, and the next start goes on with them."""
        for folder in self._folders:
            folder.ended.set()
            folder.bell.set()
        for folder in self._folders:
            if folder.thread.is_alive():
                folder.thread.join(timeout=_STOP_SECONDS)

    def status(self) -> list[FolderStatus]:
        """How each folder is, in the order of the settings."""
        return [folder.status() for folder in self._folders]


class _Folder:
    def __init__(self, home: Path, database: Database, settings: Settings, watch: WatchSettings, tell: Callable[[Note], None] | None) -> None:
        self._home, self._database, self._settings, self._watch = home, database, settings, watch
        self._tell_outside = tell
        self.ended = threading.Event()
        self.bell = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"watch {watch.folder}", daemon=True)
        self._watcher: FolderWatcher | None = None
        self._problem = ""

    def status(self) -> FolderStatus:
        watcher = self._watcher
        state = "problem" if self._problem or watcher is None else "watching" if watcher.owner else "waiting"
        return FolderStatus(self._watch.folder, state, self._problem, watcher is not None and watcher.busy)

    def _run(self) -> None:
        while not self.ended.is_set():
            pause = self._turn()
            self.bell.wait(pause)
            self.bell.clear()
        if self._watcher is not None:
            self._watcher.leave()

    def _turn(self) -> float:
        try:
            if self._watcher is None:
                self._watcher = FolderWatcher(self._home, self._database, self._settings, self._watch, tell=self._tell, ring=self.bell.set)
            pause = self._watcher.tick()
        except RetakeError as error:
            return self._trouble(f"{error.cause} {error.remedy}")
        except OSError as error:
            return self._trouble(f"The folder cannot be used ({error.strerror or error}).")
        except Exception as error:  # noqa: BLE001 - a thread that ends silently would leave a folder unwatched
            log.error("watching %s\n%s", self._watch.folder, traceback.format_exc())
            return self._trouble(f"Retake failed unexpectedly ({type(error).__name__}); details are in its log.")
        self._problem = ""
        return pause

    def _trouble(self, text: str) -> float:
        """Let go of the folder; everything is found again on the disk and in the database."""
        if self._watcher is not None:
            self._watcher.leave()
        if text != self._problem:
            self._problem = text
            self._tell(Note(self._watch.folder, "problem", "", text))
        self.ended.wait(AGAIN_SECONDS)
        return 0.0

    def _tell(self, note: Note) -> None:
        level = logging.WARNING if note.kind in {"failed", "problem"} else logging.INFO
        log.log(level, "%s: %s", " ".join(part for part in (note.folder, note.name, note.kind) if part), note.text)
        if self._tell_outside is not None:
            self._tell_outside(note)
