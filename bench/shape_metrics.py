"""Figures of predicted mouth shapes against the true ones, in canonical space (definitions: docs/lips.md)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from retake.domain.phones import CLOSED, OPEN_VOWELS, SILENCE
from retake.domain.timing import Timing
from retake.face.canonical import INDEX, LIPS, lip_gap

Array = NDArray[np.float32]
LIP_ROWS = [INDEX[p] for p in LIPS]


def correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 1e-9 and b.std() > 1e-9 else 0.0


def opening(shapes: Array) -> NDArray[np.floating]:
    return np.linalg.norm(shapes[:, INDEX[13]] - shapes[:, INDEX[14]], axis=1)


def open_gap(truth: Array, timing: Timing, fps: float) -> float:
    """Median lip gap in the middle of open vowels."""
    gap = lip_gap(truth)
    middle = [int((p.start + p.end) / 2 * fps) for p in timing.phones if p.symbol in OPEN_VOWELS]
    return float(np.median([gap[min(i, len(gap) - 1)] for i in middle])) if middle else float(np.percentile(gap, 90))


def closed_share(shapes: Array, timing: Timing, fps: float, threshold: float, slack: float = 0.06) -> tuple[int, int]:
    """(closed, all) P/B/M phones: whether the lip gap falls below `threshold` within `slack` seconds of the phone."""
    gap, at = lip_gap(shapes), (np.arange(len(shapes)) + 0.5) / fps
    closed = total = 0
    for phone in timing.phones:
        if phone.symbol in CLOSED:
            near = (at >= phone.start - slack) & (at < phone.end + slack)
            if near.any():
                total += 1
                closed += bool(gap[near].min() < threshold)
    return closed, total


def inside_speech(timing: Timing, frames: int, fps: float) -> NDArray[np.bool_]:
    at = (np.arange(frames) + 0.5) / fps
    out = np.zeros(frames, bool)
    for phone in timing.phones:
        if phone.symbol != SILENCE:
            out |= (at >= phone.start) & (at < phone.end)
    return out


def in_pauses(timing: Timing, frames: int, fps: float) -> NDArray[np.bool_]:
    at = (np.arange(frames) + 0.5) / fps
    out = np.zeros(frames, bool)
    for start, end in timing.pauses():
        out |= (at >= start + 0.1) & (at < end - 0.1)
    return out


def figures(shapes: Array, truth: Array, timing: Timing, fps: float, *, mean: Array, gap: float) -> dict[str, float]:
    """Figures of one clip. `mean` (points, 3) is the frozen mouth, `gap` the person's median open gap."""
    ok = ~np.isnan(truth[:, 0, 0])
    speech = inside_speech(timing, len(truth), fps) & ok
    pause = in_pauses(timing, len(truth), fps)
    lips_p, lips_t = shapes[:, LIP_ROWS, :2], truth[:, LIP_ROWS, :2]
    error = np.linalg.norm(lips_p - lips_t, axis=2).mean(1) * 100
    frozen = np.linalg.norm(lips_t - mean[LIP_ROWS, :2], axis=2).mean(1) * 100
    a, b = opening(shapes)[ok], opening(truth)[ok]
    high_a, high_b = a - gaussian_filter1d(a, fps, mode="nearest"), b - gaussian_filter1d(b, fps, mode="nearest")
    second = [np.abs(np.diff(x[ok], 2, axis=0)).mean() for x in (lips_p, lips_t)]
    move = [np.abs(np.diff(x, axis=0)).mean((1, 2)) for x in (lips_p, lips_t)]
    still = pause[1:] & pause[:-1] & ok[1:] & ok[:-1]
    lags = {}
    for lag in range(-round(0.32 * fps), round(0.32 * fps) + 1):
        lags[lag] = correlation(a[max(0, lag) : len(a) + min(0, lag)], b[max(0, -lag) : len(b) - max(0, lag)])
    closed, bilabials = closed_share(shapes, timing, fps, 0.15 * gap)
    sp = speech[ok]
    return {
        "lmd": float(error[ok].mean()), "frozen": float(frozen[ok].mean()),
        "lmd_sp": float(error[speech].mean()), "frozen_sp": float(frozen[speech].mean()),
        "r": correlation(a, b), "rhp": correlation(high_a, high_b), "r_sp": correlation(a[sp], b[sp]),
        "amp": float(a.std() / b.std()), "jit": float(second[0] / second[1]),
        "lag": 1000 * max(lags, key=lambda k: lags[k]) / fps,
        "closed": closed, "bilabials": bilabials,
        "still": float(move[0][still].mean() / move[1][still].mean()) if still.any() else float("nan"),
    }  # fmt: skip


def summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """One row for several clips: errors and correlations averaged, ratios of averages where a ratio is meant."""
    mean = {key: float(np.nanmean([row[key] for row in rows])) if any(not np.isnan(row[key]) for row in rows) else float("nan") for key in rows[0]}
    total = sum(row["bilabials"] for row in rows)
    return {
        "ratio": mean["lmd"] / mean["frozen"], "ratio_sp": mean["lmd_sp"] / mean["frozen_sp"],
        **{key: mean[key] for key in ("lmd", "frozen", "r", "rhp", "r_sp", "amp", "jit", "lag")},
        "closure": sum(row["closed"] for row in rows) / total if total else float("nan"),
        "silence": mean["still"],
    }  # fmt: skip
