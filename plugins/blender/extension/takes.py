"""The takes of a line: kept, switched, locked, compared, and looked for where their files are gone.

Takes are kept at the strips that show them, so that they go along when strips are copied or cut. All strips of a line show the same take: the
pieces of a clip that was cut, and copies of it. `make_own` makes a copy a line of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from retake_client.convention import new_line_id

from . import compat, lines, placing, state
from .placing import Placed, PlacingError

COMPARED = "Retake compare"  # how strips begin that are there for comparing alone


@dataclass(frozen=True)
class TakeFacts:
    """A finished take. `path` is absolute; `frames` counts the whole file; `handles` of them lie before and behind what is meant to be seen."""

    id: str
    path: str
    frames: int
    rate: Fraction
    handles: int
    width: int
    height: int
    seed: int
    text: str
    speaker: str
    sha256: str
    measured: dict[str, Any]
    line: str

    @property
    def slot(self) -> int:
        """Frames that are meant to be seen."""
        return self.frames - 2 * self.handles


def remember(collection: Any, facts: TakeFacts) -> Any:
    """Add the take to a list of takes, or bring the one that is there up to date; returns the entry."""
    index = state.find(collection, facts.id)
    entry = collection[index] if index >= 0 else collection.add()
    entry.id = facts.id
    entry.path = placing.blend_path(facts.path)
    entry.rate = str(facts.rate)
    for name in ("frames", "handles", "width", "height", "seed", "text", "speaker", "sha256", "line"):
        setattr(entry, name, getattr(facts, name))
    entry.measured = json.dumps(facts.measured, sort_keys=True)
    return entry


def facts_of(entry: Any) -> TakeFacts:
    """The stored take, its file wherever it is found now (see `file_of`)."""
    return TakeFacts(
        id=entry.id,
        path=file_of(entry) or placing.real_path(entry.path),
        frames=entry.frames,
        rate=Fraction(entry.rate or 0),
        handles=entry.handles,
        width=entry.width,
        height=entry.height,
        seed=entry.seed,
        text=entry.text,
        speaker=entry.speaker,
        sha256=entry.sha256,
        measured=json.loads(entry.measured or "{}"),
        line=entry.line,
    )


_chosen: list[Callable[[], str]] = []


def configure_folder(chosen: Callable[[], str] | None) -> None:
    """Say where the user wants all takes: `chosen()` returns an absolute folder, or "" for the usual place."""
    _chosen[:] = [] if chosen is None else [chosen]


def takes_folder() -> str:
    """Where new takes go: the folder that the user has set, `retake` beside the .blend, or a folder of the user's own while it has not been saved."""
    chosen = _chosen[0]() if _chosen else ""
    if chosen:
        return chosen
    if bpy.data.is_saved:
        return str(Path(bpy.data.filepath).parent / "retake")
    return unsaved_folder()


def unsaved_folder() -> str:
    """Where the takes of files that have not been saved yet go."""
    package = __package__ or ""
    if package.startswith("bl_ext."):
        return bpy.utils.extension_path_user(package, path="takes", create=True)
    return bpy.utils.user_resource("DATAFILES", path="retake", create=True)


def folders_of(scene: bpy.types.Scene) -> list[Path]:
    """Folders in which a take's file may be: that for new takes, that of the .blend, and those where strips have theirs.

    The last help after *Save As* into another folder: Blender then rewrites the paths of strips, and not those of properties.
    """
    pictures = [strip for strip in compat.all_strips_of(scene) if strip.type == "MOVIE" and strip.retake.role == "PICTURE"]
    shown = {Path(placing.real_path(strip.filepath)).parent for strip in pictures}
    return [Path(takes_folder()), Path(bpy.path.abspath("//")), *sorted(shown)]


def places_of(entry: Any, folders: list[Path] | None = None) -> list[Path]:
    """Where the take's file may be: as stored, else by its name in `folders` (`folders_of` its scene)."""
    stored = placing.real_path(entry.path)
    name = Path(stored).name if stored else f"{entry.id}.mp4"
    others = (folder / name for folder in (folders_of(entry.id_data) if folders is None else folders))
    return list(dict.fromkeys([*([Path(stored)] if stored else []), *others]))


def file_of(entry: Any) -> str | None:
    """Where the take's file is (see `places_of`), or None."""
    stored = placing.real_path(entry.path)
    if stored and Path(stored).is_file():
        return stored
    return next((str(path) for path in places_of(entry) if path.is_file()), None)


