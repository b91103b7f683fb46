"""What the panels show and nobody saves: rows of the list of lines, the words in the field for revising, findings of the doctor.

It belongs to the window manager, so it is neither in the .blend nor in the undo history. `watch` keeps it up to date.

No postponed annotations in this file: Blender reads them when classes are registered.
"""

from typing import Any

import bpy


class RetakeRow(bpy.types.PropertyGroup):
    """A line, as the list shows it."""

    key: bpy.props.StringProperty(name="Key")
    label: bpy.props.StringProperty(name="Line")
    state: bpy.props.StringProperty(name="State")
    kind: bpy.props.StringProperty(name="Kind")
    time: bpy.props.StringProperty(name="Time", description="Where it begins")
    problem: bpy.props.StringProperty(name="Problem")


class RetakeFinding(bpy.types.PropertyGroup):
    """One thing that the doctor looked at. `mark`: OK, BAD or UNKNOWN."""

    mark: bpy.props.StringProperty(name="Mark")
    sentence: bpy.props.StringProperty(name="Finding")
    remedy: bpy.props.StringProperty(name="Remedy")


class RetakeShown(bpy.types.PropertyGroup):
    """What is shown of one scene: several windows may show several. `name` is the scene's."""

    rows: bpy.props.CollectionProperty(type=RetakeRow)
    revised: bpy.props.StringProperty(name="Revised line", description="Id of the line whose words are in the field")
    revision: bpy.props.StringProperty(name="Words", description="The words of the selected line; change them and press Revise Line")


class RetakeWindow(bpy.types.PropertyGroup):
    """`window_manager.retake`."""

    scenes: bpy.props.CollectionProperty(type=RetakeShown)
    findings: bpy.props.CollectionProperty(type=RetakeFinding)


CLASSES = (RetakeRow, RetakeFinding, RetakeShown, RetakeWindow)


def of_window(context: Any = None) -> Any:
    return (context or bpy.context).window_manager.retake


def of_scene(scene: bpy.types.Scene, *, make: bool = False) -> Any:
    """What is shown of a scene; None before the first look. `make`: made if there is none, which `draw` may not."""
    listed = of_window().scenes
    found = listed.get(scene.name)
    if found is None and make:
        found = listed.add()
        found.name = scene.name
    return found


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.WindowManager.retake = bpy.props.PointerProperty(type=RetakeWindow)


def unregister() -> None:
    del bpy.types.WindowManager.retake
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
