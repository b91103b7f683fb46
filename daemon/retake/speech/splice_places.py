"""Where a recording goes over into a reading and back: edges of a change, what both say beside it, and the best pair of joins.

Recording and reading say the same words beside a change. Time warping tells which place of one is which place of the other, so that a join may
lie anywhere in these words, one or two of them deep, without saying a sound twice or losing one. What is heard least wins: close to the change,
quiet, alike in spectrum and pitch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retake.domain.timing import Word

from .dtw import warp
from .splice_context import Reading
from .splice_fit import Pair, Recording
from .splice_join import STEP, Cut, Frames, best_cut
from .word_diff import Change, WrittenWord

Places = NDArray[np.float64]
GAP = 0.06  # s of silence between words from which it is a pause
TIGHT = 0.05  # s that is left of a pause where time is short
DEEPEST = 0.7  # s that a join may lie within kept words
_WORDS = 2  # kept words on each side that it may lie in
_LEAD = 1.0  # s of what lies before the first word, or after the last, that is looked at
# dB of spectral distance for a second of: rhythm off; one phone said twice or lost; what was recorded said anew
_RHYTHM, _PHONE, _DEPTH = 60.0, 140.0, 14.0
_PHONE_FREE = 0.008  # s
_WHOLE = 1.0  # dB for every word said anew as a whole
_WITHOUT_LEAD = (0.06, 0.02)  # s before the first word in which a reading begins where nothing comes before
_EVERY = 2  # frames of STEP that are one step of warping
_DEEP = 45.0  # dB below the loudest from which bands are alike


@dataclass(frozen=True)
class Edges:
    """Around a change, in s: end of the word before it, start and end of what is changed, start of the word after it, and how far joins may go.

    Where nothing comes before (after), `before` (`after`) is the end (start) of what is looked at, and so is `low` (`high`).
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
class Side:
    """Kept words on one side of a change that both say: places in s, as recorded and as read, both rising; `starts` of whole words on the way."""

    own: Places
    read: Places
    edges: tuple[float, ...]

    def there(self, own: Places) -> Places:
        """Where the reading says what the recording says at `own`."""
        return np.interp(own, self.own, self.read)


@dataclass(frozen=True)
class Bounds:
    """s of the recording beyond which joins may not go, because another change begins there."""

    low: float
    high: float


def edges_of(recording: Recording, change: Change) -> Edges:
    words = recording.words
    before = words[change.old_start - 1] if change.old_start else None
    after = words[change.old_end] if change.old_end < len(words) else None
    if change.old_start < change.old_end:
        start, end = words[change.old_start].start, words[change.old_end - 1].end
        left = before.end if before else max(0.0, start - _LEAD)
        right = after.start if after else min(recording.duration, end + _LEAD)
    else:
        left = before.end if before else max(0.0, (after.start if after else 0.0) - _LEAD)
        right = after.start if after else min(recording.duration, left + _LEAD)
        start = end = (left + right) / 2
    return _edges(before, after, (left, right), (start, end))


def edges_read(reading: Reading, change: Change) -> Edges:
    before, after = reading.word(change.new_start - 1), reading.word(change.new_end)
    first, last = reading.word(change.new_start), reading.word(change.new_end - 1)
    start = first.start if first else 0.0
    end = last.end if last else reading.duration
    left = before.end if before else max(0.0, start - _WITHOUT_LEAD[0])
    right = after.start if after else min(reading.duration, end + 2 * _WITHOUT_LEAD[0])
    return _edges(before, after, (left, right), (start, end))


def _edges(before: Word | None, after: Word | None, gap: tuple[float, float], changed: tuple[float, float]) -> Edges:
    (left, right), (start, end) = gap, changed
    start, end = max(left, start), min(right, end)
    return Edges(left, left, start, max(start, end), right, right, before is None, after is None)


