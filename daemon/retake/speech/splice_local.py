"""The neighbourhood of a change: only this much of a recording is worked on, however long it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from retake.domain.speech import Speech
from retake.domain.timing import Phone, Word

from .splice_context import context_of
from .splice_edit import Patch
from .splice_fit import Recording, recording_of
from .splice_places import Bounds
from .word_diff import Change, WrittenWord

_MARGIN = 4.0  # s beyond the sentence of a change


def neighbourhood(original: Speech, change: Change, new: list[WrittenWord], kept: dict[int, int], speaker: Path) -> tuple[Recording, int]:
    """The recording around a change, and the sample at which it begins. Its words keep their numbers; those elsewhere have times outside."""
    words, rate = original.timing.words, original.rate
    low, high = context_of(new, change)
    olds = [old for old, number in kept.items() if low <= number < high] or [0]
    first = min([*olds, change.old_start, max(0, change.old_end - 1)])
    last = min(len(words) - 1, max([*olds, change.old_end - 1, change.old_start]))
    begin = max(0, round((words[min(first, len(words) - 1)].start - _MARGIN) * rate))
    end = min(len(original.samples), round((words[last].end + _MARGIN) * rate))
    samples = np.ascontiguousarray(original.samples[begin:end], np.float32)
    shift = begin / rate
    there = [Word(word.text, word.start - shift, word.end - shift) for word in words]
    duration = len(samples) / rate
    phones = [
        Phone(phone.symbol, max(0.0, phone.start - shift), min(duration, phone.end - shift), phone.stress)
        for phone in original.timing.phones
        if phone.end > shift and phone.start < shift + duration
    ]
    return recording_of(samples, rate, there, phones, speaker), begin


def moved(one: Patch, begin: int) -> Patch:
    """A patch of a neighbourhood that begins at sample `begin` as one of the whole recording."""
    return replace(one, start=one.start + begin, stop=one.stop + begin)


def bounds_of(found: list[Change], number: int, words: tuple[Word, ...], shift: float) -> Bounds:
    """How far joins of change `number` may go: to the middle of what is kept between it and its neighbours."""
    change = found[number]
    low, high = -np.inf, np.inf
    if number > 0:
        low = (words[found[number - 1].old_end].start + words[change.old_start - 1].end) / 2 - shift
    if number + 1 < len(found):
        high = (words[change.old_end].start + words[found[number + 1].old_start - 1].end) / 2 - shift
    return Bounds(float(low), float(high))
