"""What mouths in general do for phones in context: a small convolutional network, learnt once and shipped with the product.

It answers with the movement about a person's mean mouth, as principal components of lips and jaw in a common frontal space
(inter-ocular distance 1). numpy alone runs it: 0.2 M parameters are not worth loading a framework for. Training:
bench/train_shape_prior.py; where the data come from and what was reached: assets/shape_prior.json and docs/lips.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from retake.domain.timing import Timing

from .features import GRID_RATE, TAP_STEP, TAPS, dilated, phone_features

Array = NDArray[np.float32]

HIDDEN_TAPS = 5
LAYERS = 2
MARGIN = (TAPS // 2 + LAYERS * (HIDDEN_TAPS // 2)) * TAP_STEP  # grid steps that the network sees on either side of an instant


def gelu(x: Array) -> Array:
    """Gaussian error linear unit in its tanh form (Hendrycks & Gimpel 2016)."""
    return 0.5 * x * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x * x * x)))


def grid_features(timing: Timing, start: float, count: int) -> Array:
    """(count + 2 * MARGIN, features) phone features at `start` + k / GRID_RATE for k from -MARGIN: what the network needs for `count` answers."""
    return phone_features(timing, start + np.arange(-MARGIN, count + MARGIN) / GRID_RATE)


@dataclass(frozen=True)
class ShapePrior:
    """Weights of the network and the space it answers in.

    inputs (TAPS, features, hidden), input_bias (hidden,); layers: per hidden layer its (HIDDEN_TAPS, hidden, hidden) weight and bias;
    outputs (hidden, components), output_bias (components,), already in units of the components;
    basis (components, points * 3), orthonormal rows; rigid (len(RIGID), 3) the common space's stable points.
    """

    inputs: Array
    input_bias: Array
    layers: tuple[tuple[Array, Array], ...]
    outputs: Array
    output_bias: Array
    basis: Array
    rigid: Array

    @classmethod
    def from_tensors(cls, tensors: dict[str, Array]) -> ShapePrior:
        wide = {name: value.astype(np.float32) for name, value in tensors.items()}
        layers = tuple((wide[f"layer{i}.weight"], wide[f"layer{i}.bias"]) for i in range(LAYERS))
        return cls(wide["inputs"], wide["input_bias"], layers, wide["outputs"], wide["output_bias"], wide["basis"], wide["rigid"])

    def coefficients(self, timing: Timing, start: float, count: int) -> Array:
        """(count, components) movement about the mean mouth at `start` + k / GRID_RATE seconds."""
        rows = gelu(dilated(grid_features(timing, start, count), self.inputs, TAP_STEP) + self.input_bias)
        edge = (HIDDEN_TAPS // 2) * TAP_STEP
        for weight, bias in self.layers:
            rows = rows[edge:-edge] + gelu(dilated(rows, weight, TAP_STEP) + bias)
        return rows @ self.outputs + self.output_bias

    def offsets(self, timing: Timing, start: float, count: int) -> Array:
        """(count, points, 3) the same as displacements of the points of `face.canonical.MOUTH`."""
        return (self.coefficients(timing, start, count) @ self.basis).reshape(count, -1, 3)


@cache
def load_prior() -> ShapePrior:
    """The prior that ships with the product."""
    with as_file(files("retake") / "assets" / "shape_prior.safetensors") as path:
        return ShapePrior.from_tensors(load_file(path))
