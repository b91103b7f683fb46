"""What to ask the daemon for, so that its take fits a line: the same words whoever asks (the daemon itself, the linker, a script)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

from .clip_takes import takes_of
from .filling import CONFORMS, Conform, unused_seed
from .lines import Line
from .measuring import whole
from .reading import TimelineError

MOST_HANDLES = 250  # frames that the daemon renders before and behind a take
KEEP_PART = 2  # of a second are the handles with "keep" (a half), where nobody says how many
LONGEST = 3600  # seconds of one take


def conform_of(line: Line, otherwise: Conform = "fit") -> Conform:
    """How the line and its slot get along. Raises TimelineError (bad_placeholder) for a word that is none."""
    said = line.wants.get("conform", otherwise)
    if said not in CONFORMS:
        raise TimelineError(f"There is no conform '{said}'.", f"Use one of {', '.join(CONFORMS)}.", "bad_placeholder")
    return cast(Conform, said)


def request_of(
    line: Line, *, speaker: str | None = None, seed: int = 0, conform: Conform = "fit", handles: int | None = None, again: bool = False
) -> dict[str, Any]:
    """A line as TakeRequest JSON. What has its usual value is left out: fit, pace, handles.

    Args:
        speaker, seed, conform: of a line that does not say it.
        handles: frames before and behind, at least; None: as many as dissolves need, and half a second with "keep".
        again: with a seed that none of the line's takes has.

    Raises TimelineError (no_speaker, bad_placeholder).
    """
    request: dict[str, Any] = {name: value for name, value in line.wants.items() if name != "conform"}
    if not request.get("audio"):
        request.pop("audio", None)
    kind = conform_of(line, conform)
    request["seed"] = unused_seed(line) if again else line.wants.get("seed", seed)
    request["speaker"] = line.wants.get("speaker") or speaker
    if not request["speaker"]:
        raise TimelineError("It is not said who speaks.", "Name a speaker in the placeholder, or one for the whole timeline.", "no_speaker")
    request["fps"] = str(line.rate)
    request["line_id"] = line.id
    if line.frames is not None and line.frames > LONGEST * line.rate:
        seconds = float(line.frames / line.rate)
        raise TimelineError(f"It lasts {seconds:.0f} s.", f"A take lasts at most {LONGEST} s: shorten the clip.", "bad_placeholder")
    if line.frames is not None and kind != "ripple":
        request["fit"] = line.frames * line.rate.denominator / line.rate.numerator
        if kind == "keep":
            request["pace"] = "natural"
    # A take that has longer handles already is as good: the edit may rely on them by now.
    before = [take.handles for take in takes_of(line.clip) if take.active] if line.clip is not None else []
    least = handles if handles is not None else whole(line.rate / KEEP_PART) if kind == "keep" else 0
    count = min(MOST_HANDLES, max(least, line.handles, *before, 0))
    return request | ({"handles": count} if count else {})


def is_asked_for(take: Mapping[str, Any], line: Line, request: Mapping[str, Any]) -> bool:
    """Whether a take of the daemon (its JSON) is what `request` asks for; longer handles are as good."""
    made = take["request"]
    fixed = {"seed": 0, "style": "neutral", "language": None, "voice_engine": "embedded", "lips_engine": "embedded", "width": None, "height": None}
    if any(made.get(name, default) != request.get(name, default) for name, default in fixed.items()):
        return False
    if made.get("audio") is not None or Fraction(str(take["rate"])) != line.rate or made.get("handles", 0) < request.get("handles", 0):
        return False
    if "fit" not in request:
        return made.get("fit") is None
    slot = int(take["frames"]) - 2 * int(made.get("handles", 0))
    return slot == line.frames and (made.get("fit") is None or made.get("pace", "fit") == request.get("pace", "fit"))
