"""Taking dropped files by renaming them, and putting them away when they are over."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from retake.media.files import atomic_text
from retake.watch.layout import Layout
from retake.watch.names import numbered, readable

_CLAIMED = re.compile(r"(?P<stem>.*)~(?P<us>[0-9a-f]{13})(?P<salt>[0-9a-f]{6})(?P<suffix>\.[^.~]*)", re.DOTALL)
_ROOM = 40  # bytes of a name that the marks of a claim and of an error file need
_LONGEST = 255


@dataclass(frozen=True)
class Claimed:
    """A file in `processing`.

    name: as it was dropped.
    since_us: when it was claimed, microseconds since 1970.
    """

    path: Path
    name: str
    since_us: int

    @property
    def shown(self) -> str:
        """The name for messages and records."""
        return readable(self.name)


def claim(layout: Layout, name: str) -> Claimed | None:
    """Rename the file `name` into `processing`; None if somebody else was quicker.

    Its new name is used by nobody else, so that a file of the same name that is still worked on is not replaced.
    """
    path = Path(name)
    stem = os.fsencode(path.stem)
    longest = _LONGEST - _ROOM - len(os.fsencode(path.suffix))
    short = os.fsdecode(stem[:longest]) if len(stem) <= longest else stem[:longest].decode(errors="ignore")
    now = time.time_ns() // 1000
    target = layout.processing / f"{short}~{now:013x}{secrets.token_hex(3)}{path.suffix}"
    try:
        (layout.root / name).rename(target)
    except (FileNotFoundError, PermissionError):  # taken by somebody else, or on Windows still open
        return None
    return Claimed(target, f"{short}{path.suffix}", now)


def claimed_before(layout: Layout) -> list[Claimed]:
    """The files in `processing`, oldest claim first: those that an earlier run took and did not finish."""
    out: list[Claimed] = []
    for entry in os.scandir(layout.processing):
        match = _CLAIMED.fullmatch(entry.name)
        if match is not None and entry.is_file(follow_symlinks=False):
            out.append(Claimed(Path(entry.path), match["stem"] + match["suffix"], int(match["us"], 16)))
    return sorted(out, key=_by_claim)


def put_into_done(layout: Layout, claimed: Claimed) -> Path | None:
    """Move a finished file to `done`. None if it has gone: the user took it away."""
    return _put(claimed, layout.done)


def put_into_failed(layout: Layout, claimed: Claimed, explanation: str) -> Path | None:
    """Move a file to `failed`, beside NAME.error.txt. The explanation is there before the file is."""
    return _put(claimed, layout.failed, explanation)


def error_file(path: Path) -> Path:
    """Where it is told why the file at `path` in `failed` failed."""
    return path.with_name(f"{path.name}.error.txt")


def _put(claimed: Claimed, folder: Path, explanation: str | None = None) -> Path | None:
    wanted = Path(claimed.name)
    for stem in numbered(wanted.stem):
        target = folder / f"{stem}{wanted.suffix}"
        if os.path.lexists(target):
            continue
        if not claimed.path.exists():
            return None
        if explanation is not None:
            atomic_text(error_file(target), explanation)  # one that is there without its file was left by a run that was killed here
        try:
            claimed.path.rename(target)
        except FileNotFoundError:
            with contextlib.suppress(OSError):
                error_file(target).unlink(missing_ok=True)
            return None
        return target
    raise AssertionError("names never end")


def _by_claim(claimed: Claimed) -> tuple[int, str]:
    return claimed.since_us, readable(claimed.name)
