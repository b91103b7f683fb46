"""One change of a recording: where it is cut, what comes in between, and when its words are heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.timing import Phone, Word

from .splice_context import Manner, Reading, context_of, fitting_pace
from .splice_fit import Pair, Recording, fitted, quiet_reading, room
from .splice_join import Cut, Frames, best_cut, crossfade, settled, settled_together
from .stretch import stretch
from .word_diff import Change, WrittenWord

Samples = NDArray[np.float32]
FIT = 1.12  # how much faster or slower new words are said to last as long as the old ones
GAP = 0.06  # s of silence between words from which it is a pause
_INTO = 0.14  # s that a join may lie within the word beside a change, and
_SHARE = 0.45  # the share of that word
_TIGHT = 0.05  # s that is left of a pause where time is short
_LEAST = 0.02  # s that a join may reach into a sound which is not said twice
# dB of spectral distance for a second of: rhythm off; one phone said twice or lost; a neighbour's sound replaced
_RHYTHM, _PHONE, _DEPTH, _LOSS = 60.0, 120.0, 15.0, 200.0
_PHONE_FREE = 0.008  # s
_WITHOUT_LEAD = (0.06, 0.02)  # s before the first word in which a reading begins where nothing comes before
_MOST_EMPTY = 4.0  # s of silence that may stand for words taken out


@dataclass(frozen=True)
class Edges:
    """Around a change, in s: end of the word before it, start and end of what is changed, start of the word after it, and how far joins may go.

    Where nothing comes before (after), `before` is 0 (`after` the duration) and so is `low` (`high`).
    """

    low: float
    before: float
    start: float
    end: float
    after: float
    high: float
    first: bool
    last: bool


@dataclass(frozen=True)
class Patch:
    """What takes the place of samples start..stop of the recording.

    words, phones: s from the first of `samples`; words with their number in the new text. joins: samples from there, each with its kind.
    before_end, after_start: where the words beside it now end and start, if they reach into it.
    """

    change: Change
    start: int
    stop: int
    samples: Samples
    words: tuple[tuple[int, Word], ...]
    phones: tuple[Phone, ...]
    joins: tuple[tuple[int, str], ...]
    before_end: float | None = None
    after_start: float | None = None
    exact: bool = True
    confidence: float = 1.0
    engine: str = ""


@dataclass(frozen=True)
class Job:
    """What all changes of one text share."""

    recording: Recording
    new: Sequence[WrittenWord]
    old: Sequence[WrittenWord]
    kept: Mapping[int, int]  # number of an old word -> number in the new text
    manner: Manner
    keep_length: bool


def patch(job: Job, change: Change, progress: Progress) -> Patch:
    """Make the change. Raises RetakeError: see speech.splice.splice."""
    own = _edges_of(job.recording, change)
    if change.new_start == change.new_end:
        return _emptied(job, change, own) if job.keep_length else _closed(job, change, own)
    bounds = context_of(job.new, change)
    reading = job.manner.read(job.new, bounds, change, 1.0, progress)
    kept = [(job.recording.words[o], n) for o, n in job.kept.items() if bounds[0] <= n < bounds[1]]
    pace = fitting_pace(reading, kept)
    if pace != 1.0:
        reading = job.manner.read(job.new, bounds, change, pace, progress)
    progress.check()
    ready, frames = _fit(job, change, reading)
    left, right = _cuts(job, change, own, ready, frames, tight=False)
    if job.keep_length:
        ready, left, right = _timed(job, change, own, (ready, frames), (left, right))
    return _inserted(job, change, own, ready, (left, right))


def _fit(job: Job, change: Change, reading: Reading) -> tuple[Reading, Frames]:
    before, after = _pairs(job, change, reading)
    return fitted(reading, job.recording, before, after, job.manner.seed)


def _pairs(job: Job, change: Change, reading: Reading) -> tuple[list[Pair], list[Pair]]:
    """Kept words on both sides that were read as well, nearest first."""

    def pairs(places: Sequence[int]) -> list[Pair]:
        out: list[Pair] = []
        for place in places:
            number = job.kept.get(place)
            said = reading.word(number) if number is not None else None
            if said is not None:
                out.append((job.recording.words[place], said))
        return out

    return pairs(range(change.old_start - 1, -1, -1)), pairs(range(change.old_end, len(job.recording.words)))


def _edges_of(recording: Recording, change: Change) -> Edges:
    words = recording.words
    before = words[change.old_start - 1] if change.old_start else None
    after = words[change.old_end] if change.old_end < len(words) else None
    left, right = before.end if before else 0.0, after.start if after else recording.duration
    if change.old_start < change.old_end:
        start, end = words[change.old_start].start, words[change.old_end - 1].end
    else:
        start = end = (left + right) / 2
    return _edges(before, after, (left, right), (start, end))


def _edges(before: Word | None, after: Word | None, gap: tuple[float, float], changed: tuple[float, float]) -> Edges:
    (left, right), (start, end) = gap, changed
    start, end = max(left, start), min(right, end)
    low = left - min(_INTO, _SHARE * (before.end - before.start)) if before else left
    high = right + min(_INTO, _SHARE * (after.end - after.start)) if after else right
    return Edges(low, left, start, max(start, end), right, high, before is None, after is None)


def _edges_read(reading: Reading, change: Change) -> Edges:
    before, after = reading.word(change.new_start - 1), reading.word(change.new_end)
    first, last = reading.word(change.new_start), reading.word(change.new_end - 1)
    start = first.start if first else 0.0
    end = last.end if last else reading.duration
    left = before.end if before else max(0.0, start - _WITHOUT_LEAD[0])
    right = after.start if after else min(reading.duration, end + 2 * _WITHOUT_LEAD[0])
    return _edges(before, after, (left, right), (start, end))


def _wanted_gap(own: float, read: float, old: WrittenWord | None, new: WrittenWord | None) -> float:
    """s of pause at one side of a change: the recording's own where its text asks for a pause as before, else the reading's."""
    asked = new is not None and new.ends_phrase
    if new is None or (new.pause is not None):
        return own if new is None else read
    was = old is not None and old.ends_phrase
    if own > GAP and (asked or not was):
        return own
    return read if asked else min(read, GAP)


def _cuts(job: Job, change: Change, own: Edges, reading: Reading, frames: Frames, *, tight: bool) -> tuple[Cut, Cut]:
    read = _edges_read(reading, change)
    nothing_old = change.old_start == change.old_end
    new_before = job.new[change.new_start - 1] if change.new_start else None
    old_before = job.old[change.old_start - 1] if change.old_start else None
    gap = own.after - own.before if nothing_old else own.start - own.before
    wanted = _wanted_gap(gap, read.start - read.before, old_before, new_before)
    wanted = min(wanted, _TIGHT) if tight else wanted

    def left_timing(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        inside_a, inside_b = np.minimum(a - own.before, 0.0), np.minimum(b - read.before, 0.0)
        rhythm = np.abs((a - own.before) + (read.start - b) - wanted)
        return _RHYTHM * rhythm + _PHONE * np.maximum(0.0, np.abs(inside_a - inside_b) - _PHONE_FREE) - _DEPTH * inside_a

    left = best_cut(job.recording.frames, frames, (own.low, own.start), _begin(read), left_timing)
    new_last = job.new[change.new_end - 1]
    old_last = job.old[change.old_end - 1] if change.old_end else None
    gap = own.after - own.before if nothing_old else own.after - own.end
    wanted_after = _wanted_gap(gap, read.after - read.end, old_last, new_last)
    if own.last:
        wanted_after = own.after - own.end
    wanted_after = min(wanted_after, _TIGHT) if tight and not own.last else wanted_after

    def right_timing(b: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
        inside_a, inside_b = np.minimum(own.after - a, 0.0), np.minimum(read.after - b, 0.0)
        rhythm = np.abs((own.after - a) + (b - read.end) - wanted_after)
        return _RHYTHM * rhythm + _PHONE * np.maximum(0.0, np.abs(inside_a - inside_b) - _PHONE_FREE) - _DEPTH * inside_a

    earliest = max(own.end, left.a) if nothing_old else own.end
    right = best_cut(frames, job.recording.frames, (read.end, max(read.end, read.high)), (earliest, max(earliest, own.high)), right_timing)
    return left, right


def _begin(read: Edges) -> tuple[float, float]:
    return (read.low, max(read.low, read.start - _WITHOUT_LEAD[1])) if read.first else (read.low, read.start)


def _timed(job: Job, change: Change, own: Edges, fit: tuple[Reading, Frames], cuts: tuple[Cut, Cut]) -> tuple[Reading, Cut, Cut]:
    """The reading made as long as what it replaces: faster or slower by FIT at most, the rest in pauses. Raises RetakeError (does_not_fit)."""
    rate = job.recording.rate
    (reading, frames), (left, right) = fit, cuts
    ratio = _length(left, right) / max(1e-6, right.b - left.a)
    if ratio > FIT:
        left, right = _cuts(job, change, own, reading, frames, tight=True)
        ratio = _length(left, right) / max(1e-6, right.b - left.a)
    if ratio > FIT:
        there, needed = right.b - left.a, _length(left, right) / FIT
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
        read = _edges_read(reading, change)
        at = _opening(read, job.new, change)
        reading = reading.opened(_with_pause(reading.samples, room(job.recording, missing, job.manner.seed), round(at * rate)), at, missing / rate)
        end += missing / rate
        begin += missing / rate if begin > at else 0.0
    return reading, replace(left, b=begin), replace(right, a=end)


def _length(left: Cut, right: Cut) -> float:
    return right.a - left.b


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


def _inserted(job: Job, change: Change, own: Edges, reading: Reading, cuts: tuple[Cut, Cut]) -> Patch:
    left, right = cuts
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
    words = tuple(
        (number, Word(job.new[number].written, said.start + shift, said.end + shift))
        for number in range(change.new_start, change.new_end)
        if (said := reading.word(number)) is not None
    )
    begin, end = b / rate, out_b / rate
    phones = tuple(
        Phone(phone.symbol, max(begin, phone.start) + shift, min(end, phone.end) + shift, phone.stress)
        for phone in reading.phones
        if phone.end > begin and phone.start < end
    )
    before, after = reading.word(change.new_start - 1), reading.word(change.new_end)
    return Patch(
        change,
        a - fade // 2,
        out_a + out_fade // 2,
        np.concatenate([into, middle, out]),
        words,
        phones,
        ((fade // 2, left.kind), (fade // 2 + out_b - b, right.kind)),
        before.end + shift if before and a / rate < own.before and before.end > begin else None,
        after.start + shift if after and out_a / rate > own.after and after.start < end else None,
        reading.exact,
        reading.confidence,
        reading.engine,
    )


def _closed(job: Job, change: Change, own: Edges) -> Patch:
    """Words taken out: the sound before goes over into the sound after, with a pause where there is one to be."""
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


def _emptied(job: Job, change: Change, own: Edges) -> Patch:
    """Words taken out while the time stays: the recording's room in their place."""
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
