"""Faults of a sound that have nothing to do with its words: clicks, clipping, silence where nobody asked for it, ends cut off, offset, noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.ndimage import maximum_filter1d
from scipy.signal import lfilter

from retake.domain.timing import Word

from . import activity

Samples = NDArray[np.float32]
# Clicks: samples that short-term predictors miss, forwards and backwards, by so many times what they miss nearby.
_ORDER = 24  # of the predictors
_BLOCK = 0.04  # s that one predictor serves
_AROUND = 0.012  # s of neighbourhood; longer than a period of a low voice
_SPARE = 0.0012  # s around a click that do not count as its neighbourhood
_ALONE = 5.0  # times the largest miss beside it
_LOUD = 0.1  # of the sound's own peak: fainter ones are not told from lips and tongue
_FLAT = 3  # samples next to the peak in a row that are clipping
_FLAT_SHARE = 4  # such runs at least
_EDGE = 0.010  # s at both ends
_CUT = -14.0  # dB relative to speech at which the sound may not begin or end
_INSIDE = 0.40  # s of silence within a word


@dataclass(frozen=True)
class SignalFigures:
    """finite: there are samples and all of them are numbers. clicks: times, s. clipped: share of the samples. offset: mean. silences: (start, end)
    of silences inside, s. cut_start, cut_end: the sound begins or ends at full voice. level, noise: dB re full scale of speech and of what lies
    between.
    """

    finite: bool
    clicks: tuple[float, ...]
    clipped: float
    offset: float
    silences: tuple[tuple[float, float], ...]
    cut_start: bool
    cut_end: bool
    level: float
    noise: float
    spoken: float  # s of sound


def signal_figures(samples: Samples, rate: int) -> SignalFigures:
    """Measure a generated speech, (n,) at `rate` Hz."""
    sound = np.asarray(samples, np.float32)
    if not len(sound) or not np.isfinite(sound).all():
        return SignalFigures(False, (), 0.0, 0.0, (), False, False, -140.0, -140.0, 0.0)
    loud = activity.active(sound, rate)
    level = activity.levels(sound, rate)
    speech = float(10 * np.log10(np.mean(10 ** (level[loud] / 10)))) if loud.any() else -140.0
    quiet = np.sort(level[~loud])
    noise = float(10 * np.log10(np.mean(10 ** (quiet[: max(1, len(quiet) * 3 // 4)] / 10)))) if len(quiet) > 5 else -140.0
    heard = np.flatnonzero(loud)
    silences: list[tuple[float, float]] = []
    if len(heard):
        inner = activity.runs(~loud[heard[0] : heard[-1] + 1])
        first = int(heard[0])
        silences = [((a + first) * activity.STEP, (b + first) * activity.STEP) for a, b in inner]
    edge = max(1, round(_EDGE * rate))
    return SignalFigures(
        finite=True,
        clicks=tuple(round(place / rate, 3) for place in find_clicks(sound, rate)),
        clipped=clipped_share(sound),
        offset=float(sound.mean(dtype=np.float64)),
        silences=tuple(silences),
        cut_start=_at_edge(sound[:edge], speech),
        cut_end=_at_edge(sound[-edge:], speech),
        level=speech,
        noise=noise,
        spoken=float(loud.sum()) * activity.STEP,
    )


def _at_edge(piece: Samples, speech: float) -> bool:
    power = float(np.mean((piece - piece.mean()) ** 2)) if len(piece) else 0.0
    return bool(speech > -100.0 and 10 * np.log10(max(power, 1e-14)) > speech + _CUT)


def clipped_share(sound: Samples) -> float:
    """Share of samples in runs of three or more within 0.2 % of the peak; 0 where there are only a few such runs."""
    peak = float(np.abs(sound).max(initial=0.0))
    if peak < 0.05:
        return 0.0
    runs = [b - a for a, b in activity.runs(np.abs(sound) >= 0.998 * peak) if b - a >= _FLAT]
    return sum(runs) / len(sound) if len(runs) >= _FLAT_SHARE else 0.0


def find_clicks(sound: Samples, rate: int) -> list[int]:
    """Samples at which the sound jumps as no voice does.

    Linear predictors of each 40 ms (autocorrelation method), one forwards and one backwards in time, leave residuals; a click is a place that both
    miss far more than anything within 12 ms (after Godsill and Rayner 1998, chapter 5). A plosive's burst is not alone: its noise goes on. Neither
    is a pulse of the voice, which comes again, and which one of the two directions expects.
    """
    peak = float(np.abs(sound).max(initial=0.0))
    around, spare = round(_AROUND * rate), max(2, round(_SPARE * rate))
    if len(sound) < 4 * around or peak < 1e-4:
        return []
    forward = maximum_filter1d(np.abs(_residual(sound, rate)), 3)
    backward = maximum_filter1d(np.abs(_residual(np.ascontiguousarray(sound[::-1]), rate))[::-1], 3)
    missed = np.minimum(forward, backward)
    # The largest miss in the neighbourhood on each side.
    largest = np.pad(maximum_filter1d(missed, around - spare), around, mode="edge")
    reach = spare + (around - spare) // 2
    beside = np.maximum(largest[around - reach : around - reach + len(sound)], largest[around + reach : around + reach + len(sound)])
    high = (missed > _LOUD * peak) & (missed > _ALONE * beside)
    return [a + int(missed[a:b].argmax()) for a, b in _merged(activity.runs(high), spare)]


def _merged(runs: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for a, b in runs:
        if out and a - out[-1][1] <= gap:
            out[-1] = (out[-1][0], b)
        else:
            out.append((a, b))
    return out


def _residual(sound: Samples, rate: int) -> Samples:
    """What a short-term linear predictor misses."""
    block = round(_BLOCK * rate)
    out = np.zeros(len(sound), np.float32)
    window = np.hanning(2 * block)
    for start in range(0, len(sound), block):
        low, high = max(0, start - block // 2), min(len(sound), start + block + block // 2)
        piece = sound[low:high].astype(np.float64)
        power = np.abs(np.fft.rfft(piece * window[: len(piece)] if len(piece) == 2 * block else piece * np.hanning(len(piece)), 4 * block)) ** 2
        lags = np.fft.irfft(power)[: _ORDER + 1]
        if lags[0] < 1e-10:
            continue
        lags[0] *= 1.0 + 1e-5
        own = sound[max(0, start - _ORDER) : start + block].astype(np.float64)
        missed = lfilter(_predictor(lags), [1.0], own)
        out[start : start + block] = missed[min(start, _ORDER) :]
    return out


def _predictor(lags: NDArray[np.float64]) -> NDArray[np.float64]:
    """Prediction error filter from autocorrelations (Levinson and Durbin)."""
    return np.concatenate([[1.0], -solve_toeplitz(lags[:-1], lags[1:])])


def silences_within(silences: Sequence[tuple[float, float]], words: Sequence[Word]) -> list[tuple[float, str]]:
    """Silences inside single words, as (s, word)."""
    out: list[tuple[float, str]] = []
    for start, end in silences:
        if end - start < _INSIDE:
            continue
        for word in words:
            plain = word.text.strip(".,;:!?…\"'()—- ")
            if word.start + 0.05 < start and end < word.end - 0.05 and plain.isalpha():
                out.append((start, word.text))
    return out
