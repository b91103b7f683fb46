"""A take as a file of this machine: where it lies if that can be reached, else fetched into a folder, once."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import partials
from .client import Client
from .errors import BadRequest, Damaged, local_fault
from .paths import PathMap
from .transfers import Stopped, Told

_BLOCK = 1 << 20
_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_LOOPBACK = frozenset({"localhost", "::1"})


@dataclass(frozen=True)
class LocalTake:
    """A take that can be put on a timeline.

    path: of the clip, absolute, on this machine; it is complete and has the SHA-256 `sha256`.
    frames, rate: whole frames at exactly this rate.
    shared: it lies where the daemon keeps or delivered it, and goes when it is removed there; else it is in the folder that was asked for.
    measured: figures of the take, as the daemon gives them.
    """

    id: str
    path: str
    frames: int
    rate: Fraction
    width: int
    height: int
    sha256: str
    shared: bool
    text: str = ""
    speaker: str = ""
    seed: int = 0
    measured: Mapping[str, Any] = field(default_factory=dict)


def bring(
    client: Client,
    take_id: str,
    folder: str | os.PathLike[str],
    *,
    paths: PathMap | None = None,
    told: Told | None = None,
    stop: threading.Event | None = None,
    copy: bool = False,
) -> LocalTake:
    """The take `take_id` as a file of this machine.

    The daemon's own file is used where it can be reached (through `paths`, or because the daemon runs here) and holds what it should. Otherwise
    `folder`/ID.mp4 is: found there from an earlier time, or downloaded, going on with what an earlier process left behind.

    Args:
        folder: made if it is not there.
        copy: put it into `folder` in any case, so that what is removed from the daemon's store is not missing in an edit. A daemon's file within
            reach becomes a second name of the same file there (a hard link, which takes no space) or is copied.
        told: bytes that are here, and of how many.

    Raises ClientError (unknown_take, damaged_download, not_writable_here, disk_full_here, cancelled, unreachable, ...).
    """
    if not _ID.fullmatch(take_id):
        raise BadRequest(f"'{take_id[:80]}' is no id of a take.", "Give the id as the daemon lists it.", code="bad_name")
    view = client.take(take_id)
    sha256 = str(view["sha256"]).lower()
    goal = Path(folder) / f"{take_id}.mp4"
    if copy and has_content(goal, sha256, stop):
        return _local(view, goal, shared=False)
    within_reach = _candidates(client, view, paths)
    if not copy:
        for candidate in within_reach:
            if has_content(candidate, sha256, stop):
                return _local(view, candidate, shared=True)
        if has_content(goal, sha256, stop):
            return _local(view, goal, shared=False)
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
        partials.tidy(goal.parent)
        if copy and any(_put(candidate, goal, sha256, told, stop) for candidate in within_reach):
            return _local(view, goal, shared=False)
        client.download_take(take_id, goal, sha256=sha256, told=told, stop=stop, resume=True)
    except OSError as error:
        raise local_fault(error, goal) from error
    return _local(view, goal, shared=False)


def discard(take_id: str, folder: str | os.PathLike[str]) -> None:
    """Remove what an unfinished `bring` of this take left in `folder`."""
    partials.discard(Path(folder) / f"{take_id}.mp4")


def runs_here(client: Client) -> bool:
    """Whether the daemon is reached by an address of this machine. A tunnel looks the same, so nothing is believed because of this alone."""
    host = (urlsplit(client.connection.address).hostname or "").lower()
    return host in _LOOPBACK or host.startswith("127.")


def has_content(path: Path, sha256: str, stop: threading.Event | None = None) -> bool:
    """Whether `path` is a file with this SHA-256; False for one that cannot be read. Raises Stopped."""
    digest = hashlib.sha256()
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            while True:
                if stop is not None and stop.is_set():
                    raise Stopped
                piece = file.read(_BLOCK)
                if not piece:
                    break
                digest.update(piece)
    except (OSError, ValueError):
        return False
    return digest.hexdigest() == sha256.lower()


def _put(source: Path, goal: Path, sha256: str, told: Told | None, stop: threading.Event | None) -> bool:
    """Have `source` at `goal` too; False if it cannot be read or holds something else. Raises OSError for what is wrong with `goal`, Stopped."""
    return _link(source, goal, sha256, stop) or _copy(source, goal, sha256, told, stop)


def _link(source: Path, goal: Path, sha256: str, stop: threading.Event | None) -> bool:
    """As a second name of the same file; False where that is not possible: another drive, another user's file, a file system without."""
    part = goal.with_name(f".{goal.name}.{secrets.token_hex(4)}{partials.SUFFIX}")
    try:
        os.link(source.resolve(), part)
    except (OSError, NotImplementedError):
        return False
    try:
        if not has_content(part, sha256, stop):
            return False
        part.replace(goal)
        return True
    finally:
        part.unlink(missing_ok=True)  # it is still there where the goal was the same file already


def _copy(source: Path, goal: Path, sha256: str, told: Told | None, stop: threading.Event | None) -> bool:
    try:
        file = source.open("rb")
    except (OSError, ValueError):
        return False
    with file, partials.part_of(goal) as part:
        size = os.fstat(file.fileno()).st_size
        while True:
            if stop is not None and stop.is_set():
                raise Stopped
            try:
                piece = file.read(_BLOCK)
            except OSError:  # the share has gone; the daemon may still answer
                return False
            if not piece:
                break
            part.add(piece)
            if told is not None:
                told(part.size, size)
        if part.digest.hexdigest() != sha256:
            return False
        part.finish(goal)
        return True


def _candidates(client: Client, view: Mapping[str, Any], paths: PathMap | None) -> list[Path]:
    remote = str((view.get("files") or {}).get("clip") or "")
    if not remote:
        return []
    mapped = paths.to_local(remote) if paths else None
    found = [Path(mapped)] if mapped else []
    return [*found, Path(remote)] if runs_here(client) and Path(remote).is_absolute() else found


def _local(view: Mapping[str, Any], path: Path, *, shared: bool) -> LocalTake:
    request = view.get("request") or {}
    try:
        return LocalTake(
            id=str(view["id"]),
            path=str(path.resolve()),
            frames=int(view["frames"]),
            rate=Fraction(str(view["rate"])),
            width=int(view["width"]),
            height=int(view["height"]),
            sha256=str(view["sha256"]).lower(),
            shared=shared,
            text=str(view.get("text") or ""),
            speaker=str(view.get("speaker") or ""),
            seed=int(request.get("seed") or 0),
            measured=dict(view.get("measured") or {}),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise Damaged("The daemon's answer about the take cannot be understood.", "Update Retake.", code="bad_answer") from error
