"""What training makes small, and how fast it learns."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

LOSS_WINDOWS = (512, 1024, 2048)


def spectral_loss(made: Tensor, real: Tensor) -> Tensor:
    """Multi-resolution STFT loss (Yamamoto et al. 2020, "Parallel WaveGAN"): spectral convergence and log magnitude. (batch, n) each."""
    total = made.new_zeros(())
    for points in LOSS_WINDOWS:
        window = torch.hann_window(points)
        a = torch.stft(made, points, points // 4, window=window, return_complex=True).abs() + 1e-5
        b = torch.stft(real, points, points // 4, window=window, return_complex=True).abs() + 1e-5
        convergence = ((a - b).norm(dim=(-2, -1)) / b.norm(dim=(-2, -1)).clamp(min=1e-3)).mean()
        total = total + 0.5 * convergence + (a.log() - b.log()).abs().mean()
    return total / len(LOSS_WINDOWS)


def schedule(steps: int) -> Callable[[int], float]:
    """Factor on the rate: ten steps of warming up, then a cosine down to a twentieth."""

    def factor(step: int) -> float:
        warm = min(1.0, (step + 1) / 10)
        return warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps)))))

    return factor
