"""What a person's mouth does differently from the prior, learnt from their reference.

A ridge regression (Hoerl & Kennard 1970) from the phones around an instant, and from the prior's own answer (so that somebody may open
wider or purse less than others), to what the prior left over. Phones further away count less: twenty seconds cannot tell what a
phone does a quarter of a second later. How far to trust the reference is decided on the reference itself: blocks of about a second are
left out in turn, and the penalty that predicts them best is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retake.domain.progress import Progress

from .features import FEATURES, TAPS

Array = NDArray[np.float32]

REACH_SECONDS = 0.12  # standard deviation of the weight over the taps
STEP_SECONDS = 0.04
MOST_GAIN = 3.0  # weight of the prior's components among the regressors, at most: a gain fitted to a few seconds does harm
PENALTIES = (10.0, 20.0, 40.0, 80.0)
FOLDS = 5
BLOCK_SECONDS = 1.2


@dataclass(frozen=True)
class Residual:
    """Weights of the regression on the context (TAPS, features, outputs) and on the prior's components (components, outputs), and its intercept."""

    context: Array
    prior: Array
    intercept: Array
    penalty: float

    @classmethod
    def none(cls, components: int, outputs: int) -> Residual:
        zeros = np.zeros((TAPS, len(FEATURES), outputs), np.float32)
        return cls(zeros, np.zeros((components, outputs), np.float32), np.zeros(outputs, np.float32), float("inf"))


def tap_weights() -> Array:
    """(TAPS * features,) how much each regressor of the context counts."""
    away = (np.arange(TAPS) - TAPS // 2) * STEP_SECONDS
    return np.repeat(np.exp(-0.5 * (away / REACH_SECONDS) ** 2), len(FEATURES)).astype(np.float32)


def gain_weight(seconds: float) -> float:
    """How freely the prior's own components may be rescaled after `seconds` of a person."""
    return float(np.clip((seconds - 4) / 4, 0.5, MOST_GAIN))


def fit_residual(context: Array, components: Array, left: Array, importance: Array, rate: float, *, progress: Progress | None = None) -> Residual:
    """Learn what is left over.

    Args:
        context: (n, TAPS * features) of the frames that count.
        components: (n, c) the prior's components at the same frames.
        left: (n, outputs) truth minus prior minus the person's mean.
        importance: (outputs,) weight of each output in choosing the penalty.
        rate: frames per second.
        progress: only asked whether to stop.
    """
    progress = progress or Progress()
    spread = components.std(0).max() + 1e-6
    weights = np.concatenate([tap_weights(), np.full(components.shape[1], gain_weight(len(left) / rate) / spread, np.float32)])
    x = (np.concatenate([context, components], 1) * weights).astype(np.float64)
    # In the order of time, blocks go to the folds in turn, so that each fold holds all parts of the reference.
    fold = (np.arange(len(x)) / (BLOCK_SECONDS * rate)).astype(int) % FOLDS
    errors = np.zeros(len(PENALTIES))
    for number in range(FOLDS):
        progress.check()
        test = fold == number
        if test.any() and (~test).sum() > 10:
            errors += _errors(x[~test], left[~test], x[test], left[test], importance)
    progress.check()
    penalty = PENALTIES[int(errors.argmin())]
    centre, intercept = x.mean(0), left.mean(0)
    weight = _solve(x - centre, left - intercept, penalty)
    constant = (intercept - centre @ weight).astype(np.float32)
    weight = (weight * weights[:, None]).astype(np.float32)
    size = TAPS * len(FEATURES)
    return Residual(weight[:size].reshape(TAPS, len(FEATURES), -1), weight[size:], constant, penalty)


def _solve(x: NDArray[np.float64], y: NDArray[np.floating], penalty: float) -> NDArray[np.float64]:
    """Ridge weights without intercept, solved on the smaller side."""
    if len(x) < x.shape[1]:
        return np.asarray(x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), y), np.float64)
    return np.asarray(np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y), np.float64)


def _errors(x: NDArray[np.float64], y: Array, x_test: NDArray[np.float64], y_test: Array, importance: Array) -> NDArray[np.float64]:
    """(len(PENALTIES),) weighted squared error on the test rows, every penalty from one decomposition of the training rows."""
    centre, intercept = x.mean(0), y.mean(0)
    values, vectors = np.linalg.eigh((x - centre) @ (x - centre).T)
    rotated = vectors.T @ (y - intercept)
    kernel = (x_test - centre) @ (x - centre).T @ vectors
    out = []
    for penalty in PENALTIES:
        shrunk = rotated / (np.maximum(values, 0) + penalty)[:, None]
        out.append(float((((intercept + kernel @ shrunk - y_test) * importance) ** 2).sum()))
    return np.array(out)
