"""Placeholders that were copied or cut: which of them are lines of their own, and which takes belong to which. Plain numbers, no bpy.

Whoever duplicates a placeholder (Shift D) wants the words twice; whoever cuts through a clip (K) cuts the muted placeholder below it as well and
still has one line. Both leave two placeholders with one id. They are told apart by the takes above them: the pieces of a cut take still have their
content at the same place of the timeline, and those of a copy have moved with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """A strip on the timeline: shown from `start` to `end`, its content beginning at `content`."""

    name: str
    start: int
    end: int
    content: int = 0


@dataclass(frozen=True)
class Share:
    """One line of several placeholders: those that are pieces of one, first the one that counts, and the takes' strips above them."""

    holders: tuple[str, ...]
    start: int
    end: int
    shown: tuple[str, ...]


def share(holders: Sequence[Piece], shown: Sequence[Piece]) -> list[Share]:
    """Divide the takes' strips of one id among its placeholders.

    Args:
        holders: the original first; it gets what lies over none of them.

    Returns one share for each line, the original's first.
    """
    groups: list[tuple[list[Piece], list[Piece]]] = [([holder], []) for holder in holders]
    for one in shown:
        over = [min(one.end, holder.end) - max(one.start, holder.start) for holder in holders]
        best = max(range(len(holders)), key=lambda index: (over[index], -index))
        groups[best if over[best] > 0 else 0][1].append(one)
    out: list[tuple[list[Piece], list[Piece]]] = []
    for pieces, takes in groups:
        whole = next((other for other in out if _are_pieces(other, (pieces, takes))), None)
        if whole is None:
            out.append((list(pieces), list(takes)))
        else:
            whole[0].extend(pieces)
            whole[1].extend(takes)
    return [
        Share(
            tuple(piece.name for piece in pieces),
            min(piece.start for piece in pieces),
            max(piece.end for piece in pieces),
            tuple(one.name for one in takes),
        )
        for pieces, takes in out
    ]


def _are_pieces(one: tuple[list[Piece], list[Piece]], other: tuple[list[Piece], list[Piece]]) -> bool:
    """Whether both were one before a cut: takes above both, with their content at the same place."""
    return bool({take.content for take in one[1]} & {take.content for take in other[1]})
