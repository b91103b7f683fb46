"""Two names of one place: a shared folder is Z:\\retake on one machine and /mnt/retake on the other.

Paths are compared as text, never looked up: the other machine's paths cannot be. Windows paths are understood on every system, whichever way
their slashes lean, and without regard to case.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import BadRequest

EXAMPLE = "/mnt/retake = Z:\\retake"
_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/]|$)")
_MOST = 100


@dataclass(frozen=True)
class _Place:
    """An absolute folder: `parts` below `root` ("/" , "Z:" or "\\\\server\\share")."""

    windows: bool
    root: str
    parts: tuple[str, ...]

    def same(self, text: str) -> str:
        return text.casefold() if self.windows else text

    def tail_of(self, other: _Place) -> tuple[str, ...] | None:
        """The parts of `other` below this folder; None if it lies elsewhere."""
        if self.windows != other.windows or self.same(self.root) != other.same(other.root) or len(other.parts) < len(self.parts):
            return None
        for number, part in enumerate(self.parts):
            if self.same(part) != self.same(other.parts[number]):
                return None
        return other.parts[len(self.parts) :]

    def joined(self, tail: Sequence[str]) -> str:
        if self.windows:
            return "\\".join([self.root, *self.parts, *tail]) if self.parts or tail else self.root + "\\"
        return "/" + "/".join([*self.parts, *tail])


class PathMap:
    """Pairs of (remote, local): a folder as the daemon's machine names it, and as this one does. The longest prefix that fits wins.

    Raises BadRequest (bad_path_map) for a folder that is not absolute, or has ".." in it.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: tuple[tuple[str, str], ...] = tuple((str(remote).strip(), str(local).strip()) for remote, local in pairs)
        if len(self.pairs) > _MOST:
            raise _bad(f"The path map has {len(self.pairs)} entries, and {_MOST} are possible.")
        self._places = [(_folder(remote), _folder(local)) for remote, local in self.pairs]

    @classmethod
    def parse(cls, text: str) -> PathMap:
        """Read "REMOTE=LOCAL; REMOTE=LOCAL", or one pair in a line, as `text` writes it. Raises BadRequest (bad_path_map)."""
        pairs: list[tuple[str, str]] = []
        for entry in re.split(r"[;\n]", text):
            if not entry.strip():
                continue
            remote, equals, local = entry.partition("=")
            if not equals:
                raise _bad(f"'{entry.strip()[:100]}' has no '='.")
            pairs.append((remote, local))
        return cls(pairs)

    def text(self) -> str:
        """The map as preferences keep it."""
        return "; ".join(f"{remote}={local}" for remote, local in self.pairs)

    def to_local(self, remote: str) -> str | None:
        """The daemon's path `remote` as this machine names it; None where no pair fits or the path is not absolute or has ".."."""
        return self._translated(remote, 0, 1)

    def to_remote(self, local: str) -> str | None:
        """This machine's path `local` as the daemon names it; None as above."""
        return self._translated(local, 1, 0)

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PathMap) and other.pairs == self.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"PathMap({self.text()!r})"

    def _translated(self, path: str, source: int, target: int) -> str | None:
        place = _place(str(path))
        if place is None:
            return None
        best: tuple[int, str] | None = None
        for pair in self._places:
            tail = pair[source].tail_of(place)
            if tail is None or not _can_hold(pair[target], tail):
                continue
            length = len(pair[source].parts)
            if best is None or length > best[0]:
                best = (length, pair[target].joined(tail))
        return None if best is None else best[1]


def is_absolute(path: str) -> bool:
    """Whether `path` says where it is on some system: "/a", "Z:\\a", "\\\\server\\share\\a"."""
    return _place(path) is not None


def same_place(one: str, other: str) -> bool:
    """Whether two paths are written for the same place (the file system is not asked)."""
    a, b = _place(one), _place(other)
    return a is not None and b is not None and a.tail_of(b) == ()


def inside(folder: str | os.PathLike[str], path: str | os.PathLike[str]) -> bool:
    """Whether `path` is `folder` or lies in it, as they are written."""
    a, b = _place(os.fspath(folder)), _place(os.fspath(path))
    return a is not None and b is not None and a.tail_of(b) is not None


def _place(path: str) -> _Place | None:
    """What an absolute path names; None for any other, and for one with ".." or a zero character."""
    if not path or "\0" in path:
        return None
    extended = re.match(r"[\\/]{2}\?[\\/](UNC[\\/])?", path, re.IGNORECASE)
    if extended is not None:
        path = ("\\\\" if extended[1] else "") + path[extended.end() :]
    if _DRIVE.match(path):
        return _of_parts(True, path[:2].upper(), path[2:].replace("/", "\\").split("\\"))
    if path.startswith(("\\\\", "//")) and (path.startswith("\\\\") or not path.startswith("///")):
        server, *rest = [part for part in path.replace("/", "\\").split("\\") if part]
        if not rest or server in {".", "?"}:
            return None  # a device, or a server without a share
        return _of_parts(True, f"\\\\{server}\\{rest[0]}", rest[1:])
    if path.startswith("/"):
        return _of_parts(False, "/", path.split("/"))
    return None


def _of_parts(windows: bool, root: str, parts: Sequence[str]) -> _Place | None:
    kept = tuple(part for part in parts if part and part != ".")
    if ".." in kept or (windows and any(part.strip() == ".." for part in kept)):
        return None
    return _Place(windows, root, kept)


def _can_hold(target: _Place, tail: Sequence[str]) -> bool:
    """A name with a backslash, colon or stream is one name on POSIX and several things on Windows."""
    return not target.windows or not any(re.search(r'[\\:*?"<>|\x00-\x1f]', part) for part in tail)


def _folder(text: str) -> _Place:
    place = _place(text)
    if place is None:
        raise _bad(f"'{text[:100]}' is no absolute folder.")
    return place


def _bad(cause: str) -> BadRequest:
    return BadRequest(cause, f"Write the folder's name on the daemon's machine, '=' and its name here, for example {EXAMPLE}.", code="bad_path_map")
