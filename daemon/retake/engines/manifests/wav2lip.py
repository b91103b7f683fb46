"""Adapter of Wav2Lip (Prajwal et al. 2020, ACM Multimedia): its generator draws the lower half of a face from the upper half and 0.2 s of sound.

The network is written after the paper and the layout of the published weights: an encoder of two faces (the one to fill in, without its lower half,
and one that shows how the person looks), an encoder of a mel spectrogram, and a decoder that takes the face encoder's steps along.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

SIDE = 96
BANDS, COLUMNS = 80, 16
FIRST = 16  # channels of the first layer; a smaller network of the same shape may have fewer
BATCH = {"cuda": 16, "cpu": 4}
FILES = ("wav2lip_gan.pth", "wav2lip.pth")
# (channels, stride, residual layers behind it) of the steps of the face encoder, and of the decoder on its way back.
_DOWN = ((32, 2), (64, 3), (128, 2), (256, 2), (512, 1))
_UP = ((512, 2), (384, 2), (256, 2), (128, 2), (64, 2))
# (channels, stride, residual layers) of the sound's encoder: 80 x 16 becomes 1 x 1.
_HEARD = ((64, (3, 1), 2), (128, (3, 3), 2), (256, (3, 2), 1))


class Layer(nn.Module):
    """Convolution (or its transpose), batch norm, rectifier; with `residual` the input is added before the rectifier."""

    def __init__(self, convolution: nn.Module, channels: int, *, residual: bool = False) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(channels))
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.conv_block(x)
        return torch.relu(out + x if self.residual else out)


def _plain(inside: int, outside: int, size: int = 3, stride: Any = 1, padding: int = 1) -> Layer:
    return Layer(nn.Conv2d(inside, outside, size, stride, padding), outside)


def _residual(channels: int, count: int) -> list[Layer]:
    return [Layer(nn.Conv2d(channels, channels, 3, 1, 1), channels, residual=True) for _ in range(count)]


def _larger(inside: int, outside: int, stride: int) -> Layer:
    padding = 0 if stride == 1 else 1
    return Layer(nn.ConvTranspose2d(inside, outside, 3, stride, padding, output_padding=padding), outside)


class Generator(nn.Module):
    """Sound (n, 1, 80, 16) and faces (n, 6, 96, 96) in 0..1 -> faces (n, 3, 96, 96) in 0..1, blue first.

    Args:
        first: channels of the first layer; all others follow from it (16 in the published weights).
    """

    def __init__(self, first: int = FIRST) -> None:
        super().__init__()

        def wide(channels: int) -> int:
            return channels * first // FIRST

        steps = [nn.Sequential(_plain(6, first, 7, 1, 3))]
        before = first
        for channels, residuals in _DOWN:
            steps.append(nn.Sequential(_plain(before, wide(channels), 3, 2), *_residual(wide(channels), residuals)))
            before = wide(channels)
        steps.append(nn.Sequential(_plain(before, before, 3, 1, 0), _plain(before, before, 1, 1, 0)))
        self.face_encoder_blocks = nn.ModuleList(steps)

        heard: list[Layer] = [_plain(1, wide(32)), *_residual(wide(32), 2)]
        inside = wide(32)
        for channels, stride, residuals in _HEARD:
            heard += [_plain(inside, wide(channels), 3, stride), *_residual(wide(channels), residuals)]
            inside = wide(channels)
        heard += [_plain(inside, wide(512), 3, 1, 0), _plain(wide(512), wide(512), 1, 1, 0)]
        self.audio_encoder = nn.Sequential(*heard)

        # What each step of the encoder leaves, from the innermost one on, goes beside what the decoder has at that size.
        sides = [wide(channels) for channels in (512, 512, 256, 128, 64, 32, 16)]
        drawn = [
            nn.Sequential(_plain(wide(512), wide(512), 1, 1, 0)),
            nn.Sequential(_larger(wide(512) + sides[0], wide(512), 1), *_residual(wide(512), 1)),
        ]
        inside = wide(512) + sides[1]
        for (channels, residuals), side in zip(_UP, sides[2:], strict=True):
            drawn.append(nn.Sequential(_larger(inside, wide(channels), 2), *_residual(wide(channels), residuals)))
            inside = wide(channels) + side
        self.face_decoder_blocks = nn.ModuleList(drawn)
        self.output_block = nn.Sequential(_plain(inside, wide(32)), nn.Conv2d(wide(32), 3, 1), nn.Sigmoid())

    def forward(self, sound: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
        steps: list[torch.Tensor] = []
        for block in self.face_encoder_blocks:
            faces = block(faces)
            steps.append(faces)
        out = self.audio_encoder(sound)
        for block in self.face_decoder_blocks:
            out = torch.cat([block(out), steps.pop()], 1)
        return self.output_block(out)


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name of a checkpoint, without the prefix that training on several GPUs leaves. Raises ValueError for a file that is none."""
    loaded, failed = None, None
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a file that is no checkpoint fails in many ways
        failed = error
    if failed is not None:
        raise ValueError(f"it is no checkpoint ({type(failed).__name__})") from failed
    state = loaded.get("state_dict", loaded) if isinstance(loaded, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError("it holds no table of tensors")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def build(state: Mapping[str, torch.Tensor]) -> Generator:
    """The network that a checkpoint's tensors belong to, with them. Raises ValueError naming the first tensor that does not fit."""
    first = state.get("face_encoder_blocks.0.0.conv_block.0.weight")
    if first is None or first.ndim != 4 or first.shape[1:] != (6, 7, 7) or not 1 <= first.shape[0] <= 4 * FIRST:
        shape = "missing" if first is None else f"of shape {tuple(first.shape)}"
        raise ValueError(f"its first layer is {shape} and should be ({FIRST}, 6, 7, 7): is it the generator for {SIDE} x {SIDE} pixels?")
    network = Generator(first.shape[0])
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        if name not in state:
            raise ValueError(f"'{name}' is missing")
        if state[name].shape != tensor.shape:
            raise ValueError(f"'{name}' is of shape {tuple(state[name].shape)} and should be {tuple(tensor.shape)}")
    unknown = sorted(set(state) - set(wanted))
    if unknown:
        raise ValueError(f"it also holds '{unknown[0]}', which this network has not")
    network.load_state_dict(dict(state))
    return network.train(False)


def load(setup: Any) -> Wav2Lip:
    if setup.threads:
        torch.set_num_threads(setup.threads)
    path = next((setup.weights / name for name in FILES if (setup.weights / name).is_file()), setup.weights / FILES[0])
    setup.report(0.1, "reading weights")
    try:
        network = build(tensors_of(path))
    except ValueError as error:
        remedy = f"Remove {path} and install the engine again, with the right file."
        raise setup.refuse(f"{path.name} is not Wav2Lip's generator: {error}.", remedy) from error
    device = "cuda" if setup.device == "cuda" and torch.cuda.is_available() else "cpu"
    return Wav2Lip(network.to(device, torch.float16 if device == "cuda" else torch.float32), device)


class Wav2Lip:
    """The loaded engine. Sixteen bits on a GPU, thirty-two on a processor."""

    def __init__(self, network: Generator, device: str) -> None:
        self.network = network
        self.device = device
        self.batch = BATCH[device]

    def render(self, order: Any) -> Iterator[np.ndarray]:
        """One face (96, 96, 3) uint8 RGB for each one of the order."""
        crops = np.frombuffer(order.arrays["crops"].data, np.uint8).reshape(order.arrays["crops"].shape)
        sound = np.frombuffer(order.arrays["sound"].data, np.float32).reshape(order.arrays["sound"].shape)
        if crops.shape[1:] != (SIDE, SIDE, 3) or sound.shape != (len(crops), BANDS, COLUMNS):
            raise order.refuse(f"Faces of {crops.shape} and sound of {sound.shape} do not go together.", "Report this.")
        done, batch = 0, 1 if order.smaller else self.batch
        while done < len(crops):
            order.report(done / len(crops))
            part = slice(done, done + batch)
            try:
                drawn = self.draw(crops[part], sound[part])
            except (RuntimeError, MemoryError) as error:
                if batch == 1 or not _is_memory(error):
                    raise
                batch = self.batch = max(1, batch // 2)
                print(f"Memory is short: {batch} at a time from here on", file=sys.stderr, flush=True)
                if self.device == "cuda":
                    torch.cuda.empty_cache()
                continue
            yield from drawn
            done += len(drawn)

    def draw(self, crops: np.ndarray, sound: np.ndarray) -> np.ndarray:
        """(n, 96, 96, 3) uint8 RGB faces and (n, 80, 16) sound -> (n, 96, 96, 3) uint8 RGB."""
        kind = next(self.network.parameters()).dtype
        whole = torch.from_numpy(np.ascontiguousarray(crops[..., ::-1])).to(self.device).permute(0, 3, 1, 2).to(kind) / 255
        masked = whole.clone()
        masked[:, :, SIDE // 2 :] = 0
        heard = torch.from_numpy(np.array(sound)).to(self.device, kind)[:, None]
        with torch.inference_mode():
            out = self.network(heard, torch.cat([masked, whole], 1)).float()
        if not torch.isfinite(out).all():
            raise ValueError("the network's picture holds numbers that are none")
        out = (out * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return np.ascontiguousarray(out[..., ::-1])


def _is_memory(error: BaseException) -> bool:
    # On a processor PyTorch says it in words alone, and oneDNN, which convolves there, in others.
    full = "can't allocate memory" in str(error) or str(error) == "could not create a primitive"
    return full or isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
