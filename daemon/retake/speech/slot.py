"""A line in its slot: what is heard in a take, from its first frame to its last.

A take is its slot with `handles` frames before and behind it. The words begin behind the first handle; at their own pace they may run into the
last one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.speech import Speech
from retake.domain.take import MOST_HANDLES, TakeRequest

from .conform import LEAD, MIN_LEAD, MIN_TAIL, TAIL, place, slot_for
from .recording import from_recording

# How often a line is spoken again to make it fit: durations come in steps of 25 ms, so the first answer may be a little off.
FITTINGS = 3

Say = Callable[[float], Speech]  # the words at a pace; 1 is the speaker's own


@dataclass(frozen=True)
class Slotted:
    """speech: lasts exactly `frames`. overhang: seconds of its sound that lie behind the slot, in the handle."""

    speech: Speech
    frames: int
    overhang: float = 0.0


def in_slot(request: TakeRequest, rate: FrameRate, say: Say, progress: Progress) -> Slotted:
    """What is heard in the take that `request` asks for. Raises RetakeError (does_not_fit) and what speaking raises."""
    if request.audio is not None:
        recorded = from_recording(Path(request.audio), request.text or None, progress)
        return _recorded(recorded, request, rate)
    if request.fit is None:
        spoken = say(1.0)
        return _placed(spoken, LEAD, rate.frames_covering(LEAD + spoken.duration + TAIL), request, rate)
    slot = max(1, rate.frames(request.fit))
    if request.pace == "natural":
        return _at_its_own_pace(say(1.0), slot, request, rate)
    return _fitted(say, slot, request, rate)


def handles_needed(spoken_seconds: float, request: TakeRequest, rate: FrameRate) -> int:
    """The fewest handles with which words of `spoken_seconds` have room behind a slot of `request.fit` seconds; 0 where they end within it."""
    if request.fit is None:
        return 0
    slot = max(1, rate.frames(request.fit))
    quiet = 0.0 if request.audio is not None else MIN_LEAD + MIN_TAIL
    return max(0, rate.frames_covering(spoken_seconds + quiet) - slot)


def _at_its_own_pace(spoken: Speech, slot: int, request: TakeRequest, rate: FrameRate) -> Slotted:
    quiet = rate.seconds(slot) - spoken.duration
    lead = min(LEAD, max(MIN_LEAD, quiet * LEAD / (LEAD + TAIL)))
    if lead + spoken.duration + MIN_TAIL > rate.seconds(slot + request.handles) + 0.5 / float(rate):
        raise _too_long("The line takes", handles_needed(spoken.duration, request, rate), spoken.duration + LEAD + TAIL, request, rate)
    return _placed(spoken, lead, slot, request, rate)


def _fitted(say: Say, frames: int, request: TakeRequest, rate: FrameRate) -> Slotted:
    """The words at the pace at which they last as long as the slot, with the silence around them."""
    seconds = rate.seconds(frames)
    spoken = say(1.0)
    slot = slot_for(spoken.duration, seconds)
    pace = slot.pace
    if abs(pace - 1.0) > 0.005:
        spoken = say(pace)
    for _ in range(FITTINGS):
        if seconds - spoken.duration >= (MIN_LEAD + MIN_TAIL) / 2:
            break
        pace *= spoken.duration / (seconds - MIN_LEAD - MIN_TAIL)
        spoken = say(pace)
    quiet = seconds - spoken.duration
    if quiet >= 0:
        return _placed(spoken, min(slot.lead, quiet * LEAD / (LEAD + TAIL)), frames, request, rate)
    raise RetakeError(
        f"The line takes {spoken.duration:.1f} s even when spoken faster, and {seconds:.1f} s are wanted.",
        f"Shorten the line or give it {spoken.duration + MIN_LEAD + MIN_TAIL:.1f} s.",
        code="does_not_fit",
    )


def _recorded(spoken: Speech, request: TakeRequest, rate: FrameRate) -> Slotted:
    frames = max(1, rate.frames(request.fit or spoken.duration))
    room = frames + (request.handles if request.pace == "natural" else 0)
    if spoken.duration > rate.seconds(room) + 0.5 / float(rate):
        if request.pace == "natural" and request.handles:
            raise _too_long("The recording lasts", handles_needed(spoken.duration, request, rate), spoken.duration, request, rate)
        raise RetakeError(
            f"The recording lasts {spoken.duration:.1f} s and {rate.seconds(frames):.1f} s are wanted.",
            f"Give it {spoken.duration:.1f} s, or a shorter recording.",
            code="does_not_fit",
        )
    return _placed(spoken, 0.0, frames, request, rate)


def _placed(spoken: Speech, lead: float, slot: int, request: TakeRequest, rate: FrameRate) -> Slotted:
    """`spoken` from `lead` seconds on in a slot of `slot` frames, with silence in both handles."""
    total = slot + 2 * request.handles
    speech = place(spoken, rate.seconds(request.handles) + lead, rate.seconds(total))
    overhang = lead + spoken.duration - rate.seconds(slot)
    return Slotted(speech, total, overhang if overhang > 0.5 / float(rate) else 0.0)


def _too_long(what: str, handles: int, seconds: float, request: TakeRequest, rate: FrameRate) -> RetakeError:
    slot = rate.seconds(max(1, rate.frames(request.fit or 0.0)))
    shortest = math.ceil(seconds * 10) / 10
    instead = f", or handles of {handles} frames" if handles <= MOST_HANDLES else ""
    return RetakeError(
        f"{what} {seconds:.1f} s at its own pace, and a slot of {slot:.1f} s with handles of {request.handles} frames is wanted.",
        f"Give it a slot of {shortest:.1f} s{instead}, or shorten it.",
        code="does_not_fit",
    )
