"""Which constant frame rate stands for the time stamps a file has, and whether they vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from retake.domain.rate import FrameRate

STANDARD = tuple(
    FrameRate(*pair)
    for pair in (
        *((n, 1) for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 200, 240)),
        *((1000 * n, 1001) for n in (12, 15, 24, 30, 48, 60, 120, 240)),
        (25, 2),
    )
)


# A clock that leaps by this much, or falls back, was set anew (recordings joined, a damaged stamp): what follows is played on without a gap.
LEAP_FORWARD_SECONDS = 30.0
LEAP_BACK_SECONDS = 0.3


def leaps(step: float) -> bool:
    """Whether a step from one frame to the next, in seconds and presentation order, can only come from another clock."""
    return step > LEAP_FORWARD_SECONDS or step < -LEAP_BACK_SECONDS


def span_without_leaps(times: Sequence[float], interval: float) -> float:
    """Seconds from the first to the last of `times` (any order), leaps counted as one `interval`."""
    steps = np.diff(np.sort(np.asarray(times, np.float64)))
    return float(np.where(steps > LEAP_FORWARD_SECONDS, interval, steps).sum())


@dataclass(frozen=True)
class Cadence:
    """rate: the constant rate chosen; variable: True when the time stamps leave its grid; interval: seconds between most frames."""

    rate: FrameRate
    variable: bool
    interval: float


def cadence(times: Sequence[float], tick: float, declared: Fraction | None) -> Cadence:
    """Choose the constant rate for presentation times (any order, seconds).

    Args:
        times: presentation times of the frames that were looked at.
        tick: resolution of the time stamps in seconds (1 ms in Matroska).
        declared: the rate that the file names, if any; believed when the time stamps do not contradict it.
    """
    ordered = np.unique(np.asarray(times, np.float64))
    steps = np.diff(ordered)
    steps = steps[steps > 1e-6]
    if declared is not None and not Fraction(1) <= declared <= 240:
        declared = None
    if len(steps) == 0:
        rate = _snap(float(declared), 0.001) if declared else FrameRate(25)
        return Cadence(rate, False, 1.0 / float(rate))
    span = float(ordered[-1] - ordered[0])
    median = float(np.median(steps))
    average = len(steps) / span
    # The ends of the span are each known to a tick.
    tolerance = max(4e-4, 2 * tick / span)
    regular = _on_grid(ordered, 1.0 / average, tick)
    if regular:
        agrees = declared is not None and abs(float(declared) / average - 1) <= tolerance
        rate = _snap(float(declared), 2e-4) if declared and agrees else _snap(average, tolerance)
        return Cadence(rate, False, 1.0 / float(rate))
    # Variable: the usual distance of two frames names the rate; what is missing is shown longer, what is too much is dropped.
    usual = min(240.0, max(1.0, 1.0 / median))
    return Cadence(_standard_near(ordered, usual), True, median)


def _standard_near(ordered: np.ndarray, usual: float) -> FrameRate:
    """The standard rate near `usual` whose grid the times fit best; whole rates (first in the list) win where the times cannot tell."""
    near = [rate for rate in STANDARD if abs(float(rate) / usual - 1) < 0.03]
    if not near:
        near = [min(STANDARD, key=lambda rate: abs(float(rate) / usual - 1))]
    # How well the phases agree (1: all on the grid), as in a Fourier sum at the rate's frequency.
    fits = [float(np.abs(np.exp(2j * np.pi * float(rate) * (ordered - ordered[0])).mean())) for rate in near]
    return next(rate for rate, fit in zip(near, fits, strict=True) if fit >= max(fits) - 0.02)


def _on_grid(ordered: np.ndarray, interval: float, tick: float) -> bool:
    """True when nearly all times lie within a quarter frame (or two ticks) of an even grid. A few gaps and late frames are still a variable rate."""
    ideal = ordered[0] + interval * np.arange(len(ordered))
    offset = ordered - ideal
    offset -= np.median(offset)
    return bool(np.abs(offset).max() <= max(0.25 * interval, 2 * tick))


def _snap(value: float, tolerance: float) -> FrameRate:
    """The nearest standard rate if it is within `tolerance` (relative), else the value itself as a small fraction."""
    nearest = min(STANDARD, key=lambda rate: abs(float(rate) / value - 1))
    if abs(float(nearest) / value - 1) <= tolerance:
        return nearest
    return FrameRate.from_fraction(Fraction(min(240.0, max(1.0, value))).limit_denominator(1001))
