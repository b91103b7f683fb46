"""What tests of the Resolve plugin share: a stage with synthetic media, and lines on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from resolve.double import Stage, World, stage

from retake_davinci import bridge
from retake_davinci.editor import Editor

RATES = ("24", "25", "29.97 DF", "60")


def synthetic(path: str) -> tuple[int, float]:
    """Files named after what they hold: "hello_50_24.mp4" has 50 frames at 24."""
    _, frames, rate = Path(path).stem.rsplit("_", 2)
    return int(frames), float(rate)


def synthetic_stage(rate: str = "24", **world: Any) -> Stage:
    return stage(rate, World(probe=synthetic, **world))


def editor_of(on: Stage) -> Editor:
    return Editor.of_current(bridge.connect(on.resolve))


def media_file(folder: Path, name: str = "hello", frames: int = 50, rate: str = "24") -> str:
    """An (empty) file whose name tells the double what is in it; a real path, since the plugin looks whether it is there."""
    path = folder / f"{name}_{frames}_{rate}.mp4"
    path.touch()
    return str(path)


def marker(on: Stage, frame: int, note: str, *, name: str = "@presenter", duration: int = 50, data: str = "", color: str = "Blue") -> None:
    """A marker as the user sets it; `frame` counts from the timeline's beginning."""
    assert on.timeline.AddMarker(frame, color, name, note, duration, data)
