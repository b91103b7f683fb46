"""Whether picture and sound of a reference belong together, and how late the picture is.

The mouth that the prior expects for the phones that are heard is slid along the mouth that is seen; where they agree best is the lag.
Loudness against lip opening is the second opinion, and the only one where no phones are known: mouths open for loud sounds, but not
only and not always, so it weighs little. What the best agreement is worth is judged against shifts at which picture and sound certainly
do not belong together (at least a second off, wrapped around): a mismatched sound has such maxima everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.timing import Timing

from .canonical import INDEX, INNER_LIPS, LIPS, lip_gap
from .features import GRID_RATE
from .prior import ShapePrior, load_prior
from .space import MouthSpace

Array = NDArray[np.float32]

REACH = 0.4  # largest lag looked for, in seconds
STEP = 0.01
FAR = 1.0  # seconds from which two stretches of speech have nothing to do with each other
SLOW = 0.6  # seconds (standard deviation) of the movement taken out: posture, smiles
ENERGY_DELAY = 0.02  # seconds that opening follows loudness in material known to be in sync
ENERGY_WEIGHT = 0.3  # of the second opinion where phones are known
SHORTEST = 2.0  # seconds below which nothing can be said


@dataclass(frozen=True)
class _Picture:
    """What is seen: mouths (n, points, 3) without gaps, where a face was really seen, the frames' centres in seconds, frames per second."""

    mouths: Array
    seen: NDArray[np.bool_]
    at: NDArray[np.float64]
    rate: float

    def grid_length(self) -> int:
        """Grid steps of the clip."""
        return round(len(self.at) / self.rate * GRID_RATE)


def estimate_lag(
    canonical: Array,
    rate: FrameRate,
    samples: NDArray[np.float32],
    sample_rate: int,
    timing: Timing | None,
    *,
    prior: ShapePrior | None = None,
    progress: Progress | None = None,
) -> tuple[float, float]:
    """How late the picture is against the sound, and how sure that is.

    Args:
        canonical: (n, 478, 3) canonical landmarks, NaN rows allowed.
        samples: (m,) mono sound, time zero with the first picture.
        timing: phones of the sound, aligned or recognised; None where there are none.
        progress: only asked whether to stop.

    Returns: (seconds in ±REACH, positive where the picture comes later than its sound; confidence in 0..1). From about 0.3 on the lag can
    be corrected; below 0.2 picture and sound do not show that they belong together. (0.0, 0.0) where nothing can be compared.
    """
    seen = ~np.isnan(canonical[:, 0, 0])
    if rate.seconds(int(seen.sum())) < SHORTEST or not len(samples):
        return 0.0, 0.0
    progress = progress or Progress()
    prior = prior or load_prior()
    progress.check()
    at = (np.arange(len(canonical), dtype=np.float64) + 0.5) / float(rate)
    mouths = _fill(MouthSpace.of(canonical, prior.rigid).to_common(canonical), seen)
    lags = np.arange(-round(REACH / STEP), round(REACH / STEP) + 1)
    far = _far_shifts(len(canonical), rate)
    every = np.concatenate([lags, far])
    picture = _Picture(mouths, seen, at, 1 / float(at[1] - at[0]))
    curves = [(ENERGY_WEIGHT if timing else 1.0, _energy_curve(picture, samples, sample_rate, every, progress))]
    if timing and timing.phones:
        curves.append((1.0, _phone_curve(picture, timing, every, prior, progress)))
    total = sum(weight for weight, _ in curves)
    curve = np.sum([weight * values for weight, values in curves], axis=0) / total
    near, null = curve[: len(lags)], curve[len(lags) :]
    best = int(near.argmax())
    lag = float(lags[best]) * STEP
    if 0 < best < len(lags) - 1:
        before, here, after = near[best - 1 : best + 2]
        bend = before - 2 * here + after
        if bend < 0:
            lag += STEP * float(0.5 * (before - after) / bend)
    return lag, _confidence(float(near[best]), null)


