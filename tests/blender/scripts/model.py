"""The extension's own modules for scripts: those of the working tree, or with `installed` those that Blender has installed."""

from __future__ import annotations

import importlib
import sys
import types
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

ROOT = Path(__file__).resolve().parents[3]
INSTALLED = "bl_ext.user_default.retake"


class Model:
    """``model.lines``, ``model.engine``, ...: modules of the extension, registered."""

    def __init__(self, *, installed: bool = False) -> None:
        self.package = INSTALLED
        if installed:
            return
        for folder in (ROOT / "plugins" / "client", ROOT / "otio_adapters"):
            sys.path.insert(0, str(folder))
        self.package = "retake_tree"
        package = types.ModuleType(self.package)
        package.__path__ = [str(ROOT / "plugins" / "blender" / "extension")]
        sys.modules[self.package] = package
        self.state.register()
        self.engine.register()
        self.state.migrate(bpy.context.scene)

    def __getattr__(self, name: str) -> Any:
        return importlib.import_module(f"{self.package}.{name}")


def new_scene(fps: int = 25, base: float = 1.0, size: tuple[int, int] = (160, 96)) -> Any:
    """The open file's scene with this rate and size, without strips and markers."""
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = fps, base
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.sequence_editor_create()
    scene.timeline_markers.clear()
    return scene


def facts(model: Model, sample: dict[str, Any], **changes: Any) -> Any:
    """A finished take of a sample file that the test made: {path, frames, rate, handles}."""
    usual = {
        "id": Path(sample["path"]).stem,
        "path": sample["path"],
        "frames": sample["frames"],
        "rate": Fraction(sample["rate"]),
        "handles": sample.get("handles", 0),
        "width": 160,
        "height": 96,
        "seed": 0,
        "text": "Hello everyone.",
        "speaker": "presenter",
        "sha256": "",
        "measured": {},
        "line": "",
    }
    return model.takes.TakeFacts(**(usual | changes))


def where(model: Model, strip: Any) -> list[int]:
    """[channel, start, end, start of the content]."""
    compat = model.compat
    return [strip.channel, compat.start_of(strip), compat.end_of(strip), compat.content_start(strip)]


def show_sequencer(scene: Any) -> None:
    """Make an area of the window a sequencer of this scene: operators of the sequencer need one."""
    window = bpy.context.window_manager.windows[0]
    window.screen.areas[0].type = "SEQUENCE_EDITOR"
    if hasattr(window.workspace, "sequencer_scene"):
        window.workspace.sequencer_scene = scene
