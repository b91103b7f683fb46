"""What is measured on speech at 24 kHz, every 12.5 ms: pitch, energy, and features to align by; and what a recording lacks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.ndimage import binary_closing, binary_dilation, gaussian_filter1d, median_filter

from retake.domain.progress import Progress

from . import phone_network
from .hibari_net import HOP, RATE

Samples = NDArray[np.float32]
PITCH_LOW, PITCH_HIGH = 60.0, 500.0  # Hz, of talking adults and children
# hibari's pitch runs on through consonants and stops only in pauses. These three make a detector's voicing agree with it best
# (0.95 of the frames of its own speech).
VOICED_FROM = 0.2  # detector's confidence
BRIDGED = 14  # frames of unvoiced sound that the contour runs through
EXTENDED = 2  # frames before and after
DETECTOR_RATE = 16000


def mel_bank(bins: int, bands: int, low: float, high: float) -> NDArray[np.float32]:
    """Triangular filters (bands, bins), peak 1, on the HTK mel scale, for a spectrum of `bins` at 24 kHz."""

    def mel(hertz: float | NDArray[np.float64]) -> Any:
        return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)

    edges = 700.0 * (10.0 ** (np.linspace(mel(low), mel(high), bands + 2) / 2595.0) - 1.0)
    frequency = np.linspace(0, RATE / 2, bins)
    rising = (frequency[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequency[None]) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def frames_of(samples: Samples) -> int:
    """Whole steps of 25 ms, in frames of 12.5 ms."""
    return len(samples) // (2 * HOP) * 2


def magnitudes(samples: Samples, points: int, length: int) -> NDArray[np.float32]:
    """Magnitude spectrum (bins, frames + 1) with a Hann window of `length` samples, frame k centred on sample k * HOP."""
    window = torch.hann_window(length)
    spectrum = torch.stft(torch.from_numpy(samples), points, HOP, length, window, center=True, pad_mode="constant", return_complex=True)
    return spectrum.abs().numpy()


def energy(samples: Samples) -> NDArray[np.float32]:
    """(frames,) on the scale on which hibari's prosody net speaks.

    Log norm of an 80-band mel power spectrum, as StyleTTS 2 defines it (Li et al. 2023), with a line fitted from what the net
    predicts to what is measured on its own speech.
    """
    bank = mel_bank(1025, 80, 0.0, RATE / 2)
    power = bank @ magnitudes(samples, 2048, 1200) ** 2
    measured = np.log(np.linalg.norm(1e-5 + power, axis=0))
    return (measured * 0.97 + 0.53).astype(np.float32)[: frames_of(samples)]


def pitch(samples: Samples) -> NDArray[np.float32]:
    """(frames,) Hz, 0 in pauses: SwiftF0's frames of 16 ms, interpolated on a log scale, run on through consonants as hibari does."""
    import soxr

    count = frames_of(samples)
    low = soxr.resample(samples, RATE, DETECTOR_RATE).astype(np.float32)
    peak = float(np.abs(low).max(initial=0.0))
    if peak < 1e-4 or count == 0:
        return np.zeros(count, np.float32)
    found = _pitch_detector().detect(low / peak * 0.7, DETECTOR_RATE, PITCH_LOW, PITCH_HIGH)
    sure = found.confidence >= 0.5
    if not sure.any():
        return np.zeros(count, np.float32)
    log_hertz = median_filter(np.log(np.clip(found.pitch_hz[sure], PITCH_LOW, PITCH_HIGH)), 3)
    times = np.arange(count) * (HOP / RATE)
    contour = np.exp(np.interp(times, found.timestamps[sure], log_hertz))
    voiced = np.pad(np.interp(times, found.timestamps, found.confidence) >= VOICED_FROM, BRIDGED + EXTENDED)
    voiced = binary_dilation(binary_closing(voiced, np.ones(BRIDGED + 1)), np.ones(2 * EXTENDED + 1))[BRIDGED + EXTENDED : -(BRIDGED + EXTENDED)]
    return np.where(voiced, contour, 0.0).astype(np.float32)