def _confidence(peak: float, null: NDArray[np.float64]) -> float:
    """From the best agreement (a correlation) and from how many standard deviations it stands above agreements by chance.

    Measured: clips with their own sound 2.6-9 deviations and 0.26-0.8, with somebody else's at most 2.3 and 0.16. Rhythmic speech (the
    commands of GRID) agrees with itself at many shifts, so neither figure would do alone.
    """
    if len(null) < 10 or peak <= 0:
        return 0.0
    above = (peak - float(null.mean())) / max(float(null.std()), 1e-6)
    return float(1 / (1 + np.exp(-(above - 3.0) - 8.0 * (peak - 0.3))))


def _far_shifts(frames: int, rate: FrameRate) -> NDArray[np.int64]:
    """Shifts in grid steps that take picture and sound at least FAR apart, in a clip that is wrapped around."""
    length = round(rate.seconds(frames) / STEP)
    first, last = round(FAR / STEP), length - round(FAR / STEP)
    return np.arange(first, last, max(1, (last - first) // 200)) if last > first else np.zeros(0, np.int64)


def _fill(mouths: Array, seen: NDArray[np.bool_]) -> Array:
    """Put the last seen mouth in place of frames without one."""
    index = np.where(seen, np.arange(len(seen)), -1)
    index = np.maximum.accumulate(index)
    index[index < 0] = np.flatnonzero(seen)[0]
    return mouths[index]


def _detail(rows: NDArray[np.floating], rate: float) -> NDArray[np.float64]:
    """Rows over time without what changes slowly."""
    wide = rows.astype(np.float64)
    return wide - gaussian_filter1d(wide, SLOW * rate, axis=0, mode="nearest")


def _agreement(
    seen_rows: NDArray[np.float64], grid: NDArray[np.float64], at: NDArray[np.float64], every: NDArray[np.int64], progress: Progress
) -> NDArray[np.float64]:
    """(len(every),) correlation over all columns of what is seen at `at` with the grid's rows `every` steps earlier, wrapped around."""
    position = np.round(at / STEP - 0.5).astype(int)
    a = seen_rows - seen_rows.mean(0)
    size = np.linalg.norm(a)
    out = np.zeros(len(every))
    for k, shift in enumerate(every):
        progress.check()
        b = grid[(position - shift) % len(grid)]
        b = b - b.mean(0)
        out[k] = (a * b).sum() / max(size * np.linalg.norm(b), 1e-12)
    return out


def _phone_curve(picture: _Picture, timing: Timing, every: NDArray[np.int64], prior: ShapePrior, progress: Progress) -> NDArray[np.float64]:
    rows = [INDEX[point] for point in LIPS]
    weight = np.array([1.5 if point in INNER_LIPS else 1.0 for point in LIPS])[:, None]
    real = _detail((picture.mouths[:, rows, :2] * weight).reshape(len(picture.mouths), -1), picture.rate)
    offsets = prior.offsets(timing, 0.5 / GRID_RATE, picture.grid_length())
    expected = _detail((offsets[:, rows, :2] * weight).reshape(len(offsets), -1), GRID_RATE)
    return _agreement(real[picture.seen], expected, picture.at[picture.seen], every, progress)


def _energy_curve(
    picture: _Picture, samples: NDArray[np.float32], sample_rate: int, every: NDArray[np.int64], progress: Progress
) -> NDArray[np.float64]:
    edges = np.minimum((np.arange(picture.grid_length() + 1) * sample_rate / GRID_RATE).astype(int), len(samples))
    total = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    power = (total[edges[1:]] - total[edges[:-1]]) / np.maximum(edges[1:] - edges[:-1], 1)
    loud = np.log(power + max(1e-3 * float(power.max()), 1e-12))
    loud = np.roll(gaussian_filter1d(loud, 3), round(ENERGY_DELAY / STEP))
    gap = _detail(lip_gap(picture.mouths)[:, None], picture.rate)
    return _agreement(gap[picture.seen], _detail(loud[:, None], GRID_RATE), picture.at[picture.seen], every, progress)
