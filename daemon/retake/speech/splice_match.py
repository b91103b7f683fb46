"""Generated sound brought to its neighbours: spectrum, level and room, measured on words that both say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import fftconvolve

from . import activity

Samples = NDArray[np.float32]
Spectrum = NDArray[np.float64]  # (POINTS // 2 + 1,) power of a windowed frame
Stretch = tuple[float, float]  # s
POINTS = 1024
_HOP = 256
_LEAST = 1e-12  # power that stands for none
_GAIN = 10.0  # dB that a frequency may be raised or lowered against the rest
_LEVEL = 15.0  # dB that the whole may be
_ENOUGH = 1.2  # s of words in common from which their spectra alone count
_SMOOTH = 0.12  # of a frequency: width over which differences are smoothed, about a third of an octave in all
_STILL = 0.06  # s of quiet that tell the room
_SIDE = 5.0  # dB by which one side of an edit may be louder than the rest
_TRUST = 0.7  # share of a difference in level at one side that is taken over: stress differs from one reading to the next


def spectrum(samples: Samples, rate: int, where: Sequence[Stretch]) -> Spectrum | None:
    """Mean power spectrum of the frames whose middle lies in one of `where`; None if there are fewer than three."""
    frames = _frames(samples)
    middle = (np.arange(len(frames)) * _HOP + POINTS / 2) / rate
    keep = np.zeros(len(frames), np.bool_)
    for start, end in where:
        keep |= (middle >= start) & (middle < end)
    if keep.sum() < 3:
        return None
    return _power(frames[keep])


def noise_spectrum(samples: Samples, rate: int, pauses: Sequence[Stretch]) -> Spectrum | None:
    """Mean power spectrum of the quieter half of `pauses`; None where too little of them is quiet. Digital silence is a room, too."""
    level = activity.levels(samples, rate)
    floor, speech = activity.noise_and_speech(level)
    threshold = min(max(floor + 12.0, -85.0), speech - 15.0)
    frames = _frames(samples)
    if not len(frames) or not len(level):
        return None
    middle = (np.arange(len(frames)) * _HOP + POINTS / 2) / rate
    half = POINTS / 2 / rate
    loudest = np.array([level[max(0, int((m - half) / activity.STEP)) : int((m + half) / activity.STEP) + 1].max(initial=-200.0) for m in middle])
    inside = np.zeros(len(frames), np.bool_)
    for start, end in pauses:
        inside |= (middle >= start + half / 2) & (middle < end - half / 2)
    still = inside & (loudest <= threshold)
    if still.sum() * _HOP / rate < _STILL:
        return None
    chosen = still & (loudest <= np.median(loudest[still]))
    return _power(frames[chosen])


def equaliser(wanted: Spectrum, given: Spectrum, rate: int) -> Samples:
    """A linear-phase filter (odd length) that turns sound with the long-term spectrum `given` into one with `wanted`, level included."""
    difference = 10 * np.log10((wanted + _LEAST) / (given + _LEAST))
    frequency = np.linspace(0, rate / 2, len(difference))
    smooth = _smoothed(difference, frequency)
    voice = (frequency > 100) & (frequency < 5000)
    weight = np.sqrt(wanted[voice] * given[voice])
    centre = float(np.average(smooth[voice], weights=weight + 1e-20))
    gain = np.clip(centre, -_LEVEL, _LEVEL) + np.clip(smooth - centre, -_GAIN, _GAIN)
    response = np.fft.irfft(10 ** (gain / 20))
    half = POINTS // 4
    return (np.roll(response, half)[: 2 * half + 1] * np.hanning(2 * half + 1)).astype(np.float32)


def blended(pairs: Sequence[tuple[Spectrum | None, Spectrum | None, float]]) -> tuple[Spectrum, Spectrum] | None:
    """Spectra of (original, generated, seconds) weighed into one pair: words in common first, all speech for what they lack."""
    left = _ENOUGH
    wanted: Spectrum | None = None
    given: Spectrum | None = None
    for original, generated, seconds in pairs:
        if original is None or generated is None or left <= 0:
            continue
        share = min(left, seconds)
        left -= share
        wanted = original * share if wanted is None else wanted + original * share
        given = generated * share if given is None else given + generated * share
    return None if wanted is None or given is None else (wanted, given)


def filtered(samples: Samples, response: Samples) -> Samples:
    """`samples` through a linear-phase filter, not delayed, of the same length."""
    return fftconvolve(samples, response, mode="same").astype(np.float32)


def level_between(a: float, b: float) -> float:
    """dB that a side of an edit is moved by, from the levels of the words beside it as they are and as they were generated."""
    return float(np.clip(_TRUST * (a - b), -_SIDE, _SIDE))


def level_of(samples: Samples, rate: int, where: Sequence[Stretch]) -> float | None:
    """dB of the RMS of some stretches; None for less than 50 ms."""
    parts = [samples[max(0, round(a * rate)) : max(0, round(b * rate))] for a, b in where]
    sound = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if len(sound) < 0.05 * rate:
        return None
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + _LEAST))


def noise_like(power: Spectrum, count: int, seed: int) -> Samples:
    """(count,) samples of noise whose frames have the mean power spectrum `power`."""
    random = np.random.default_rng([seed, 411])
    white = random.standard_normal(count + 2 * POINTS)
    # A windowed frame of unit white noise has the power sum(window ** 2).
    gain = np.sqrt(power / float(np.square(np.hanning(POINTS)).sum()))
    half = POINTS // 2
    response = np.roll(np.fft.irfft(gain), half) * np.hanning(POINTS)
    return fftconvolve(white, response, mode="same")[POINTS : POINTS + count].astype(np.float32)


def missing_noise(wanted: Spectrum, there: Spectrum | None) -> Spectrum:
    """What has to be added to sound with the noise `there` for it to have the noise `wanted`."""
    return np.maximum(0.0, wanted - there) if there is not None else wanted


def resampled_spectrum(power: Spectrum, rate: int, other: int) -> Spectrum:
    """A power spectrum of frames at `rate` as one of frames at `other`; nothing above the lower of both half rates."""
    frequency = np.linspace(0, other / 2, POINTS // 2 + 1)
    return np.interp(frequency, np.linspace(0, rate / 2, len(power)), power, right=0.0)


def _smoothed(values: Spectrum, frequency: Spectrum) -> Spectrum:
    """Smoothed over a constant share of the frequency: on a logarithmic axis, where that is a constant width."""
    step = 0.02
    axis = np.arange(np.log(60.0), np.log(frequency[-1]), step)
    smooth = gaussian_filter1d(np.interp(np.exp(axis), frequency, values), _SMOOTH / step, mode="nearest")
    return np.interp(np.log(np.maximum(frequency, 60.0)), axis, smooth)


def _frames(samples: Samples) -> NDArray[np.float32]:
    if len(samples) < POINTS:
        return np.zeros((0, POINTS), np.float32)
    return np.lib.stride_tricks.sliding_window_view(samples, POINTS)[::_HOP]


def _power(frames: NDArray[np.float32]) -> Spectrum:
    window = np.hanning(POINTS)
    total = np.zeros(POINTS // 2 + 1)
    for first in range(0, len(frames), 512):
        total += np.square(np.abs(np.fft.rfft(frames[first : first + 512] * window, axis=1))).sum(0)
    return total / len(frames)
