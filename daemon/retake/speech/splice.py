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

from retake.domain.errors import RetakeError
from retake.domain.phones import SILENCE
from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.domain.timing import Phone, Timing, Word

from .align import MISMATCH
from .protocol import VoiceEngine
from .recording import DOUBTFUL
from .splice_context import Manner
from .splice_edit import Job, Patch, patch
from .splice_fit import recording_of
from .splice_join import JoinFigures, frames_of, join_figures, pitch_of
from .text import check
from .word_diff import Change, WrittenWord, changes, share_changed, words_of

TOO_LARGE = 0.6  # share of changed words from which saying the line anew sounds better
SHORTEST_KEPT = 0.2  # s of kept words between two changes; shorter ones are said anew with them
_SHORTEST_PHONE = 0.004  # s


@dataclass(frozen=True)
class Join:
    """One join: its time in the new speech in s, what lies there ("pause", "consonant" or "voice"), and how much changes there."""

    time: float
    kind: str
    figures: JoinFigures


@dataclass(frozen=True)
class Span:
    """What was replaced: samples old_start..old_end of the recording by samples start..end of the new speech, with the words of both."""

    start: int
    end: int
    old_start: int
    old_end: int
    old_words: tuple[str, ...]
    new_words: tuple[str, ...]
    joins: tuple[Join, ...]


@dataclass(frozen=True)
class Spliced:
    """The new speech, with what is new in it. Outside `spans` its samples are those of the recording.

    changed: share of words (0..1). notes: sentences for the user.
    """

    speech: Speech
    spans: tuple[Span, ...]
    changed: float
    notes: tuple[str, ...]

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
    old = _old_words(original, old_text)
    found = changes([word.key for word in old], [word.key for word in new])
    changed = share_changed(found, len(old), len(new))
    found = _merged(found, original.timing.words)
    samples = np.ascontiguousarray(original.samples, np.float32)
    if not found:
        timing = replace(original.timing, words=tuple(replace(w, text=n.written) for w, n in zip(original.timing.words, new, strict=True)))
        progress.report(1.0)
        return Spliced(replace(original, timing=timing), (), 0.0, ("No word changed, so neither did the sound.",))
    recording = recording_of(samples, original.rate, original.timing.words, original.timing.phones, speaker)
    job = Job(recording, new, old, _kept(found, len(old)), Manner(voice, speaker, seed, style), keep_length)
    patches: list[Patch] = []
    for number, change in enumerate(found):
        progress.report(number / len(found))
        patches.append(patch(job, change, progress))
    speech, starts = _assembled(original, samples, patches, job)
    spans = _spans(speech, patches, starts, old, new)
    progress.report(1.0)
    return Spliced(speech, spans, changed, tuple(_notes(original.timing, changed)))


def _old_words(original: Speech, old_text: str | None) -> list[WrittenWord]:
    """The recording's words in the form that is compared. Raises RetakeError where they are not known well enough."""
    timing = original.timing
    if not timing.words:
        raise RetakeError("The words of the recording are not known.", "Give its transcript.", code="splice_no_words")
    if not timing.exact and timing.confidence < MISMATCH:
        raise RetakeError(
            "The words of the recording are not where its transcript says.", "Correct the transcript of the recording.", code="transcript_mismatch"
        )
    heard = [(words_of(word.text) or [WrittenWord(word.text, word.text, word.text)])[0] for word in timing.words]
    heard = [replace(word, written=whole.text) for word, whole in zip(heard, timing.words, strict=True)]
    if old_text is None:
        return heard
    asked = words_of(old_text)
    plain = [word.key.partition("\0")[0] for word in asked]
    for place in range(max(len(plain), len(heard))):
        if place >= len(plain) or place >= len(heard) or plain[place] != heard[place].key:
            name = asked[place].written if place < len(asked) else heard[place].written
            raise RetakeError(
                f"'{name}' (word {place + 1}) is not where the old text and the recording's times have the same word.",
                "Give the text that the recording says, or leave it out.",
                code="splice_words_differ",
            )
    return asked


def _merged(found: Sequence[Change], words: Sequence[Word]) -> list[Change]:
    """Changes with hardly anything between them as one."""
    out: list[Change] = []
    for change in found:
        if out:
            last = out[-1]
            if words[change.old_start - 1].end - words[last.old_end].start < SHORTEST_KEPT:
                out[-1] = Change(last.old_start, change.old_end, last.new_start, change.new_end)
                continue
        out.append(change)
    return out


def _kept(found: Sequence[Change], count: int) -> dict[int, int]:
    """Number of every kept old word -> its number in the new text."""
    out: dict[int, int] = {}
    place, shift = 0, 0
    for change in [*found, Change(count, count, 0, 0)]:
        out |= {old: old + shift for old in range(place, change.old_start)}
        place, shift = change.old_end, change.new_end - change.old_end
    return out


def _assembled(original: Speech, samples: np.ndarray, patches: Sequence[Patch], job: Job) -> tuple[Speech, list[int]]:
    """The recording with its patches, and where each of them starts in it."""
    rate = original.rate
    parts: list[np.ndarray] = []
    starts: list[int] = []
    phones: list[Phone] = []
    words: dict[int, Word] = {}
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
        for place in range(first, one.change.old_start if one else len(job.old)):
            number = job.kept[place]
            word = original.timing.words[place]
            words[number] = Word(job.new[number].written, word.start + shift, word.end + shift)
        parts.append(samples[at:stop])
        length += stop - at
        if one is None:
            break
        starts.append(length)
        begin = length / rate
        phones += [Phone(phone.symbol, phone.start + begin, phone.end + begin, phone.stress) for phone in one.phones]
        words |= {number: Word(word.text, word.start + begin, word.end + begin) for number, word in one.words}
        if one.before_end is not None:
            ends[one.change.new_start - 1] = begin + one.before_end
        if one.after_start is not None:
            begins[one.change.new_end] = begin + one.after_start
        parts.append(one.samples)
        length += len(one.samples)
        at = one.stop
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
    speech: Speech, patches: Sequence[Patch], starts: Sequence[int], old: Sequence[WrittenWord], new: Sequence[WrittenWord]
) -> tuple[Span, ...]:
    frames = frames_of(speech.samples, speech.rate, pitch_of(speech.samples, speech.rate))
    out: list[Span] = []
    for one, start in zip(patches, starts, strict=True):
        joins = []
        for place, kind in one.joins:
            time = (start + place) / speech.rate
            joins.append(Join(round(time, 4), kind, join_figures(frames, time)))
        change = one.change
        before = tuple(word.written for word in old[change.old_start : change.old_end])
        after = tuple(word.written for word in new[change.new_start : change.new_end])
        out.append(Span(start, start + len(one.samples), one.start, one.stop, before, after, tuple(joins)))
    return tuple(out)


def _notes(timing: Timing, changed: float) -> list[str]:
    notes: list[str] = []
    if changed > TOO_LARGE:
        notes.append(f"{changed:.0%} of the words changed: saying the whole line anew will sound more natural.")
    if not timing.exact and timing.confidence < DOUBTFUL:
        notes.append("The transcript fits the recording poorly, so joins may be in the wrong places; listen to them.")
    return notes


__all__ = ["TOO_LARGE", "Join", "Span", "Spliced", "splice"]
