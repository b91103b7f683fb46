"""Words heard against words asked: which are missing, which are hard to understand, what is said besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retake.domain.progress import Progress

from .heard import evidence, heard_phones
from .measure import edit_distance, expected_of, merge
from .phone_network import FRAME
from .pronounce import pronounce, to_arpabet
from .text import Token, sentences, tokens_of

# Nats a phone; measured in docs/take-checks.md. Words that are left out reach -8, words that are said are above -2.
_MISSING, _UNCLEAR = -5.0, -2.5
_SHORT, _MISSING_SHORT = 2, -8.0  # phones of a word that quick speakers swallow ("at"), and its limit; it cannot be unclear
_LEAST_MISSING = -9.0  # nats of the whole word: of a single phone the recogniser cannot be sure
_EXTRA = 5.0  # nats by which something more must fit better than nothing
_SECOND_THOUGHTS = -0.5  # nats a phone below which the dictionary's pronunciation is tried as well
_MOST_THOUGHTS = 8  # words of a stretch: where more are doubtful, pronunciations are not the reason
_TOGETHER = 40  # words weighed at a time
_ALIKE = 0.5  # share of its phones that something more must have in common with words beside it to be called a repetition


@dataclass(frozen=True)
class WordProblem:
    """word: as written; of something more the word before it. where: s."""

    word: str
    where: float


@dataclass(frozen=True)
class WordCheck:
    """missing: not said. unclear: said so that it may not be understood. repeated: said again. extra: something is said that nobody asked for.

    error_rate: as `measure.phone_error_rate`. phones: how many were asked for.
    """

    missing: tuple[WordProblem, ...]
    unclear: tuple[WordProblem, ...]
    repeated: tuple[WordProblem, ...]
    extra: tuple[WordProblem, ...]
    error_rate: float
    phones: int


def check_words(probabilities: NDArray[np.float32], text: str, progress: Progress) -> WordCheck:
    """Compare the phones that a recogniser hears (`phone_network.posteriors` of the whole speech) with those of `text`.

    Raises RetakeError for text that cannot be spoken.
    """
    asked: list[tuple[Token, str]] = []  # with the pronunciation of the dictionary
    for sentence in sentences(text):
        progress.check()
        asked += [(t, p.misaki) for t, p in zip(tokens_of(sentence), pronounce(sentence), strict=True) if t.pause is None]
    asked = [(token, misaki) for token, misaki in asked if to_arpabet(misaki) or token.words]
    said = [expected_of(token, progress) for token, _ in asked]
    names = [token.written for token, _ in asked]
    other = [[symbol for symbol, _ in to_arpabet(misaki)] for _, misaki in asked]
    heard = heard_phones(probabilities)
    expected = merge([symbol for word in said for symbol in word])
    rate = edit_distance(expected, merge([phone.symbol for phone in heard])) / max(1, len(expected))
    found = WordCheck((), (), (), (), rate, len(expected))
    for first, last, begin, end in _stretches(said, [phone.symbol for phone in heard], [phone.at for phone in heard], len(probabilities)):
        progress.check()
        piece = _check(probabilities[begin:end], said[first:last], other[first:last], names[first:last], begin * FRAME)
        found = WordCheck(
            found.missing + piece[0], found.unclear + piece[1], found.repeated + piece[2], found.extra + piece[3], found.error_rate, found.phones
        )
    return found


_Found = tuple[tuple[WordProblem, ...], tuple[WordProblem, ...], tuple[WordProblem, ...], tuple[WordProblem, ...]]


def _check(probabilities: NDArray[np.float32], said: list[list[str]], other: list[list[str]], names: list[str], at: float) -> _Found:
    """Missing, unclear, repeated and extra words of one stretch that begins at `at` s."""
    weighed = evidence(probabilities, said)
    doubtful = [number for number, word in enumerate(said) if weighed.words[number] < _SECOND_THOUGHTS * len(word) and other[number] != word]
    # A letter's name, a foreign word: the recogniser's own idea of it may be the wrong one.
    for number in sorted(doubtful, key=lambda number: float(weighed.words[number]))[:_MOST_THOUGHTS]:
        tried = evidence(probabilities, [*said[:number], other[number], *said[number + 1 :]])
        if other[number] and tried.words[number] / len(other[number]) > weighed.words[number] / max(1, len(said[number])):
            said, weighed = [*said[:number], other[number], *said[number + 1 :]], tried
    missing: dict[int, WordProblem] = {}
    for _ in range(_MOST_THOUGHTS):  # one after another: a word that is not said takes sounds from its neighbours, which then seem missing as well
        short_of = [float(value) - _missing_below(word) for value, word in zip(weighed.words, said, strict=True)]
        worst = int(np.argmin(short_of))
        if not said[worst] or short_of[worst] >= 0:
            break
        missing[worst] = WordProblem(names[worst], round(at + float(weighed.at[worst]), 2))
        said = [*said[:worst], [], *said[worst + 1 :]]
        weighed = evidence(probabilities, said)
    unclear = [
        WordProblem(name, round(at + where, 2))
        for name, word, value, where in zip(names, said, weighed.words.tolist(), weighed.at.tolist(), strict=True)
        if len(word) > _SHORT and value < _UNCLEAR * len(word)
    ]
    repeated: list[WordProblem] = []
    extra: list[WordProblem] = []
    heard = heard_phones(probabilities)
    last = -1.0
    for place in np.argsort(-weighed.extra, kind="stable").tolist():
        start, end = weighed.spans[place].tolist()
        if weighed.extra[place] < _EXTRA:
            break
        if last >= 0 and start < last:  # the same sounds, found before a neighbouring word as well
            continue
        last = max(last, end)
        sounds = [phone.symbol for phone in heard if start - FRAME <= phone.at < end]
        again = _repeats(sounds, said, place)
        named = names[again if again is not None else max(0, place - 1)]
        (extra if again is None else repeated).append(WordProblem(named, round(at + start, 2)))
    return tuple(missing[number] for number in sorted(missing)), tuple(unclear), tuple(repeated), tuple(extra)


def _missing_below(word: list[str]) -> float:
    """Nats below which a word is missing; a word without sounds never is."""
    if not word:
        return _LEAST_MISSING
    return min(_LEAST_MISSING, (_MISSING_SHORT if len(word) <= _SHORT else _MISSING) * len(word))


def _repeats(sounds: list[str], said: list[list[str]], place: int) -> int | None:
    """The number of the first of the words beside `place` that `sounds` say again, or None."""
    for first, last in ((place - 1, place), (place, place + 1), (place - 2, place), (place, place + 2), (place - 3, place), (place, place + 3)):
        if first < 0 or last > len(said):
            continue
        own = [symbol for word in said[first:last] for symbol in word]
        if own and edit_distance(merge(own), merge(sounds)) <= (1 - _ALIKE) * max(len(own), len(sounds)):
            return first
    return None


def _stretches(said: Sequence[Sequence[str]], heard: list[str], at: list[float], steps: int) -> list[tuple[int, int, int, int]]:
    """(first word, past the last, first step, past the last): cut where words are plainly heard, so that memory does not grow with the square of
    the length."""
    if len(said) <= _TOGETHER * 3 // 2:
        return [(0, len(said), 0, steps)]
    owner = [number for number, word in enumerate(said) for _ in word]
    pairs = _matches([symbol for word in said for symbol in word], heard)
    sound = np.zeros(len(said))  # share of each word's phones that are heard as they should
    starts = np.full(len(said), np.inf)
    for asked, place in pairs:
        sound[owner[asked]] += 1.0 / len(said[owner[asked]])
        starts[owner[asked]] = min(starts[owner[asked]], at[place])
    out: list[tuple[int, int, int, int]] = []
    first, begin = 0, 0
    for number in range(1, len(said)):
        clear = sound[number - 1] > 0.7 and sound[number] > 0.7 and len(said[number]) > 2 and np.isfinite(starts[number - 1])
        if number - first >= _TOGETHER and len(said) - number > _TOGETHER // 2 and clear:
            end = max(begin + 1, int(starts[number] / FRAME) - 1)
            out.append((first, number, begin, end))
            first, begin = number, end
    return [*out, (first, len(said), begin, steps)]


def _matches(asked: list[str], heard: list[str]) -> list[tuple[int, int]]:
    """Pairs of equal phones along a cheapest edit path (Wagner and Fischer 1974). One byte for every pair of phones."""
    moves = np.zeros((len(asked) + 1, len(heard) + 1), np.uint8)  # 0 both, 1 asked only, 2 heard only
    moves[0, 1:], moves[1:, 0] = 2, 1
    row = np.arange(len(heard) + 1)
    other = np.array(heard)
    index = np.arange(len(heard) + 1)
    for number, symbol in enumerate(asked, 1):
        both = row[:-1] + (other != symbol)
        best = np.concatenate([[number], np.minimum(row[1:] + 1, both)])
        joined = np.minimum.accumulate(best - index) + index
        moves[number, 1:] = np.where(joined[1:] == both, 0, np.where(joined[1:] == row[1:] + 1, 1, 2))
        row = joined
    out: list[tuple[int, int]] = []
    i, j = len(asked), len(heard)
    while i and j:
        move = moves[i, j]
        if move == 0:
            if asked[i - 1] == heard[j - 1]:
                out.append((i - 1, j - 1))
            i, j = i - 1, j - 1
        elif move == 1:
            i -= 1
        else:
            j -= 1
    return out[::-1]
