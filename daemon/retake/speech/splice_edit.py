"""One change of a recording: where it is cut, what comes in between, and when its words are heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.timing import Phone, Word

from .splice_context import Manner, Reading
from .splice_fit import Pair, Recording, bent, fitted, quiet_reading, room
from .splice_join import Cut, best_cut, crossfade, settled, settled_together
from .splice_places import GAP, Bounds, Edges, cuts, edges_of, edges_read, meeting
from .stretch import stretch
from .word_diff import Change, WrittenWord

Samples = NDArray[np.float32]
FIT = 1.12  # how much faster or slower new words are said to last as long as the old ones
_LEAST = 0.02  # s that a join may reach into a sound which is not said twice
# dB of spectral distance for a second of rhythm that is off, and of a neighbour's sound lost
_RHYTHM, _LOSS = 60.0, 200.0
_MOST_EMPTY = 4.0  # s of silence that may stand for words taken out
_WHOLE = 0.03  # s of a kept word that may be missing for it to count as said anew


@dataclass(frozen=True)
class Patch:
    """What takes the place of samples start..stop of the recording.

    words, phones: s from the first of `samples`; words, kept ones that are said anew among them, with their number in the new text.
    joins: samples from there, each with its kind. before_end, after_start: a word that reaches into it, and where that now ends or starts.
    unbent: semitones by which its melody could not be fitted.
    """

    change: Change
    start: int
    stop: int
    samples: Samples
    words: tuple[tuple[int, Word], ...]
    phones: tuple[Phone, ...]
    joins: tuple[tuple[int, str], ...]
    before_end: tuple[int, float] | None = None
    after_start: tuple[int, float] | None = None
    exact: bool = True
    confidence: float = 1.0
    engine: str = ""
    unbent: float = 0.0


@dataclass(frozen=True)
class Job:
    """A change's surroundings. bounds: how far joins may go."""

    recording: Recording
    new: Sequence[WrittenWord]
    old: Sequence[WrittenWord]
    kept: Mapping[int, int]  # number of an old word -> number in the new text
    manner: Manner
    keep_length: bool
    bounds: Bounds


def said(job: Job, change: Change, reading: Reading) -> Patch:
    """The change made with words of a reading. Raises RetakeError (does_not_fit)."""
    before, after = _pairs(job, change, reading)
    fit = fitted(reading, job.recording, before, after, job.manner.seed)
    beside = (before[: _run(job, change, back=True)], after[: _run(job, change, back=False)])
    at = meeting(job.recording, fit.reading, fit.frames, change, pairs=beside, bounds=job.bounds, texts=(job.old, job.new))
    chosen = cuts(at)
    if job.keep_length and _ratio(chosen) > FIT:
        chosen = cuts(at, tight=True)
    ready, unbent = bent(fit, job.recording, chosen)
    if job.keep_length:
        ready, chosen = _timed(job, change, ready, chosen)
    return replace(_inserted(job, change, at.own, ready, chosen), unbent=unbent)


def _pairs(job: Job, change: Change, reading: Reading) -> tuple[list[Pair], list[Pair]]:
    """Kept words on both sides that were read as well, nearest first."""

    def pairs(places: Sequence[int]) -> list[Pair]:
        out: list[Pair] = []
        for place in places:
            number = job.kept.get(place)
            heard = reading.word(number) if number is not None else None
            word = job.recording.words[place]
            if heard is not None and word.start >= 0 and word.end <= job.recording.duration:
                out.append((word, heard))
        return out

    return pairs(range(change.old_start - 1, -1, -1)), pairs(range(change.old_end, len(job.recording.words)))


def _run(job: Job, change: Change, *, back: bool) -> int:
    """How many kept words lie right beside the change before another one comes."""
    count, step = 0, -1 if back else 1
    old, new = (change.old_start - 1, change.new_start - 1) if back else (change.old_end, change.new_end)
    while job.kept.get(old + step * count) == new + step * count:
        count += 1
    return count


def _ratio(chosen: tuple[Cut, Cut]) -> float:
    """How many times as long as their place the new words are."""
    left, right = chosen
    return (right.a - left.b) / max(1e-6, right.b - left.a)


