"""Figures of a moving mouth: does it close, rest and move as the person's own does? Definitions: docs/quality.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retake.domain.phones import CLOSED, OPEN_VOWELS
from retake.domain.rate import FrameRate
from retake.domain.timing import Timing
from retake.face.canonical import INDEX, LIPS, lip_gap

Array = NDArray[np.float32]

CLOSED_SHARE = 0.15  # lips count as closed below this share of the person's median gap in open vowels
AROUND = 0.06  # seconds either side of a phone in which its closure may fall
PAUSE = 0.3  # seconds; shorter silences are part of speaking


@dataclass(frozen=True)
class MouthFigures:
    """How a mouth moves. Lengths are in inter-ocular distances; NaN where there was nothing to measure."""

    open_gap: float  # median lip gap in the middle of open vowels
    closure: float  # share of P, B and M in which the lips meet
    closures: int  # how many there were
    movement: float  # standard deviation of the lip gap
    jitter: float  # mean second difference of the lip points, per frame of 1/25 s
    pause_speed: float  # mean speed of the lip points in pauses, per second
    frames: int


def measure_mouth(shapes: Array, rate: FrameRate, timing: Timing, *, open_gap: float | None = None) -> MouthFigures:
    """Measure (n, len(MOUTH), 3) canonical mouth shapes, NaN rows allowed, at `rate` against the phones they should show.

    Args:
        open_gap: the person's own open gap, where the shapes are a take's; None measures it here.
    """
    with np.errstate(invalid="ignore"):
        gap = lip_gap(shapes)
    times = (np.arange(len(shapes)) + 0.5) / float(rate)
    here = _median_open(gap, times, timing) if open_gap is None else open_gap
    closed = [_smallest(gap, times, p.start - AROUND, p.end + AROUND) for p in timing.phones if p.symbol in CLOSED]
    closed = [value for value in closed if np.isfinite(value)]
    lips = shapes[:, [INDEX[p] for p in LIPS], :2]
    step = np.linalg.norm(np.diff(lips, axis=0), axis=2).mean(1) * float(rate)
    second = np.abs(np.diff(lips, 2, axis=0)).mean((1, 2)) * (float(rate) / 25.0) ** 2
    quiet = np.zeros(len(step), bool)
    for start, end in timing.pauses(PAUSE):
        # The edges of a pause hold the end of one word and the rise of the next: real movement, not fidgeting.
        quiet |= (times[1:] > start + 0.1) & (times[1:] < end - 0.1)
    return MouthFigures(
        open_gap=here,
        closure=float(np.mean([value < CLOSED_SHARE * here for value in closed])) if closed else float("nan"),
        closures=len(closed),
        movement=_mean(np.array([np.nanstd(gap)])) if np.isfinite(gap).any() else float("nan"),
        jitter=_mean(second),
        pause_speed=_mean(step[quiet]),
        frames=int(np.isfinite(gap).sum()),
    )


def compare(take: MouthFigures, real: MouthFigures) -> dict[str, float | None]:
    """A take's figures relative to the person's own, as reports show them (None where there was nothing to measure)."""
    figures = {
        "closure": take.closure,
        "closure_reference": real.closure,
        "amplitude": _ratio(take.movement, real.movement),
        "jitter": _ratio(take.jitter, real.jitter),
        "silence": _ratio(take.pause_speed, real.pause_speed),
    }
    return {name: round(value, 3) if np.isfinite(value) else None for name, value in figures.items()} | {"closures": take.closures}


def _ratio(value: float, base: float) -> float:
    return value / base if base > 0 else float("nan")


def _median_open(gap: Array, times: NDArray[np.floating], timing: Timing) -> float:
    values = [_nearest(gap, times, (p.start + p.end) / 2) for p in timing.phones if p.symbol in OPEN_VOWELS]
    values = [value for value in values if np.isfinite(value)]
    if values:
        return float(np.median(values))
    return float(np.nanpercentile(gap, 80)) if np.isfinite(gap).any() else float("nan")


def _nearest(gap: Array, times: NDArray[np.floating], time: float) -> float:
    if not len(times) or time > times[-1] + 0.1:
        return float("nan")
    return float(gap[int(np.abs(times - time).argmin())])


def _smallest(gap: Array, times: NDArray[np.floating], start: float, end: float) -> float:
    inside = gap[(times >= start) & (times < end)]
    inside = inside[np.isfinite(inside)]
    return float(inside.min()) if len(inside) else float("nan")


def _mean(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
