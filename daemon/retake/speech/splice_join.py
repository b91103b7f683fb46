"""Where and how two sounds are joined so that it is not heard, and figures of how far a join stands out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import features
from .hibari_net import HOP
from .hibari_net import RATE as PITCH_RATE

Samples = NDArray[np.float32]
STEP = 0.004  # s between places that are tried
_WINDOW = 0.024  # s
_BANDS = 26
_FLOOR = 1e-9  # power of a band below which nothing is heard
_FADES = {"pause": 0.016, "consonant": 0.008, "voice": 0.006}  # s
_CLOSE = 0.004  # s over which the two waves are moved against each other
_CORRELATED = 0.006  # s either side that are compared for that
_ZERO = 0.0015  # s within which a zero crossing is looked for
# Costs, all in dB of spectral distance: what is worth what.
_LOUD = 0.22  # a dB louder than the quietest place
_SEMITONE = 1.2
_SIDE = 0.03  # s on each side of a join that its figures look at
_PITCH_SIDE = 0.06  # s, for pitch


@dataclass(frozen=True)
class Frames:
    """What is compared at joins, every STEP s: band levels (n, bands) in dB, level (n,) in dB, pitch (n,) in semitones (nan: no voice)."""

    bands: NDArray[np.float64]
    level: NDArray[np.float64]
    pitch: NDArray[np.float64]

    def at(self, seconds: NDArray[np.float64] | float) -> NDArray[np.int64]:
        return np.clip(np.round(np.asarray(seconds) / STEP).astype(np.int64), 0, len(self.level) - 1)


@dataclass(frozen=True)
class JoinFigures:
    """How much changes from just before a place to just after it.

    level: dB, signed. pitch: semitones, signed, None where one side has no voice. spectrum: dB, mean over bands of the change of shape and level.
    """

    level: float
    pitch: float | None
    spectrum: float


@dataclass(frozen=True)
class Cut:
    """A join: the first sound up to `a` s, the second from `b` s on. cost: of the search, dB. kind: "pause", "consonant" or "voice"."""

    a: float
    b: float
    cost: float
    kind: str


def pitch_of(samples: Samples, rate: int) -> NDArray[np.float64]:
    """(n,) Hz every 12.5 ms, 0 in pauses; runs on through consonants (features.pitch)."""
    import soxr

    low = samples if rate == PITCH_RATE else soxr.resample(samples, rate, PITCH_RATE).astype(np.float32)
    return features.pitch(np.ascontiguousarray(low, np.float32)).astype(np.float64)


def frames_of(samples: Samples, rate: int, hertz: NDArray[np.float64]) -> Frames:
    """Frames of a sound whose pitch every 12.5 ms is known (`pitch_of`)."""
    length = round(_WINDOW * rate)
    count = int(len(samples) / rate / STEP) + 1
    padded = np.pad(np.asarray(samples, np.float32), (length // 2, length + round(STEP * rate)))
    starts = np.round(np.arange(count) * STEP * rate).astype(np.int64)
    points = 1 << (length - 1).bit_length()
    window = np.hanning(length).astype(np.float32)
    bank = _bank(points // 2 + 1, rate)
    bands = np.empty((count, _BANDS))
    for first in range(0, count, 2048):
        views = padded[starts[first : first + 2048, None] + np.arange(length)[None]] * window
        power = np.square(np.abs(np.fft.rfft(views, points, axis=1))) / float(np.square(window).sum()) / length
        bands[first : first + 2048] = power @ bank.T
    levels = 10 * np.log10(np.maximum(bands, _FLOOR))
    total = 10 * np.log10(np.maximum(bands.sum(1), _FLOOR))
    heard = np.zeros(count)
    if len(hertz):
        heard = hertz[np.clip((np.arange(count) * STEP * PITCH_RATE / HOP).astype(np.int64), 0, len(hertz) - 1)]
    loud = total > np.percentile(total, 95) - 30.0
    # Bridged consonants have a pitch that nobody hears: low bands must carry the sound.
    humming = levels[:, : _BANDS // 3].max(1) > levels[:, _BANDS // 2 :].max(1) - 3.0
    voiced = (heard > 0) & loud & humming
    pitch = np.where(voiced, 12 * np.log2(np.maximum(heard, 1.0)), np.nan)
    return Frames(levels, total, pitch)


def best_cut(
    first: Frames, second: Frames, first_window: tuple[float, float], second_window: tuple[float, float], timing: Callable[..., NDArray[np.float64]]
) -> Cut:
    """The pair of places at which the first sound goes over into the second most smoothly.

    Args:
        first_window, second_window: s, within which the places lie (an empty one is one place).
        timing: (a, b) -> cost in dB of what a join there does to the rhythm and to phones; arrays that broadcast.
    """
    a = _places(first_window)
    b = _places(second_window)
    left, right = first.at(a), second.at(b)
    cost = np.zeros((len(a), len(b)))
    for shift in (-3, 0, 3):  # 12 ms before, at, and after the join both sounds should be alike
        one = first.bands[np.clip(left + shift, 0, len(first.bands) - 1)].astype(np.float32)
        other = second.bands[np.clip(right + shift, 0, len(second.bands) - 1)].astype(np.float32)
        for row in range(0, len(one), 64):  # in blocks: long pauses make long windows
            cost[row : row + 64] += np.abs(one[row : row + 64, None] - other[None]).mean(2) / 3
    level = np.maximum(first.level[left][:, None], second.level[right][None])
    quietest = min(float(np.percentile(first.level, 5)), float(np.percentile(second.level, 5)))
    cost += _LOUD * np.maximum(0.0, level - quietest)
    jump = np.abs(first.pitch[left][:, None] - second.pitch[right][None])
    cost += _SEMITONE * np.nan_to_num(np.minimum(jump, 8.0))
    cost += timing(a[:, None], b[None])
    i, j = np.unravel_index(int(np.argmin(cost)), cost.shape)
    loud = float(level[i, j]) > max(float(np.percentile(first.level, 95)) - 32.0, quietest + 8.0)
    voiced = bool(np.isfinite(first.pitch[left[i]]) and np.isfinite(second.pitch[right[j]]))
    return Cut(float(a[i]), float(b[j]), float(cost[i, j]), "pause" if not loud else "voice" if voiced else "consonant")


def settled(first: Samples, second: Samples, rate: int, cut: Cut) -> tuple[int, int, int]:
    """Samples (a, b) near a cut at which the waves continue each other at a zero crossing of the first, and the length of the crossfade.

    a: middle of the crossfade in the first sound, b: the same in the second.
    """
    a, b = round(cut.a * rate), round(cut.b * rate)
    fade = 2 * (round(_FADES[cut.kind] * rate) // 2)
    if cut.kind == "pause":
        return a, b, fade
    half, reach = round(_CORRELATED * rate), round(_CLOSE * rate)
    if a - half >= 0 and a + half <= len(first) and b - half - reach >= 0 and b + half + reach <= len(second):
        own = first[a - half : a + half]
        around = second[b - half - reach : b + half + reach]
        products = np.correlate(around, own, mode="valid")
        sums = np.concatenate([[0.0], np.cumsum(np.square(around, dtype=np.float64))])
        alike = products / np.sqrt(sums[2 * half :] - sums[: -2 * half] + 1e-9)
        b += int(np.argmax(alike)) - reach
    moved = _zero_crossing(first, a, round(_ZERO * rate)) - a
    if 0 <= b + moved <= len(second):
        a, b = a + moved, b + moved
    return a, b, fade


def crossfade(first: Samples, second: Samples) -> Samples:
    """Two sounds of one length, the first fading into the second at constant power, whatever they have in common.

    The gains of an equal-power fade, divided by what correlation adds in its middle (Fink, Holters and Zölzer 2016, DAFx).
    """
    count = len(first)
    if count == 0:
        return np.zeros(0, np.float32)
    ramp = (np.arange(count) + 0.5) / count * np.pi / 2
    out, into = np.cos(ramp), np.sin(ramp)
    scale = float(np.sqrt(np.square(first, dtype=np.float64).sum() * np.square(second, dtype=np.float64).sum()))
    alike = float(np.clip(first.astype(np.float64) @ second / scale, 0.0, 1.0)) if scale > 0 else 0.0
    norm = np.sqrt(1.0 + 2 * alike * out * into)
    return ((first * out + second * into) / norm).astype(np.float32)


def join_figures(frames: Frames, seconds: float) -> JoinFigures:
    """What changes at a place of a sound, over 30 ms on each side (pitch 60 ms, which needs some periods)."""
    here = seconds / STEP
    side, gap = round(_SIDE / STEP), 1
    middle = int(np.clip(round(here), side + gap, len(frames.level) - side - gap - 1)) if len(frames.level) > 2 * (side + gap) + 1 else 0
    before, after = slice(max(0, middle - side - gap), max(1, middle - gap)), slice(middle + gap, middle + gap + side)
    level = _mean_db(frames.level[after]) - _mean_db(frames.level[before])
    shape = np.abs(frames.bands[after].mean(0) - frames.bands[before].mean(0)).mean()
    reach = round(_PITCH_SIDE / STEP)
    low, high = frames.pitch[max(0, middle - reach) : middle], frames.pitch[middle : middle + reach]
    low, high = low[np.isfinite(low)], high[np.isfinite(high)]
    pitch = float(np.median(high) - np.median(low)) if len(low) >= 4 and len(high) >= 4 else None
    return JoinFigures(round(float(level), 2), None if pitch is None else round(pitch, 2), round(float(shape), 2))


def _mean_db(values: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(10 ** (values / 10)))) if len(values) else 0.0


def _places(window: tuple[float, float]) -> NDArray[np.float64]:
    low, high = window
    return np.linspace(low, high, int((high - low) / STEP) + 1) if high - low >= STEP else np.array([(low + high) / 2])


def _zero_crossing(samples: Samples, near: int, reach: int) -> int:
    """The sample nearest to `near`, at most `reach` away, before which the wave changes its sign; `near` if there is none."""
    low, high = max(1, near - reach), min(len(samples), near + reach)
    if high <= low:
        return near
    crossing = low + np.flatnonzero(np.signbit(samples[low:high]) != np.signbit(samples[low - 1 : high - 1]))
    return int(crossing[np.argmin(np.abs(crossing - near))]) if len(crossing) else near


def _bank(bins: int, rate: int) -> NDArray[np.float64]:
    """(_BANDS, bins) triangular bands on the mel scale up to 8 kHz, or what there is."""
    edges = 700.0 * (10.0 ** (np.linspace(2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + min(8000.0, rate / 2) / 700), _BANDS + 2) / 2595) - 1)
    frequency = np.linspace(0, rate / 2, bins)
    rising = (frequency[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequency[None]) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float64)


def settled_together(first: Samples, second: Samples, rate: int, a: int, b: int) -> tuple[int, int]:
    """(a, b) moved by the same number of samples, at most 10 ms, to where the waves are most alike: for joins whose times are tied to one another."""
    half, reach = round(_CORRELATED * rate), round(2.5 * _CLOSE * rate)
    best, moved = -np.inf, 0
    for step in range(-reach, reach + 1):
        one, other = first[a + step - half : a + step + half], second[b + step - half : b + step + half]
        if min(a, b) + step < half or len(one) < 2 * half or len(other) < 2 * half:
            continue
        loud = float(np.sqrt(np.square(one).sum() * np.square(other).sum()) + 1e-9)
        alike = float(one @ other) / loud - 0.2 * abs(step) / reach
        if alike > best:
            best, moved = alike, step
    return a + moved, b + moved
