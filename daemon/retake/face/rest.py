"""The mouth in pauses: it comes to the person's own rest and stays there.

Lips that go on moving while nothing is said are what viewers of talking heads complain about most. A regression never quite stops (it
sees words coming from 240 ms away), so pauses are settled afterwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retake.domain.timing import Timing

Array = NDArray[np.float32]

PAUSE = 0.3  # seconds of silence that count as a pause
CLOSE = 0.12  # seconds that the mouth takes after the last sound
PREPARE = 0.22  # seconds that it starts ahead of the next sound
RAMP = 0.10  # seconds over which stillness comes and goes
EDGE = 0.08  # seconds beside a sound that show the sound's shape rather than silence
LONG = 0.8  # seconds of silence after which the mouth is wholly at rest; in shorter pauses it stays nearer to what is said around


def pauses(timing: Timing, until: float) -> list[tuple[float, float]]:
    """Silences of at least PAUSE seconds, with what lies before the first and after the last phone; those at the ends are open-ended."""
    spans = timing.pauses(PAUSE)
    first = timing.phones[0].start if timing.phones else until
    last = timing.phones[-1].end if timing.phones else until
    if first >= PAUSE:
        spans.insert(0, (0.0, first))
    if until - last >= PAUSE:
        spans.append((last, until))
    out: list[tuple[float, float]] = []
    for start, end in spans:
        if out and start - out[-1][1] < 1e-3:
            start = out.pop()[0]
        out.append((-1e3 if start < 1e-3 else start, 1e3 if end > until - 1e-3 else end))
    return out


def still_part(start: float, end: float) -> tuple[float, float]:
    """The part of a pause in which the mouth is at rest; empty (start > end) in short ones."""
    return start + CLOSE, end - PREPARE


def at_rest(timing: Timing, at: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(n,) True at the instants `at` inside silences, short ones too, away from the sounds around them."""
    out = np.zeros(len(at), bool)
    for start, end in timing.pauses(2 * EDGE):
        margin = min(max(EDGE, 0.3 * (end - start)), CLOSE + PREPARE)
        out |= (at > start + margin) & (at < end - margin)
    return out


def settle(mouths: Array, timing: Timing, at: NDArray[np.floating], rest: Array) -> Array:
    """Return mouths (n, points, 3) seen at `at` seconds, come to rest (points, 3) in pauses."""
    out = mouths.copy()
    for start, end in pauses(timing, float(at[-1]) + 1e-3 if len(at) else 0.0):
        low, high = still_part(start, end)
        if high <= low:
            continue
        inside = np.minimum(at - low, high - at) / RAMP
        weight = 0.5 - 0.5 * np.cos(np.pi * np.clip(inside + 0.5, 0, 1))
        touched = weight > 0
        if not touched.any():
            continue
        share = weight[touched, None, None].astype(np.float32)
        around = (share * mouths[touched]).sum(0) / share.sum()
        length = np.clip((end - start - PAUSE) / (LONG - PAUSE), 0, 1)
        goal = around + np.float32(length) * (rest - around)
        out[touched] += share * (goal - mouths[touched])
    return out
