"""What is wrong with a recording, and where, in steps of 10 ms: noise, clipping, hum, reverberation."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, maximum_filter1d, percentile_filter, uniform_filter1d
from scipy.signal import butter, sosfilt

from . import activity
from .activity import STEP

Samples = NDArray[np.float32]
Flags = NDArray[np.bool_]
TALKING = 0.5  # probability of speech
_SURELY_NOT = 0.15
_NEAR_SPEECH = 0.15  # s around speech that may hold its breath, its tail and its first consonant
_BANDS = ((100.0, 700.0), (700.0, 2500.0), (2500.0, 6500.0))  # Hz
_UNUSUAL = 8.0  # dB
_DIGITAL = -100.0  # dB; joins and fades hold silence that no room has
_LINES = 15  # harmonics of the mains that are looked for
_HUM_RATE = 2400  # Hz
_LOWEST_LINE = 190.0  # Hz: the third harmonic of 60 Hz and what it wanders
_FALLS = 8  # fewer ends of words tell nothing about a room
_LINE_STANDS, _LINE_SHOWS = 12.0, 6.0  # dB


def pauses(speech: NDArray[np.float32], level: NDArray[np.float32]) -> Flags:
    """(n,) where surely nobody talks and there is sound at all, from the probability of speech and `activity.levels`."""
    near = binary_dilation(speech > _SURELY_NOT, iterations=round(_NEAR_SPEECH / STEP))
    return ~np.asarray(near, np.bool_) & (level > _DIGITAL)


def speech_to_noise(level: NDArray[np.float32], speech: NDArray[np.float32]) -> tuple[float, float]:
    """Level of the speech and of the noise in its pauses, dB; without pauses, of its quietest moments."""
    talking = level[speech > TALKING]
    loud = float(10 * np.log10(np.mean(10 ** (talking / 10)))) if len(talking) else float(level.max(initial=-140.0))
    still = np.sort(level[pauses(speech, level)])
    floor = activity.noise_and_speech(level)[0]
    if len(still) >= 30:
        # The loudest quarter of pauses is breath, steps and chairs.
        floor = float(10 * np.log10(np.mean(10 ** (still[: len(still) * 3 // 4] / 10))))
    return loud, min(floor, loud)


def noise_over_time(level: NDArray[np.float32], seconds: float = 1.2) -> NDArray[np.float32]:
    """(n,) dB of the quietest moments within `seconds`: speech has gaps between its syllables, steady noise has none."""
    smooth = uniform_filter1d(level, 3, mode="nearest")
    return np.asarray(percentile_filter(smooth, 8, round(seconds / STEP), mode="nearest"), np.float32)


def drowned(samples: Samples, rate: int, speech: NDArray[np.float32], least: float) -> Flags:
    """(n,) where, in two of three bands, the quietest moments come within `least` dB of the speech and much above what is usual in this recording.

    Quick talk leaves no pauses, but its vowels leave the upper bands quiet, and its consonants the lower ones.
    """
    bands = np.zeros(len(speech), np.int64)
    for low, high in _BANDS:
        part = np.asarray(sosfilt(butter(4, (low, min(high, 0.45 * rate)), "bandpass", fs=rate, output="sos"), samples), np.float32)
        level = activity.levels(part, rate)
        loud, _ = speech_to_noise(level, speech)
        floor = noise_over_time(level)
        usual = float(np.median(floor[speech > TALKING])) if (speech > TALKING).any() else -140.0
        bands += (floor > loud - least) & (floor > usual + _UNUSUAL)
    return bands >= 2


def loud_sounds(level: NDArray[np.float32], speech: NDArray[np.float32]) -> Flags:
    """(n,) sounds that are no speech and not much quieter than it, away from speech and for 0.12 s at least: slams, steps, music between words."""
    loud, noise = speech_to_noise(level, speech)
    away = pauses(speech, level)
    found = away & (level > max(loud - 22.0, noise + 10.0))
    out = np.zeros(len(level), np.bool_)
    for first, last in activity.runs(np.asarray(binary_dilation(found, iterations=5), np.bool_)):
        if found[first:last].sum() * STEP >= 0.12:
            out[first:last] = True
    return out


def clipped(samples: Samples, rate: int) -> NDArray[np.float32]:
    """(n,) share of samples in each 10 ms that stick to the ceiling: runs of three or more within 0.2 % of the recording's peak."""
    count = int(np.ceil(len(samples) / (STEP * rate)))
    peak = float(np.abs(samples).max(initial=0.0))
    out = np.zeros(count, np.float32)
    if peak < 0.05:
        return out
    for first, last in activity.runs(np.abs(samples) >= 0.998 * peak):
        if last - first >= 3:  # a sine's own top stays that near to its peak for fewer samples, but for low ones
            out[min(count - 1, int((first + last) / 2 / rate / STEP))] += last - first
    return out / np.float32(STEP * rate)


