"""The folders inside a watched folder, and who may work in it."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from retake.domain.errors import ErrorKind, RetakeError


@dataclass(frozen=True)
class Layout:
    """Places in a watched folder."""

    root: Path

    @property
    def processing(self) -> Path:
        return self.root / "processing"

    @property
    def done(self) -> Path:
        return self.root / "done"

    @property
    def failed(self) -> Path:
        return self.root / "failed"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def incoming(self) -> Path:
        """Where a clip's files are written before they are renamed into `out`."""
        return self.out / ".incoming"

    @property
    def lock(self) -> Path:
        return self.processing / ".watcher.lock"

    def prepare(self) -> None:
        """Make what is missing. Raises RetakeError where that is impossible, or where one of the folders is a link to somewhere else."""
        for folder in (self.processing, self.done, self.failed, self.out, self.incoming):
            try:
                folder.mkdir(exist_ok=True)
            except FileNotFoundError as error:
                raise no_folder(self.root) from error
            except OSError as error:
                raise RetakeError(
                    f"{folder} cannot be made ({error.strerror or error}).",
                    "Let this user write to the watched folder.",
                    kind=ErrorKind.ENVIRONMENT,
                    code="not_writable",
                ) from error
            if folder.is_symlink():
                raise RetakeError(f"{folder} is a link.", "Make it a plain folder.", code="linked_folder")
            if not os.access(folder, os.W_OK | os.X_OK):
                raise RetakeError(
                    f"{folder} cannot be written.", "Let this user write to the watched folder.", kind=ErrorKind.ENVIRONMENT, code="not_writable"
                )


def layout_of(folder: str | Path, home: Path) -> Layout:
    """The layout of a folder to watch.

    Everything readable in it is taken, so folders that certainly hold other things are refused.

    Raises RetakeError (no_watch_folder, bad_watch_folder).
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise no_folder(root)
    root = root.resolve()
    own = home.resolve()
    forbidden = {Path(root.anchor), Path.home().resolve(), own}
    if root in forbidden or root.is_relative_to(own) or own.is_relative_to(root):
        raise RetakeError(
            f"{root} cannot be watched: every text file in it would be taken and rendered.", "Make a folder of its own.", code="bad_watch_folder"
        )
    return Layout(root)


def no_folder(root: Path) -> RetakeError:
    return RetakeError(f"There is no folder {root}.", "Make it, or connect the drive it is on.", kind=ErrorKind.NOT_FOUND, code="no_watch_folder")


class Ownership:
    """One watcher works in a folder at a time; the operating system lets go of the lock when its process dies, however it dies."""

    def __init__(self, layout: Layout) -> None:
        self._lock = FileLock(layout.lock, thread_local=False)
        self._note = layout.processing / ".watcher.txt"

    def take(self) -> bool:
        """True if the folder is ours now."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise RetakeError(
                f"{self._lock.lock_file} cannot be locked ({error.strerror or error}).",
                "Let this user write to the watched folder.",
                kind=ErrorKind.ENVIRONMENT,
                code="not_writable",
            ) from error
        with contextlib.suppress(OSError):  # only read by people
            self._note.write_text(f"process {os.getpid()} on {platform.node()}\n", encoding="utf-8")
        return True

    def owner(self) -> str:
        """Who holds the folder, for messages."""
        try:
            return self._note.read_text(encoding="utf-8").strip()[:200] or "another process"
        except (OSError, UnicodeDecodeError):
            return "another process"

    def release(self) -> None:
        self._lock.release()
