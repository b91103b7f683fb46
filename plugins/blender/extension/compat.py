"""All differences between Blender's versions, and nowhere else.

Run on 4.5.15 and 5.0.1. Branches for 4.2 to 4.4 and for 5.1 and later were written from the published interface and have **not** been run; they are
those marked "not run". What a version has is asked of its own type information rather than of its number wherever that can be asked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy

VERSION = bpy.app.version
STRIP_TYPE = getattr(bpy.types, "Strip", None) or bpy.types.Sequence  # `Sequence` until 4.3: not run
# 5.1 renames the handles (the old names go in a later version): new name first.
_HANDLES = {
    "content_start": ("content_start", "frame_start"),
    "content_length": ("content_duration", "frame_duration"),
    "start": ("left_handle", "frame_final_start"),
    "end": ("right_handle", "frame_final_end"),
    "length": ("duration", "frame_final_duration"),
    "trim_start": ("left_handle_offset", "frame_offset_start"),
    "trim_end": ("right_handle_offset", "frame_offset_end"),
}
_KNOWN = set(STRIP_TYPE.bl_rna.properties.keys())
_NAMES = {what: next((name for name in names if name in _KNOWN), names[-1]) for what, names in _HANDLES.items()}  # 5.1+ names: not run


# Scenes


def edited_scene(context: Any = None) -> bpy.types.Scene:
    """The scene whose timeline the user edits: from 5.0 on a workspace may edit another one than the window shows."""
    context = context or bpy.context
    found = getattr(context, "sequencer_scene", None)
    if found is None and context.window is None:  # a timer: what a sequencer shows comes before what the first window shows
        found = next(iter(shown_scenes()), None)
    return found or context.scene


def shown_scenes() -> list[bpy.types.Scene]:
    """The scenes whose timelines are shown now, in any window, each once."""
    out: list[bpy.types.Scene] = []
    for window in bpy.context.window_manager.windows:
        scene = _scene_of(window)
        if scene not in out and any(area.type == "SEQUENCE_EDITOR" for area in window.screen.areas):
            out.append(scene)
    return out


def own_scenes() -> list[bpy.types.Scene]:
    """The scenes of this file; those that are linked from another file cannot be changed (what is written to them is lost)."""
    return [scene for scene in bpy.data.scenes if scene.library is None]


def _scene_of(window: Any) -> bpy.types.Scene:
    return getattr(window.workspace, "sequencer_scene", None) or window.scene


def editor_of(scene: bpy.types.Scene) -> Any:
    """The scene's sequence editor, made if there is none. Changes the scene then: not for `draw`."""
    return scene.sequence_editor or scene.sequence_editor_create()


def strips_of(scene: bpy.types.Scene) -> Any:
    """The strips at the top level of the timeline, as Blender's own collection; empty tuple if there is no edit yet."""
    editor = scene.sequence_editor
    return () if editor is None else strips_in(editor)


def all_strips_of(scene: bpy.types.Scene) -> Any:
    """The same, with those inside of meta strips."""
    editor = scene.sequence_editor
    if editor is None:
        return ()
    return editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all  # 4.2, 4.3: not run


def owner_of(scene: bpy.types.Scene, strip: Any = None) -> Any:
    """What holds the strip: the meta strip that it lies in, else the scene's sequence editor. Both have strips and channels of their own."""
    return (strip.parent_meta() if strip is not None else None) or editor_of(scene)


def strips_in(owner: Any) -> Any:
    """The strips of an editor or a meta strip."""
    return owner.strips if hasattr(owner, "strips") else owner.sequences  # 4.2, 4.3: not run


def new_effect(owner: Any, kind: str, name: str, *, channel: int, start: int, length: int, inputs: tuple[Any, ...] = ()) -> Any:
    """A new effect strip (TEXT, COLOR, CROSS, ...), `length` frames long, of no strip, one or two."""
    strips = strips_in(owner)
    known = strips.bl_rna.functions["new_effect"].parameters.keys()
    names = ("input1", "input2") if "input1" in known else ("seq1", "seq2")  # the latter: not run
    more = dict(zip(names, inputs, strict=False))
    if VERSION >= (5, 0, 0):
        return strips.new_effect(name=name, type=kind, channel=channel, frame_start=start, length=length, **more)
    return strips.new_effect(name=name, type=kind, channel=channel, frame_start=start, frame_end=start + length, **more)


def new_movie(owner: Any, name: str, path: str, *, channel: int, start: int) -> Any:
    """A new movie strip whose first frame of content is at `start`. The file must be there: Blender makes a strip of one frame otherwise."""
    return strips_in(owner).new_movie(name=name, filepath=path, channel=channel, frame_start=start, fit_method="FIT")


def new_sound(owner: Any, name: str, path: str, *, channel: int, start: int) -> Any:
    """A new sound strip; `path` may be a movie."""
    return strips_in(owner).new_sound(name=name, filepath=path, channel=channel, frame_start=start)


