"""Speech put into a slot of exact length: pace, lead-in, tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retake.domain.errors import RetakeError
from retake.domain.phones import SILENCE
from retake.domain.speech import Speech
from retake.domain.timing import Phone, Timing

# A take starts with the mouth at rest and ends with it: editors cut there. Lips get ready 0.22 s before the first sound (face.rest).
LEAD, TAIL = 0.32, 0.40
# What is left of them when a slot is tight.
MIN_LEAD, MIN_TAIL = 0.08, 0.12
# Beyond this, a changed speaking rate is heard as such.
MAX_PACE, MIN_PACE = 1.12, 1 / 1.12


@dataclass(frozen=True)
class Slot:
    """How a line goes into its time: speak at `pace`, start after `lead` seconds."""

    pace: float
    lead: float


def slot_for(natural: float, seconds: float) -> Slot:
    """Choose pace and lead-in so that `natural` seconds of speech (at pace 1) fill a slot of `seconds`.

    Short lines are slowed by 12 % at most and the rest of the slot stays quiet; long lines are quickened by 12 % at most.
    Raises RetakeError if the line cannot fit even so, naming the shortest slot that works.
    """
    roomy = seconds - LEAD - TAIL
    if natural <= roomy:
        pace = max(MIN_PACE, natural / roomy)
        return Slot(pace, min(LEAD, seconds - natural / pace))
    tight = seconds - MIN_LEAD - MIN_TAIL
    shortest = natural / MAX_PACE + MIN_LEAD + MIN_TAIL
    if natural / MAX_PACE > tight + 1e-6:
        raise RetakeError(
            f"The line takes {shortest:.1f} s even when spoken 12 % faster, and {seconds:.1f} s are wanted.",
            f"Shorten the line or give it {shortest:.1f} s.",
            code="does_not_fit",
        )
    pace = min(MAX_PACE, max(1.0, natural / max(tight, 1e-6)))
    quiet = seconds - natural / pace
    return Slot(pace, quiet * LEAD / (LEAD + TAIL))


def place(speech: Speech, lead: float, seconds: float) -> Speech:
    """Speech of exactly round(seconds * rate) samples in which `speech` starts after `lead` seconds; the rest is silence."""
    total = round(seconds * speech.rate)
    start = round(lead * speech.rate)
    samples = np.zeros(total, np.float32)
    part = speech.samples[: max(0, total - start)]
    samples[start : start + len(part)] = part
    moved = speech.timing.shifted(start / speech.rate)
    phones = tuple(Phone(p.symbol, p.start, min(p.end, seconds), p.stress) for p in moved.phones if p.start < seconds)
    before = (Phone(SILENCE, 0.0, phones[0].start),) if phones and phones[0].start > 0 else ()
    last = phones[-1].end if phones else 0.0
    after = (Phone(SILENCE, last, seconds),) if last < seconds else ()
    return Speech(samples, speech.rate, Timing(before + phones + after, moved.words, moved.exact, moved.confidence), speech.engine)
