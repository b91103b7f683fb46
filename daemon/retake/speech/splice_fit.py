"""A reading made to fit a recording: its spectrum, level, pitch and room brought to those of the words around a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.phones import SILENCE
from retake.domain.timing import Phone, Word

from . import splice_match as match
from .psola import move_pitch
from .splice_context import Reading
from .splice_join import Frames, frames_of, pitch_of

Samples = NDArray[np.float32]
Pair = tuple[Word, Word]  # the same word as recorded and as read
_NEAR = 0.7  # s of words beside a change that tell its level
_LONG, _SHORT = 0.6, 0.18  # s of voice that tell pitch around a change, and right beside it
_SETTLE = 0.22  # s over which the second gives way to the first
_PITCH_MOST = 0.24  # ln units
_LEAST_PITCHES = 4  # frames of 12.5 ms
_PITCH_RATE = 80.0  # frames/s


@dataclass(frozen=True)
class Recording:
    """What is edited, with what was measured on it once. noise: power spectrum of its pauses (splice_match), None if unknown."""

    samples: Samples
    rate: int
    words: tuple[Word, ...]
    phones: tuple[Phone, ...]
    hertz: NDArray[np.float64]
    frames: Frames
    noise: match.Spectrum | None

    @property
    def duration(self) -> float:
        return len(self.samples) / self.rate


def recording_of(samples: Samples, rate: int, words: Sequence[Word], phones: Sequence[Phone], speaker: Path) -> Recording:
    """Measure a recording. Without pauses its room is taken from the speaker's stored voice."""
    hertz = pitch_of(samples, rate)
    pauses = [(phone.start, phone.end) for phone in phones if phone.symbol == SILENCE]
    noise = match.noise_spectrum(samples, rate, pauses)
    if noise is None:
        noise = _stored_room(samples, rate, words, speaker)
    return Recording(samples, rate, tuple(words), tuple(phones), hertz, frames_of(samples, rate, hertz), noise)


def fitted(reading: Reading, recording: Recording, before: Sequence[Pair], after: Sequence[Pair], seed: int) -> tuple[Reading, Frames]:
    """The reading at the recording's rate, sounding like the words around the change.

    Args:
        before, after: words on either side of the change that both say, nearest first.
    """
    import soxr

    rate = recording.rate
    raw = np.asarray(reading.samples, np.float32)
    samples = raw if reading.rate == rate else soxr.resample(raw, reading.rate, rate).astype(np.float32)
    samples = _equalised(samples, reading, recording, [*before, *after])
    samples = _levelled(samples, recording, before, after)
    hertz = pitch_of(samples, rate)
    samples, hertz = _pitched(samples, hertz, recording, before, after)
    samples = _in_room(samples, reading, recording, seed)
    return _with(reading, samples, rate), frames_of(samples, rate, hertz)


def quiet_reading(recording: Recording, seconds: float, seed: int, first: int) -> tuple[Reading, Frames]:
    """Nothing but the recording's room, for words that are taken out while the time stays."""
    samples = room(recording, round(seconds * recording.rate), seed)
    reading = Reading(samples, recording.rate, first, (), (Phone(SILENCE, 0.0, len(samples) / recording.rate),), True, 1.0, "")
    return reading, frames_of(samples, recording.rate, np.zeros(0))


def room(recording: Recording, count: int, seed: int) -> Samples:
    """`count` samples of the recording's silence."""
    return match.noise_like(recording.noise, count, seed) if recording.noise is not None else np.zeros(count, np.float32)


def _with(reading: Reading, samples: Samples, rate: int) -> Reading:
    return Reading(samples, rate, reading.first, reading.words, reading.phones, reading.exact, reading.confidence, reading.engine)


def _equalised(samples: Samples, reading: Reading, recording: Recording, pairs: Sequence[Pair]) -> Samples:
    rate = recording.rate
    near = sorted(pairs, key=lambda pair: pair[0].start)
    own, read = [(a.start, a.end) for a, _ in near], [(b.start, b.end) for _, b in near]
    common = sum(end - start for start, end in own)
    everything = [(word.start, word.end) for word in recording.words]
    spoken = [(word.start, word.end) for word in reading.words if word is not None]
    both = match.blended(
        [
            (match.spectrum(recording.samples, rate, own), match.spectrum(samples, rate, read), common),
            (match.spectrum(recording.samples, rate, everything), match.spectrum(samples, rate, spoken), 10.0),
        ]
    )
    return samples if both is None else match.filtered(samples, match.equaliser(*both, rate))


def _levelled(samples: Samples, recording: Recording, before: Sequence[Pair], after: Sequence[Pair]) -> Samples:
    """Louder or quieter towards each side, as the words there are; in between the gain goes over evenly."""
    rate = recording.rate
    sides: list[tuple[float, float]] = []
    for pairs, edge in ((before, 1), (after, 0)):
        near = _nearest(pairs)
        own = match.level_of(recording.samples, rate, [(a.start, a.end) for a, _ in near])
        read = match.level_of(samples, rate, [(b.start, b.end) for _, b in near])
        if own is not None and read is not None:
            place = pairs[0][1].end if edge else pairs[0][1].start
            sides.append((place, match.level_between(own, read)))
    if not sides:
        return samples
    seconds = np.arange(len(samples)) / rate
    gain = np.interp(seconds, [place for place, _ in sides], [value for _, value in sides])
    return (samples * 10 ** (gain / 20)).astype(np.float32)


