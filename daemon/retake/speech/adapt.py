"""Teach the base voice's decoder to sound like a person, from some twenty seconds of them.

Three things keep the words clear while the timbre moves, all found by measuring (docs/voice.md):
* the pitch that the decoder is told is mapped into the base voice's range, while the pulse train keeps the person's;
* training starts from the base voice with its spectra warped to the person's vocal tract and matched to their long-term spectrum
  (the decoder's last layer is linear, so both are a change of its weights);
* rehearsal: in every step the decoder must also still speak phonetically rich sentences as that warped voice would.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from retake.domain.progress import Progress

from . import features
from .hibari_net import BINS, FRAMES_PER_STEP, HOP, SYMBOLS, Spectra, VoiceNet, vocabulary
from .material import PITCHED, Material, read_script, realign
from .synthesis import Synthesiser, pulse_spectrum, render

# Every phone of English several times, in many neighbourhoods (after the idea of the Harvard sentences, IEEE 1969).
REHEARSAL = (
    "The boy was there when the sun rose, and a large size in stockings is hard to sell.",
    "Four hours of steady work faced us, so we chose the right road through the valley.",
    "A pot of tea helps to pass the evening; the juice of lemons makes fine punch.",
    "Rice is often served in round bowls, while the box was thrown beside the parked truck.",
    "She asked whether those vague measures were usual for young children, though they enjoyed the voyage.",
    "What joy there is in living, and how much change each good choice could bring!",
    "Glue the sheet to the dark blue background; these days a chicken leg is a rare dish.",
    "The hogs were fed chopped corn and garbage, yet both thieves thought nothing of it.",
)
LOSS_WINDOWS = (512, 1024, 2048)
QUIETEST = -6.0  # natural log; magnitudes below do not count in rehearsal
# Phones that share what a person does to them, in misaki's characters.
PHONE_CLASSES = ("iɪeAYᵻ", "ɛæaI", "ɑɔɒʌəɐᵊɜWoOQ", "uʊ", "mnŋ", "bdɡgptkʔTɾʤʧ", "szʃʒfθhx", "vðwjlɹr")
RARE_PHONE, RARE_CLASS = 24, 12  # frames at which a phone's own mean counts half
FINAL_MATCH = 0.7  # ln units (6 dB): a larger correction would be a mistake
WARPS = np.linspace(0.80, 1.20, 41)  # frequency axis of the person / of the base voice


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
    seed: int = 0


@dataclass(frozen=True)
class PitchMap:
    """Between the base voice's pitch and the person's, on a log scale: medians, and how much wider the person's range is."""

    base: float  # ln Hz
    person: float  # ln Hz
    spread: float

    def to_person(self, pitch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Base contour (Hz) -> the person's."""
        return _map_voiced(pitch, self.base, self.person, self.spread)

    def to_base(self, pitch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The person's contour (Hz) -> the base voice's range."""
        return _map_voiced(pitch, self.person, self.base, 1.0 / self.spread)


@dataclass(frozen=True)
class Adapted:
    """What came out: the decoder, and how it got there."""

    net: VoiceNet
    pitch: PitchMap
    pace: float
    warp: float
    first_loss: float
    last_loss: float


def measure_pitch(material: Material) -> PitchMap:
    """Compare the reference's pitch with the base voice's, phone by phone: what either voices that the other does not is left out."""
    script = material.script
    voiced = material.heard > PITCHED
    owner = script.index.numpy().repeat(FRAMES_PER_STEP)[voiced]
    count = np.bincount(owner, minlength=len(script.ids))
    mean = np.bincount(owner, np.log(material.heard[voiced]), len(script.ids)) / np.maximum(count, 1)
    sounding = material.index.repeat(FRAMES_PER_STEP)
    both = (material.pitch > PITCHED) & ~material.quiet & (count[sounding] > 0)
    if both.sum() < 20:
        centre = float(np.median(np.log(material.heard[voiced]))) if voiced.any() else np.log(200.0)
        return PitchMap(centre, centre, 1.0)
    person, base = np.log(material.pitch[both]), mean[sounding[both]]
    # Ranges of means over phones on either side: single frames would make the reference's look wider.
    own = np.bincount(sounding[both], person, len(script.ids)) / np.maximum(np.bincount(sounding[both], minlength=len(script.ids)), 1)
    ranges = [float(np.percentile(x, 90) - np.percentile(x, 10)) for x in (own[sounding[both]], base)]
    return PitchMap(float(np.median(base)), float(np.median(person)), float(np.clip(ranges[0] / max(ranges[1], 1e-3), 0.5, 1.5)))


def measure_pace(material: Material) -> float:
    """Speaking rate of the person relative to the base voice (above 1: faster), pauses left out."""
    silent = ~material.script.spoken()
    steps = np.bincount(material.index, minlength=len(silent))
    quiet_steps = material.quiet[: len(material.index) * FRAMES_PER_STEP : FRAMES_PER_STEP]
    steps -= np.bincount(material.index[quiet_steps], minlength=len(silent))
    final = np.append(silent[1:], True) & ~silent  # a last phone carries part of the pause in the base voice's durations
    usable = ~silent & ~final
    return float(np.clip(material.script.durations[usable].sum() / max(1, steps[usable].sum()), 0.75, 1.35))


def adapt(base: Synthesiser, material: Material, phonemise: Callable[[str], str], settings: Settings, progress: Progress) -> Adapted:
    """Train a copy of the base decoder on `material`, deterministically for given settings and number of threads.

    Args:
        phonemise: sentence -> misaki phonemes, for the rehearsal sentences.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    choose = np.random.default_rng(settings.seed)
    pitch = measure_pitch(material)
    pace = measure_pace(material)
    net = copy.deepcopy(base.net.voice)
    net.requires_grad_(False)
    told = torch.from_numpy(pitch.to_base(material.pitch))
    warp, offsets = _start_from_warped(net, material, told, generator)
    progress.check()
    tape = _lay_out(material, told)
    rehearsed = _rehearse(base, net, phonemise, pace, offsets=offsets, progress=progress)
    progress.check()
    trained = [parameter for part in (net.dec_in, net.dec, net.dec_norm, net.head) for parameter in part.parameters()]
    for parameter in trained:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(trained, lr=settings.rate, weight_decay=0.0, betas=(0.8, 0.99))
    progress.check()  # the first optimiser of a process takes a while to be made
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _schedule(settings.steps))
    mean = [parameter.detach().clone() for parameter in trained]
    losses: list[float] = []
    for step in range(settings.steps):
        progress.report(step / settings.steps, f"loss {losses[-1]:.3f}" if losses else "")
        if step == settings.steps // 2:
            spoken = _speak_adapted(net, material, pitch, generator)
            progress.check()
            realign(material, spoken, progress)
            tape = _lay_out(material, told)
        windows = _windows(choose, tape, settings.crops, settings.crop)
        practice = _windows(choose, rehearsed, settings.rehearsed, settings.crop)
        length = windows.content.shape[-1]
        together = [torch.cat([a, b[..., : a.shape[-1]]]) for a, b in zip(windows.inputs, practice.inputs, strict=True)]
        spectra = net.decode(*together)
        count = len(windows.content)
        sound = render(Spectra(*(part[:count] for part in spectra)), windows.pulses, generator)
        loss = spectral_loss(sound, windows.samples)
        last = loss.item()
        if settings.rehearsal > 0:
            loss = loss + settings.rehearsal * _rehearsal_loss(Spectra(*(part[count:] for part in spectra)), practice, length)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
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
    return Adapted(net.eval(), pitch, pace, warp, float(np.mean(losses[:window] or [0.0])), float(np.mean(losses[-window:] or [0.0])))


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


@dataclass(frozen=True)
class _Tape:
    """Inputs and targets laid out in time, (..., steps) or (..., frames) each."""

    content: Tensor
    pitch: Tensor
    energy: Tensor
    pulses: Tensor
    samples: Tensor
    teacher: Tensor  # log gains of the warped base voice, (3 * BINS, frames); empty for the reference
    weights: NDArray[np.float64]  # of each possible start

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.content, self.pitch, self.energy


def _lay_out(material: Material, told: Tensor) -> _Tape:
    spoken = ~material.quiet[: material.steps * FRAMES_PER_STEP : FRAMES_PER_STEP]
    return _Tape(
        content=material.script.content[:, torch.from_numpy(material.index)],
        pitch=told,
        energy=torch.from_numpy(material.energy),
        pulses=material.pulses,
        samples=torch.from_numpy(material.samples),
        teacher=torch.zeros(0),
        weights=spoken.astype(np.float64),
    )


def _windows(choose: np.random.Generator, tape: _Tape, count: int, length: int) -> _Tape:
    """A batch of windows of `length` steps; starts are drawn in proportion to the speech in the window."""
    total = tape.content.shape[-1]
    length = min(length, total)
    speech = np.convolve(tape.weights, np.ones(length), "valid") + 1e-6
    starts = choose.choice(len(speech), count, p=speech / speech.sum())

    def cut(signal: Tensor, scale: int) -> Tensor:
        return torch.stack([signal[..., start * scale : (start + length) * scale] for start in starts]) if signal.numel() else signal

    frames = FRAMES_PER_STEP
    return _Tape(
        cut(tape.content, 1), cut(tape.pitch, frames), cut(tape.energy, frames), cut(tape.pulses, frames),
        cut(tape.samples, frames * HOP), cut(tape.teacher, frames), tape.weights,
    )  # fmt: skip


@torch.no_grad()
def _rehearse(
    base: Synthesiser, warped: VoiceNet, phonemise: Callable[[str], str], pace: float, *, offsets: NDArray[np.float32], progress: Progress
) -> _Tape:
    """Rehearsal sentences at the person's pace; the target is what the warped base voice makes of them, corrected phone by phone."""
    script = read_script(base, [phonemise(sentence) for sentence in REHEARSAL], pace)
    progress.check()
    content = script.content[:, script.index]
    pitch, energy = torch.from_numpy(script.pitch), torch.from_numpy(script.energy)
    spectra = warped.decode(content[None], pitch[None], energy[None])
    progress.check()
    track = offsets[script.sounding()][script.index.numpy()].repeat(FRAMES_PER_STEP, 0).T
    correction = torch.from_numpy(gaussian_filter1d(track, 1.5, axis=1))
    teacher = torch.cat([spectra.log_harmonic[0], spectra.log_noise[0], spectra.log_free[0]]) + correction.repeat(3, 1)
    return _Tape(content, pitch, energy, torch.zeros(0), torch.zeros(0), teacher.clamp(min=QUIETEST), np.ones(content.shape[-1]))


def _rehearsal_loss(spectra: Spectra, practice: _Tape, length: int) -> Tensor:
    made = torch.cat([spectra.log_harmonic, spectra.log_noise, spectra.log_free], 1).clamp(min=QUIETEST)
    return (made - practice.teacher[..., : length * FRAMES_PER_STEP]).abs().mean()


def _schedule(steps: int) -> Callable[[int], float]:
    def factor(step: int) -> float:
        warm = min(1.0, (step + 1) / 10)
        return warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps)))))

    return factor