def missing(scene: bpy.types.Scene) -> list[tuple[str, str, str]]:
    """(strip's name, take's id, file) of shown takes whose file is gone; Blender shows nothing or one frame there."""
    out: list[tuple[str, str, str]] = []
    for strip in compat.all_strips_of(scene):
        if strip.retake.role != "PICTURE":
            continue
        for entry in strip.retake.takes:
            if entry.id == strip.retake.take and file_of(entry) is None:
                out.append((strip.name, entry.id, placing.real_path(entry.path)))
    return out


def active_take(strip: Any) -> Any:
    """The entry of the take that the strip shows, or None."""
    index = state.find(strip.retake.takes, strip.retake.take)
    return strip.retake.takes[index] if index >= 0 else None


def picture_of(scene: bpy.types.Scene, strip: Any) -> Any:
    """The picture strip that keeps the takes of the line to which `strip` (picture, sound or placeholder) belongs, or None."""
    if strip is None:
        return None
    if strip.retake.role == "PICTURE":
        return strip
    return first_picture(scene, strip.retake.line)


def first_picture(scene: bpy.types.Scene, line: str) -> Any:
    """The first strip that shows the line with this id, or None."""
    return next(iter(lines.strips_of_line(scene, line, "PICTURE")), None)


def name_of(facts: TakeFacts) -> str:
    """What people call the take: who says what."""
    words = f"{facts.speaker}: {facts.text}" if facts.speaker else facts.text
    return words if len(words) <= 40 else f"{words[:39].rstrip()}…"


def fill(
    scene: bpy.types.Scene,
    facts: TakeFacts,
    *,
    name: str,
    frame: int,
    under: Any = None,
    above: int = 0,
    conform: str = "FIT",
    part: tuple[int, int] | None = None,
) -> Placed:
    """Show a take of a line that shows none yet: new strips at `frame`.

    Args:
        part: (first frame of the file, how many) to be shown; None: what is meant to be seen, without handles.

    Raises PlacingError, and changes nothing then.
    """
    first, count = part or (facts.handles, max(1, facts.slot))
    placed = placing.place(scene, facts.path, name=name, frame=frame, frames=count, handles=first, under=under, above=above)
    for strip, role in ((placed.pictures[0], "PICTURE"), (placed.sounds[0], "SOUND")):
        own = strip.retake
        own.line, own.role, own.text, own.speaker, own.seed, own.take = facts.line, role, facts.text, facts.speaker, facts.seed, facts.id
        own.conform = conform
    remember(placed.pictures[0].retake.takes, facts)
    if conform == "RIPPLE" and under is not None and compat.length_of(under) != facts.slot:
        placed.said += placing.resize(scene, [*placed.pictures, *placed.sounds], facts.slot, holder=under)
    return placed


def show(scene: bpy.types.Scene, facts: TakeFacts, *, conform: str = "FIT", frames: int | None = None) -> Placed:
    """Show a take in the strips that show its line; they keep their place, length and look.

    Args:
        conform: RIPPLE: a clip that was not cut gets the take's length, and what is behind moves.
        frames: the line's time where it has changed; a clip that was not trimmed gets this length.

    Raises PlacingError, and changes nothing then.
    """
    placing.check_file(facts.path)
    check_open(scene, facts.line)
    pictures = lines.strips_of_line(scene, facts.line, "PICTURE")
    sounds = lines.strips_of_line(scene, facts.line, "SOUND")
    before = active_take(pictures[0]) if pictures else None
    whole = len(pictures) == 1 and before is not None and compat.length_of(pictures[0]) == before.frames - 2 * before.handles
    shift = facts.handles - (before.handles if before is not None else 0)
    for strip in (*pictures, *sounds):
        placing.swap(strip, facts.path, shift=shift)
        own = strip.retake
        own.text, own.speaker, own.seed, own.take = facts.text, facts.speaker, facts.seed, facts.id
    for picture in pictures:
        remember(picture.retake.takes, facts)
        picture.retake.active = state.find(picture.retake.takes, facts.id)
    placed = Placed(pictures, sounds)
    together = [strip for strip in sounds if pictures and compat.start_of(strip) == compat.start_of(pictures[0])]
    if conform == "RIPPLE" and whole:
        holder = next(iter(lines.strips_of_line(scene, facts.line, "PLACEHOLDER")), None)
        placed.said += placing.resize(scene, [*pictures, *together], facts.slot, holder=holder)
    elif whole and frames is not None and frames != compat.length_of(pictures[0]):
        for strip in (*pictures, *together):
            compat.show(strip, compat.start_of(strip), compat.start_of(strip) + frames)
    return placed