def _timed(job: Job, change: Change, reading: Reading, chosen: tuple[Cut, Cut]) -> tuple[Reading, tuple[Cut, Cut]]:
    """The reading made as long as what it replaces: faster or slower by FIT at most, the rest in pauses. Raises RetakeError (does_not_fit)."""
    rate = job.recording.rate
    left, right = chosen
    ratio = _ratio(chosen)
    if ratio > FIT:
        there, needed = right.b - left.a, (right.a - left.b) / FIT
        raise RetakeError(
            f"The new words need {needed:.2f} s, but the old ones leave {max(0.0, there):.2f} s.",
            "Use fewer words, or let the clip become longer.",
            code="does_not_fit",
        )
    factor = min(FIT, 1.0 / ratio)
    wanted = round((right.b - left.a) * rate)
    faster = stretch(reading.samples, rate, 1.0 / factor)
    factor = len(faster) / max(1, len(reading.samples))
    reading = reading.stretched(faster, factor)
    begin, end = left.b * factor, right.a * factor
    missing = wanted - round((end - begin) * rate)
    if missing > round(0.005 * rate):
        read = edges_read(reading, change)
        at = _opening(read, job.new, change)
        reading = reading.opened(_with_pause(reading.samples, room(job.recording, missing, job.manner.seed), round(at * rate)), at, missing / rate)
        end += missing / rate
        begin += missing / rate if begin > at else 0.0
    return reading, (replace(left, b=begin), replace(right, a=end))


def _opening(read: Edges, new: Sequence[WrittenWord], change: Change) -> float:
    """Where a pause disturbs least: where there is one, else after the new words, or before them if those before end a phrase."""
    after, before = read.after - read.end, read.start - read.before
    ends = change.new_start > 0 and new[change.new_start - 1].ends_phrase
    if (before > after and before > GAP and not read.first) or (ends and after <= GAP):
        return (read.before + read.start) / 2
    return (read.end + read.after) / 2


