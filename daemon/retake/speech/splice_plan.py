"""What a splice would change, before anything is spoken: spans of the recording, words, how long the new ones will last.

    plan = plan_splice(speech, "It costs $12.50 now.")

Nothing is generated and no sound is looked at: it takes milliseconds, however long the recording is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retake.domain.speech import Speech
from retake.domain.timing import Word

from .pronounce import pronounce, to_arpabet
from .splice import TOO_LARGE
from .splice_context import context_of
from .splice_edit import FIT
from .splice_places import DEEPEST, GAP
from .splice_times import TimeMap, time_map
from .splice_words import kept_words, merged, old_words
from .text import check
from .word_diff import Change, WrittenWord, changes, share_changed, words_of

_PHONE = 0.075  # s of a phone where the recording tells nothing
_RATE_FROM = 8  # phones of kept words from which the recording's rate is taken
_NEAR = 12  # kept words on each side of a change that tell it


@dataclass(frozen=True)
class PlannedChange:
    """One change as planned.

    start, end: s of the recording that what goes now fills (equal where words are only let in). low, high: s between which joins will lie, so
    that nothing outside is touched. seconds, new_seconds: how long the words last now and, predicted from the rate of the words around, then.
    context: what will be spoken to get them. fits: whether they would fit the old length (`keep_length`). reasons: why more than the changed
    words is said anew.
    """

    start: float
    end: float
    low: float
    high: float
    old_words: tuple[str, ...]
    new_words: tuple[str, ...]
    seconds: float
    new_seconds: float
    context: str
    fits: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class SplicePlan:
    """changed: share of words (0..1). too_large: better said anew. times: predicted, `Spliced.times` are the true ones."""

    changes: tuple[PlannedChange, ...]
    changed: float
    too_large: bool
    times: TimeMap


def plan_splice(original: Speech, new_text: str, *, old_text: str | None = None) -> SplicePlan:
    """Plan what `speech.splice.splice` would do. Arguments and errors about texts and transcripts are those of splice."""
    check(new_text)
    new, old = words_of(new_text), old_words(original, old_text)
    found = changes([word.key for word in old], [word.key for word in new])
    changed = share_changed(found, len(old), len(new))
    words = original.timing.words
    found, reasons = merged(found, words)
    kept = kept_words(found, len(old))
    planned: list[PlannedChange] = []
    spans: list[tuple[int, int, int, int]] = []
    moved = 0
    for number, change in enumerate(found):
        one = _planned(original, change, new, kept, reasons[number])
        limits = _limits(found, number, words, original.duration)
        one = PlannedChange(**{**vars(one), "low": max(one.low, limits[0]), "high": min(one.high, limits[1])})
        planned.append(one)
        start, end = round(one.start * original.rate), round(one.end * original.rate)
        length = end - start + round((one.new_seconds - one.seconds) * original.rate)
        length = max(0, length)
        spans.append((start + moved, start + moved + length, start, end))
        moved += length - (end - start)
    return SplicePlan(tuple(planned), changed, changed > TOO_LARGE, time_map(spans, len(original.samples), original.rate))


def _planned(original: Speech, change: Change, new: Sequence[WrittenWord], kept: dict[int, int], reasons: tuple[str, ...]) -> PlannedChange:
    words = original.timing.words
    before = words[change.old_start - 1] if change.old_start else None
    after = words[change.old_end] if change.old_end < len(words) else None
    if change.old_start < change.old_end:
        start, end = words[change.old_start].start, words[change.old_end - 1].end
    else:
        left, right = before.end if before else 0.0, after.start if after else original.duration
        start = end = (left + right) / 2 if before and after else left if before else right
    said = new[change.new_start : change.new_end]
    seconds = end - start
    new_seconds = _phones(said) * _rate(words, change, new, kept) if said else 0.0
    low, high = context_of(new, change)
    # Joins stay within pauses and, at most, the two kept words on each side.
    far_left = words[max(0, change.old_start - 2)].start if before else 0.0
    far_right = words[min(len(words) - 1, change.old_end + 1)].end if after else original.duration
    room = (after.start if after else original.duration) - (before.end if before else 0.0)
    return PlannedChange(
        start,
        end,
        max(far_left, (before.end if before else start) - DEEPEST),
        min(far_right, (after.start if after else end) + DEEPEST),
        tuple(word.text for word in words[change.old_start : change.old_end]),
        tuple(word.written for word in said),
        round(seconds, 3),
        round(new_seconds, 3),
        " ".join(word.raw for word in new[low:high]) if said else "",
        new_seconds <= FIT * max(seconds, room - 2 * GAP),
        reasons,
    )


def _limits(found: Sequence[Change], number: int, words: Sequence[Word], duration: float) -> tuple[float, float]:
    change = found[number]
    low, high = 0.0, duration
    if number > 0:
        low = (words[found[number - 1].old_end].start + words[change.old_start - 1].end) / 2
    if number + 1 < len(found):
        high = (words[change.old_end].start + words[found[number + 1].old_start - 1].end) / 2
    return low, high


def _phones(said: Sequence[WrittenWord]) -> int:
    text = " ".join(word.raw for word in said)
    return sum(len(to_arpabet(word.misaki)) for word in pronounce(text)) if text else 0


def _rate(words: Sequence[Word], change: Change, new: Sequence[WrittenWord], kept: dict[int, int]) -> float:
    """Seconds a phone of the kept words around."""
    near = [old for old in (*range(change.old_start - _NEAR, change.old_start), *range(change.old_end, change.old_end + _NEAR)) if old in kept]
    count = sum(_phones([new[kept[old]]]) for old in near)
    seconds = float(np.sum([words[old].end - words[old].start for old in near])) if near else 0.0
    return seconds / count if count >= _RATE_FROM and seconds > 0 else _PHONE


__all__ = ["PlannedChange", "SplicePlan", "plan_splice"]