def clipped_stretches(share: NDArray[np.float32]) -> Flags:
    """(n,) within 80 ms of steps that are overdriven to be heard: a hundredth of the samples and more."""
    return maximum_filter1d(share, round(0.16 / STEP), mode="nearest") > 0.01


def hum_lines(samples: Samples, rate: int) -> list[float]:
    """Hz of the lines of mains hum (harmonics of 50 or 60 Hz, to a twentieth of a hertz); empty without hum.

    A line that is always there shows in the quieter seconds of its own frequency, whatever is said in the louder ones.
    """
    if len(samples) < 3 * rate:
        return []
    low = np.asarray(soxr.resample(samples, rate, _HUM_RATE), np.float32)
    views = np.lib.stride_tricks.sliding_window_view(low, _HUM_RATE)[:: _HUM_RATE // 4][:240]
    window = np.blackman(_HUM_RATE).astype(np.float32)
    power = np.percentile(np.abs(np.fft.rfft(views * window, 2 * _HUM_RATE, axis=1)) ** 2, 20, axis=0) + 1e-9
    best: list[float] = []
    for mains in (50.0, 60.0):
        lines = [line for number in range(1, _LINES + 1) if (line := _line(power, mains * number, 1 + number // 3, _LINE_STANDS)) is not None]
        best = max(best, lines, key=len)
    # A single line may be anything that sounds, and so may two high ones (notes that are held); two and more from the lowest harmonics on are the
    # mains. Then weaker harmonics, half hidden by speech, are theirs, too.
    if len(best) < 2 or best[0] > _LOWEST_LINE:
        return []
    mains = float(np.median([line / max(1, round(line / 50.0 if abs(line / 50 - round(line / 50)) < 0.05 else line / 60.0)) for line in best]))
    lines = [line for number in range(1, _LINES + 1) if (line := _line(power, mains * number, 1, _LINE_SHOWS)) is not None]
    return sorted({round(line, 2) for line in lines})


def _line(power: NDArray[np.float64], near: float, reach: int, stands: float) -> float | None:
    """The frequency, within `reach` half hertz of `near`, of a line that stands out; mains wander, and harmonics as many times as far."""
    middle = round(2 * near)
    at = middle - reach + int(np.argmax(power[middle - reach : middle + reach + 1]))
    around = np.concatenate([power[at - 24 : at - 7], power[at + 8 : at + 25]])
    if power[at] < 10 ** (stands / 10) * np.median(around):
        return None
    left, top, right = np.log(power[at - 1 : at + 2])
    bend = left - 2 * top + right
    return float((at + (0.5 * (left - right) / bend if bend < 0 else 0.0)) / 2)


def decay(samples: Samples, rate: int) -> float | None:
    """Seconds in which sound dies away by 60 dB, as far as speech tells; None where it does not.

    Where speech stops, the level falls no faster than the room lets it (the idea of Ratnam et al. 2003; Lebart et al. 2001): the time is taken
    from the fastest third of the falls by 12 dB and more. Dry speech gives 0.15 s, since voices, too, take time to stop.
    """
    level = uniform_filter1d(activity.levels(samples, rate).astype(np.float64), 3, mode="nearest")
    _, speech = activity.noise_and_speech(level.astype(np.float32))
    times: list[float] = []
    for first, last in activity.runs(np.diff(level) < 0):
        if last - first < 6 or level[first] < speech - 25.0:
            continue
        part = level[first : last + 1]
        fall = part[1:-1] if len(part) > 8 else part
        if fall[0] - fall[-1] >= 12.0:
            slope = float(np.polyfit(np.arange(len(fall)) * STEP, fall, 1)[0])
            if slope < -1.0:
                times.append(-60.0 / slope)
    return float(np.percentile(times, 33)) if len(times) >= _FALLS else None
