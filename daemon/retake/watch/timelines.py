"""Timelines in `out`: one of everything there, and one for each file whose lines belong together."""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from retake.domain.errors import RetakeError
from retake.domain.hints import shown
from retake.domain.rate import FrameRate
from retake.media.files import atomic_text
from retake.watch.layout import Layout
from retake.watch.names import FOLDER_TIMELINE, numbered
from retake.watch.results import Made

_OF_RATE = re.compile(rf"{FOLDER_TIMELINE}(-\d+(-\d+)?)?\.otio")


def write_folder_timelines(layout: Layout, clips: Sequence[Made]) -> list[str]:
    """Write `folder.otio` of all clips, one behind the other in the given order.

    A timeline has one frame rate. Clips of the rate that most have are in `folder.otio`, those of others in `folder-RATE.otio` each.

    Returns the names of timelines that could not be written because something else of that name lies there.
    """
    by_rate: dict[str, list[Made]] = {}
    for made in clips:
        by_rate.setdefault(made.rate, []).append(made)
    rates = sorted(by_rate, key=lambda rate: (-len(by_rate[rate]), float(FrameRate.parse(rate))))
    wanted: dict[str, list[Made]] = {}
    for position, rate in enumerate(rates):
        name = FOLDER_TIMELINE if position == 0 else f"{FOLDER_TIMELINE}-{rate.replace('/', '-')}"
        wanted[f"{name}.otio"] = by_rate[rate]
    foreign: list[str] = []
    for name, several in wanted.items():
        target = layout.out / name
        if target.exists() and not _is_ours(target):
            foreign.append(name)
            continue
        atomic_text(target, timeline_text(layout.root.name or "Takes", [(None, made) for made in several]))
    for path in layout.out.glob(f"{FOLDER_TIMELINE}*.otio"):
        if _OF_RATE.fullmatch(path.name) and path.name not in wanted and _is_ours(path):
            with contextlib.suppress(OSError):  # its clips have gone
                path.unlink()
    return foreign


def timeline_text(name: str, clips: Sequence[tuple[int | None, Made]]) -> str:
    """A timeline as OTIO JSON.

    Args:
        clips: each with the frame at which it begins, None for behind the one before; gaps fill what is left between them.
    """
    import opentimelineio as otio

    from retake_otio import TakeMedia, build_timeline, line_clip, write_timeline

    children: list[Any] = []
    position = 0
    for start, made in clips:
        rate = FrameRate.parse(made.rate).fraction
        if start is not None and start > position:
            length = otio.opentime.RationalTime(start - position, float(rate))
            children.append(otio.schema.Gap(source_range=otio.opentime.TimeRange(otio.opentime.RationalTime(0, float(rate)), length)))
            position = start
        media = TakeMedia(made.take, made.clip, made.frames, Fraction(rate), {"synthetic": True})
        parameters = made.request.model_dump(mode="json", exclude={"line_id"})
        label = " ".join(shown(made.request.text).split())[:60] or made.stem
        children.append(line_clip(line_id=made.request.line_id, name=label, parameters=parameters, takes=[media]))
        position += made.frames
    timeline = build_timeline(name, children, {"synthetic": True})
    with tempfile.TemporaryDirectory(prefix="retake-") as folder:
        path = Path(folder) / "timeline.otio"
        write_timeline(path, timeline)
        return path.read_text(encoding="utf-8")


def put_timeline(layout: Layout, stem: str, text: str) -> Path:
    """Write a timeline to `out` under a name that nothing else has; where the same one lies already, nothing happens."""
    digest = hashlib.sha256(text.encode()).digest()
    taken = {path.name.rpartition(".")[0].casefold(): path for path in layout.out.iterdir() if not path.name.startswith(".")}
    for name in numbered(stem):
        target = layout.out / f"{name}.otio"
        if name.casefold() not in taken:
            atomic_text(target, text)
            return target
        with contextlib.suppress(OSError):
            if target.is_file() and hashlib.sha256(target.read_bytes()).digest() == digest:
                return target
    raise AssertionError("names never end")


def _is_ours(path: Path) -> bool:
    from retake.takes.finish import timeline_is_ours

    try:
        return timeline_is_ours(path)
    except RetakeError:
        return False
