"""Voices that learning starts from: hibari's own ("heart", a woman) and a man's, and mixtures of them, chosen for each speaker.

Base voices share hibari's text encoder and differ in the decoder only. All were trained on from the same weights, so that a straight
line between two of them speaks as well. How they are made, and what was measured, is in docs/voice-bases.md.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load as load_tensors
from torch import Tensor

from retake.domain.progress import Progress

from .hibari_net import FRAMES_PER_STEP, HOP, RATE, Spectra, VoiceNet, load_base
from .losses import spectral_loss
from .material import Material
from .measure import similarity_to
from .synthesis import Synthesiser, render
from .voiceprint import embed
from .warped_start import start_from_warped

ASSETS = Path(__file__).resolve().parent.parent / "assets" / "voices"
HEART = "heart"  # in hibari's own package
STORED = ("michael",)
BASES = (HEART, *STORED)
PARTS = ("dec_in", "dec", "dec_norm", "head")  # of VoiceNet, that base voices differ in
SCALE = ".scale"
SHARES = (0.0, 0.5, 1.0)  # of a stored base in the mixtures that are tried
HEARD = 12.0  # s of the reference that decide
# Of the spectral loss (0.9-2.7) against the similarity of voices (0.1-1). Either alone took one of the speakers that were tried for the other sex.
LOSS_WEIGHT = 0.5


@dataclass(frozen=True)
class Choice:
    """A base voice, or a mixture. `weights` add up to 1; `scores` are of all that were tried, higher is nearer."""

    weights: tuple[tuple[str, float], ...]
    scores: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        """`heart`, `michael`, or "heart 0.50 + michael 0.50"."""
        used = [(name, weight) for name, weight in self.weights if weight > 0]
        return used[0][0] if len(used) == 1 else " + ".join(f"{name} {weight:.2f}" for name, weight in used)

    @property
    def why(self) -> str:
        """One sentence for a report."""
        tried = ", ".join(f"{name} {score:.3f}" for name, score in self.scores)
        return f"{self.name} is nearest to the reference (scores, higher is nearer: {tried})." if tried else f"{self.name} is the only base voice."


def load_base_voice(name: str) -> VoiceNet:
    """The decoder (with hibari's text encoder) of one of BASES, in evaluation mode. Raises ValueError for another name."""
    heart = load_base().voice
    return heart.requires_grad_(False) if name == HEART else with_difference(heart, [(_stored(name), 1.0)])


def start(choice: Choice, base: Synthesiser) -> VoiceNet:
    """A new network to train: the chosen base or mixture on top of `base`, which must hold hibari's own weights."""
    return with_difference(base.net.voice, [(_stored(name), weight) for name, weight in choice.weights if name != HEART and weight > 0])


@torch.no_grad()
def choose_base(base: Synthesiser, material: Material, told: Tensor, progress: Progress) -> Choice:
    """Which base voice is nearest to a reference. Some 3 s of processor time.

    Every candidate says the first seconds of the reference's words at its times and pitch: once as it is, for the similarity of the voices, and once
    with its vocal tract and long-term spectrum matched, for the spectral loss. The best sum of both wins, the first named where they are equal.

    Args:
        told: (frames,) Hz, the reference's pitch in the base voice's range.
    """
    steps = min(material.steps, round(HEARD * RATE / (HOP * FRAMES_PER_STEP)))
    part, heard = _beginning(material, steps), told[: steps * FRAMES_PER_STEP]
    try:
        person = embed(part.samples, RATE)
    except ValueError:  # too little speech to tell a voice by
        person = None
    found: list[tuple[float, Choice]] = []
    for share in SHARES:
        for name in STORED:
            progress.check()
            candidate = Choice(((HEART, 1.0 - share), (name, share)))
            if any(other.name == candidate.name for _, other in found):
                continue
            net = start(candidate, base)
            alike = similarity_to(person, _repeated(net, part, heard).numpy(), RATE) or 0.0
            start_from_warped(net, part, heard, torch.Generator().manual_seed(0))
            loss = float(spectral_loss(_repeated(net, part, heard)[None], torch.from_numpy(np.ascontiguousarray(part.samples))[None]))
            found.append((alike - LOSS_WEIGHT * loss, candidate))
    best = max(found, key=_score)[1]
    return replace(best, scores=tuple((candidate.name, round(score, 4)) for score, candidate in found))


def difference_of(voice: VoiceNet, heart: VoiceNet) -> dict[str, Tensor]:
    """What `voice` adds to `heart`: matrices as int8 with a half-precision scale a row, vectors in half precision."""
    own = heart.state_dict()
    out: dict[str, Tensor] = {}
    for name, value in voice.state_dict().items():
        if not name.startswith(PARTS):
            continue
        change = (value - own[name]).float()
        if change.dim() < 2:
            out[name] = change.half().contiguous()
            continue
        rows = change.reshape(len(change), -1)
        scale = (rows.abs().amax(1) / 127).clamp(min=1e-8).half().float().clamp(min=6e-8)
        out[name] = torch.round(rows / scale[:, None]).clamp(-127, 127).to(torch.int8).reshape(change.shape).contiguous()
        out[name + SCALE] = scale.half().contiguous()
    return out


@torch.no_grad()
def with_difference(heart: VoiceNet, parts: Sequence[tuple[bytes, float]]) -> VoiceNet:
    """A copy of `heart` with stored differences (safetensors of `difference_of`) added, each times its weight."""
    net = copy.deepcopy(heart).requires_grad_(False).train(False)
    own = net.state_dict()
    for data, weight in parts:
        for name, change in _unpacked(load_tensors(data)).items():
            own[name] += weight * change
    return net


def _unpacked(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    out = {}
    for name, value in stored.items():
        if name.endswith(SCALE):
            continue
        scale = stored.get(name + SCALE)
        out[name] = value.float() if scale is None else value.float() * scale.float().reshape(-1, *[1] * (value.dim() - 1))
    return out


@lru_cache(maxsize=2)
def _stored(name: str) -> bytes:
    """4 MB each; kept, since every enrolment asks for them several times."""
    if name not in STORED:
        raise ValueError(f"no base voice is called {name!r}; there are {', '.join(BASES)}")
    return (ASSETS / f"{name}.safetensors").read_bytes()


def _beginning(material: Material, steps: int) -> Material:
    frames = steps * FRAMES_PER_STEP
    return replace(
        material,
        samples=material.samples[: frames * HOP],
        pitch=material.pitch[:frames],
        energy=material.energy[:frames],
        pulses=material.pulses[:, :frames],
        quiet=material.quiet[:frames],
        compared=material.compared[:frames],
        index=material.index[:steps],
    )


def _repeated(net: VoiceNet, material: Material, told: Tensor) -> Tensor:
    """(n,) samples: the material said again with its own prosody."""
    content = material.script.content[:, torch.from_numpy(material.index)]
    spectra = net.decode(content[None], told[None], torch.from_numpy(np.ascontiguousarray(material.energy))[None])
    return render(Spectra(*spectra), material.pulses[None], torch.Generator().manual_seed(0))[0]


def _score(found: tuple[float, Choice]) -> float:
    return found[0]