def _map_voiced(pitch: NDArray[np.float32], source: float, target: float, spread: float) -> NDArray[np.float32]:
    mapped = np.exp((np.log(np.maximum(pitch, PITCHED)) - source) * spread + target)
    return np.where(pitch > PITCHED, mapped, pitch).astype(np.float32)


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


@torch.no_grad()
def _start_from_warped(net: VoiceNet, material: Material, told: Tensor, generator: torch.Generator) -> tuple[float, NDArray[np.float32]]:
    """Fold a vocal-tract warp and a long-term match into the decoder's last layer.

    The warp is the one under which smoothed spectra of the base voice, speaking the reference's words at its times, differ
    least from the reference's once their means are removed (Lee and Rose 1996 search the same way).

    Returns the warp, and what is still missing on average in each phone: (SYMBOLS, BINS) log gains.
    """
    index = torch.from_numpy(material.index)
    spectra = net.decode(material.script.content[:, index][None], told[None], torch.from_numpy(material.energy)[None])
    made = render(spectra, material.pulses[None], generator)[0].numpy()
    smooth = [gaussian_filter1d(np.log(features.magnitudes(x, 1200, 1200) + 1e-4), 6.0, axis=0)[:, : len(told)] for x in (made, material.samples)]
    loud = np.flatnonzero(~material.quiet)
    ours, theirs = (part[:, loud] for part in smooth)
    heard = slice(5, 250)  # 100 Hz to 5 kHz, where formants are
    errors = []
    for warp in WARPS:
        difference = _stretch(ours[:, ::3], float(warp))[heard] - theirs[heard, ::3]
        errors.append(float(np.abs(difference - difference.mean(1, keepdims=True)).mean()))
    warp = float(WARPS[int(np.argmin(errors))])
    residual = theirs - _stretch(ours, warp)
    match = gaussian_filter1d(residual.mean(1), 10.0).clip(-4.0, 4.0)
    matrix = torch.from_numpy(_stretch(np.eye(BINS), warp).astype(np.float32))
    weight, bias = net.head.weight, net.head.bias
    for part in range(4):  # the free phase is left alone: phases do not interpolate
        rows = slice(part * BINS, (part + 1) * BINS)
        weight[rows] = matrix @ weight[rows]
        bias[rows] = matrix @ bias[rows]
        if part != 1:
            bias[rows] += torch.from_numpy(match.astype(np.float32))
    sounding = material.script.sounding()[material.index].repeat(FRAMES_PER_STEP)[loud]
    return warp, _phone_offsets(residual - match[:, None], sounding)


