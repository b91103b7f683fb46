"""What Retake keeps in a .blend: `scene.retake` and `strip.retake`. Saved, undone and appended with everything else of Blender.

Nothing here is secret (the daemon's token is in the preferences), and paths are relative to the .blend where they can be (`//`). What is under way is
kept here by its id alone; how far it is, is asked of the engine, so that progress does not fill the undo history.

No postponed annotations in this file: Blender reads them when classes are registered.
"""

from collections.abc import Callable
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import compat

# Version history of what is stored.
#   1: first version.
FORMAT = 1

CONFORM = (
    ("FIT", "Fit", "The take lasts exactly as long as the slot; the speech is spoken faster or slower, within 12 %"),
    ("KEEP", "Keep", "The slot stays as it is and the words keep their natural pace; what is longer lies behind the end"),
    ("RIPPLE", "Ripple", "The clip gets as long as the words take, and everything behind it moves"),
)
SIZES = (
    ("SCENE", "Scene", "Takes have the size at which the scene is rendered"),
    ("SPEAKER", "Speaker", "Takes have the size of the speaker's reference video"),
)
ROLES = (
    ("NONE", "None", "Not one of Retake's strips"),
    ("PLACEHOLDER", "Placeholder", "Waits for a take"),
    ("PICTURE", "Picture", "Shows a take"),
    ("SOUND", "Sound", "Plays a take's sound"),
)
LONGEST_HANDLES = 250  # frames


class RetakeTake(bpy.types.PropertyGroup):
    """One take of a line. `path` is relative to the .blend where that is possible; `text` is what is said in it."""

    id: bpy.props.StringProperty(name="Take")
    path: bpy.props.StringProperty(name="File")
    frames: bpy.props.IntProperty(name="Frames", description="Frames of the file, with handles")
    rate: bpy.props.StringProperty(name="Rate", description="Exact frames per second")
    handles: bpy.props.IntProperty(name="Handles", description="Frames before and behind what is meant to be seen")
    width: bpy.props.IntProperty(name="Width")
    height: bpy.props.IntProperty(name="Height")
    seed: bpy.props.IntProperty(name="Seed")
    text: bpy.props.StringProperty(name="Text")
    speaker: bpy.props.StringProperty(name="Speaker")
    sha256: bpy.props.StringProperty(name="Checksum")
    measured: bpy.props.StringProperty(name="Figures", description="What was measured of the take, as JSON")
    line: bpy.props.StringProperty(name="Line", description="Id of the line that it says")


class RetakeMarker(bpy.types.PropertyGroup):
    """The line of a timeline marker. `name` and `frame` are those of its marker when it was last looked at."""

    line: bpy.props.StringProperty(name="Line", description="Id that stays with the line")
    frame: bpy.props.IntProperty(name="Frame")
    text: bpy.props.StringProperty(name="Text", description="What is said, where it is too long for the marker's name")
    text_block: bpy.props.PointerProperty(type=bpy.types.Text, name="Text block", description="Text block that holds what is said")
    speaker: bpy.props.StringProperty(name="Speaker")
    length: bpy.props.IntProperty(name="Frames", description="How long the line may take; 0: as long as it needs", min=0)
    seed: bpy.props.IntProperty(name="Seed", min=0)
    conform: bpy.props.StringProperty(name="Conform")


class RetakeOrder(bpy.types.PropertyGroup):
    """Something that Retake was asked for and that is not finished. Its `id` makes the daemon recognise it wherever the file is opened again."""

    id: bpy.props.StringProperty(name="Order")
    kind: bpy.props.StringProperty(name="Kind", description="line or enrol")
    line: bpy.props.StringProperty(name="Line")
    label: bpy.props.StringProperty(name="Label")
    request: bpy.props.StringProperty(name="Request", description="What was asked for, as JSON")
    conform: bpy.props.StringProperty(name="Conform")
    frame: bpy.props.IntProperty(name="Frame", description="Where the line began when it was asked for")
    length: bpy.props.IntProperty(name="Frames", description="The time there was for it then; 0: as long as it needs")
    channel: bpy.props.IntProperty(name="Channel", description="Of its placeholder then; 0: it had none")
    priority: bpy.props.StringProperty(name="Priority")
    problem: bpy.props.StringProperty(name="Problem", description="What went wrong, if it is to be tried again")
    remedy: bpy.props.StringProperty(name="Remedy")


