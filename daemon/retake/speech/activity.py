"""Where in a recording somebody makes sound: level against the recording's own noise floor, in steps of 10 ms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_opening

Samples = NDArray[np.float32]
STEP = 0.01  # s
_WINDOW = 0.025  # s
_BAND = (90.0, 7000.0)  # Hz: leaves out rumble, hum and the hiss above speech
_DIGITAL_SILENCE = -140.0  # dB, what levels are floored at
_SILENT = -90.0  # dB: a recording whose loudest parts are quieter holds nothing
_RANGE = 75.0  # dB below the loudest step from which a step is as good as digital silence, which tells nothing about noise


def levels(samples: Samples, rate: int) -> NDArray[np.float32]:
    """(n,) level of each step of 10 ms in dB re full scale, within the band of speech; n = ceil(duration / 10 ms)."""
    length, hop = round(_WINDOW * rate), STEP * rate
    count = int(np.ceil(len(samples) / hop))
    if count == 0:
        return np.zeros(0, np.float32)
    padded = np.pad(np.asarray(samples, np.float32), (length // 2, length + int(hop)))
    starts = np.round((np.arange(count) + 0.5) * hop).astype(int)
    window = np.hanning(length).astype(np.float32)
    frequency = np.fft.rfftfreq(length, 1.0 / rate)
    band = (frequency >= _BAND[0]) & (frequency <= _BAND[1])
    scale = 2.0 / (length * float((window**2).sum()))
    out = np.empty(count, np.float32)
    for low in range(0, count, 4096):  # in blocks: memory does not grow with the spectrogram
        block = starts[low : low + 4096]
        frames = padded[block[:, None] + np.arange(length)[None]] * window
        power = (np.abs(np.fft.rfft(frames, axis=1)[:, band]) ** 2).sum(1) * scale
        out[low : low + len(block)] = 10.0 * np.log10(np.maximum(power, 1e-14))
    return np.maximum(out, _DIGITAL_SILENCE)


def noise_and_speech(level: NDArray[np.float32]) -> tuple[float, float]:
    """Noise floor and level of the loud parts in dB. Digital silence does not count as the floor."""
    if not len(level):
        return _DIGITAL_SILENCE, _DIGITAL_SILENCE
    heard = level[level > max(_DIGITAL_SILENCE + 1.0, float(level.max()) - _RANGE)]
    if not len(heard):
        return _DIGITAL_SILENCE, _DIGITAL_SILENCE
    # A twentieth of the recording, but one second at most: a short sentence in a long recording counts.
    loudest = max(1, min(len(heard) // 20, round(1.0 / STEP)))
    speech = float(np.partition(heard, -loudest)[-loudest])
    floor = float(np.percentile(heard if len(heard) > 0.3 * len(level) else level, 5))
    floor = max(floor, speech - _RANGE)
    return min(floor, speech), speech


def active(samples: Samples, rate: int) -> NDArray[np.bool_]:
    """(n,) True in steps of 10 ms in which there is sound that stands out from the noise floor.

    The threshold lies a quarter of the way (in dB) from the noise floor to the speech level, at least 5 and at most 16 dB above the
    floor. Gaps and bursts shorter than 30 ms are closed.
    """
    level = levels(samples, rate)
    if not len(level):
        return np.zeros(0, np.bool_)
    floor, speech = noise_and_speech(level)
    if speech < _SILENT:
        return np.zeros(len(level), np.bool_)
    threshold = floor + float(np.clip(0.25 * (speech - floor), 5.0, 16.0))
    threshold = max(threshold, speech - 45.0)
    loud = np.pad(level > threshold, 3)
    return np.asarray(binary_opening(binary_closing(loud, np.ones(3)), np.ones(3)), np.bool_)[3:-3]


def stretches(flags: NDArray[np.bool_], gap: float, margin: float) -> list[tuple[float, float]]:
    """Seconds of the stretches in which something is active: gaps shorter than `gap` s bridged, `margin` s added on both sides."""
    out: list[tuple[float, float]] = []
    end = len(flags) * STEP
    for first, last in runs(flags):
        low, high = max(0.0, first * STEP - margin), min(end, last * STEP + margin)
        if out and low - out[-1][1] < gap:
            out[-1] = (out[-1][0], high)
        else:
            out.append((low, high))
    return out


def runs(flags: NDArray[np.bool_], value: bool = True) -> list[tuple[int, int]]:
    """Stretches of `value` as (first, one past the last)."""
    padded = np.concatenate([[False], flags == value, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
