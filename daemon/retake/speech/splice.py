"""Words of a recording changed: only what is new is generated, and everything else stays as it is, sample by sample.

    spliced = splice(speech, "We ship on Monday.", voice=engine, speaker=folder)

Old and new words are compared (`word_diff`); the sentence around each change is spoken (`splice_context`), made to sound like the words beside
the change (`splice_fit`, `splice_match`, `psola`), cut and joined where it is heard least (`splice_join`, `splice_edit`). docs/splice.md has figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retake.domain.phones import SILENCE
from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.domain.timing import Phone, Timing, Word

from .protocol import VoiceEngine
from .recording import DOUBTFUL
from .splice_choice import made
from .splice_context import Manner
from .splice_edit import Job, Patch
from .splice_join import JoinFigures, frames_of, join_figures, pitch_of
from .splice_local import bounds_of, moved, neighbourhood
from .splice_notes import sound_notes, unheard, voice_note
from .splice_times import TimeMap, time_map
from .splice_words import kept_words, merged, old_words
from .text import check
from .word_diff import Change, WrittenWord, changes, share_changed, words_of

TOO_LARGE = 0.6  # share of changed words from which saying the line anew sounds better
_SHORTEST_PHONE = 0.004  # s
_AROUND = 2.0  # s on each side of a join that its figures are taken from


@dataclass(frozen=True)
class Join:
    """One join: its time in the new speech in s, what lies there ("pause", "consonant" or "voice"), and how much changes there."""

    time: float
    kind: str
    figures: JoinFigures


@dataclass(frozen=True)
class Span:
    """What was replaced: samples old_start..old_end of the recording by samples start..end of the new speech, with the words of both.

    again: kept words that were said anew because a join beside them would have been heard more; reasons: sentences that say why.
    """

    start: int
    end: int
    old_start: int
    old_end: int
    old_words: tuple[str, ...]
    new_words: tuple[str, ...]
    joins: tuple[Join, ...]
    again: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spliced:
    """The new speech, with what is new in it. Outside `spans` its samples are those of the recording.

    changed: share of words (0..1). notes: sentences for the user. times: where every time of the recording is now, and back; the words' new times
    are in speech.timing.
    """

    speech: Speech
    spans: tuple[Span, ...]
    changed: float
    notes: tuple[str, ...]
    times: TimeMap

    @property
    def too_large(self) -> bool:
        """So much changed that the line is better said anew."""
        return self.changed > TOO_LARGE


def splice(
    original: Speech,
    new_text: str,
    *,
    voice: VoiceEngine,
    speaker: Path,
    seed: int = 0,
    style: str = "neutral",
    keep_length: bool = False,
    old_text: str | None = None,
    progress: Progress | None = None,
) -> Spliced:
    """Change the words of `original` to those of `new_text`.

    Args:
        original: any sound with the times of its words: a take's speech, or a recording (speech.recording.from_recording with a transcript).
        new_text: all of the new text, with hints (docs/pronunciation.md). Changes of punctuation and capitals alone change captions, not the sound.
        voice, speaker, seed, style: who says the new words, as for VoiceEngine.speak.
        keep_length: every change lasts exactly as long as what it replaces: the new words are said up to 12 % faster or slower and pauses give or
            take the rest, so that the picture around can stay. Otherwise what is behind moves by a whole number of samples.
        old_text: what `original` was asked to say, if it had hints: words that are said as before do not count as changed then.
        progress: reports by change; a safe point to stop between all steps.

    Raises:
        RetakeError: text that cannot be spoken; a recording whose words are not known (splice_no_words) or not sure (transcript_mismatch); old_text
            with other words than the recording's (splice_words_differ); does_not_fit; splice_word_missing, splice_unsure (see splice_context); what
            the engine raises.
    """
    progress = progress or Progress()
    check(new_text)
    new = words_of(new_text)
    old = old_words(original, old_text)
    found = changes([word.key for word in old], [word.key for word in new])
    changed = share_changed(found, len(old), len(new))
    found, why = merged(found, original.timing.words)
    samples = np.ascontiguousarray(original.samples, np.float32)
    if not found:
        timing = replace(original.timing, words=tuple(replace(w, text=n.written) for w, n in zip(original.timing.words, new, strict=True)))
        progress.report(1.0)
        times = time_map([], len(samples), original.rate)
        return Spliced(replace(original, timing=timing), (), 0.0, ("No word changed, so neither did the sound.",), times)
    kept = kept_words(found, len(old))
    manner = Manner(voice, speaker, seed, style)
    patches: list[Patch] = []
    reasons: list[tuple[str, ...]] = []
    notes = _notes(original.timing, changed)
    strange: list[str] | None = None
    for number, change in enumerate(found):
        progress.report(number / len(found))
        recording, begin = neighbourhood(original, change, new, kept, speaker)
        lost = [] if original.timing.exact else unheard(recording, change, begin / original.rate, progress)
        notes += sound_notes(recording, change, lost)
        job = Job(recording, new, old, kept, manner, keep_length, bounds_of(found, number, original.timing.words, begin / original.rate))
        done = made(job, change, progress)
        if strange is None and done.heard is not None:
            strange = voice_note(recording, done.heard, progress)
            notes += strange
        patches.append(moved(done.patch, begin))
        reasons.append((*why[number], *done.reasons))
    speech, starts = _assembled(original, samples, patches, old=old, new=new, kept=kept)
    spans = _spans(speech, patches, starts, old=original.timing.words, new=new, found=found, reasons=reasons)
    times = time_map([(one.start, one.end, one.old_start, one.old_end) for one in spans], len(samples), original.rate)
    progress.report(1.0)
    return Spliced(speech, spans, changed, tuple(dict.fromkeys(notes)), times)


def _assembled(
    original: Speech, samples: np.ndarray, patches: Sequence[Patch], *, old: Sequence[WrittenWord], new: Sequence[WrittenWord], kept: dict[int, int]
) -> tuple[Speech, list[int]]:
    """The recording with its patches, and where each of them starts in it."""
    rate = original.rate
    parts: list[np.ndarray] = []
    starts: list[int] = []
    phones: list[Phone] = []
    words: dict[int, Word] = {}
    said: dict[int, Word] = {}
    ends: dict[int, float] = {}
    begins: dict[int, float] = {}
    at = length = 0
    for one in [*patches, None]:
        stop = one.start if one else len(samples)
        shift = (length - at) / rate
        # A patch's phones begin in the middle of its crossfade.
        low = (at - _half(patches[len(starts) - 1], last=True)) / rate if starts else 0.0
        high = (stop + _half(one, last=False)) / rate if one else len(samples) / rate
        for phone in original.timing.phones:
            if phone.end > low and phone.start < high:
                phones.append(Phone(phone.symbol, max(low, phone.start) + shift, min(high, phone.end) + shift, phone.stress))
        first = patches[len(starts) - 1].change.old_end if starts else 0
        for place in range(first, one.change.old_start if one else len(old)):
            number = kept[place]
            word = original.timing.words[place]
            words[number] = Word(new[number].written, word.start + shift, word.end + shift)
        parts.append(samples[at:stop])
        length += stop - at
        if one is None:
            break
        starts.append(length)
        begin = length / rate
        phones += [Phone(phone.symbol, phone.start + begin, phone.end + begin, phone.stress) for phone in one.phones]
        said |= {number: Word(word.text, word.start + begin, word.end + begin) for number, word in one.words}
        if one.before_end is not None:
            ends[one.before_end[0]] = begin + one.before_end[1]
        if one.after_start is not None:
            begins[one.after_start[0]] = begin + one.after_start[1]
        parts.append(one.samples)
        length += len(one.samples)
        at = one.stop
    words |= said
    for number, end in ends.items():
        words[number] = replace(words[number], end=end)
    for number, start in begins.items():
        words[number] = replace(words[number], start=start)
    ordered = _in_order([words[number] for number in sorted(words)], length / rate)
    exact = original.timing.exact and all(one.exact for one in patches)
    confidence = min([original.timing.confidence, *(one.confidence for one in patches)])
    engine = next((one.engine for one in patches if one.engine), "")
    timing = Timing(_tiled(phones, length / rate), ordered, exact, confidence)
    engine = f"{original.engine} + {engine}" if engine and engine != original.engine else original.engine
    return Speech(np.concatenate(parts).astype(np.float32), original.rate, timing, engine), starts


def _half(one: Patch, *, last: bool) -> int:
    return len(one.samples) - one.joins[-1][0] if last else one.joins[0][0]


def _in_order(words: Sequence[Word], duration: float) -> tuple[Word, ...]:
    """Words that do not overlap: where two meet in a join, the later start counts."""
    out: list[Word] = []
    for word in words:
        start = max(0.0, word.start)
        if out and out[-1].end > start:
            out[-1] = replace(out[-1], end=max(out[-1].start, start))
        out.append(Word(word.text, start, min(duration, max(start, word.end))))
    return tuple(out)


def _tiled(phones: Sequence[Phone], duration: float) -> tuple[Phone, ...]:
    """Phones one after another without gaps; silences that meet are one, slivers go to what is before them."""
    out: list[Phone] = []
    for phone in phones:
        if out and (phone.symbol == out[-1].symbol == SILENCE or phone.end - phone.start < _SHORTEST_PHONE):
            out[-1] = replace(out[-1], end=phone.end)
        else:
            out.append(replace(phone, start=out[-1].end if out else 0.0))
    return (*out[:-1], replace(out[-1], end=duration)) if out else (Phone(SILENCE, 0.0, duration),)


def _spans(
    speech: Speech,
    patches: Sequence[Patch],
    starts: Sequence[int],
    *,
    old: Sequence[Word],
    new: Sequence[WrittenWord],
    found: Sequence[Change],
    reasons: Sequence[tuple[str, ...]],
) -> tuple[Span, ...]:
    rate, reach = speech.rate, round(_AROUND * speech.rate)
    out: list[Span] = []
    for one, start, change, why in zip(patches, starts, found, reasons, strict=True):
        low = max(0, start - reach)
        sound = speech.samples[low : start + len(one.samples) + reach]
        frames = frames_of(sound, rate, pitch_of(sound, rate))
        joins = []
        for place, kind in one.joins:
            joins.append(Join(round((start + place) / rate, 4), kind, join_figures(frames, (start + place - low) / rate)))
        before = tuple(word.text for word in old[change.old_start : change.old_end])
        after = tuple(word.written for word in new[change.new_start : change.new_end])
        again = tuple(new[number].written for number, _ in one.words if not change.new_start <= number < change.new_end)
        out.append(Span(start, start + len(one.samples), one.start, one.stop, before, after, tuple(joins), again, why))
    return tuple(out)


def _notes(timing: Timing, changed: float) -> list[str]:
    notes: list[str] = []
    if changed > TOO_LARGE:
        notes.append(f"{changed:.0%} of the words changed: saying the whole line anew will sound more natural.")
    if not timing.exact and timing.confidence < DOUBTFUL:
        notes.append("The transcript fits the recording poorly, so joins may be in the wrong places; listen to them.")
    return notes


__all__ = ["TOO_LARGE", "Join", "Span", "Spliced", "splice"]
