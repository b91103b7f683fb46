"""What is asked of the daemon for one line. No bpy here, so that it is type-checked and tested alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .rates import rate_text, seconds_of

CONFORMS = ("FIT", "KEEP", "RIPPLE")


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
    if wanted.handles:
        out["handles"] = wanted.handles
    return out


def next_seed(used: Iterable[int]) -> int:
    """A seed that none of the line's takes has."""
    return (max(used, default=-1) + 1) % (2**31)