def check_open(scene: bpy.types.Scene, line: str) -> None:
    """Raise PlacingError if one of the line's strips, or its channel, is locked in the sequencer: what it shows is not to change."""
    for strip in (*lines.strips_of_line(scene, line, "PICTURE"), *lines.strips_of_line(scene, line, "SOUND")):
        if strip.lock or strip.channel in compat.locked_channels(compat.owner_of(scene, strip)):
            raise PlacingError(f"'{strip.name}' is locked in the sequencer.", "Unlock the strip and its channel.")


def switch(scene: bpy.types.Scene, strip: Any, take: str) -> Placed:
    """Show another one of the line's takes. Raises PlacingError: locked, no such take, its file is gone."""
    picture = picture_of(scene, strip)
    index = state.find(picture.retake.takes, take) if picture is not None else -1
    if picture is None or index < 0:
        raise PlacingError("This strip has no such take.", "Choose one of its list.")
    if picture.retake.locked:
        raise PlacingError("The line is locked.", "Unlock it first.")
    return show(scene, facts_of(picture.retake.takes[index]), conform=picture.retake.conform)


def lock(scene: bpy.types.Scene, strip: Any, locked: bool) -> None:
    """Keep the take that is shown: neither fill all nor a take that arrives later replaces it."""
    picture = picture_of(scene, strip)
    if picture is None:
        raise PlacingError("This strip shows no take.", "Generate the line first.")
    for one in (*lines.strips_of_line(scene, picture.retake.line, "PICTURE"), *lines.strips_of_line(scene, picture.retake.line, "SOUND")):
        one.retake.locked = locked


def compare(scene: bpy.types.Scene, strip: Any, take: str) -> Placed:
    """Show another take beside the shown one, as a split screen: its right half over the right half of the shown one, on the next channels, its sound
    muted. `end_compare` takes it away again."""
    picture = picture_of(scene, strip)
    index = state.find(picture.retake.takes, take) if picture is not None else -1
    if picture is None or index < 0:
        raise PlacingError("This strip has no such take.", "Choose one of its list.")
    other, now = facts_of(picture.retake.takes[index]), active_take(picture)
    line_start = compat.content_start(picture) + (now.handles if now is not None else 0)
    placed = placing.place(
        scene,
        other.path,
        name=f"{COMPARED}: {picture.name}",
        frame=line_start,
        frames=max(1, other.slot),
        handles=other.handles,
        beside=picture,
        above=picture.channel,
    )
    shown = placed.pictures[0]
    shown.crop.min_x = other.width // 2
    for name in ("offset_x", "offset_y", "scale_x", "scale_y", "rotation"):
        setattr(shown.transform, name, getattr(picture.transform, name))
    placed.sounds[0].mute = True
    for one in (shown, placed.sounds[0]):
        compat.show(one, compat.start_of(picture), compat.end_of(picture))
    return placed


def end_compare(scene: bpy.types.Scene) -> int:
    """Remove the strips that `compare` made; returns how many."""
    found = [strip for strip in compat.all_strips_of(scene) if strip.name.startswith(COMPARED)]
    for strip in found:
        compat.remove_strip(scene, strip)
    return len(found)


def make_own(scene: bpy.types.Scene, strip: Any) -> str:
    """Make the strip, and the sound or picture that begins with it, a line of its own; returns its id."""
    old, start = strip.retake.line, compat.start_of(strip)
    new = new_line_id()
    for one in compat.all_strips_of(scene):
        if old and one.retake.line == old and one.retake.role in {"PICTURE", "SOUND"} and compat.start_of(one) == start:
            one.retake.line = new
            for entry in one.retake.takes:
                entry.line = new
    return new


def place_unplaced(scene: bpy.types.Scene, take: str, frame: int) -> Placed:
    """Put a take that came when its line was gone at `frame`. Raises PlacingError."""
    kept = scene.retake.unplaced
    index = state.find(kept, take)
    if index < 0:
        raise PlacingError("There is no such take.", "Choose one of the list.")
    facts = facts_of(kept[index])
    placed = fill(scene, facts, name=name_of(facts), frame=frame)
    kept.remove(index)
    return placed