def level(samples: Samples, length: int = 1024) -> NDArray[np.float32]:
    """(frames,) dB of the RMS over `length` samples around each frame."""
    squares = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    centre = np.arange(frames_of(samples)) * HOP
    start, end = np.maximum(0, centre - length // 2), np.minimum(len(samples), centre + length // 2)
    return (10 * np.log10((squares[end] - squares[start]) / np.maximum(1, end - start) + 1e-10)).astype(np.float32)


def quiet(samples: Samples) -> NDArray[np.bool_]:
    """(frames,) True where nobody talks: within 8 dB of the noise floor and 25 dB under the loud parts, smoothed over 60 ms."""
    decibels = level(samples)
    if not len(decibels):
        return np.zeros(0, np.bool_)
    floor, loud = float(np.percentile(decibels, 3)), float(np.percentile(decibels, 92))
    smooth = median_filter(decibels, 5)
    return smooth < max(min(floor + 8.0, loud - 18.0), loud - 38.0)


def alignment_features(samples: Samples, progress: Progress | None = None) -> NDArray[np.float32]:
    """(frames, d) features that compare what is said rather than who says it.

    Cepstra and their slopes, normalised over the recording; phone posteriors of a recogniser (Hazen et al. 2009: posteriorgrams
    carry far less of the speaker); and the level.
    """
    count = frames_of(samples)
    spectrum = magnitudes(samples, 1024, 1024)[:, :count]
    cepstra = dct(np.log(mel_bank(513, 40, 0.0, 8000.0) @ spectrum**2 + 1e-7), axis=0, norm="ortho")[1:13]
    slopes = np.gradient(gaussian_filter1d(cepstra, 1.0, axis=1), axis=1)
    both = np.concatenate([cepstra, slopes])
    both = (both - both.mean(1, keepdims=True)) / (both.std(1, keepdims=True) + 1e-5)
    soft = np.sqrt(phone_network.posteriors(samples, RATE, progress))
    soft[:, phone_network.BLANK] *= 0.3  # silence and "same as before" look alike to the recogniser: little evidence
    soft = gaussian_filter1d(soft, 1.0, axis=0)
    at = np.clip((np.arange(count) * (HOP / RATE / phone_network.FRAME)).astype(np.int64), 0, len(soft) - 1)
    loudness = np.maximum(level(samples), -60.0)
    loudness = (loudness - loudness.mean()) / (loudness.std() + 1e-3)
    return np.concatenate([both.T * 0.35, soft[at] * 4.0, loudness[:, None]], 1).astype(np.float32)


def bandwidth(samples: Samples, rate: int) -> float:
    """Highest frequency in Hz that speech reaches: where the long-term spectrum falls into its floor (telephone about 3400, 16 kHz files 8000)."""
    points = 2048
    if len(samples) < points:
        return rate / 2
    window = np.hanning(points).astype(np.float32)
    blocks = np.lib.stride_tricks.sliding_window_view(samples, points)[:: points // 2]
    power = np.abs(np.fft.rfft(blocks * window, axis=1)) ** 2
    loud = power.sum(1) >= np.percentile(power.sum(1), 60)
    spectrum = 10 * np.log10(power[loud].mean(0) + 1e-14)
    spectrum = gaussian_filter1d(spectrum, 3)
    frequency = np.linspace(0, rate / 2, len(spectrum))
    peak = spectrum[(frequency > 100) & (frequency < 3000)].max()
    above = np.flatnonzero(spectrum > peak - 65.0)
    return float(frequency[above[-1]]) if len(above) else 0.0


@lru_cache(maxsize=1)
def _pitch_detector() -> Any:
    from swift_f0 import SwiftF0

    return SwiftF0(spin=False)
