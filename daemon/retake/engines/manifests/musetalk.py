"""Adapter of MuseTalk 1.5 (Zhang et al. 2024, arXiv 2410.10122): one step of a latent network fills in the lower half of a face.

The latents of the face without its lower half and of the whole face go into a UNet, once, with what Whisper's encoder hears around the frame.
The classes of the networks are those of diffusers and transformers, in the sizes that the files say; everything between them is Retake's.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import math
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

SIDE = 256
RATE = 16000
PER_SECOND = 50  # steps of Whisper's encoder
SEGMENT = 30  # s that it hears at once
# A frame hears itself and two frames on either side, at the 25 frames a second of the training: 80 ms before it to 120 ms after it begins.
LEAD, STEPS = 4, 10
BATCH = {"cuda": 16, "cpu": 2}
UNET, UNET_CONFIG = "musetalkV15/unet.pth", "musetalkV15/musetalk.json"
VAE, WHISPER = "sd-vae", "whisper"


def positions(count: int, width: int) -> torch.Tensor:
    """(count, width) sines and cosines by turns (Vaswani et al. 2017, section 3.5)."""
    speeds = torch.exp(torch.arange(0, width, 2).float() * (-math.log(10000.0) / width))
    angles = torch.arange(count).float()[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], 2).reshape(count, width)


def first_steps(frames: list[int], rate: tuple[int, int]) -> list[int]:
    """Step of the encoder at which each frame begins, exact at any rate (numerator, denominator)."""
    return [frame * PER_SECOND * rate[1] // rate[0] for frame in frames]


def heard_around(steps: torch.Tensor, frames: list[int], rate: tuple[int, int]) -> torch.Tensor:
    """What is heard around each frame.

    Args:
        steps: (n, layers, width) of the whole sound.
        frames: k frame numbers; silence (0) surrounds the sound.

    Returns (k, STEPS * layers, width) with positions added: the steps in order, the layers of each beside each other.
    """
    count, layers, width = steps.shape
    out = torch.zeros(len(frames), STEPS, layers, width, dtype=steps.dtype, device=steps.device)
    for row, first in enumerate(first_steps(frames, rate)):
        start = first - LEAD
        a, b = max(0, start), min(count, start + STEPS)
        if b > a:
            out[row, a - start : b - start] = steps[a:b]
    out = out.reshape(len(frames), STEPS * layers, width)
    return out + positions(STEPS * layers, width).to(out)


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name of a checkpoint. Raises ValueError for a file that is none."""
    loaded, failed = None, None
    try:
        # Read from the disk where it is needed, unless it is in PyTorch's old format.
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # noqa: BLE001 - a file that is no checkpoint fails in many ways
        failed = error
    if failed is not None:
        raise ValueError(f"it is no checkpoint ({type(failed).__name__})") from failed
    state = loaded.get("state_dict", loaded) if isinstance(loaded, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError("it holds no table of tensors")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def fill(network: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Give a network its tensors. Raises ValueError naming the first one that does not fit."""
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        if name not in state:
            raise ValueError(f"'{name}' is missing")
        if state[name].shape != tensor.shape:
            raise ValueError(f"'{name}' is of shape {tuple(state[name].shape)} and should be {tuple(tensor.shape)}")
    unknown = sorted(set(state) - set(wanted))
    if unknown:
        raise ValueError(f"it also holds '{unknown[0]}', which this network has not")
    network.load_state_dict(dict(state), assign=True)


def build_unet(config: Path, weights: Path) -> Any:
    """The UNet as its configuration describes it. Raises ValueError for files that are another network's."""
    from diffusers import UNet2DConditionModel

    try:
        described = json.loads(config.read_text(encoding="utf-8"))
        with torch.device("meta"):  # its 0.86 billion numbers come from the file
            network = UNet2DConditionModel.from_config(described)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{config.name} describes no such network ({error})") from error
    if (network.config.in_channels, network.config.out_channels) != (8, 4):
        raise ValueError(f"{config.name} describes {network.config.in_channels} channels in and {network.config.out_channels} out, not 8 and 4")
    fill(network, tensors_of(weights))
    return network


def build_codec(folder: Path) -> Any:
    """Stable Diffusion's codec of pictures, from diffusers' layout. Raises ValueError for files that are another network's."""
    from diffusers import AutoencoderKL

    safe = (folder / "diffusion_pytorch_model.safetensors").is_file()
    network, found = AutoencoderKL.from_pretrained(folder, local_files_only=True, use_safetensors=safe, output_loading_info=True)
    _complete(found, "")
    return network


def build_ears(folder: Path) -> tuple[Any, Any]:
    """Whisper's encoder and what prepares sound for it, from transformers' layout. Raises ValueError for files that are another network's."""
    from transformers import WhisperFeatureExtractor, WhisperModel

    safe = (folder / "model.safetensors").is_file()
    network, found = WhisperModel.from_pretrained(folder, local_files_only=True, use_safetensors=safe, output_loading_info=True)
    _complete(found, "encoder.")
    return network.get_encoder(), WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)


def _complete(found: Mapping[str, Any], start: str) -> None:
    missing = sorted(name for name in found["missing_keys"] if name.startswith(start))
    if missing:
        raise ValueError(f"'{missing[0]}' is missing")
    if found["mismatched_keys"]:
        raise ValueError(f"'{sorted(str(entry) for entry in found['mismatched_keys'])[0]}' is of another shape")


def load(setup: Any) -> MuseTalk:
    if setup.threads:
        torch.set_num_threads(setup.threads)
    device = "cuda" if setup.device == "cuda" and torch.cuda.is_available() else "cpu"
    kind = torch.float16 if device == "cuda" else torch.float32
    what, failed = "", None
    unet = vae = whisper = hears = None
    try:
        what = UNET
        setup.report(0.05, what)
        unet = build_unet(setup.weights / UNET_CONFIG, setup.weights / UNET).to(device, kind).train(False)
        what = VAE
        setup.report(0.6, what)
        vae = build_codec(setup.weights / VAE).to(device, kind).train(False)
        what = WHISPER
        setup.report(0.8, what)
        whisper, hears = build_ears(setup.weights / WHISPER)
        whisper = whisper.to(device, kind).train(False)
    except Exception as error:  # noqa: BLE001 - files that are others fail in many ways, and memory that is full in one, which is not theirs
        failed = error
    if failed is not None and _is_memory(failed):
        raise failed
    if failed is not None or unet is None or whisper is None:
        words = " ".join(str(failed).split())[:200]
        raise setup.refuse(f"MuseTalk's {what} cannot be read: {words}.", f"Remove {setup.weights / what} and install the engine again.") from failed
    if whisper.config.d_model != unet.config.cross_attention_dim:
        cause = f"The sound's encoder is {whisper.config.d_model} wide, and the network listens to {unet.config.cross_attention_dim}."
        raise setup.refuse(cause, "Whisper's smallest model (tiny) belongs to it.")
    return MuseTalk(unet, vae, whisper, hears)


class MuseTalk:
    """The loaded engine. Sixteen bits on a GPU, thirty-two on a processor."""

    def __init__(self, unet: Any, vae: Any, whisper: Any, hears: Any) -> None:
        self.unet, self.vae, self.whisper, self.hears = unet, vae, whisper, hears
        place = next(unet.parameters())
        self.device, self.kind = place.device, place.dtype
        self.batch = BATCH[self.device.type]
        self.heard: torch.Tensor | None = None

    def render(self, order: Any) -> Iterator[np.ndarray]:
        """One face (256, 256, 3) uint8 RGB for each one of the order. The first order of a take brings the whole sound."""
        crops = np.frombuffer(order.arrays["crops"].data, np.uint8).reshape(order.arrays["crops"].shape)
        frames, over = [int(frame) for frame in order.fields["frames"]], order.fields["rate"]
        if crops.shape[1:] != (SIDE, SIDE, 3) or len(frames) != len(crops):
            raise order.refuse(f"Faces of {crops.shape} and {len(frames)} frame numbers do not go together.", "Report this.")
        if "samples" in order.arrays:
            self.heard = self.listen(np.frombuffer(order.arrays["samples"].data, np.float32), order)
        if self.heard is None:
            raise order.refuse("Faces came without their sound.", "Report this.")
        sound = heard_around(self.heard, frames, (int(over[0]), int(over[1])))
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
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            yield from drawn
            done += len(drawn)

    def listen(self, samples: np.ndarray, order: Any) -> torch.Tensor:
        """(n,) sound at RATE -> (steps, layers, width): every layer of the encoder, 50 steps a second, 30 s at a time."""
        out = []
        for start in range(0, max(1, len(samples)), SEGMENT * RATE):
            order.report(0.0, "listening")
            piece = np.nan_to_num(samples[start : start + SEGMENT * RATE])
            mel = self.hears(piece, sampling_rate=RATE, return_tensors="pt").input_features
            with torch.inference_mode():
                states = self.whisper(mel.to(self.device, self.kind), output_hidden_states=True).hidden_states
            out.append(torch.stack(states, 2)[0, : math.ceil(len(piece) * PER_SECOND / RATE)])
        return torch.cat(out)

    def draw(self, crops: np.ndarray, sound: torch.Tensor) -> np.ndarray:
        """(n, 256, 256, 3) uint8 RGB faces and what is heard around them -> (n, 256, 256, 3) uint8 RGB."""
        whole = torch.from_numpy(np.array(crops)).to(self.device).permute(0, 3, 1, 2).to(self.kind) / 127.5 - 1
        masked = whole.clone()
        masked[:, :, SIDE // 2 :] = -1
        scale = self.vae.config.scaling_factor
        with torch.inference_mode():
            # The middle of the codec's distribution, not a draw from it: the same face gives the same mouth.
            latent = torch.cat([self.vae.encode(picture).latent_dist.mode() for picture in (masked, whole)], 1) * scale
            step = torch.zeros(1, dtype=torch.long, device=self.device)
            made = self.unet(latent, step, encoder_hidden_states=sound.to(self.device, self.kind)).sample
            out = self.vae.decode(made / scale).sample.float()
        if not torch.isfinite(out).all():
            raise ValueError("the network's picture holds numbers that are none")
        return ((out + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _is_memory(error: BaseException) -> bool:
    # On a processor PyTorch says it in words alone, and oneDNN, which convolves there, in others.
    full = "can't allocate memory" in str(error) or str(error) == "could not create a primitive"
    return full or isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
