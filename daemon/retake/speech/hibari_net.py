"""The speech network of hibari-tts as a differentiable torch module.

hibari ships one int8 ONNX graph (Apache-2.0). Its weights are read out of that graph, dequantised and put into the modules
below, so that the decoder can be adapted to a person and driven with durations, pitch and energy of our own. Attribute names
follow the export, which is how weights find their place.

The graph, from left to right: phoneme ids -> `prosody` (durations on a 25 ms grid; pitch and energy at 12.5 ms) and `voice`
(text encoder, then a convolutional decoder) -> five spectral maps a frame -> waveform (source-filter synthesis, `synthesis.py`).
Against the ONNX graph: same lengths; log magnitudes differ by 0.04 on average, because the graph also quantises activations.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

RATE = 24000  # Hz
HOP = 300  # samples a frame of pitch, energy and spectrum: 12.5 ms
FRAMES_PER_STEP = 2  # durations count steps of two frames
STEP_SECONDS = HOP * FRAMES_PER_STEP / RATE  # 25 ms
BINS = 601  # of a 1200-point spectrum
SYMBOLS = 178
PAD = 0  # id before the first and after the last phoneme
PITCH_SCALE = 100.0  # the prosody net speaks in hundreds of hertz
ENERGY_SCALE = 5.0


class Spectra(NamedTuple):
    """What the decoder says about each frame; every map is (batch, BINS, frames).

    log_harmonic, phase_harmonic: gain and phase (in units to be squashed by tanh, times pi) of the pulse train.
    log_noise: gain of the noise. log_free, phase_free: a component with its own phase.
    """

    log_harmonic: Tensor
    phase_harmonic: Tensor
    log_noise: Tensor
    log_free: Tensor
    phase_free: Tensor


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, layer norm, two-layer perceptron, scaled residual (Liu et al. 2022, "A ConvNet for the 2020s")."""

    def __init__(self, width: int, hidden: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.dw = nn.Conv1d(width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=width)
        self.norm = nn.LayerNorm(width)
        self.pw1 = nn.Linear(width, hidden)
        self.pw2 = nn.Linear(hidden, width)
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, time) -> the same shape."""
        y = self.pw2(functional.gelu(self.pw1(self.norm(self.dw(x).transpose(1, 2)))))
        return x + (self.gamma * y).transpose(1, 2)


class AttentionBlock(nn.Module):
    """Pre-norm transformer block with two heads."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, 2, batch_first=True)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) -> the same shape."""
        y = self.norm1(x)
        x = x + self.self_attn(y, y, y, need_weights=False)[0]
        return x + self.linear2(functional.gelu(self.linear1(self.norm2(x))))


class TextEncoder(nn.Module):
    """Phoneme ids -> one vector a phoneme. The attention block is applied `repeats` times with shared weights."""

    def __init__(self, width: int, hidden: int, repeats: int) -> None:
        super().__init__()
        self.emb = nn.Embedding(SYMBOLS, width)
        self.convs = nn.ModuleList([ConvNeXtBlock(width, hidden, 5) for _ in range(2)])
        self.attn = AttentionBlock(width, hidden)
        self.norm = nn.LayerNorm(width)
        self.repeats = repeats

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, phonemes) int64 -> (batch, width, phonemes)."""
        x = self.emb(ids).transpose(1, 2)
        for block in self.convs:
            x = block(x)
        x = x.transpose(1, 2)
        for _ in range(self.repeats):
            x = self.attn(x)
        return self.norm(x).transpose(1, 2)


class VoiceNet(nn.Module):
    """Phonemes, their timing, pitch and energy -> spectra. `dec_in`, `dec`, `dec_norm` and `head` are what adaptation trains."""

    def __init__(self) -> None:
        super().__init__()
        self.text = TextEncoder(128, 256, repeats=4)
        self.dec_in = nn.Conv1d(130, 256, 7, padding=3)
        self.dec = nn.ModuleList([ConvNeXtBlock(256, 768, 7) for _ in range(8)])
        self.dec_norm = nn.LayerNorm(256)
        self.head = nn.Linear(256, 5 * BINS)

    def forward(self, encoded: Tensor, index: Tensor, pitch: Tensor, energy: Tensor) -> Spectra:
        """Decode.

        Args:
            encoded: (batch, 128, phonemes) from `text`.
            index: (steps,) or (batch, steps) int64, the phoneme that sounds in each 25 ms step.
            pitch: (batch, 2 * steps) Hz, 0 where unvoiced.
            energy: (batch, 2 * steps), on hibari's scale (see features.energy).
        """
        if index.dim() == 1:
            index = index[None].expand(len(encoded), -1)
        return self.decode(torch.gather(encoded, 2, index[:, None].expand(-1, encoded.shape[1], -1)), pitch, energy)

    def decode(self, content: Tensor, pitch: Tensor, energy: Tensor) -> Spectra:
        """The same, with the encoded phonemes already laid out in time: `content` is (batch, 128, steps)."""
        x = content.repeat_interleave(FRAMES_PER_STEP, 2)
        x = torch.cat([x, (torch.log1p(functional.relu(pitch)) / 5)[:, None], (energy / 5)[:, None]], 1)
        x = self.dec_in(x)
        for block in self.dec:
            x = block(x)
        return Spectra(*self.head(self.dec_norm(x.transpose(1, 2))).transpose(1, 2).split(BINS, 1))


class ProsodyNet(nn.Module):
    """Phonemes -> how long each lasts, and the pitch and energy of each frame."""

    def __init__(self) -> None:
        super().__init__()
        self.text = TextEncoder(192, 384, repeats=6)
        self.dur = nn.Sequential(nn.Conv1d(192, 192, 3, padding=1), nn.GELU(), nn.Conv1d(192, 1, 1))
        self.pro_in = nn.Conv1d(192, 192, 1)
        self.pro = nn.ModuleList([ConvNeXtBlock(192, 384, 7, dilation) for dilation in (1, 2, 4, 8, 1, 2)])
        self.pro_out = nn.Conv1d(192, 4, 1)

    def steps(self, encoded: Tensor) -> Tensor:
        """(1, 192, phonemes) -> (phonemes,) real-valued durations in 25 ms steps, before rounding."""
        return torch.exp(self.dur(encoded)[0, 0]) - 1

    def contours(self, encoded: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Pitch in Hz (below 40 means unvoiced) and energy, each (1, 2 * steps), for phonemes repeated as `index` says."""
        x = self.pro_in(encoded[:, :, index])
        for block in self.pro:
            x = block(x)
        x = self.pro_out(x)
        batch, _, steps = x.shape
        x = x.reshape(batch, 2, FRAMES_PER_STEP, steps).transpose(2, 3).reshape(batch, 2, FRAMES_PER_STEP * steps)
        return x[:, 0] * PITCH_SCALE, x[:, 1] * ENERGY_SCALE


