"""Takes brought into `out`: which clips are there, where the next one goes, and putting it there."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from retake.domain.errors import RetakeError
from retake.domain.take import Take, TakeRequest
from retake.media.files import atomic_json, explain_os_error, sync_folder
from retake.watch.layout import Layout
from retake.watch.names import numbered
from retake.watch.orders import Order

_LARGEST_REPORT = 50_000_000  # bytes
# Whoever waits for a clip finds everything else beside it.
_ORDER = ("report", "captions", "poster", "timeline", "clip")


@dataclass(frozen=True)
class Made:
    """A clip in `out`, as its report tells.

    file, number: the dropped file that asked for it, and which of its clips it is.
    """

    stem: str
    file: str
    number: int
    take: str
    request: TakeRequest
    frames: int
    rate: str
    clip: Path


class Catalogue:
    """The clips in `out`. What is known comes from their reports alone, so that it is right after any crash and after the user tidied up."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._known: dict[str, tuple[tuple[int, int], Made | None]] = {}  # by name of the report: its time and size, and what it says
        self._stems: dict[str, set[str]] = {}  # in lower case, with the names of the files that have them
        self._lines: dict[str, Made] = {}

    def refresh(self) -> None:
        """Look at what is in `out` now. Reports are read again only if they have changed. Raises OSError."""
        known: dict[str, tuple[tuple[int, int], Made | None]] = {}
        stems: dict[str, set[str]] = {}
        with os.scandir(self._layout.out) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                stem = entry.name.rpartition(".")[0] or entry.name
                stems.setdefault(stem.casefold(), set()).add(entry.name)
                if not entry.name.endswith(".json") or not entry.is_file(follow_symlinks=False):
                    continue
                status = entry.stat(follow_symlinks=False)
                stamp = (status.st_mtime_ns, status.st_size)
                before = self._known.get(entry.name)
                known[entry.name] = before if before is not None and before[0] == stamp else (stamp, _made(Path(entry.path), status.st_size))
        self._known, self._stems = known, stems
        self._lines = {made.request.line_id: made for _, made in known.values() if made is not None}

    def all(self) -> list[Made]:
        """Clips that are complete, by the name of the dropped file and their number in it."""
        found = [made for _, made in self._known.values() if made is not None and made.clip.name in self._stems.get(made.stem.casefold(), ())]
        return sorted(found, key=_place)

    def of(self, line_id: str) -> Made | None:
        """What was delivered, or begun to be, for a line."""
        return self._lines.get(line_id)

    def free_stem(self, wanted: str) -> str:
        """`wanted`, or the first of wanted-2, wanted-3, ... of which nothing lies in `out`, whatever the case of its letters."""
        return next(stem for stem in numbered(wanted) if stem.casefold() not in self._stems)

    def add(self, made: Made) -> None:
        """Note what was delivered, until the next refresh."""
        self._known[f"{made.stem}.json"] = ((0, 0), made)
        self._stems[made.stem.casefold()] = {f"{made.stem}.json", made.clip.name}
        self._lines[made.request.line_id] = made


def deliver(layout: Layout, catalogue: Catalogue, order: Order, take: Take, file: str) -> Made:
    """Bring a take into `out` for the clip that `file` asked for. Nothing happens if it is there already.

    Raises RetakeError for a disk that is full, a folder that cannot be written, or a take that has gone.
    """
    before = catalogue.of(order.request.line_id)
    if before is not None and before.take == take.id and _is_complete(before, take):
        return before
    if before is not None:
        stem = before.stem
    else:
        stem = catalogue.free_stem(order.stem)
        while any(os.path.lexists(layout.out / _file(stem, name)) for name in _ORDER):  # put there by somebody since we last looked
            catalogue.refresh()
            stem = catalogue.free_stem(order.stem)
    made = Made(stem, file, order.number, take.id, order.request, take.frames, take.rate, layout.out / f"{stem}.mp4")
    folder = layout.incoming / order.request.line_id
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _write(folder, made, take, layout.out)
        for name in _ORDER:
            part = folder / _file(stem, name)
            part.replace(layout.out / part.name)
        folder.rmdir()
        sync_folder(layout.out)  # before the dropped file is moved to `done`, which would tell that its clips are here
    except OSError as error:
        raise explain_os_error(error, made.clip) from error
    catalogue.add(made)
    return made


def sweep(layout: Layout) -> None:
    """Remove what a run that was killed had begun to write."""
    for entry in layout.incoming.iterdir():
        shutil.rmtree(entry, ignore_errors=True)


_SUFFIXES = {"clip": ".mp4", "timeline": ".otio", "captions": ".srt", "report": ".json", "poster": ".png"}


def _file(stem: str, name: str) -> str:
    return f"{stem}{_SUFFIXES[name]}"


def _write(folder: Path, made: Made, take: Take, out: Path) -> None:
    from retake.takes.delivery import stored_report
    from retake.takes.finish import files_in, write_timeline

    report = stored_report(take)
    report |= {"request": made.request.model_dump(mode="json"), "watch": {"file": made.file, "number": made.number}}
    atomic_json(folder / _file(made.stem, "report"), report)
    for name in ("captions", "poster", "clip"):
        target = folder / _file(made.stem, name)
        shutil.copyfile(getattr(take.files, name), target)
        with target.open("rb+") as file:
            os.fsync(file.fileno())
    # The timeline points to where the clip will lie.
    moved = take.model_copy(update={"files": files_in(out, made.stem), "request": made.request})
    write_timeline(folder / _file(made.stem, "timeline"), moved)


def _is_complete(made: Made, take: Take) -> bool:
    try:
        same = made.clip.stat().st_size == Path(take.files.clip).stat().st_size
    except OSError:
        return False
    return same and all(made.clip.with_suffix(suffix).is_file() for suffix in _SUFFIXES.values())


def _made(report: Path, size: int) -> Made | None:
    """What a report tells; None for a file that is none of ours."""
    if size > _LARGEST_REPORT:
        return None
    try:
        found = json.loads(report.read_text("utf-8"))
        return Made(
            report.stem,
            str(found["watch"]["file"]),
            int(found["watch"]["number"]),
            str(found["take"]),
            TakeRequest.model_validate(found["request"]),
            int(found["clip"]["frames"]),
            str(found["clip"]["rate"]),
            report.with_suffix(".mp4"),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError, RetakeError):
        return None


def _place(made: Made) -> tuple[str, int, str]:
    return made.file.casefold(), made.number, made.stem
