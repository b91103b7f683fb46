"""Takes onto the timeline: a movie strip and a sound strip, at the exact frames, on free channels; and other takes into strips that are there.

Picture and sound are two strips of one name, **connected** as Blender connects the picture and sound of a movie that is dropped into the sequencer:
who clicks one has both selected and moves both, while each keeps its own handles, volume and effects. A meta strip would hide the waveform and stand
in the way of dissolves. Connecting needs a visible sequencer; where none is visible, it is done as soon as one is (`connect_waiting`).

A placeholder stays under its take, muted: it holds the words and the time, so the line can be edited and filled again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from . import compat
from .channels import Span, free_pair, plan_ripple

COLOUR_SPACE = "sRGB"  # what Blender calls BT.709 video, which takes are
LONGEST_NAME = 55  # bytes; Blender's names hold 63, and it appends ".001"


class PlacingError(Exception):
    """A take that cannot be put on the timeline. `cause` and `remedy` are one sentence each."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(f"{cause} {remedy}")
        self.cause = cause
        self.remedy = remedy


@dataclass
class Placed:
    """What was done. said: sentences that the editor should read."""

    pictures: list[Any] = field(default_factory=list)
    sounds: list[Any] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def spans_of(owner: Any) -> list[Span]:
    """The strips of an editor or meta strip, as room that is taken."""
    locked = compat.locked_channels(owner)
    return [
        Span(strip.name, strip.channel, compat.start_of(strip), compat.end_of(strip), fixed=strip.lock or strip.channel in locked)
        for strip in compat.strips_in(owner)
    ]


def place(
    scene: bpy.types.Scene,
    path: str,
    *,
    name: str,
    frame: int,
    frames: int,
    handles: int,
    under: Any = None,
    beside: Any = None,
    above: int = 0,
) -> Placed:
    """Put a take on the timeline.

    Args:
        path: of the file, absolute.
        frame, frames: where what is shown begins, and how long it is; the content lies `handles` frames further left.
        under: placeholder strip that the take lies above and beside which (in the same meta strip) it is put.
        beside: strip in whose meta strip it is put, if there is no placeholder.
        above: channel above which it is put, if there is no placeholder.

    Raises PlacingError: the file is not there, no room.
    """
    check_file(path)
    owner = compat.owner_of(scene, under if under is not None else beside)
    closed = compat.locked_channels(owner) | compat.muted_channels(owner)
    pair = free_pair(spans_of(owner), frame, frame + frames, closed=closed, above=max(above, under.channel if under is not None else 0))
    if pair is None:
        raise PlacingError("There is no room for the take: all channels are taken or locked there.", "Unlock or clear two neighbouring channels.")
    shown = blend_path(path)
    picture = compat.new_movie(owner, short_name(name), shown, channel=pair[1], start=frame - handles)
    sound = compat.new_sound(owner, short_name(name), shown, channel=pair[0], start=frame - handles)
    placed = Placed([picture], [sound])
    if compat.content_length(picture) <= 1 < frames:
        compat.remove_strip(scene, sound)
        compat.remove_strip(scene, picture)
        raise PlacingError(f"Blender cannot read '{Path(path).name}'.", "Delete the file and generate the line again.")
    for strip in (picture, sound):
        compat.show(strip, frame, frame + frames)
    if compat.content_length(picture) < frames + handles:
        placed.said.append(f"'{name}' is {frames + handles - compat.content_length(picture)} frames shorter than its place.")
    compat.set_colour_space(picture, COLOUR_SPACE)
    _like_its_neighbours(owner, picture)
    connect(scene, picture, sound)
    if under is not None and not under.lock and under.channel not in compat.locked_channels(owner):
        under.mute = True
    return placed


def swap(strip: Any, path: str, *, shift: int) -> None:
    """Show another file in a strip; the strip keeps its place, handles, transform, effects, volume and everything else.

    Args:
        shift: frames by which the new content begins further left than the old one (it has longer handles).
    """
    check_file(path)
    start, end = compat.start_of(strip), compat.end_of(strip)
    content = compat.content_start(strip)
    if strip.type == "SOUND":
        old = strip.sound
        strip.sound = bpy.data.sounds.load(blend_path(path), check_existing=True)
        if old is not None and old.users == 0:
            bpy.data.sounds.remove(old)
    else:
        strip.filepath = blend_path(path)
        compat.set_colour_space(strip, COLOUR_SPACE)
    compat.show(strip, start, end, content=content - shift)