class HibariNet(nn.Module):
    """Both halves; `m` and `pn` are the export's names for them."""

    def __init__(self) -> None:
        super().__init__()
        self.m = VoiceNet()
        self.pn = ProsodyNet()

    @property
    def voice(self) -> VoiceNet:
        return self.m

    @property
    def prosody(self) -> ProsodyNet:
        return self.pn


def load_base() -> HibariNet:
    """The network with the weights of the installed hibari voice ("heart"), in evaluation mode. Reads one file, no network."""
    net = HibariNet()
    net.load_state_dict({name: torch.from_numpy(value) for name, value in _weights().items()})
    return net.eval()


def expand(durations: Tensor) -> Tensor:
    """(phonemes,) steps -> (sum of steps,) index of the phoneme that sounds in each step."""
    return torch.repeat_interleave(torch.arange(len(durations)), durations)


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, int]:
    """Phoneme (one misaki character) -> id."""
    return json.loads((_assets() / "vocab.json").read_text(encoding="utf-8"))


def phoneme_ids(phonemes: str) -> list[int]:
    """Ids with the pads the network expects at both ends; characters it does not know are left out."""
    known = vocabulary()
    return [PAD, *[known[symbol] for symbol in phonemes if symbol in known], PAD]


def _assets() -> Path:
    import hibari

    return Path(hibari.__file__).parent / "assets"


def _weights() -> dict[str, np.ndarray]:
    """Every weight by its torch name. Matrices are stored transposed and in 8 bits under the names of graph nodes."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(_assets() / "hibari.onnx").graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = {name: np.array(value) for name, value in stored.items() if name.startswith(("m.", "pn.")) and value.dtype == np.float32}

    def matrix(node: str) -> np.ndarray:
        quantised, scale, zero = (stored[f"{node}_{part}"].astype(np.float32) for part in ("quantized", "scale", "zero_point"))
        return np.ascontiguousarray(((quantised - zero) * scale).T)

    for prefix, attention, same, later in (("m.text.", "/Transpose_2", "", ""), ("pn.text.", "/Transpose_25", "_1", "_4")):
        weights[f"{prefix}attn.self_attn.in_proj_weight"] = matrix(f"{attention}_output_0")
        weights[f"{prefix}attn.self_attn.out_proj.weight"] = matrix(f"/out_proj{later}/Transpose_output_0")
        for layer in ("linear1", "linear2"):
            weights[f"{prefix}attn.{layer}.weight"] = matrix(f"/{layer}{later}/Transpose_output_0")
        for i in range(2):
            for layer in ("pw1", "pw2"):
                weights[f"{prefix}convs.{i}.{layer}.weight"] = matrix(f"/convs.{i}/{layer}{same}/Transpose_output_0")
    for prefix, name, blocks in (("pn.", "pro", 6), ("m.", "dec", 8)):
        for i in range(blocks):
            for layer in ("pw1", "pw2"):
                weights[f"{prefix}{name}.{i}.{layer}.weight"] = matrix(f"/{name}.{i}/{layer}/Transpose_output_0")
    weights["m.head.weight"] = matrix("/head/Transpose_output_0")
    return weights
