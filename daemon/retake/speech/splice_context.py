"""What is spoken around changed words so that their melody fits, and what was heard of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.domain.timing import Phone, Timing, Word

from .protocol import VoiceEngine
from .word_diff import Change, WrittenWord, key_of

Samples = NDArray[np.float32]
FURTHEST = 24  # words on each side; engines that live elsewhere take seconds for long sentences
SURE = 0.5  # confidence of the words' times in a reading that is cut
SEVERAL = 3  # readings that are tried where the words of one are doubtful
_NEXT_SEED, _NEXT_READING = 7919, 104729
_SAME_PACE = 0.03
_PACES = (0.8, 1.25)  # how far the reading's pace may be from the speaker's own to be that of the recording
_COMPARED = 0.5  # s of words in common from which paces are compared


@dataclass(frozen=True)
class Reading:
    """A sentence around a change as an engine said it.

    samples: (n,) at `rate`. first: number of its first word in the new text. words: times of every word, None where the engine swallowed one
    that was not asked to change. phones: tile the samples.
    """

    samples: Samples
    rate: int
    first: int
    words: tuple[Word | None, ...]
    phones: tuple[Phone, ...]
    exact: bool
    confidence: float
    engine: str

    def word(self, number: int) -> Word | None:
        """When word `number` of the new text is said; None outside the reading."""
        return self.words[number - self.first] if 0 <= number - self.first < len(self.words) else None

    @property
    def duration(self) -> float:
        return len(self.samples) / self.rate

    def stretched(self, samples: Samples, factor: float) -> Reading:
        """The same reading `factor` times as long, its samples given."""
        words = tuple(word and Word(word.text, word.start * factor, word.end * factor) for word in self.words)
        phones = tuple(Phone(phone.symbol, phone.start * factor, phone.end * factor, phone.stress) for phone in self.phones)
        return replace(self, samples=samples, words=words, phones=phones)

    def opened(self, samples: Samples, at: float, seconds: float) -> Reading:
        """The same reading with a pause of `seconds` more at `at`, its samples given."""

        def moved(time: float) -> float:
            return time + seconds if time >= at - 1e-9 else time

        words = tuple(word and Word(word.text, moved(word.start), moved(word.end) if word.end > at + 1e-9 else word.end) for word in self.words)
        phones: list[Phone] = []
        for phone in self.phones:
            if phone.end <= at + 1e-9:
                phones.append(phone)
                continue
            if phone.start < at - 1e-9 and phone.symbol == "SIL":
                phones.append(replace(phone, end=phone.end + seconds))
                continue
            begin = phone.start if phone.start < at - 1e-9 else phone.start + seconds
            if phones and begin - phones[-1].end > 1e-6:
                phones.append(Phone("SIL", phones[-1].end, begin))
            phones.append(replace(phone, start=begin, end=phone.end + seconds))
        return replace(self, samples=samples, words=words, phones=tuple(phones))


def context_of(words: Sequence[WrittenWord], change: Change) -> tuple[int, int]:
    """First word and one past the last of what is spoken for a change: its sentence, or, where it touches the end of one, the next one too."""
    first, last = change.new_start, change.new_end
    low = _back(words, first)
    if low == first and first > 0:
        low = _back(words, first - 1)
    high = _on(words, max(last, first))
    if high == last and last < len(words):
        high = _on(words, last + 1)
    return max(low, first - FURTHEST), min(high, last + FURTHEST)


def _back(words: Sequence[WrittenWord], place: int) -> int:
    while place > 0 and not words[place - 1].ends_sentence:
        place -= 1
    return place


def _on(words: Sequence[WrittenWord], place: int) -> int:
    """One past the last word of the sentence that goes on at `place`; `place` itself where the word before ends one."""
    while place < len(words) and not (place > 0 and words[place - 1].ends_sentence):
        place += 1
    return place


@dataclass(frozen=True)
class Manner:
    """How readings are asked for: an engine, a speaker's folder, a seed and a style."""

    voice: VoiceEngine
    speaker: Path
    seed: int
    style: str

    def read(
        self, words: Sequence[WrittenWord], bounds: tuple[int, int], change: Change, pace: float, progress: Progress, *, number: int = 0
    ) -> Reading:
        """Have the words `bounds` of the new text spoken. Readings whose words are doubtful are made again with other seeds.

        Args:
            number: 0 the first reading, then others that differ in melody and rhythm as far as the engine's seeds do.

        Raises:
            RetakeError: what the engine raises; a changed word that it did not say (splice_word_missing); words that cannot be found in what it
                said (splice_unsure).
        """
        asked = words[bounds[0] : bounds[1]]
        text = " ".join(word.raw for word in asked)
        problem: RetakeError | None = None
        for attempt in range(SEVERAL):
            seed = self.seed + number * _NEXT_READING + attempt * _NEXT_SEED
            try:
                speech = self.voice.speak(self.speaker, text, seed=seed, style=self.style, pace=pace, progress=progress)
            except RetakeError as error:
                if error.code != "engine_wrong_words":
                    raise
                problem = error
                continue
            try:
                return _reading(speech, asked, bounds[0], change)
            except RetakeError as error:
                problem = error
            if speech.timing.exact:
                break  # another seed says the same words
        assert problem is not None
        raise problem


def fitting_pace(reading: Reading, kept: Sequence[tuple[Word, int]]) -> float:
    """The pace at which the words that both say would last as long as in the recording; 1 where that says too little.

    Args:
        kept: words of the recording, each with its number in the new text.
    """
    pairs = [(own, said) for own, number in kept if (said := reading.word(number)) is not None]
    theirs = sum(own.end - own.start for own, _ in pairs)
    if theirs < _COMPARED:
        return 1.0
    ratio = sum(said.end - said.start for _, said in pairs) / theirs
    return 1.0 if abs(ratio - 1.0) < _SAME_PACE else float(np.clip(ratio, *_PACES))


def _reading(speech: Speech, asked: Sequence[WrittenWord], first: int, change: Change) -> Reading:
    timing: Timing = speech.timing
    if not timing.exact and timing.confidence < SURE:
        raise RetakeError(
            f"The words cannot be found surely in what the engine said (confidence {timing.confidence:.2f}).",
            "Try another seed or another engine, or change more of the sentence.",
            kind=ErrorKind.ENVIRONMENT,
            code="splice_unsure",
        )
    wanted = [word.key.partition("\0")[0] for word in asked]
    heard = [key_of(word.text) for word in timing.words]
    found: list[Word | None] = [None] * len(asked)
    if len(heard) == len(wanted):
        found = list(timing.words)
    else:
        for block in SequenceMatcher(None, wanted, heard, autojunk=False).get_matching_blocks():
            for step in range(block.size):
                found[block.a + step] = timing.words[block.b + step]
    for number in range(change.new_start, change.new_end):
        if found[number - first] is None:
            raise RetakeError(
                f"The engine did not say '{asked[number - first].written}' as a word of its own.",
                "Write the word as it is spoken, or give a hint how to say it.",
                code="splice_word_missing",
            )
    return Reading(speech.samples, speech.rate, first, tuple(found), timing.phones, timing.exact, timing.confidence, speech.engine)
