"""Dissolves: cross strips of Blender as transitions of OpenTimelineIO, and back.

Blender lets two strips on two channels lie over each other and an effect strip mix them; OpenTimelineIO lets two clips of one track meet at a cut,
with a transition that shows frames of each beyond it. The cut is put into the middle of the effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from . import compat

CROSSES = frozenset({"CROSS", "GAMMA_CROSS"})


@dataclass(frozen=True)
class Chain:
    """Strips that follow each other, with the effect strip between each two."""

    strips: tuple[Any, ...]
    effects: tuple[Any, ...]

    def cuts(self) -> list[int]:
        """The frame of each cut."""
        return [(compat.start_of(effect) + compat.end_of(effect)) // 2 for effect in self.effects]


def chains_of(strips: list[Any]) -> list[Chain]:
    """The dissolves among strips: whole overlaps of two pictures that a cross strip mixes. Others are left alone (and said to be left out)."""
    before: dict[str, Any] = {}
    behind: dict[str, Any] = {}
    for effect in strips:
        if effect.type not in CROSSES or effect.mute:
            continue
        one, other = effect.input_1, effect.input_2
        fits = one is not None and other is not None and "SOUND" not in {one.type, other.type}
        fits = fits and compat.start_of(other) == compat.start_of(effect) and compat.end_of(one) == compat.end_of(effect)
        if fits and compat.start_of(one) < compat.start_of(other) and one.name not in behind and other.name not in before:
            behind[one.name], before[other.name] = effect, effect
    chains: list[Chain] = []
    for first in strips:
        if first.name not in behind or first.name in before:
            continue
        row, effects = [first], []
        while row[-1].name in behind:
            effects.append(behind[row[-1].name])
            row.append(effects[-1].input_2)
        chains.append(Chain(tuple(row), tuple(effects)))
    return chains


def mix(scene: bpy.types.Scene, one: Any, other: Any, start: int, end: int) -> bool:
    """Have a cross strip mix two strips that lie over each other from `start` to `end`; False where there is no free channel above them."""
    owner = compat.owner_of(scene, one)
    above = max(one.channel, other.channel)
    taken = {strip.channel for strip in compat.strips_in(owner) if compat.start_of(strip) < end and start < compat.end_of(strip)}
    closed = taken | compat.locked_channels(owner) | compat.muted_channels(owner)
    channel = next((number for number in range(above + 1, 129) if number not in closed), None)
    if channel is None:
        return False
    compat.new_effect(owner, "CROSS", "Dissolve", channel=channel, start=start, length=end - start, inputs=(one, other))
    return True