def resize(scene: bpy.types.Scene, strips: Sequence[Any], frames: int, *, holder: Any = None) -> list[str]:
    """Make strips that begin together `frames` long and move everything behind them (ripple); returns what the editor should look at.

    Args:
        holder: their placeholder. Where there is one, its length is the time that the line had until now, and it grows with them.
    """
    if not strips:
        return []
    owner = compat.owner_of(scene, strips[0])
    first = min(compat.start_of(strip) for strip in strips)
    until = compat.end_of(holder) if holder is not None else max(compat.end_of(strip) for strip in strips)
    by = first + frames - until
    own = {strip.name for strip in strips} | ({holder.name} if holder is not None else set())
    said = shift_behind(scene, owner, until, by, own=own) if by else []
    for strip in strips:
        compat.show(strip, compat.start_of(strip), first + frames)
    if holder is not None and not holder.lock and holder.channel not in compat.locked_channels(owner):
        compat.set_length(holder, frames)
    return said


def shift_behind(scene: bpy.types.Scene, owner: Any, at: int, by: int, *, own: set[str]) -> list[str]:
    """Move what begins at or behind frame `at`, markers too, by `by` frames; returns what the editor should look at."""
    plan = plan_ripple(spans_of(owner), at, by, own=own)
    moving = set(plan.moved)
    # Effects follow the strips that they are made of. Those that go furthest go first, so that none runs into the next one on its way.
    going = [strip for strip in compat.strips_in(owner) if strip.name in moving and not getattr(strip, "input_count", 0)]
    for strip in sorted(going, key=compat.start_of, reverse=by > 0):
        compat.move_by(strip, by)
    said = plan.conflicts()
    behind = [marker for marker in scene.timeline_markers if marker.frame >= at]
    if behind and scene.tool_settings.lock_markers:
        said.append("Markers are locked and stayed where they were.")
    else:
        for marker in behind:
            marker.frame += by
    return said


def connect(scene: bpy.types.Scene, picture: Any, sound: Any) -> bool:
    """Connect picture and sound; False (and noted for later) where no sequencer shows this scene."""
    if not compat.can_connect():
        return False
    inside = compat.owner_of(scene, picture) != compat.editor_of(scene)
    if inside:  # the operator works on the level of the timeline that is shown
        return False
    picture.retake.unconnected = True
    with compat.in_sequencer(scene) as seen:
        if not seen:
            return False
        editor = compat.editor_of(scene)
        before = [strip for strip in compat.strips_of(scene) if strip.select]
        active = editor.active_strip
        for strip in before:
            strip.select = False
        picture.select = sound.select = True
        try:
            bpy.ops.sequencer.connect(toggle=False)
            picture.retake.unconnected = False
        except RuntimeError:  # the sequencer does not let anybody edit now
            return False
        finally:
            picture.select = sound.select = False
            for strip in before:
                strip.select = True
            editor.active_strip = active
    return True


def connect_waiting(scene: bpy.types.Scene) -> int:
    """Connect pairs that could not be connected when they were placed; returns how many were."""
    waiting = [strip for strip in compat.strips_of(scene) if strip.retake.unconnected]
    if not waiting or compat.sequencer_area(scene) is None:
        return 0
    done = 0
    for picture in waiting:
        start = compat.start_of(picture)
        sounds = [
            strip
            for strip in compat.strips_of(scene)
            if strip.retake.role == "SOUND" and strip.retake.line == picture.retake.line and compat.start_of(strip) == start
        ]
        if len(sounds) == 1:
            done += connect(scene, picture, sounds[0])
        else:  # taken apart since
            picture.retake.unconnected = False
    return done


def check_file(path: str) -> None:
    """Raise PlacingError unless there is a file: Blender would make a silent strip of one frame."""
    found = Path(path)
    if not found.is_file() or found.stat().st_size == 0:
        raise PlacingError(f"The take '{found.name}' is not in '{found.parent}'.", "Put the file back, or generate the line again.")


def blend_path(path: str) -> str:
    """As it is stored in this .blend: relative to it (`//`) where that can be."""
    if not bpy.data.is_saved:
        return path
    try:
        return bpy.path.relpath(path)
    except ValueError:  # another drive
        return path


def real_path(path: str) -> str:
    """The absolute path of one that is stored in this .blend."""
    return str(Path(bpy.path.abspath(path)).absolute()) if path else ""


def short_name(name: str) -> str:
    """A strip's name, cut to what Blender can hold."""
    return name.encode("utf-8")[:LONGEST_NAME].decode("utf-8", "ignore").rstrip()


def _like_its_neighbours(owner: Any, picture: Any) -> None:
    """Proxies as the timeline's other movies have them. They are built by the user's own command: that takes minutes."""
    for other in compat.strips_in(owner):
        if other.type != "MOVIE" or other == picture or not other.use_proxy or other.proxy is None:
            continue
        picture.use_proxy = True
        if picture.proxy is not None:
            for name in ("build_25", "build_50", "build_75", "build_100", "quality", "use_overwrite"):
                setattr(picture.proxy, name, getattr(other.proxy, name))
        return
