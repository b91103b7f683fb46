"""Which channel of a reference's sound to learn from.

Cameras write a lavalier to the left and their own microphone to the right, leave one channel dead, or hold the same voice twice with a delay: mixed,
such channels cancel in places or bring the room in. Channels that belong together are still mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from retake.domain.progress import Progress
from retake.domain.speaker import Finding
from retake.media.audio import read_audio
from retake.media.probe import probe
from retake.speech import activity
from retake.speech import hygiene_detect as detect
from retake.speech.voice_activity import speech_probability

RATE = 16000  # what channels are compared at
_MOST = 8
_DEAD = 35.0  # dB under the loudest channel
_SAME = 0.9  # correlation from which channels are one sound, which mixing does no harm
_IDENTICAL = 0.998  # correlation from which there is nothing to choose
_BETTER = 3.0  # points (about dB) from which one channel is clearly better
_MUCH_BETTER = 6.0  # points from which the mean of channels that hold one sound is worse than the best of them
_SPREAD = 0.05  # s of delay that is looked for: 17 m


@dataclass(frozen=True)
class ChannelChoice:
    """`channel`: the only one to take, None to mix. `note` says why, where one was chosen."""

    channel: int | None
    note: Finding | None = None


def choose_channel(source: Path, seconds: float, progress: Progress) -> ChannelChoice:
    """Look at the channels of a file's sound, `seconds` from its beginning. Raises RetakeError as `read_audio`."""
    count = min(_MOST, probe(source).audio_channels)
    if count < 2:
        return ChannelChoice(None)
    channels = [read_audio(source, RATE, seconds=seconds, channel=number, progress=progress) for number in range(count)]
    return judge(channels, progress)


def judge(channels: Sequence[NDArray[np.float32]], progress: Progress) -> ChannelChoice:
    """The same for channels at 16 kHz."""
    levels = np.array([10 * np.log10(float(np.mean(channel.astype(np.float64) ** 2)) + 1e-12) if len(channel) else -120.0 for channel in channels])
    alive = [int(number) for number in np.flatnonzero(levels > max(levels.max() - _DEAD, -90.0))]
    if not alive:
        return ChannelChoice(None)
    if len(alive) == 1:
        return _chosen(alive[0], len(channels), "the others hold next to nothing", "Nothing is wrong, if that is the microphone that was meant.")
    alike = min(_alike(channels[alive[0]], channels[number]) for number in alive[1:])
    if alike >= _IDENTICAL:
        if len(alive) == len(channels):
            return ChannelChoice(None)
        return _chosen(alive[0], len(channels), "some of the others are silent", "Nothing is wrong, if that is the microphone that was meant.")
    points = []
    for number in alive:
        progress.check()
        points.append(_points(channels[number], progress))
    best = int(np.argmax(points))
    others = max(value for place, value in enumerate(points) if place != best)
    if alike >= _SAME and points[best] - others < _MUCH_BETTER and len(alive) == len(channels):
        return ChannelChoice(None)
    why = "it has the clearest speech" if points[best] - others >= _BETTER else "mixed with the others it would sound hollow"
    return _chosen(alive[best], len(channels), why, "Check that it is the microphone that was meant.")


def _chosen(channel: int, count: int, why: str, remedy: str) -> ChannelChoice:
    name = ("the left channel", "the right channel")[channel] if count == 2 else f"channel {channel + 1}"
    return ChannelChoice(channel, Finding(code="one_channel", message=f"Of the sound only {name} was used: {why}.", remedy=remedy))


def _alike(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Correlation of two channels; 0 where they are most alike with a delay, or as each other's opposite."""
    length = min(len(a), len(b), 30 * RATE)
    a, b = a[:length], b[:length]
    size = float(np.sqrt((a.astype(np.float64) @ a) * (b.astype(np.float64) @ b)))
    if size <= 0:
        return 0.0
    middle, reach = length - 1, round(_SPREAD * RATE)
    found = correlate(a.astype(np.float64), b.astype(np.float64), method="fft")[middle - reach : middle + reach + 1] / size
    return float(found[reach]) if int(np.argmax(np.abs(found))) == reach else 0.0


def _points(channel: NDArray[np.float32], progress: Progress) -> float:
    """How good speech on a channel is, about in dB: above the noise, without echo, overdrive and a low band limit."""
    speech = speech_probability(channel, RATE, progress)
    if not (speech > detect.TALKING).any():
        return -100.0
    loud, noise = detect.speech_to_noise(activity.levels(channel, RATE), speech)
    decay = detect.decay(channel, RATE)
    echo = 30.0 * max(0.0, (decay or 0.0) - 0.2)
    overdriven = 20.0 * min(1.0, 100.0 * float(detect.clipped(channel, RATE).mean()))
    spectrum = np.abs(np.fft.rfft(channel)) ** 2
    half = len(spectrum) // 2
    dull = 6.0 if spectrum[half:].sum() < 1e-6 * spectrum.sum() else 0.0
    return min(loud - noise, 45.0) - echo - overdriven - dull
