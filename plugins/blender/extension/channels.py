"""Where on a timeline there is room, and what moves when a clip gets longer. Plain numbers, no bpy, so that it is type-checked and tested alone.

Ranges are whole frames, the end exclusive, as Blender's handles are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

HIGHEST_CHANNEL = 128


@dataclass(frozen=True)
class Span:
    """A strip as far as room is concerned. `fixed`: it may not be moved (locked, or its channel is)."""

    name: str
    channel: int
    start: int
    end: int
    fixed: bool = False


def taken_channels(spans: Iterable[Span], start: int, end: int) -> set[int]:
    """Channels on which something lies between `start` and `end`."""
    return {span.channel for span in spans if span.start < end and start < span.end}


def free_pair(spans: Iterable[Span], start: int, end: int, *, closed: Collection[int] = (), above: int = 0) -> tuple[int, int] | None:
    """Two neighbouring channels without anything between `start` and `end`: (sound, picture), sound below as Blender itself puts them.

    Args:
        closed: channels that are never used (locked ones).
        above: where to begin looking: a take lies above what it is made for, so that it is seen.

    The lowest pair above `above`; only if there is none, the highest below it. None: no room.
    """
    taken = taken_channels(spans, start, end) | set(closed)
    pairs = [channel for channel in range(1, HIGHEST_CHANNEL) if channel not in taken and channel + 1 not in taken]
    over = [channel for channel in pairs if channel > above]
    found = over[0] if over else pairs[-1] if pairs else None
    return None if found is None else (found, found + 1)


@dataclass(frozen=True)
class Ripple:
    """What moving everything behind a frame by some frames means.

    moved: names of what moves. held: what would have to move and may not. cut: what lies across the frame and stays where it is.
    overlaps: (moved, other) pairs that lie over each other afterwards.
    """

    moved: tuple[str, ...]
    held: tuple[str, ...]
    cut: tuple[str, ...]
    overlaps: tuple[tuple[str, str], ...]

    def conflicts(self) -> list[str]:
        """One sentence for each thing that the editor should look at."""
        out = [f"'{name}' is locked and stayed where it was." for name in self.held]
        out += [f"'{name}' was running across the end of the line and was not moved." for name in self.cut]
        return out + [f"'{one}' now lies over '{other}'." for one, other in self.overlaps]


def plan_ripple(spans: Sequence[Span], at: int, by: int, *, own: Collection[str] = ()) -> Ripple:
    """Plan to move what begins at or behind frame `at` by `by` frames (negative: to the left).

    Args:
        own: names of the strips that grow or shrink themselves; they are left out.
    """
    others = [span for span in spans if span.name not in own]
    behind = [span for span in others if span.start >= at]
    moved = [span for span in behind if not span.fixed]
    still = [span for span in others if span.start < at or span.fixed]
    after = [Span(span.name, span.channel, span.start + by, span.end + by) for span in moved]
    overlaps = [
        (one.name, other.name) for one in after for other in still if one.channel == other.channel and one.start < other.end and other.start < one.end
    ]
    return Ripple(
        moved=tuple(span.name for span in moved),
        held=tuple(span.name for span in behind if span.fixed),
        cut=tuple(span.name for span in still if span.start < at < span.end),
        overlaps=tuple(overlaps),
    )
