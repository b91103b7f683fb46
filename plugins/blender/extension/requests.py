"""What is asked of the daemon for one line. No bpy here, so that it is type-checked and tested alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .rates import rate_text, seconds_of

CONFORMS = ("FIT", "KEEP", "RIPPLE")
MOST_HANDLES = 250  # frames; the daemon refuses more
# Words that keep their pace end in the handle where they are longer than the slot, so the handle must be long enough: slow readers say ten letters a
# second, pauses included. Where even that is too little, the daemon says how many frames are needed.
SLOWEST_LETTERS = 10.0
LEAST_HANDLE_SECONDS = Fraction(1, 2)


@dataclass(frozen=True)
class Wanted:
    """A line as it is to be made. `frames`: its time, None: as long as it needs. `size`: None: that of the speaker's reference."""

    line: str
    text: str
    speaker: str
    rate: Fraction
    frames: int | None
    conform: str
    seed: int = 0
    handles: int = 0
    size: tuple[int, int] | None = None


def request_of(wanted: Wanted) -> dict[str, Any]:
    """The TakeRequest, as JSON. What is as usual is left out, so that daemons which do not know it yet do not refuse it."""
    out: dict[str, Any] = {
        "speaker": wanted.speaker,
        "text": wanted.text,
        "fps": rate_text(wanted.rate),
        "seed": wanted.seed,
        "line_id": wanted.line,
    }
    if wanted.size is not None:
        out["width"], out["height"] = wanted.size
    if wanted.frames is not None and wanted.conform != "RIPPLE":
        out["fit"] = seconds_of(wanted.frames, wanted.rate)
        if wanted.conform == "KEEP":
            out["pace"] = "natural"
    handles = handles_of(wanted)
    if handles:
        out["handles"] = handles
    return out


def handles_of(wanted: Wanted) -> int:
    """Frames before and behind the slot: as many as are wanted, and for words that keep their pace enough for their end."""
    if wanted.frames is None or wanted.conform != "KEEP":
        return min(wanted.handles, MOST_HANDLES)
    words = Fraction(len(wanted.text)) / Fraction(SLOWEST_LETTERS) * wanted.rate
    needed = max(LEAST_HANDLE_SECONDS * wanted.rate, words - wanted.frames)
    return min(max(wanted.handles, math.ceil(needed)), MOST_HANDLES)


def next_seed(used: Iterable[int]) -> int:
    """A seed that none of the line's takes has."""
    return (max(used, default=-1) + 1) % (2**31)