def remove_strip(scene: bpy.types.Scene, strip: Any) -> None:
    strips_in(owner_of(scene, strip)).remove(strip)


# Where a strip is, in frames; ends are exclusive


def content_start(strip: Any) -> int:
    """Where the first frame of the strip's content would be if nothing was trimmed."""
    return round(getattr(strip, _NAMES["content_start"]))


def content_length(strip: Any) -> int:
    return int(getattr(strip, _NAMES["content_length"]))


def start_of(strip: Any) -> int:
    return int(getattr(strip, _NAMES["start"]))


def end_of(strip: Any) -> int:
    return int(getattr(strip, _NAMES["end"]))


def length_of(strip: Any) -> int:
    return end_of(strip) - start_of(strip)


def move_content(strip: Any, start: int) -> None:
    """Move the whole strip so that its content begins at `start`; what is shown of the content stays."""
    with _same_channel(strip):
        setattr(strip, _NAMES["content_start"], start)


def move_by(strip: Any, frames: int) -> None:
    with _same_channel(strip):
        setattr(strip, _NAMES["content_start"], getattr(strip, _NAMES["content_start"]) + frames)


def show(strip: Any, start: int, end: int, *, content: int | None = None) -> None:
    """Set the handles: what is shown lasts from `start` to `end` of the timeline. The content begins at `content`, or stays where it is."""
    with _same_channel(strip):
        if content is not None:
            setattr(strip, _NAMES["content_start"], content)
        setattr(strip, _NAMES["trim_start"], start - content_start(strip))
        setattr(strip, _NAMES["trim_end"], content_start(strip) + content_length(strip) - end)


@contextmanager
def _same_channel(strip: Any) -> Iterator[None]:
    """Blender moves a strip to another channel as soon as it lies over its neighbour, also between two steps of one change.

    It goes back if there is room in the end: 4.5 never comes back from putting a strip onto a channel that is taken.
    """
    channel = strip.channel
    yield
    if strip.channel != channel:
        start, end = start_of(strip), end_of(strip)
        others = (other for other in strips_in(owner_of(strip.id_data, strip)) if other.channel == channel)
        if not any(other != strip and start_of(other) < end and start < end_of(other) for other in others):
            strip.channel = channel


def set_length(strip: Any, frames: int) -> None:
    """Move the right handle of a strip without a file (text, colour) so that it lasts `frames`."""
    with _same_channel(strip):
        setattr(strip, _NAMES["length"], frames)


# Channels


def locked_channels(owner: Any) -> set[int]:
    """Numbers (from 1) of channels of an editor or meta strip that the user has locked."""
    return {number for number, channel in enumerate(owner.channels) if channel.lock}


def muted_channels(owner: Any) -> set[int]:
    return {number for number, channel in enumerate(owner.channels) if channel.mute}


# Media


def set_colour_space(strip: Any, name: str) -> bool:
    """Say in which colour space the file is; False where the configuration in use does not know `name` (Blender's own choice then stays)."""
    settings = getattr(strip, "colorspace_settings", None)
    if settings is None:
        return False
    try:
        settings.name = name
    except TypeError:  # a configuration of the studio's own, without that name
        return False
    return True


def movie_output(scene: bpy.types.Scene, path: str) -> None:
    """Have the scene render to an mp4 with H.264 and AAC at `path` (what the tests and the report do)."""
    image = scene.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    out = scene.render.ffmpeg
    out.format = "MPEG4"
    out.codec = "H264"
    out.constant_rate_factor = "HIGH"
    out.audio_codec = "AAC"
    scene.render.filepath = path


# Operators that want a sequencer


def sequencer_area(scene: bpy.types.Scene) -> tuple[Any, Any, Any] | None:
    """A (window, area, region) in which this scene's timeline is shown now, or None."""
    for window in bpy.context.window_manager.windows:
        if _scene_of(window) != scene:
            continue
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR":
                region = next((region for region in area.regions if region.type == "WINDOW"), None)
                if region is not None:
                    return window, area, region
    return None


@contextmanager
def in_sequencer(scene: bpy.types.Scene) -> Iterator[bool]:
    """Operators of the sequencer work inside, if it yields True: a sequencer shows this scene."""
    found = sequencer_area(scene)
    if found is None:
        yield False
        return
    window, area, region = found
    with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region, scene=scene):
        yield True


def can_connect() -> bool:
    """Whether strips can be connected, so that they are selected and moved together. 4.4 and later; 4.2 and 4.3 have no such thing (not run)."""
    return "connect" in dir(bpy.ops.sequencer)


def undo_step(message: str) -> bool:
    """Make what was changed until now one step that the user can undo; False where Blender cannot (undo is switched off)."""
    window = bpy.context.window
    try:
        if window is not None:
            return "FINISHED" in bpy.ops.ed.undo_push(message=message)
        windows = bpy.context.window_manager.windows
        if not windows:
            return False
        with bpy.context.temp_override(window=windows[0]):  # timers run without one
            return "FINISHED" in bpy.ops.ed.undo_push(message=message)
    except RuntimeError:
        return False
