"""A reference made ready to learn from: what sounds when, at which pitch and how loud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retake.domain.progress import Progress

from . import dtw, features
from .hibari_net import FRAMES_PER_STEP, HOP, expand, phoneme_ids, vocabulary
from .synthesis import Synthesiser, pulse_spectrum, render

TRAINING_LEVEL = 0.05  # RMS of what hibari speaks
PITCHED = 50.0  # Hz; contours below are unvoiced


@dataclass(frozen=True)
class Script:
    """The phonemes of a text, sentence by sentence, and how the base voice would say them."""

    ids: NDArray[np.int64]  # (ids,) all sentences with their pads
    starts: tuple[int, ...]  # index into ids of each sentence
    durations: NDArray[np.int64]  # (ids,) steps of 25 ms
    pitch: NDArray[np.float32]  # (frames,) Hz
    energy: NDArray[np.float32]  # (frames,)
    content: Tensor  # (128, ids) encoded phonemes

    @property
    def index(self) -> Tensor:
        """(steps,) which id sounds in each step of the base voice."""
        return expand(torch.from_numpy(self.durations))

    def spoken(self) -> NDArray[np.bool_]:
        """(ids,) True for phonemes and stress marks, False for pads, spaces and punctuation."""
        return ~np.isin(self.ids, gap_ids())

    def sounding(self) -> NDArray[np.int64]:
        """(ids,) the phoneme behind each id: the one that follows for a stress mark, 0 where nothing is said."""
        known = vocabulary()
        marks = {known["ˈ"], known["ˌ"]}
        silent = set(gap_ids())
        out = np.zeros(len(self.ids), np.int64)
        following = 0
        for place in range(len(self.ids) - 1, -1, -1):
            own = int(self.ids[place])
            if own not in marks:
                following = 0 if own in silent else own
            out[place] = following
        return out


@dataclass
class Material:
    """A reference aligned with its script. Frames are 12.5 ms, steps 25 ms.

    samples: (frames * HOP,) at 24 kHz and the level the network speaks at. index: (steps,) id of the script that sounds.
    pitch: (frames,) Hz, 0 unvoiced. energy: (frames,). pulses: (BINS, frames) spectrum of the pulse train. quiet: (frames,) pauses.
    heard: (script's frames,) Hz, pitch of the base voice saying the script, measured as the reference's is.
    compared: (frames, d) alignment features. cost: mean distance along the alignment.
    """

    samples: NDArray[np.float32]
    script: Script
    pitch: NDArray[np.float32]
    energy: NDArray[np.float32]
    pulses: Tensor
    quiet: NDArray[np.bool_]
    heard: NDArray[np.float32]
    compared: NDArray[np.float32]
    index: NDArray[np.int64]
    cost: float = 0.0

    @property
    def steps(self) -> int:
        return len(self.index)


@torch.no_grad()
def read_script(base: Synthesiser, sentences: Sequence[str], pace: float = 1.0) -> Script:
    """Encode sentences (misaki phonemes) and let the base voice plan them, at `pace` times its own rate."""
    ids: list[int] = []
    starts: list[int] = []
    durations, pitches, energies, contents = [], [], [], []
    for phonemes in sentences:
        starts.append(len(ids))
        own = phoneme_ids(phonemes)
        ids += own
        steps = base.durations(phonemes, pace)
        pitch, energy = base.contours(phonemes, steps)
        durations.append(steps.numpy())
        pitches.append(pitch[0].numpy())
        energies.append(energy[0].numpy())
        contents.append(base.net.voice.text(torch.tensor([own]))[0])
    return Script(
        np.array(ids, np.int64), tuple(starts), np.concatenate(durations), np.concatenate(pitches), np.concatenate(energies), torch.cat(contents, 1)
    )


def prepare(base: Synthesiser, samples: NDArray[np.float32], sentences: Sequence[str], progress: Progress | None = None) -> Material:
    """Measure and align a reference (24 kHz, any level) with the phonemes that are said in it; `progress` is only asked whether to stop."""
    progress = progress or Progress()
    frames = features.frames_of(samples)
    samples = samples[: frames * HOP]
    quiet = features.quiet(samples)
    loud = np.repeat(~quiet, HOP)
    level = float(np.sqrt(np.mean(samples[loud] ** 2))) if loud.any() else float(np.sqrt(np.mean(samples**2)))
    samples = (samples * (TRAINING_LEVEL / max(level, 1e-6))).astype(np.float32)
    pitch = features.pitch(samples)
    progress.check()
    script = read_script(base, sentences)
    progress.check()
    spoken = _speak(base, script)
    progress.check()
    heard = features.pitch(spoken)
    progress.check()
    material = Material(
        samples=samples,
        script=script,
        pitch=pitch,
        energy=features.energy(samples),
        pulses=pulse_spectrum(pitch),
        quiet=quiet,
        heard=heard,
        compared=features.alignment_features(samples, progress),
        index=np.zeros(frames // FRAMES_PER_STEP, np.int64),
    )
    realign(material, spoken, progress)
    return material


def realign(material: Material, spoken: NDArray[np.float32], progress: Progress | None = None) -> None:
    """Find which id sounds in each step, from the same script `spoken` with the script's durations (24 kHz).

    Between words the reference may pause where the synthesiser does not: a frame of the reference's own silence is put into every
    gap, where the path may wait at no cost.
    """
    script = material.script
    compared = features.alignment_features(spoken, progress)
    (progress or Progress()).check()
    owner = np.repeat(np.arange(len(script.ids)), script.durations * FRAMES_PER_STEP)[: len(compared)]
    if material.quiet.sum() >= 4:
        silence = material.compared[material.quiet].mean(0)
        gaps = set(gap_ids())
        ends = np.flatnonzero(np.diff(owner, append=owner[-1] + 1))
        places = [int(end) + 1 for end in ends if int(script.ids[owner[end]]) in gaps]
        owner = np.insert(owner, places, [owner[place - 1] for place in places])
        compared = np.insert(compared, places, silence, axis=0)
    mapping, material.cost = dtw.warp(compared, material.compared)
    material.index = np.maximum.accumulate(owner[mapping][::FRAMES_PER_STEP][: material.steps])


def gap_ids() -> list[int]:
    """Ids at which nothing is said: the pad, the space and punctuation."""
    known = vocabulary()
    return [0, *[known[symbol] for symbol in ' ,.;:!?—…"“”()']]


@torch.no_grad()
def _speak(base: Synthesiser, script: Script) -> NDArray[np.float32]:
    spectra = base.net.voice(script.content[None], script.index, torch.from_numpy(script.pitch)[None], torch.from_numpy(script.energy)[None])
    return render(spectra, pulse_spectrum(script.pitch)[None], torch.Generator().manual_seed(0))[0].numpy()
