"""Music in a recording, under speech and between it: tones that hold still, as those of instruments do and those of a talking voice do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d

from retake.domain.progress import Progress

from .activity import STEP

RATE = 16000
_POINTS, _HOP = 2048, 320  # 128 ms, 20 ms
_LOW, _HIGH = 160.0, 5000.0  # Hz; below, mains hum and machines hold still, too
_STANDS_OUT = 9.0  # dB over the spectrum around
_DRIFT = 0.006  # of a tone's frequency between two frames; or half a bin
_HELD = 0.30  # s
_WANDERS = 0.0045  # standard deviation over mean of a held tone's frequency; a talker's wanders by 0.02 and more in that time
_ALWAYS = 0.6  # share of the recording from which a tone is a machine's
_AROUND = 1.2  # s over which tones are counted
_RANGE = 60.0  # dB under the recording's loudest frame
_FADES = 9.0  # dB within 0.3 s; the tails of vowels in a room hold their pitch, too, but fade by 15 and more
_FIFTY, _SIXTY = 50.0, 60.0  # Hz of the mains
Track = tuple[int, list[float], list[float]]  # first frame, frequencies (Hz), levels (dB)


def held_tones(samples: NDArray[np.float32], rate: int, hum: Sequence[float] = (), progress: Progress | None = None) -> NDArray[np.float32]:
    """(n,) how many tones are held at a time, averaged over 1.2 s, for each step of 10 ms; without multiples of the lowest line of `hum` (Hz)."""
    progress = progress or Progress()
    count = int(np.ceil(len(samples) / (STEP * rate)))
    sound = np.asarray(samples if rate == RATE else soxr.resample(samples, rate, RATE), np.float32)
    if len(sound) < 2 * _POINTS:
        return np.zeros(count, np.float32)
    views = np.lib.stride_tricks.sliding_window_view(np.pad(sound, _POINTS // 2), _POINTS)[::_HOP]
    window = np.hanning(_POINTS).astype(np.float32)
    peaks: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for low in range(0, len(views), 256):
        progress.check()
        spectra = 20 * np.log10(np.abs(np.fft.rfft(views[low : low + 256] * window, axis=1)) + 1e-6)
        peaks += [_peaks(spectrum) for spectrum in spectra]
    loudest = max((float(level.max()) for _, level in peaks if len(level)), default=0.0)
    held = np.zeros(len(peaks))
    tracks = [
        track for track in _tracks([(hertz[level > loudest - _RANGE], level[level > loudest - _RANGE]) for hertz, level in peaks]) if _steady(track)
    ]
    lines = np.array([np.mean(track[1]) for track in tracks])
    lengths = np.array([len(track[1]) for track in tracks])
    for number, (first, found, _) in enumerate(tracks):
        same = lengths[np.abs(lines - lines[number]) < 0.006 * lines[number] + 2.0].sum()
        if same < _ALWAYS * len(peaks) and not _of_mains(lines[number], hum):
            held[first : first + len(found)] += 1
    smooth = uniform_filter1d(held, round(_AROUND * RATE / _HOP), mode="nearest")
    return np.interp((np.arange(count) + 0.5) * STEP, np.arange(len(smooth)) * _HOP / RATE, smooth).astype(np.float32)


def _of_mains(line: float, hum: Sequence[float]) -> bool:
    if not hum:
        return False
    mains = _FIFTY if abs(hum[0] / _FIFTY - round(hum[0] / _FIFTY)) < 0.02 else _SIXTY
    return abs(line - mains * round(line / mains)) < 3.0 + 0.002 * line


def _peaks(spectrum: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies (Hz, between bins by a parabola) and levels of what stands out of its surroundings."""
    low, high = int(_LOW * _POINTS / RATE), int(_HIGH * _POINTS / RATE)
    around = median_filter(spectrum, 31)
    middle, left, right = spectrum[low:high], spectrum[low - 1 : high - 1], spectrum[low + 1 : high + 1]
    at = np.flatnonzero((middle > left) & (middle >= right) & (middle > around[low:high] + _STANDS_OUT))
    bend = left[at] - 2 * middle[at] + right[at]
    offset = np.where(bend < 0, 0.5 * (left[at] - right[at]) / np.minimum(bend, -1e-9), 0.0)
    return (at + low + np.clip(offset, -0.5, 0.5)) * RATE / _POINTS, middle[at]


def _tracks(frames: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> list[Track]:
    """Chains of peaks from frame to frame."""
    done: list[Track] = []
    alive: list[Track] = []
    for number, (found, levels) in enumerate(frames):
        used = np.zeros(len(found), np.bool_)
        going: list[Track] = []
        for track in alive:
            last = track[1][-1]
            nearest = int(np.argmin(np.abs(found - last))) if len(found) else -1
            if nearest >= 0 and not used[nearest] and abs(found[nearest] - last) <= max(_DRIFT * last, RATE / _POINTS / 2):
                used[nearest] = True
                track[1].append(float(found[nearest]))
                track[2].append(float(levels[nearest]))
                going.append(track)
            else:
                done.append(track)
        alive = going + [(number, [float(found[new])], [float(levels[new])]) for new in np.flatnonzero(~used)]
    return [track for track in done + alive if len(track[1]) * _HOP >= _HELD * RATE]


def _steady(track: Track) -> bool:
    """Over some 0.3 s; onsets and ends may slide."""
    length = round(_HELD * RATE / _HOP)
    hertz = np.lib.stride_tricks.sliding_window_view(np.array(track[1]), length)
    fades = np.lib.stride_tricks.sliding_window_view(np.array(track[2]), length)
    return bool(((hertz.std(1) < _WANDERS * hertz.mean(1)) & (fades[:, 0] - fades[:, -1] < _FADES)).any())
