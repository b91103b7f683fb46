"""Dissolves beside a clip, and the frames of it that they show beyond its ends."""

from __future__ import annotations

import math
from fractions import Fraction

import opentimelineio as otio

from .measuring import frames, index_in


def transitions_beside(item: otio.core.Composable) -> tuple[otio.schema.Transition | None, otio.schema.Transition | None]:
    """The transition before `item` and the one behind it in its track."""
    track = item.parent()
    if not isinstance(track, otio.schema.Track):
        return None, None
    index = index_in(track, item)
    before = track[index - 1] if index > 0 else None
    behind = track[index + 1] if index + 1 < len(track) else None
    return (
        before if isinstance(before, otio.schema.Transition) else None,
        behind if isinstance(behind, otio.schema.Transition) else None,
    )


def handles_wanted(item: otio.core.Composable, rate: Fraction) -> int:
    """How many frames beyond its ends the dissolves beside `item` show of it, the larger of both sides.

    A transition begins `in_offset` before the cut, while the clip behind it has not begun, and ends `out_offset` after it.
    """
    before, behind = transitions_beside(item)
    head = frames(before.in_offset, rate) if before is not None and before.in_offset is not None else Fraction(0)
    tail = frames(behind.out_offset, rate) if behind is not None and behind.out_offset is not None else Fraction(0)
    return max(0, math.ceil(max(head, tail)))


def overlapped(item: otio.core.Composable, rate: Fraction) -> int:
    """How many of its own frames the dissolves beside `item` cover: it cannot be shorter."""
    before, behind = transitions_beside(item)
    head = frames(before.out_offset, rate) if before is not None and before.out_offset is not None else Fraction(0)
    tail = frames(behind.in_offset, rate) if behind is not None and behind.in_offset is not None else Fraction(0)
    return max(0, math.ceil(head + tail))
