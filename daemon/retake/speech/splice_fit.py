"""A reading made to fit a recording: its spectrum, level, pitch and room brought to those of the words around a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from retake.domain.errors import RetakeError
from retake.domain.phones import SILENCE
from retake.domain.timing import Phone, Word

from . import splice_match as match
from .psola import move_pitch
from .splice_context import Reading
from .splice_join import STEP, Cut, Frames, frames_of, pitch_of

Samples = NDArray[np.float32]
Pair = tuple[Word, Word]  # the same word as recorded and as read
_NEAR = 0.7  # s of words beside a change that tell its level
_LONG, _SHORT = 0.6, 0.18  # s of voice that tell pitch around a change, and right beside it
_SETTLE = 0.22  # s over which the second gives way to the first
_PITCH_MOST = 0.24  # ln units
_LEAST_PITCHES = 4  # frames of 12.5 ms
_PITCH_RATE = 80.0  # frames/s
_SEMITONES = 12 / np.log(2.0)
_SETTLED = 0.3  # s into the new words over which the last correction at a join fades
_STEP_SIDE = 0.06  # s on each side of a join that tell its step in pitch
_STEP_FREE = 0.5  # semitones that may stay
_LIMITED = 0.006  # s over which what is too loud is held down


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


@dataclass(frozen=True)
class Melody:
    """How far a reading's pitch is to be moved: ln units (`offsets`) at `times` (s of the reading), between them on straight lines."""

    times: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()

    def at(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self.times:
            return np.zeros(len(seconds))
        return np.clip(np.interp(seconds, self.times, self.offsets), -_PITCH_MOST, _PITCH_MOST)


@dataclass(frozen=True)
class Fitted:
    """A reading that sounds like the words around a change, except that its melody has still to be moved (`bent`).

    hertz: its pitch every 12.5 ms. frames: with the melody moved already.
    """

    reading: Reading
    hertz: NDArray[np.float64]
    melody: Melody
    frames: Frames


def fitted(reading: Reading, recording: Recording, before: Sequence[Pair], after: Sequence[Pair], seed: int) -> Fitted:
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
    melody = _melody(hertz, recording, before, after)
    samples = _in_room(samples, reading, recording, seed)
    frames = frames_of(samples, rate, hertz)
    frames = replace(frames, pitch=frames.pitch + _SEMITONES * melody.at(np.arange(len(frames.pitch), dtype=np.float64) * STEP))
    return Fitted(_with(reading, samples, rate), hertz, melody, frames)


def bent(fit: Fitted, recording: Recording, cuts: tuple[Cut, Cut]) -> tuple[Reading, float]:
    """The reading with its melody moved so that it leaves off and goes on at these joins where the recording's does.

    Right before a join both say the same, so what they differ by there is taken out of the new words, less and less over 0.3 s; a small step, as
    the reading has it there itself, may stay.

    Returns:
        The reading, and by how many semitones the joins are still off because that would have been too much.
    """
    left, right = cuts
    rate = fit.reading.rate
    steps = [_step(recording.frames, left.a, fit.frames, left.b), _step(fit.frames, right.a, recording.frames, right.b)]
    shown = np.arange(0, len(fit.reading.samples) / rate + _SETTLED, 0.02)
    middle = (left.b + right.a) / 2
    offset = fit.melody.at(shown)
    room_left, room_right = (max(0.05, min(_SETTLED, distance)) for distance in (middle - left.b, right.a - middle))
    fading = np.clip(1 - (shown - left.b) / room_left, 0, 1) * (shown < middle + 0.1)
    rising = np.clip(1 - (right.a - shown) / room_right, 0, 1) * (shown > middle - 0.1)
    offset = offset - steps[0] / _SEMITONES * fading + steps[1] / _SEMITONES * rising
    known = fit.hertz > 0
    if not known.any():
        return replace(fit.reading, samples=_held(fit.reading.samples, recording)), 0.0
    places = [left.b, right.a]
    rest = float(np.abs(np.interp(places, shown, offset) - np.clip(np.interp(places, shown, offset), -_PITCH_MOST, _PITCH_MOST)).max())
    melody = Melody(tuple(shown.tolist()), tuple(np.clip(offset, -_PITCH_MOST, _PITCH_MOST).tolist()))
    seconds = np.arange(len(fit.reading.samples)) / rate
    steady = np.interp(seconds, np.flatnonzero(known) / _PITCH_RATE, fit.hertz[known])
    sound = move_pitch(fit.reading.samples, rate, steady, melody.at(seconds))
    return replace(fit.reading, samples=_held(sound, recording)), _SEMITONES * rest


def _held(samples: Samples, recording: Recording) -> Samples:
    """Nothing louder than the loudest of the recording around: a stressed word, raised to its neighbours' level, could clip."""
    most = min(0.98, float(np.abs(recording.samples).max(initial=0.0)) * 1.05)
    if most <= 0 or float(np.abs(samples).max(initial=0.0)) <= most:
        return samples
    width = max(3, round(_LIMITED * recording.rate) | 1)
    needed = np.minimum(1.0, most / np.maximum(maximum_filter1d(np.abs(samples), 2 * width), 1e-9))
    # A mean over less than what the maximum looks at never rises above what is needed.
    return (samples * uniform_filter1d(needed, width)).astype(np.float32)


def _step(first: Frames, a: float, second: Frames, b: float) -> float:
    """Semitones that pitch jumps at a join more than it may; 0 where one side has no voice."""
    reach = round(_STEP_SIDE / STEP)
    i, j = int(first.at(a)), int(second.at(b))
    low, high = first.pitch[max(0, i - reach) : i], second.pitch[j : j + reach]
    low, high = low[np.isfinite(low)], high[np.isfinite(high)]
    if len(low) < _LEAST_PITCHES or len(high) < _LEAST_PITCHES:
        return 0.0
    jump = float(np.median(high) - np.median(low))
    return jump - float(np.clip(jump, -_STEP_FREE, _STEP_FREE))


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
    everything = [(word.start, word.end) for word in recording.words if word.start >= 0 and word.end <= recording.duration]
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


def _melody(hertz: NDArray[np.float64], recording: Recording, before: Sequence[Pair], after: Sequence[Pair]) -> Melody:
    """By what the words around a change are off as a whole, and close to it by what they are off right there."""
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
    points.sort()
    return Melody(tuple(time for time, _ in points), tuple(value for _, value in points))


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
