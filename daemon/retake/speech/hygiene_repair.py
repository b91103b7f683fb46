"""Gentle repair of a reference: mains hum, noise and reverberation. Each is for sound that needs it; `hygiene.py` decides that.

Written from the literature, since the packages that do this bring far more with them than it takes (docs/reference-hygiene.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import filtfilt, iirnotch
from scipy.special import exp1

from retake.domain.progress import Progress

from .activity import STEP
from .spectrogram import Overlap

Samples = NDArray[np.float32]
# Noise: OM-LSA.
_WINDOW = 0.04  # s, about; speech stands still that long
_SMOOTH = 0.96  # of the decision-directed estimate, at 10 ms a step
_LOWEST_SNR = 10 ** (-22 / 10)
_PRESENT = 10 ** (15 / 10)  # SNR that speech is expected to have where it is present (Gerkmann and Hendriks 2012)
# Reverberation: WPE.
_DELAY, _ITERATIONS = 0.03, 3  # s of early reflections that stay: they belong to the voice
_TAPS_FOR = 0.12  # s that are predicted
_NOTCH_WIDTH = 0.5  # Hz: mains wander less within a reference, and what a wider one takes of a voice is louder than what hum it leaves


def remove_hum(samples: Samples, rate: int, lines: list[float]) -> Samples:
    """Notch out the `lines` (Hz): half a hertz wide, forwards and backwards so that nothing moves in time."""
    sound = np.asarray(samples, np.float64)
    for line in lines:
        b, a = iirnotch(line, line / _NOTCH_WIDTH, fs=rate)
        sound = filtfilt(b, a, sound, padtype="even", padlen=min(len(sound) - 1, rate))
    return sound.astype(np.float32)


def remove_noise(samples: Samples, rate: int, speech: NDArray[np.bool_], floor: float, progress: Progress | None = None) -> Samples:
    """Lower noise that changes slowly, by at most `floor` dB (positive).

    OM-LSA (Cohen and Berdugo 2001): the gain of Ephraim and Malah (1985) that is best for log amplitudes, weighed by how probable speech is in each
    band. The noise is taken from the pauses to begin with and followed through speech by that probability (Gerkmann and Hendriks 2012).

    Args:
        speech: (n,) in steps of 10 ms, where somebody talks.
    """
    progress = progress or Progress()
    overlap = Overlap(4 * round(_WINDOW * rate / 4))
    spectra = overlap.split(samples)
    power = np.asarray(np.abs(spectra) ** 2 + 1e-12, np.float32)
    talking = speech[np.clip((overlap.centres(len(spectra), rate) / STEP).astype(int), 0, len(speech) - 1)]
    noise = _noise(power, talking, progress)
    gain = _gain(power, noise, overlap.hop / rate, 10 ** (-floor / 20), progress)
    return overlap.join(spectra * gain, len(samples))


def _noise(power: NDArray[np.float32], talking: NDArray[np.bool_], progress: Progress) -> NDArray[np.float32]:
    """(frames, bins) power of the noise, followed forwards and backwards: a pause tells about the speech before it, too."""
    pauses = power[~talking]
    first = pauses.mean(0) if len(pauses) >= 10 else np.percentile(power, 10, axis=0)
    out = np.zeros_like(power)
    for order in (slice(None), slice(None, None, -1)):
        noise, sure = first.copy(), np.zeros(power.shape[1])
        for number, (seen, talks) in enumerate(zip(power[order], talking[order], strict=True)):
            if number % 512 == 0:
                progress.check()
            likely = 1 / (1 + (1 + _PRESENT) * np.exp(-np.minimum(seen / noise, 100.0) * _PRESENT / (1 + _PRESENT))) if talks else np.zeros(len(seen))
            sure = 0.9 * sure + 0.1 * likely
            likely = np.where(sure > 0.99, np.minimum(likely, 0.99), likely)
            noise = 0.95 * noise + 0.05 * np.minimum(likely * noise + (1 - likely) * seen, 20 * noise)
            out[order][number] += 0.5 * noise
    return np.maximum(out, 1e-12)


def _gain(power: NDArray[np.float32], noise: NDArray[np.float32], hop: float, lowest: float, progress: Progress) -> NDArray[np.float32]:
    smooth = _SMOOTH ** (hop / STEP)
    out = np.empty_like(power)
    before = np.ones(power.shape[1])
    for number, seen in enumerate(power / noise):
        if number % 512 == 0:
            progress.check()
        prior = np.maximum(smooth * before + (1 - smooth) * np.maximum(seen - 1, 0.0), _LOWEST_SNR)
        part = np.minimum(prior / (1 + prior) * seen, 500.0)
        gain = np.minimum(prior / (1 + prior) * np.exp(0.5 * exp1(np.maximum(part, 1e-6))), 1.0)
        # Absent speech is as probable as present beforehand; the local mean of the prior SNR decides (Cohen and Berdugo, eq. 23 ff., shortened).
        wide = np.convolve(np.pad(prior, 4, mode="edge"), np.full(9, 1 / 9), "valid")
        absent = 1 - np.clip((10 * np.log10(wide) + 10) / 15, 0.05, 1.0)
        present = 1 / (1 + absent / np.maximum(1 - absent, 1e-3) * (1 + prior) * np.exp(-part))
        out[number] = gain**present * lowest ** (1 - present)
        before = gain**2 * seen
    return np.maximum(out, lowest)


def remove_reverberation(samples: Samples, rate: int, progress: Progress | None = None) -> Samples:
    """Take away what each band says about its own near future, 30 ms and more ahead: the tail of the room.

    Weighted prediction error (Nakatani et al. 2010; Yoshioka and Nakatani 2012), one channel, three rounds.
    """
    progress = progress or Progress()
    overlap = Overlap(4 * round(0.032 * rate / 4))
    spectra = overlap.split(samples)
    hop = overlap.hop / rate
    delay, taps = max(2, round(_DELAY / hop)), max(4, round(_TAPS_FOR / hop))
    out = np.empty_like(spectra)
    for low in range(0, spectra.shape[1], 32):
        progress.check()
        out[:, low : low + 32] = _without_tail(spectra[:, low : low + 32].T.astype(np.complex128), delay, taps).T
    return overlap.join(out, len(samples))


def _without_tail(heard: NDArray[np.complex128], delay: int, taps: int) -> NDArray[np.complex128]:
    """`heard`: (bins, frames)."""
    past = np.zeros((heard.shape[0], taps, heard.shape[1]), np.complex128)
    for tap in range(taps):
        past[:, tap, delay + tap :] = heard[:, : heard.shape[1] - delay - tap]
    dry = heard
    for _ in range(_ITERATIONS):
        power = np.abs(dry) ** 2
        power = np.maximum(power, 1e-5 * power.mean(1, keepdims=True) + 1e-14)
        weighted = past / power[:, None]
        left = weighted @ past.conj().transpose(0, 2, 1)
        right = weighted @ heard.conj()[:, :, None]
        left += (1e-6 * np.trace(left, axis1=1, axis2=2).real / taps + 1e-12)[:, None, None] * np.eye(taps)
        weights = np.linalg.solve(left, right)[:, :, 0]
        dry = heard - np.einsum("bt,btf->bf", weights.conj(), past)
    return dry
