"""Retake for Blender: a line of script and a person's reference video in, a take of that person saying the line out, on the sequencer's timeline.

SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""

from __future__ import annotations

import bpy

from . import engine, lists, operators_daemon, operators_files, operators_lines, operators_takes, panels, preferences, state, watch, window

# In this order; unregistered in the opposite one.
_MODULES = (state, window, preferences)
_CLASSES = (*operators_daemon.CLASSES, *operators_lines.CLASSES, *operators_takes.CLASSES, *operators_files.CLASSES, *lists.CLASSES, *panels.CLASSES)


def register() -> None:
    for module in _MODULES:
        module.register()
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    engine.register()
    watch.register()


def unregister() -> None:
    watch.unregister()
    engine.unregister()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
    for module in reversed(_MODULES):
        module.unregister()