def _with_pause(samples: Samples, pause: Samples, at: int) -> Samples:
    """`pause` let in at sample `at`, with fades that overlap the sound on both sides."""
    fade = min(200, at, len(samples) - at, len(pause) // 2)
    ramp = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2
    head, tail = samples[:at].copy(), samples[at:].copy()
    head[at - fade :] *= ramp[::-1]
    tail[:fade] *= ramp
    return np.concatenate([head, pause, tail])


def _inserted(job: Job, change: Change, own: Edges, reading: Reading, chosen: tuple[Cut, Cut]) -> Patch:
    left, right = chosen
    recording, rate = job.recording, job.recording.rate
    a, b, fade = settled(recording.samples, reading.samples, rate, left)
    out_b, out_a, out_fade = settled(reading.samples, recording.samples, rate, right)
    if job.keep_length:
        out_a = round(right.b * rate)
        out_b = b + out_a - a
        if right.kind != "pause":
            out_a, out_b = settled_together(recording.samples, reading.samples, rate, out_a, out_b)
    fade = 2 * max(0, min(fade // 2, a, b))
    out_fade = 2 * max(0, min(out_fade // 2, len(recording.samples) - out_a, len(reading.samples) - out_b))
    middle = _take(reading.samples, b + fade // 2, out_b - out_fade // 2)
    into = crossfade(_around(recording.samples, a, fade), _around(reading.samples, b, fade))
    out = crossfade(_around(reading.samples, out_b, out_fade), _around(recording.samples, out_a, out_fade))
    shift = (fade // 2 - b) / rate  # from the reading's time to the patch's
    inside, before_end, after_start = _covered(job, change, reading, (a / rate, out_a / rate))
    words = tuple(
        (number, Word(job.new[number].written, heard.start + shift, heard.end + shift))
        for number in inside
        if (heard := reading.word(number)) is not None
    )
    begin, end = b / rate, out_b / rate
    phones = tuple(
        Phone(phone.symbol, max(begin, phone.start) + shift, min(end, phone.end) + shift, phone.stress)
        for phone in reading.phones
        if phone.end > begin and phone.start < end
    )
    return Patch(
        change,
        a - fade // 2,
        out_a + out_fade // 2,
        np.concatenate([into, middle, out]),
        words,
        phones,
        ((fade // 2, left.kind), (fade // 2 + out_b - b, right.kind)),
        None if before_end is None or before_end[1] <= begin else (before_end[0], before_end[1] + shift),
        None if after_start is None or after_start[1] >= end else (after_start[0], after_start[1] + shift),
        reading.exact,
        reading.confidence,
        reading.engine,
    )


def _covered(
    job: Job, change: Change, reading: Reading, place: tuple[float, float]
) -> tuple[list[int], tuple[int, float] | None, tuple[int, float] | None]:
    """Numbers of the words that are heard from the reading, and the words that its edges cut: number, and end or start in the reading."""
    inside = list(range(change.new_start, change.new_end))
    before_end = after_start = None
    words = job.recording.words
    for step in range(1, _run(job, change, back=True) + 1):
        own, number = words[change.old_start - step], change.new_start - step
        heard = reading.word(number)
        if heard is None or own.end <= place[0]:
            break
        if own.start < place[0] - _WHOLE:
            before_end = (number, heard.end)
            break
        inside.insert(0, number)
    for step in range(_run(job, change, back=False)):
        own, number = words[change.old_end + step], change.new_end + step
        heard = reading.word(number)
        if heard is None or own.start >= place[1]:
            break
        if own.end > place[1] + _WHOLE:
            after_start = (number, heard.start)
            break
        inside.append(number)
    return inside, before_end, after_start


def closed(job: Job, change: Change) -> Patch:
    """Words taken out: the sound before goes over into the sound after, with a pause where there is one to be."""
    own = edges_of(job.recording, change)
    recording, rate = job.recording, job.recording.rate
    gaps = own.start - own.before, own.after - own.end
    asked = change.new_start > 0 and job.new[change.new_start - 1].ends_phrase
    if own.first:
        wanted = gaps[0]
    elif own.last or asked:
        wanted = max(gaps)
    else:
        wanted = min(gaps) if min(gaps) > GAP else 0.0
    first = (max(0.0, own.before - (0.0 if own.first else _LEAST)), max(own.before, min(own.start, own.before + wanted)))
    second = (min(own.after, max(own.end, own.after - wanted)), min(recording.duration, own.after + (0.0 if own.last else _LEAST)))

    def timing(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        rhythm = np.abs((a - own.before) + (own.after - b) - wanted)
        return _RHYTHM * rhythm + _LOSS * (np.maximum(own.before - a, 0.0) + np.maximum(b - own.after, 0.0))

    cut = best_cut(recording.frames, recording.frames, first, second, timing)
    a, b, fade = settled(recording.samples, recording.samples, rate, cut)
    fade = 2 * max(0, min(fade // 2, a, len(recording.samples) - b))
    sound = crossfade(_around(recording.samples, a, fade), _around(recording.samples, b, fade))
    return Patch(change, a - fade // 2, b + fade // 2, sound, (), (), ((fade // 2, cut.kind),))


def emptied(job: Job, change: Change) -> Patch:
    """Words taken out while the time stays: the recording's room in their place."""
    own = edges_of(job.recording, change)
    seconds = own.end - own.start
    if seconds > _MOST_EMPTY:
        raise RetakeError(
            f"Without these words {seconds:.1f} s of silence would remain.",
            "Let the clip become shorter, or write words for it.",
            code="does_not_fit",
        )
    reading, _ = quiet_reading(job.recording, seconds + 1.0, job.manner.seed, change.new_start)
    left, right = Cut(own.start, 0.5, 0.0, "pause"), Cut(0.5 + seconds, own.end, 0.0, "pause")
    return _inserted(job, change, own, reading, (left, right))


def _take(samples: Samples, start: int, end: int) -> Samples:
    """samples[start:end] with zeros where there are none."""
    end = max(start, end)
    inside = samples[max(0, start) : max(0, min(len(samples), end))]
    return np.pad(inside, (min(max(0, -start), end - start), max(0, end - max(start, len(samples), 0)))) if len(inside) != end - start else inside


def _around(samples: Samples, middle: int, width: int) -> Samples:
    return _take(samples, middle - width // 2, middle + width // 2)
