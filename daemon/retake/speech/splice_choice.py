"""Several ways of making a change, and the one that is heard least: readings with other seeds, and for words taken out a neighbour said anew."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.progress import Progress

from .measure import phone_error_rate
from .phone_network import expected_phones
from .splice_context import Reading, context_of, fitting_pace
from .splice_edit import Job, Patch, closed, emptied, said
from .splice_join import frames_of, join_figures, pitch_of
from .text import tokens
from .word_diff import Change

Samples = NDArray[np.float32]
READINGS = 4  # that are compared, unless one before is good
READINGS_ALIGNED = 2  # of engines whose word times are found by alignment: they take seconds
GOOD = 6.0  # cost from which no other way is tried
_AROUND = 1.5  # s on each side of a change that joins are judged with
_WORDS = 3  # kept words on each side that are listened to
_PADDING = 0.3  # s of silence around what is listened to
# What a natural word boundary has at about its median, and the cost of everything beyond
_PITCH, _LEVEL, _SPECTRUM = (0.7, 2.5), (7.0, 0.25), (9.0, 0.5)
_WRONG = 3.0  # cost of a phone that the recogniser hears otherwise
_UNBENT = 2.0  # cost of a semitone that the melody should have been moved further
_OTHER = 1.5  # cost of saying anew a word that did not change


@dataclass(frozen=True)
class Made:
    """A change made, how it was, and why more than the changed words is new. heard: the reading, None for words taken out."""

    patch: Patch
    cost: float
    reasons: tuple[str, ...]
    heard: Reading | None


def made(job: Job, change: Change, progress: Progress) -> Made:
    """Make the change. Raises RetakeError: see speech.splice.splice."""
    if change.new_start < change.new_end:
        return _best(job, change, change, READINGS, progress)
    if job.keep_length:
        return Made(emptied(job, change), 0.0, (), None)
    direct = closed(job, change)
    options = [Made(direct, _cost(job, direct, progress), (), None)]
    if options[0].cost > GOOD:
        for wider, word in _wider(job, change):
            try:
                found = _best(job, wider, wider, READINGS_ALIGNED, progress)
            except Cancelled:
                raise
            except RetakeError:
                continue  # the direct join stays
            reason = f"'{word}' is said anew: with the words beside it taken out, a join there would be heard."
            options.append(replace(found, cost=found.cost + _OTHER, reasons=(reason, *found.reasons)))
    return min(options, key=lambda one: one.cost)


def _wider(job: Job, change: Change) -> list[tuple[Change, str]]:
    """The change with the kept word before it, and with the one after it."""
    out: list[tuple[Change, str]] = []
    low, high = job.bounds.low, job.bounds.high
    words = job.recording.words
    if change.old_start > 0 and job.kept.get(change.old_start - 1) == change.new_start - 1 and words[change.old_start - 1].start > low:
        wider = Change(change.old_start - 1, change.old_end, change.new_start - 1, change.new_end)
        out.append((wider, job.new[wider.new_start].written))
    if change.old_end < len(words) and job.kept.get(change.old_end) == change.new_end and words[change.old_end].end < high:
        wider = Change(change.old_start, change.old_end + 1, change.new_start, change.new_end + 1)
        out.append((wider, job.new[wider.new_end - 1].written))
    return out


def _best(job: Job, change: Change, spoken: Change, most: int, progress: Progress) -> Made:
    bounds = context_of(job.new, spoken)
    reading = job.manner.read(job.new, bounds, spoken, 1.0, progress)
    kept = [(job.recording.words[o], n) for o, n in job.kept.items() if bounds[0] <= n < bounds[1]]
    pace = fitting_pace(reading, kept)
    if pace != 1.0:
        reading = job.manner.read(job.new, bounds, spoken, pace, progress)
    most = most if reading.exact else min(most, READINGS_ALIGNED)
    best: Made | None = None
    problem: RetakeError | None = None
    for number in range(most):
        progress.check()
        if number:
            reading = job.manner.read(job.new, bounds, spoken, pace, progress, number=number)
        try:
            one = said(job, change, reading)
        except Cancelled:
            raise
        except RetakeError as error:
            problem = error  # another reading may be shorter
            continue
        cost = _cost(job, one, progress) + _UNBENT * one.unbent
        if best is None or cost < best.cost:
            best = Made(one, cost, _reasons(job, change, one), reading)
        if cost <= GOOD:
            break
    if best is None:
        assert problem is not None
        raise problem
    return best


def _reasons(job: Job, change: Change, one: Patch) -> tuple[str, ...]:
    again = [job.new[number].written for number, _ in one.words if not change.new_start <= number < change.new_end]
    return tuple(f"'{word}' is said anew: the join is heard less on its other side." for word in again)


def _cost(job: Job, one: Patch, progress: Progress) -> float:
    """How much a change would be heard: steps at its joins beyond those of ordinary word boundaries, and phones that are not understood."""
    rate = job.recording.rate
    reach = round(_AROUND * rate)
    low, high = max(0, one.start - reach), min(len(job.recording.samples), one.stop + reach)
    sound = np.concatenate([job.recording.samples[low : one.start], one.samples, job.recording.samples[one.stop : high]])
    frames = frames_of(sound, rate, pitch_of(sound, rate))
    cost = 0.0
    for place, _ in one.joins:
        figures = join_figures(frames, (one.start - low + place) / rate)
        for value, (free, weight) in ((figures.pitch, _PITCH), (figures.level, _LEVEL), (figures.spectrum, _SPECTRUM)):
            cost += weight * max(0.0, abs(value or 0.0) - free)
    progress.check()
    return cost + _WRONG * _wrong(job, one, progress)


def _wrong(job: Job, one: Patch, progress: Progress) -> float:
    """Phones of the new words and some kept ones on each side that the recogniser hears otherwise than they should be said."""
    rate, words = job.recording.rate, job.recording.words
    change = one.change
    first = max(0, change.new_start - _WORDS)
    last = min(len(job.new), change.new_end + _WORDS)
    olds = {number: old for old, number in job.kept.items()}
    while first < change.new_start and (first not in olds or words[olds[first]].start < 0):
        first += 1
    while last > change.new_end and (last - 1 not in olds or words[olds[last - 1]].end > job.recording.duration):
        last -= 1
    begin = round(words[olds[first]].start * rate) if first < change.new_start else one.start
    end = round(words[olds[last - 1]].end * rate) if last > change.new_end else one.stop
    margin = round(0.05 * rate)
    begin, end = max(0, min(one.start, begin - margin)), min(len(job.recording.samples), max(one.stop, end + margin))
    silence = np.zeros(round(_PADDING * rate), np.float32)
    sound = np.concatenate([silence, job.recording.samples[begin : one.start], one.samples, job.recording.samples[one.stop : end], silence])
    text = " ".join(word.raw for word in job.new[first:last])
    if not text.strip():
        return 0.0
    return phone_error_rate(sound, rate, text, progress) * sum(len(expected_phones(token.spoken, progress)) for token in tokens(text))


__all__ = ["GOOD", "READINGS", "Made", "made"]