def beside(recording: Frames, reading: Frames, pairs: Sequence[Pair], *, back: bool) -> Side | None:
    """What both say beside a change; None where nothing is. `pairs`: nearest first; `back` on the left of the change."""
    near: list[Pair] = []
    for own, read in pairs[:_WORDS]:
        if near:
            gap = near[-1][0].start - own.end if back else own.start - near[-1][0].end
            gap_read = near[-1][1].start - read.end if back else read.start - near[-1][1].end
            if abs(gap - gap_read) > 0.12:
                break  # a pause on one side only: it would have to be said, too
        near.append((own, read))
    if not near:
        return None
    far = near[-1]
    own_span = (far[0].start, near[0][0].end) if back else (near[0][0].start, far[0].end)
    read_span = (far[1].start, near[0][1].end) if back else (near[0][1].start, far[1].end)
    first, second = _shapes(recording, own_span), _shapes(reading, read_span)
    edges = tuple(pair[0].start if back else pair[0].end for pair in near)
    if len(first) < 3 or len(second) < 3:
        return Side(np.array(own_span), np.array(read_span), edges)
    places, _ = warp(second, first)  # for every place of the recording one of the reading
    own = own_span[0] + (np.arange(len(first)) + 0.5) * _EVERY * STEP
    read = read_span[0] + (places + 0.5) * _EVERY * STEP
    smooth = np.convolve(np.pad(read, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    return Side(np.concatenate([own_span[:1], own, own_span[1:]]), np.concatenate([read_span[:1], smooth, read_span[1:]]), edges)


def _shapes(frames: Frames, span: tuple[float, float]) -> NDArray[np.float32]:
    low, high = int(frames.at(span[0])), int(frames.at(span[1]))
    bands = frames.bands[low : max(low + 1, high)]
    count = len(bands) // _EVERY * _EVERY
    pooled = bands[:count].reshape(-1, _EVERY, bands.shape[1]).mean(1)
    loud = float(np.percentile(frames.bands.max(1), 95)) - _DEEP
    return np.maximum(pooled, loud).astype(np.float32)


def wanted_gap(own: float, read: float, old: WrittenWord | None, new: WrittenWord | None) -> float:
    """s of pause at one side of a change: the recording's own where its text asks for a pause as before, else the reading's."""
    asked = new is not None and new.ends_phrase
    if new is None or new.pause is not None:
        return own if new is None else read
    was = old is not None and old.ends_phrase
    if own > GAP and (asked or not was):
        return own
    return read if asked else min(read, GAP)


@dataclass(frozen=True)
class Meeting:
    """All that joins of a change are chosen by."""

    change: Change
    own: Edges
    read: Edges
    sound: Frames
    said: Frames
    left: Side | None
    right: Side | None
    bounds: Bounds
    gaps: tuple[float, float]  # s of pause wanted before and after the new words


def meeting(
    recording: Recording,
    reading: Reading,
    said: Frames,
    change: Change,
    *,
    pairs: tuple[Sequence[Pair], Sequence[Pair]],
    bounds: Bounds,
    texts: tuple[Sequence[WrittenWord], Sequence[WrittenWord]],
) -> Meeting:
    """Args: pairs: kept words before and after the change, nearest first. texts: old and new words."""
    own, read = edges_of(recording, change), edges_read(reading, change)
    old, new = texts
    nothing = change.old_start == change.old_end
    before = own.after - own.before if nothing else own.start - own.before
    after = own.after - own.before if nothing else own.after - own.end
    old_before = old[change.old_start - 1] if change.old_start else None
    new_before = new[change.new_start - 1] if change.new_start else None
    old_last = old[change.old_end - 1] if change.old_end else None
    gaps = (
        wanted_gap(before, read.start - read.before, old_before, new_before),
        own.after - own.end if own.last else wanted_gap(after, read.after - read.end, old_last, new[change.new_end - 1]),
    )
    left = beside(recording.frames, said, pairs[0], back=True) if not (own.first or read.first) else None
    right = beside(recording.frames, said, pairs[1], back=False) if not (own.last or read.last) else None
    return Meeting(change, own, read, recording.frames, said, left, right, bounds, gaps)


def cuts(at: Meeting, *, tight: bool = False) -> tuple[Cut, Cut]:
    """The joins before and after the new words. tight: pauses beside them as short as they may be."""
    own, read, left, right = at.own, at.read, at.left, at.right
    wanted = min(at.gaps[0], TIGHT) if tight else at.gaps[0]
    low = max(at.bounds.low, own.before - DEEPEST, float(left.own[0])) if left else own.low
    low = min(low, own.before)
    read_low = float(left.there(np.array(low))) if left else read.low

    def left_timing(a: Places, b: Places) -> Places:
        depth = np.maximum(own.before - a, 0.0)
        cost = _DEPTH * depth
        if left is not None:
            cost = cost + _WHOLE * sum((a < edge).astype(np.float64) for edge in left.edges)
            cost = cost + _PHONE * np.maximum(0.0, np.abs(left.there(np.minimum(a, own.before)) - np.minimum(b, read.before)) - _PHONE_FREE)
        gap = np.maximum(a - own.before, 0.0) + (read.start - read.before) - np.maximum(b - read.before, 0.0)
        return cost + _RHYTHM * np.abs(gap - wanted)

    stop = max(read_low, read.start - _WITHOUT_LEAD[1]) if read.first else read.start
    first = best_cut(at.sound, at.said, (low, own.start), (read_low, stop), left_timing)
    wanted_after = min(at.gaps[1], TIGHT) if tight and not own.last else at.gaps[1]
    high = min(at.bounds.high, own.after + DEEPEST, float(right.own[-1])) if right else own.high
    high = max(high, own.after)
    read_high = float(right.there(np.array(high))) if right else read.high

    def right_timing(b: Places, a: Places) -> Places:
        cost = _DEPTH * np.maximum(a - own.after, 0.0)
        if right is not None:
            cost = cost + _WHOLE * sum((a > edge).astype(np.float64) for edge in right.edges)
            cost = cost + _PHONE * np.maximum(0.0, np.abs(right.there(np.maximum(a, own.after)) - np.maximum(b, read.after)) - _PHONE_FREE)
        gap = np.maximum(own.after - a, 0.0) + (read.after - read.end) - np.maximum(read.after - b, 0.0)
        return cost + _RHYTHM * np.abs(gap - wanted_after)

    earliest = max(own.end, first.a) if at.change.old_start == at.change.old_end else own.end
    second = best_cut(at.said, at.sound, (read.end, max(read.end, read_high)), (earliest, max(earliest, high)), right_timing)
    return first, second
