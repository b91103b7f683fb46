"""The room of a reference under a take: its noise floor in pauses, in handles and wherever else the speech is quieter than the room.

A take of digital silence between words jumps where it is cut against the original. Here every band of every moment is filled up to what the
reference's own pauses hold; where the speech is louder, nothing is added, so that nothing pumps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from retake.domain.progress import Progress

from . import activity

Samples = NDArray[np.float32]
RATE = 48000  # at which rooms are measured
_POINTS = 1024  # of a spectrum at that rate: 21 ms
_LOUDEST = -25.0  # dB against the speech; louder rooms are laid quieter
_QUIETEST = -95.0  # dB re full scale, below which there is no room to lay
_LEAST = 12  # frames of pauses that say what a room sounds like
_EDGE = 0.06  # s beside speech that is not yet room: decays, breath
_SMOOTH = 3  # frames over which the power of the speech is looked at
_BANDS = 40
_PIECE = 1500  # frames filled at a time


@dataclass(frozen=True)
class Room:
    """power: (_POINTS // 2 + 1,) of each bin at RATE; they add up to the mean square of the sound."""

    power: NDArray[np.float64]

    @property
    def level(self) -> float:
        """dB re full scale."""
        return 10 * float(np.log10(max(float(self.power.sum()), 1e-14)))


def room_of(samples: Samples, rate: int) -> Room | None:
    """What the pauses of a recording hold, (n,) mono; None where it has no pauses, or nothing is heard in them."""
    import soxr

    sound = np.asarray(samples, np.float32)
    if rate != RATE:
        sound = soxr.resample(sound, rate, RATE).astype(np.float32)
    loud = activity.active(sound, RATE)
    if not loud.any() or len(sound) < 4 * _POINTS:
        return None
    near = uniform_filter1d(loud.astype(np.float32), 2 * round(_EDGE / activity.STEP) + 1, mode="nearest") > 1e-6
    hop = _POINTS // 2
    views = np.lib.stride_tricks.sliding_window_view(sound, _POINTS)[::hop]
    centres = np.minimum(((np.arange(len(views)) * hop + hop) / RATE / activity.STEP).astype(int), len(near) - 1)
    quiet = views[~near[centres]]
    if len(quiet) < _LEAST:
        return None
    power = np.abs(np.fft.rfft(quiet * np.hanning(_POINTS).astype(np.float32), axis=1)) ** 2
    total = power.sum(1)
    # Digital silence (joins, fades) tells nothing; neither do the loudest pauses, in which somebody breathes.
    power = power[total > total.max() * 1e-8]
    power = power[np.argsort(power.sum(1))[: max(1, len(power) * 3 // 4)]]
    density = gaussian_filter1d(power.mean(0), 2.0)
    density[1:-1] *= 2.0
    density /= _POINTS * float((np.hanning(_POINTS) ** 2).sum())
    room = Room(density.astype(np.float64))
    level = activity.levels(sound, RATE)
    speech = 10 * float(np.log10(np.mean(10 ** (level[loud] / 10))))
    if room.level < _QUIETEST:
        return None
    return Room(room.power * 10 ** (min(0.0, speech + _LOUDEST - room.level) / 10))


def lay_room(samples: Samples, rate: int, room: Room, seed: int, progress: Progress) -> Samples:
    """`samples` with the room wherever they are quieter than it, band by band. The same seed gives the same samples."""
    points = 2 * round(_POINTS * rate / RATE / 2)
    hop = points // 2
    density = np.interp(np.fft.rfftfreq(points, 1 / rate), np.fft.rfftfreq(_POINTS, 1 / RATE), room.power) * _POINTS / points
    window = np.sqrt(np.hanning(points + 1)[:-1])  # its squares add up to one at half overlap
    edges = np.unique(np.round(np.geomspace(2, points // 2 + 1, _BANDS)).astype(int))
    edges[0] = 0
    owner = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    starts = edges[:-1]
    wanted = np.add.reduceat(density, starts)
    padded = np.pad(np.asarray(samples, np.float32), (points, 2 * points))
    count = (len(padded) - points) // hop + 1
    out = padded.astype(np.float32, copy=True)
    random = np.random.default_rng([seed, 7])
    scale = points * float((window**2).sum())
    for first in range(0, count, _PIECE):
        progress.check()
        last = min(count, first + _PIECE)
        low, high = max(0, first - _SMOOTH), min(count, last + _SMOOTH)
        frames = padded[(np.arange(low, high) * hop)[:, None] + np.arange(points)] * window
        power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 * (2.0 / scale)
        heard = uniform_filter1d(np.add.reduceat(power, starts, axis=1), _SMOOTH, axis=0, mode="nearest")[first - low : last - low]
        missing = np.clip(1.0 - heard / np.maximum(wanted, 1e-20), 0.0, 1.0)  # share of the room's power that is to be added
        noise = random.standard_normal((last - first, 2, points // 2 + 1))
        amplitude = np.sqrt(density * scale / 4.0) * np.sqrt(missing)[:, owner]
        added = np.fft.irfft((noise[:, 0] + 1j * noise[:, 1]) * amplitude, points, axis=1) * window
        for number in range(first, last):
            out[number * hop : number * hop + points] += added[number - first].astype(np.float32)
    return out[points : points + len(samples)]