class RetakeStrip(bpy.types.PropertyGroup):
    """`strip.retake`: what a strip has to do with a line."""

    line: bpy.props.StringProperty(name="Line", description="Id that stays with the line")
    role: bpy.props.EnumProperty(items=ROLES, name="Role")
    text: bpy.props.StringProperty(name="Text", description="What is said")
    speaker: bpy.props.StringProperty(name="Speaker", description="Who says it; empty: the scene's speaker")
    seed: bpy.props.IntProperty(name="Seed", description="Another number gives another take of the same words", min=0)
    conform: bpy.props.StringProperty(name="Conform", description="FIT, KEEP or RIPPLE; empty: as the scene says")
    takes: bpy.props.CollectionProperty(type=RetakeTake)
    active: bpy.props.IntProperty(name="Selected take", description="Row of the list of takes")
    take: bpy.props.StringProperty(name="Take", description="Id of the take that is shown")
    locked: bpy.props.BoolProperty(name="Locked", description="Keep this take: nothing replaces it")
    unconnected: bpy.props.BoolProperty(description="Picture and sound are to be connected as soon as a sequencer is seen")


class RetakeScene(bpy.types.PropertyGroup):
    """`scene.retake`: settings of a timeline, its markers' lines, and what is under way."""

    format: bpy.props.IntProperty(name="Format", default=0)
    speaker: bpy.props.StringProperty(name="Speaker", description="Who speaks where nobody is named")
    conform: bpy.props.EnumProperty(items=CONFORM, name="Conform", default="FIT")
    size: bpy.props.EnumProperty(items=SIZES, name="Size", default="SCENE")
    seed: bpy.props.IntProperty(name="Seed", min=0)
    handles: bpy.props.IntProperty(
        name="Handles", description="Frames of quiet picture before and behind each take, for dissolves", min=0, max=LONGEST_HANDLES
    )
    draft: bpy.props.StringProperty(name="Script", description="What is to be said: text, or '@speaker: text'")
    revision: bpy.props.StringProperty(name="Revised line", description="The new words of the selected line")
    markers: bpy.props.CollectionProperty(type=RetakeMarker)
    orders: bpy.props.CollectionProperty(type=RetakeOrder)
    unplaced: bpy.props.CollectionProperty(type=RetakeTake)
    active_line: bpy.props.IntProperty(name="Selected line")
    active_order: bpy.props.IntProperty(name="Selected order")
    active_unplaced: bpy.props.IntProperty(name="Selected take")


CLASSES = (RetakeTake, RetakeMarker, RetakeOrder, RetakeStrip, RetakeScene)


def of_scene(scene: bpy.types.Scene) -> Any:
    return scene.retake


def of_strip(strip: Any) -> Any:
    return strip.retake


def find(collection: Any, id_: str) -> int:
    """Index of the item whose `id` is `id_`; -1."""
    return next((index for index, item in enumerate(collection) if item.id == id_), -1)


def copy_take(source: Any, target: Any) -> None:
    """Copy all fields of one stored take to another."""
    for name in RetakeTake.__annotations__:
        setattr(target, name, getattr(source, name))


_defaults: list[Callable[[bpy.types.Scene], None]] = []


def configure_defaults(begin: Callable[[bpy.types.Scene], None] | None) -> None:
    """Say what a scene that Retake has never seen begins with: `begin(scene)` sets it."""
    _defaults[:] = [] if begin is None else [begin]


def migrate(scene: bpy.types.Scene) -> None:
    """Bring what `scene` holds to this version. Files of a newer version are left alone: their extra fields are kept by Blender."""
    own = scene.retake
    if own.format == 0:  # never used, or made by Blender for a new scene
        own.format = FORMAT
        for begin in _defaults:
            begin(scene)


@persistent
def _on_load(*_: Any) -> None:
    for scene in compat.own_scenes():
        migrate(scene)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.retake = bpy.props.PointerProperty(type=RetakeScene)
    compat.STRIP_TYPE.retake = bpy.props.PointerProperty(type=RetakeStrip)
    if _on_load not in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.append(_on_load)


def unregister() -> None:
    if _on_load in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(_on_load)
    del compat.STRIP_TYPE.retake
    del bpy.types.Scene.retake
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
