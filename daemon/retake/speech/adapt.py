"""Teach the base voice's decoder to sound like a person, from some twenty seconds of them.

Three things keep the words clear while the timbre moves, all found by measuring (docs/voice.md):
* the pitch that the decoder is told is mapped into the base voice's range, while the pulse train keeps the person's;
* training starts from the base voice with its spectra warped to the person's vocal tract and matched to their long-term spectrum
  (the decoder's last layer is linear, so both are a change of its weights);
* rehearsal: in every step the decoder must also still speak phonetically rich sentences as that warped voice would.
In every second step a speaker embedder also says how much both, the reference and the rehearsal, sound like the person (`likeness.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from retake.domain.progress import Progress

from . import bases, features
from .hibari_net import BINS, FRAMES_PER_STEP, Spectra, VoiceNet
from .likeness import Likeness
from .losses import schedule, spectral_loss
from .material import Material, realign
from .pitch_map import PitchMap, measure_pace, measure_pitch
from .rehearsal import rehearsal_loss, rehearse
from .synthesis import Synthesiser, pulse_spectrum, render
from .tape import lay_out, windows
from .warped_start import start_from_warped

FINAL_MATCH = 0.7  # ln units (6 dB): a larger correction would be a mistake


@dataclass(frozen=True)
class Settings:
    """How to train. Lengths are in steps of 25 ms."""

    steps: int = 120  # 200 and 400 were no better
    rate: float = 5e-4
    crops: int = 3
    crop: int = 64
    rehearsed: int = 2
    rehearsal: float = 0.6
    average: float = 0.97  # of the weights, over the last steps
    likeness: float = 0.5  # weight; 1.0 brings the voice nearer still, and words lose (docs/voice.md)
    likeness_every: int = 2  # steps: it costs as much as the rest of one
    likeness_windows: int = 6
    seed: int = 0


@dataclass(frozen=True)
class Adapted:
    """What came out: the decoder, and how it got there."""

    net: VoiceNet
    pitch: PitchMap
    pace: float
    warp: float
    first_loss: float
    last_loss: float
    base: str = bases.HEART  # what the decoder started from


def adapt(base: Synthesiser, material: Material, phonemise: Callable[[str], str], settings: Settings, progress: Progress) -> Adapted:
    """Train a copy of the base decoder on `material`, deterministically for given settings and number of threads.

    Args:
        phonemise: sentence -> misaki phonemes, for the rehearsal sentences.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    choose = np.random.default_rng(settings.seed)
    pitch = measure_pitch(material)
    pace = measure_pace(material)
    told = torch.from_numpy(pitch.to_base(material.pitch))
    choice = bases.choose_base(base, material, told, progress)
    net = bases.start(choice, base)
    warp, offsets = start_from_warped(net, material, told, generator)
    progress.check()
    tape = lay_out(material, told)
    rehearsed = rehearse(base, net, phonemise, pace, offsets=offsets, pitch=pitch, progress=progress)
    progress.check()
    trained = [parameter for part in (net.dec_in, net.dec, net.dec_norm, net.head) for parameter in part.parameters()]
    for parameter in trained:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(trained, lr=settings.rate, weight_decay=0.0, betas=(0.8, 0.99))
    progress.check()  # the first optimiser of a process takes a while to be made
    slower = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule(settings.steps))
    mean = [parameter.detach().clone() for parameter in trained]
    alike = _likeness(material, settings)
    progress.check()
    losses: list[float] = []
    for step in range(settings.steps):
        progress.report(step / settings.steps, f"loss {losses[-1]:.3f}" if losses else "")
        if step == settings.steps // 2:
            progress.check()
            realign(material, _speak_adapted(net, material, pitch, generator), progress)
            tape = lay_out(material, told)
        crops = windows(choose, tape, settings.crops, settings.crop)
        practice = windows(choose, rehearsed, settings.rehearsed, settings.crop)
        length = crops.content.shape[-1]
        together = [torch.cat([a, b[..., : a.shape[-1]]]) for a, b in zip(crops.inputs, practice.inputs, strict=True)]
        spectra = net.decode(*together)
        count = len(crops.content)
        sound = render(Spectra(*(part[:count] for part in spectra)), crops.pulses, generator)
        loss = spectral_loss(sound, crops.samples)
        last = loss.item()
        if settings.rehearsal > 0:
            loss = loss + settings.rehearsal * rehearsal_loss(Spectra(*(part[count:] for part in spectra)), practice, length)
        if alike is not None and step % settings.likeness_every == 0:
            spoken = render(Spectra(*(part[count:] for part in spectra)), practice.pulses[..., : length * FRAMES_PER_STEP], generator)
            loss = loss + settings.likeness * alike(torch.cat([sound, spoken]))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        slower.step()
        with torch.no_grad():
            keep = min(settings.average, step / (step + 10))
            for averaged, parameter in zip(mean, trained, strict=True):
                averaged.lerp_(parameter, 1 - keep)
        losses.append(last)
    with torch.no_grad():
        for averaged, parameter in zip(mean, trained, strict=True):
            parameter.copy_(averaged)
    net.requires_grad_(False)
    _match_long_term(net, material, _speak_adapted(net, material, pitch, generator))
    progress.report(1.0)
    window = max(1, min(20, settings.steps // 4))
    first, last = (float(np.mean(part or [0.0])) for part in (losses[:window], losses[-window:]))
    return Adapted(net.eval(), pitch, pace, warp, first, last, choice.name)


def _likeness(material: Material, settings: Settings) -> Likeness | None:
    """None where it is not wanted, or where the reference has too little voice in it to say whose it is."""
    if settings.likeness <= 0:
        return None
    try:
        return Likeness(material.samples, settings.likeness_windows)
    except ValueError:
        return None


@torch.no_grad()
def _speak_adapted(net: VoiceNet, material: Material, pitch: PitchMap, generator: torch.Generator) -> NDArray[np.float32]:
    """The script with the base voice's timing and the adapted decoder, to align the reference with."""
    script = material.script
    spectra = net(script.content[None], script.index, torch.from_numpy(script.pitch)[None], torch.from_numpy(script.energy)[None])
    pulses = pulse_spectrum(pitch.to_person(script.pitch))
    return render(spectra, pulses[None], generator)[0].numpy()


@torch.no_grad()
def _match_long_term(net: VoiceNet, material: Material, spoken: NDArray[np.float32]) -> None:
    """Bring the long-term power spectrum of the adapted voice, speaking with the base voice's prosody, to the reference's.

    What is left after training comes from the prosody: other energies on the same phones.
    """

    def average(samples: NDArray[np.float32]) -> NDArray[np.floating]:
        quiet = features.quiet(samples)
        power = features.magnitudes(samples, 1200, 1200)[:, : len(quiet)][:, ~quiet] ** 2
        return gaussian_filter1d(np.log(power.mean(1) + 1e-8) / 2, 8.0)

    match = torch.from_numpy((average(material.samples) - average(spoken)).clip(-FINAL_MATCH, FINAL_MATCH).astype(np.float32))
    for part in (0, 2, 3):
        net.head.bias[part * BINS : (part + 1) * BINS] += match