def _phone_offsets(residual: NDArray[np.floating], sounding: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean residual (BINS, frames) of each phone, drawn towards that of its class, and that towards none, the rarer it is."""
    known = vocabulary()
    out = np.zeros((SYMBOLS, BINS), np.float32)
    for group in PHONE_CLASSES:
        ids = [known[symbol] for symbol in group if symbol in known]
        frames = np.isin(sounding, ids)
        count = int(frames.sum())
        common = residual[:, frames].mean(1) * (count / (count + RARE_CLASS)) if count else np.zeros(BINS)
        for number in ids:
            own = sounding == number
            count = int(own.sum())
            mean = residual[:, own].mean(1) if count else common
            out[number] = gaussian_filter1d(common + (mean - common) * (count / (count + RARE_PHONE)), 5.0).clip(-2.5, 2.5)
    return out


def _stretch(spectra: NDArray[np.floating], warp: float) -> NDArray[np.floating]:
    """Row k of the result is row k * warp of `spectra` (BINS, n), linearly interpolated."""
    at = np.clip(np.arange(BINS) * warp, 0, BINS - 1)
    low = np.minimum(at.astype(np.int64), BINS - 2)
    share = (at - low)[:, None]
    return spectra[low] * (1 - share) + spectra[low + 1] * share