def _nearest(pairs: Sequence[Pair]) -> list[Pair]:
    out: list[Pair] = []
    total = 0.0
    for pair in pairs:
        out.append(pair)
        total += pair[0].end - pair[0].start
        if total >= _NEAR:
            break
    return out


def _pitched(
    samples: Samples, hertz: NDArray[np.float64], recording: Recording, before: Sequence[Pair], after: Sequence[Pair]
) -> tuple[Samples, NDArray[np.float64]]:
    """The melody moved so that it leaves off and goes on where the recording's does: by what the words around a change are off as a whole, and
    close to the joins by what they are off right there."""
    points: list[tuple[float, float]] = []
    if before:
        place = before[0][1].end
        long = _pitch_offset(recording.hertz, hertz, before, _LONG, back=True)
        short = _pitch_offset(recording.hertz, hertz, before, _SHORT, back=True)
        points += [(place, value) for value in [short if short is not None else long] if value is not None]
        points += [(place + _SETTLE, long)] if long is not None and short is not None else []
    if after:
        place = after[0][1].start
        long = _pitch_offset(recording.hertz, hertz, after, _LONG, back=False)
        short = _pitch_offset(recording.hertz, hertz, after, _SHORT, back=False)
        points += [(place - _SETTLE, long)] if long is not None and short is not None else []
        points += [(place, value) for value in [short if short is not None else long] if value is not None]
    if not points or not (hertz > 0).any():
        return samples, hertz
    points.sort()
    times, offsets = [time for time, _ in points], [float(np.clip(value, -_PITCH_MOST, _PITCH_MOST)) for _, value in points]
    frames = np.arange(len(hertz)) / _PITCH_RATE
    seconds = np.arange(len(samples)) / recording.rate
    known = hertz > 0
    steady = np.interp(seconds, frames[known], hertz[known])
    moved = move_pitch(samples, recording.rate, steady, np.interp(seconds, times, offsets))
    return moved, np.where(known, hertz * np.exp(np.interp(frames, times, offsets)), 0.0)


def _pitch_offset(own: NDArray[np.float64], read: NDArray[np.float64], pairs: Sequence[Pair], seconds: float, *, back: bool) -> float | None:
    """Median difference of ln pitch over the last (or first) `seconds` of words that both say, place by place within each word."""
    differences: list[float] = []
    for a, b in pairs:
        count = max(2, round((a.end - a.start) * _PITCH_RATE))
        share = (np.arange(count) + 0.5) / count
        share = share[::-1] if back else share
        theirs = _look(own, a.start + share * (a.end - a.start))
        ours = _look(read, b.start + share * (b.end - b.start))
        both = (theirs > 0) & (ours > 0)
        differences += list(np.log(theirs[both] / ours[both]))
        if len(differences) >= seconds * _PITCH_RATE:
            break
    kept = differences[: round(seconds * _PITCH_RATE)]
    return float(np.median(kept)) if len(kept) >= _LEAST_PITCHES else None


def _look(hertz: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(hertz):
        return np.zeros(len(seconds))
    return hertz[np.clip((seconds * _PITCH_RATE).astype(np.int64), 0, len(hertz) - 1)]


def _in_room(samples: Samples, reading: Reading, recording: Recording, seed: int) -> Samples:
    """As much of the recording's room under the reading as it lacks."""
    if recording.noise is None:
        return samples
    pauses = [(phone.start, phone.end) for phone in reading.phones if phone.symbol == SILENCE]
    there = match.noise_spectrum(samples, recording.rate, pauses)
    return samples + match.noise_like(match.missing_noise(recording.noise, there), len(samples), seed)


def _stored_room(samples: Samples, rate: int, words: Sequence[Word], speaker: Path) -> match.Spectrum | None:
    """The room of the speaker's reference under speech as loud as this; None where no voice is stored."""
    from .hibari_net import RATE
    from .voice_store import load_voice

    level = match.level_of(samples, rate, [(word.start, word.end) for word in words])
    try:
        voice = load_voice(speaker)
    except RetakeError:
        return None
    if level is None:
        return None
    shape = np.exp(2.0 * voice.room.double().numpy())
    shape = np.interp(np.linspace(0, RATE / 2, match.POINTS // 2 + 1), np.linspace(0, RATE / 2, len(shape)), shape)
    shape = match.resampled_spectrum(shape, RATE, rate)
    window = float(np.square(np.hanning(match.POINTS)).sum())
    wanted = 10 ** ((level + min(voice.profile.noise_db, -42.0)) / 10)
    return shape * (wanted * window / max(1e-20, float(shape.mean())))
