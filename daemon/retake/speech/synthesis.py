"""From spectra to sound, and a small synthesiser that speaks phonemes with or without a person's voice.

Source-filter synthesis as hibari does it (hibari/dsp.py documents the formula):
    S = exp(lh) e^{i pi tanh(th)} STFT(pulses) + exp(ln) Z + exp(lr) e^{i ph},   then one inverse STFT (1200 points, hop 300, Hann).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .hibari_net import HOP, HibariNet, Spectra, expand, load_base, phoneme_ids

FFT = 1200
LOG_CEILING = 7.0  # of log magnitudes, as in hibari: guards against a runaway frame
VOICED_ABOVE = 40.0  # Hz; the pulse train is silent below
HARMONICS_BELOW = 11000.0  # Hz


@lru_cache(maxsize=1)
def window() -> Tensor:
    return torch.hann_window(FFT, periodic=True)


def pulse_spectrum(pitch: NDArray[np.float32]) -> Tensor:
    """Spectrum (BINS, frames) complex64 of a band-limited pulse train that follows `pitch` (frames,) in Hz, 0 where unvoiced."""
    from hibari import dsp

    train = torch.from_numpy(dsp.pulses(pitch, VOICED_ABOVE, HARMONICS_BELOW).astype(np.float32))
    # Scaled so that a unit cosine peaks at one half of the window's sum, which is the scale of the network's log magnitudes.
    spectrum = torch.stft(train, FFT, HOP, window=window() / (FFT / 4), center=True, pad_mode="reflect", return_complex=True)
    return spectrum[:, : len(pitch)]


def render(spectra: Spectra, pulses: Tensor, generator: torch.Generator) -> Tensor:
    """Differentiable synthesis: spectra (batch, BINS, frames) and pulses (batch, BINS, frames) -> samples (batch, frames * HOP)."""
    harmonic = pulses * torch.polar(_gain(spectra.log_harmonic), torch.pi * torch.tanh(spectra.phase_harmonic))
    shape = spectra.log_noise.shape
    noise = torch.complex(torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)) * _gain(spectra.log_noise)
    total = harmonic + noise + torch.polar(_gain(spectra.log_free), spectra.phase_free)
    padded = torch.nn.functional.pad(total, (0, 1))
    return torch.istft(padded, FFT, HOP, window=window(), center=True, length=shape[-1] * HOP)


def _gain(log_magnitude: Tensor) -> Tensor:
    return torch.exp(torch.clamp(log_magnitude, max=LOG_CEILING))


class Synthesiser:
    """Speaks phonemes in the base voice. Holds one copy of the network; safe to share, since speaking does not change it."""

    def __init__(self, net: HibariNet | None = None) -> None:
        self.net = load_base() if net is None else net

    @torch.no_grad()
    def durations(self, phonemes: str, pace: float = 1.0) -> Tensor:
        """(ids,) int64 steps of 25 ms for every id of `phoneme_ids(phonemes)`, at least one each."""
        ids = torch.tensor([phoneme_ids(phonemes)])
        return torch.clamp(torch.round(self.net.prosody.steps(self.net.prosody.text(ids)) / pace), min=1).long()

    @torch.no_grad()
    def contours(self, phonemes: str, durations: Tensor) -> tuple[Tensor, Tensor]:
        """Pitch (Hz) and energy of the base voice, each (1, 2 * steps)."""
        ids = torch.tensor([phoneme_ids(phonemes)])
        return self.net.prosody.contours(self.net.prosody.text(ids), expand(durations))

    @torch.no_grad()
    def speak_phonemes(self, phonemes: str, *, seed: int = 0, pace: float = 1.0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Speak one sentence.

        Args:
            phonemes: misaki characters with stress marks, spaces and punctuation (what `hibari.g2p` writes).
            seed: of the noise.
            pace: 1 is the base voice's own rate, 2 twice as fast.

        Returns:
            samples (n,) at 24 kHz, and (ids,) the duration of each of `phoneme_ids(phonemes)` in steps of 25 ms (600 samples),
            pads at both ends included; n = 600 * their sum. The grid is about 50 ms late against the sound.
        """
        durations = self.durations(phonemes, pace)
        pitch, energy = self.contours(phonemes, durations)
        encoded = self.net.voice.text(torch.tensor([phoneme_ids(phonemes)]))
        spectra = self.net.voice(encoded, expand(durations), pitch, energy)
        generator = torch.Generator().manual_seed(seed)
        samples = render(spectra, pulse_spectrum(pitch[0].numpy())[None], generator)[0]
        return samples.numpy(), durations.numpy()
