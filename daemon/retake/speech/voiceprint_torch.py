"""The speaker embedder of `voiceprint.py` as differentiable torch, so that training can ask how much speech sounds like a person.

Three LSTM layers over 40 log mel bands and a projection (Wan et al. 2018). The weights are read, dequantised, from the ONNX graph that
`voiceprint.embed` runs; the graph also quantises activations, so that the two agree to a cosine of about 0.99, not exactly.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from . import voiceprint

BANDS, WIDTH, SIZE, LAYERS = 40, 768, 256, 3
POINTS, LENGTH, HOP = 768, 600, 240  # at 24 kHz the same bins of 31.25 Hz, 25 ms and 10 ms as at 16 kHz: nothing needs resampling
FRAMES = 80  # that are judged at once
LEVEL = 0.05  # RMS
# (input, recurrent and bias) of each layer in the graph, and their order of gates: input, output, forget, cell.
_LAYERS = (("val_43", "val_44", "val_66"), ("val_106", "val_107", "val_129"), ("val_166", "val_167", "val_189"))


class Voiceprint(nn.Module):
    """Speech at 24 kHz -> unit vectors of the speaker. Its weights stay as they are."""

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BANDS, WIDTH, LAYERS, batch_first=True)
        self.project = nn.Linear(WIDTH, SIZE)
        self.register_buffer("window", (0.54 - 0.46 * torch.cos(2 * torch.pi * torch.arange(LENGTH) / LENGTH)) / 1.5)
        self.register_buffer("filters", torch.from_numpy(voiceprint.filters()))
        self.load_state_dict(_weights(), strict=False)
        self.requires_grad_(False)

    def mel(self, samples: Tensor) -> Tensor:
        """(batch, n) -> (batch, frames, 40) log10 power at a fixed level; n is at least LENGTH."""
        level = samples.detach().square().mean(-1, keepdim=True).sqrt().clamp(min=1e-4)
        frames = (samples * (LEVEL / level)).unfold(-1, LENGTH, HOP) * self.window
        power = torch.fft.rfft(frames, POINTS).abs().square()[..., : len(self.filters)]
        return torch.log10(power @ self.filters + 1e-10)

    def forward(self, mel: Tensor) -> Tensor:
        """(batch, FRAMES, 40) -> (batch, 256)."""
        return functional.normalize(self.project(self.lstm(mel)[0][:, -1]), dim=-1)


def _weights() -> dict[str, Tensor]:
    import onnx
    from onnx import numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(voiceprint.model_file()).graph.initializer}

    def matrix(name: str) -> np.ndarray:
        quantised, scale, zero = (stored[f"{name}_{part}"].astype(np.float32) for part in ("quantized", "scale", "zero_point"))
        return ((quantised - zero) * scale).T

    def gates(rows: np.ndarray) -> Tensor:
        entry, out, forget, cell = np.split(rows, 4)
        return torch.from_numpy(np.ascontiguousarray(np.concatenate([entry, forget, cell, out])))

    weights: dict[str, Tensor] = {}
    for layer, (entry, recurrent, bias) in enumerate(_LAYERS):
        weights[f"lstm.weight_ih_l{layer}"] = gates(matrix(entry)[..., 0])
        weights[f"lstm.weight_hh_l{layer}"] = gates(matrix(recurrent)[..., 0])
        both = np.split(stored[bias][0], 2)
        weights[f"lstm.bias_ih_l{layer}"], weights[f"lstm.bias_hh_l{layer}"] = gates(both[0]), gates(both[1])
    weights["project.weight"] = torch.from_numpy(np.ascontiguousarray(matrix("proj.linear_layer.weight")))
    weights["project.bias"] = torch.from_numpy(stored["proj.linear_layer.bias"].copy())
    return weights
