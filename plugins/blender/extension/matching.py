"""Which stored line belongs to which timeline marker. No bpy here, so that it is type-checked and tested alone.

Markers have no identity of their own: they can be renamed and moved, and on Blender 5.0 nothing can be stored on them. So a line remembers the name
and the frame that its marker had when it was last looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """A marker's name and frame: as it is, or as it was remembered."""

    name: str
    frame: int


def match(known: Sequence[Mark], markers: Sequence[Mark]) -> list[int | None]:
    """For each of `known`, the index of its marker, or None where it is gone.

    The same name at the same frame comes first; then the same name elsewhere (moved), the nearest if several have it; then the same frame with
    another name (renamed). Each marker belongs to one line at most. What was moved and renamed between two looks is lost, which is why callers look
    several times a second.
    """
    found: list[int | None] = [None] * len(known)
    free = set(range(len(markers)))

    def take(index: int, marker: int) -> None:
        found[index] = marker
        free.discard(marker)

    places: dict[Mark, list[int]] = {}
    for marker in reversed(range(len(markers))):
        places.setdefault(markers[marker], []).append(marker)
    for index, one in enumerate(known):
        if places.get(one):
            take(index, places[one].pop())
    for index, one in enumerate(known):
        if found[index] is None:
            named = [marker for marker in free if markers[marker].name == one.name]
            if named:
                take(index, min(named, key=lambda marker: (abs(markers[marker].frame - one.frame), marker)))
    for index, one in enumerate(known):
        if found[index] is None:
            there = [marker for marker in sorted(free) if markers[marker].frame == one.frame]
            if there:
                take(index, there[0])
    return found
