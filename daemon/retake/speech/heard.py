"""Which phones are heard when: the best path through the recogniser's posteriors, with times, and how well each asked word fits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .phone_network import BLANK, FRAME, INDEX, SYMBOLS, WORD_BREAK

_BLANK_BIAS = 0.9  # as phone_network.decode
_LEAST = 1e-5  # probability that every symbol keeps: the network is surer than it should be
_NEVER = -1e30
_PRICE = 0.3  # nats that every phone costs that nobody asked for; a phone that is left unexplained costs some 8
_FEWEST = 3  # phones that something more must have


@dataclass(frozen=True)
class HeardPhone:
    """symbol: ARPAbet. at: seconds at which it is heard first. sure: probability at its peak."""

    symbol: str
    at: float
    sure: float


def heard_phones(probabilities: NDArray[np.float32]) -> list[HeardPhone]:
    """Phones along the best path through (n, symbols) posteriors; the same as `phone_network.decode` finds, with times."""
    weighted = probabilities.copy()
    weighted[:, BLANK] *= _BLANK_BIAS
    best = weighted.argmax(1)
    out: list[HeardPhone] = []
    before = -1
    for frame, symbol in enumerate(best.tolist()):
        if symbol not in (BLANK, WORD_BREAK):
            sure = float(probabilities[frame, symbol])
            if symbol == before:
                out[-1] = HeardPhone(out[-1].symbol, out[-1].at, max(out[-1].sure, sure))
            else:
                out.append(HeardPhone(SYMBOLS[symbol], frame * FRAME, sure))
        before = symbol
    return out


@dataclass(frozen=True)
class Evidence:
    """How well words and a stretch of sound fit, as log likelihood ratios in nats.

    words: (words,) by how much the sound fits better with each word than without it; negative where it is not said. at: (words,) seconds at which
    it is said, or would be. extra: (words + 1,) by how much it fits better with something more said before each word (and behind the last).
    spans: (words + 1, 2) seconds from where to where.
    """

    words: NDArray[np.float64]
    at: NDArray[np.float64]
    extra: NDArray[np.float64]
    spans: NDArray[np.float64]


def evidence(probabilities: NDArray[np.float32], words: Sequence[Sequence[str]]) -> Evidence:
    """Weigh every word, and the chance that something else is said between words.

    The likelihood of a sequence of phones is that of connectionist temporal classification (Graves et al. 2006, section 4.1). Leaving a word
    out joins the forward variables before it to the backward variables behind it, so that all words cost one pass each way; something more
    between two words is the recogniser's own best path for a while, at a price for every phone.

    Args:
        probabilities: (n, symbols) posteriors of the stretch of sound that holds the words.
        words: ARPAbet symbols of each word; words without any weigh 0.
    """
    labels = [INDEX[symbol] for word in words for symbol in word]
    found = Evidence(np.zeros(len(words)), np.zeros(len(words)), np.zeros(len(words) + 1), np.zeros((len(words) + 1, 2)))
    if not labels or not len(probabilities):
        return found
    logs = _logs(probabilities)
    lattice = _Lattice(logs, labels, _forward(logs, labels), _forward(logs[::-1], labels[::-1])[::-1, ::-1])
    begin = 0
    for number, word in enumerate(words):
        end = begin + len(word)
        if word:
            without, step = lattice.without(begin, end)
            found.words[number], found.at[number] = lattice.whole - without, step * FRAME
        found.extra[number], found.spans[number] = lattice.more(begin)
        begin = end
    found.extra[-1], found.spans[-1] = lattice.more(begin)
    return found


class _Lattice:
    """State 2k is the blank before phone k, 2k + 1 phone k itself; forward and backward variables each hold their own frame's emission."""

    def __init__(self, logs: NDArray[np.float64], labels: list[int], forward: NDArray[np.float64], backward: NDArray[np.float64]) -> None:
        self._logs, self._labels, self._forward, self._backward = logs, labels, forward, backward
        self.whole = float(np.logaddexp(forward[-1, -1], forward[-1, -2]))
        best = logs.argmax(1)
        new = (best != BLANK) & (np.concatenate([[BLANK], best[:-1]]) != best)
        self._free = np.concatenate([[0.0], np.cumsum(logs.max(1) - _PRICE * new)])  # log likelihood of the best path up to each step
        self._heard = np.concatenate([[0], np.cumsum(new)])

    def without(self, begin: int, end: int) -> tuple[float, int]:
        """Log likelihood of all labels but those from `begin` to `end`, and the step at which they would be."""
        forward, last = self._forward, len(self._labels)
        if end - begin == last:
            return float(self._logs[:, BLANK].sum()), 0
        if end == last:  # the blank before the word lasts to the end
            return float(np.logaddexp(forward[-1, 2 * begin], forward[-1, 2 * begin - 1])), len(forward) - 1
        same = begin > 0 and self._labels[begin - 1] == self._labels[end]  # equal neighbours need a blank between them
        joined = self._before(begin, blank_only=same)[:-1] + self._backward[1:, 2 * end + 1]
        options = float(np.logaddexp.reduce(joined)) if len(joined) else _NEVER
        if begin == 0:
            options = float(np.logaddexp(options, self._backward[0, 2 * end + 1]))
        return options, int(joined.argmax()) if len(joined) else 0

    def more(self, begin: int) -> tuple[float, tuple[float, float]]:
        """By how much the recogniser's own path for a while before label `begin` fits better, and from when to when."""
        first = np.concatenate([[0.0 if begin == 0 else _NEVER], self._before(begin)]) - self._free  # up to each step, then free
        behind = self._backward[:, 2 * begin]
        if begin < len(self._labels):
            behind = np.logaddexp(behind, self._backward[:, 2 * begin + 1])
        last = np.concatenate([behind, [0.0 if begin == len(self._labels) else _NEVER]]) + self._free
        lead = np.maximum.accumulate(first)
        end = int((lead + last).argmax())
        start = int(first[: end + 1].argmax())
        if self._heard[end] - self._heard[start] < _FEWEST:
            return 0.0, (start * FRAME, end * FRAME)
        return float(lead[end] + last[end]) - self.whole, (start * FRAME, end * FRAME)

    def _before(self, begin: int, *, blank_only: bool = False) -> NDArray[np.float64]:
        """(n,) having said all labels before `begin` at each step."""
        blank = self._forward[:, 2 * begin]
        return blank if begin == 0 or blank_only else np.logaddexp(blank, self._forward[:, 2 * begin - 1])


def _logs(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log posteriors; a word break counts as nothing new."""
    merged = probabilities[:, : BLANK + 1].astype(np.float64)
    merged[:, BLANK] += probabilities[:, WORD_BREAK]
    return np.log(np.maximum(merged, _LEAST))


def _forward(logs: NDArray[np.float64], labels: list[int]) -> NDArray[np.float64]:
    """(n, 2 labels + 1) log forward variables, each with its own frame's emission."""
    count = 2 * len(labels) + 1
    states = np.full(count, BLANK)
    states[1::2] = labels
    jump = np.zeros(count, np.bool_)
    jump[3::2] = np.array(labels[1:]) != np.array(labels[:-1])
    emitted = logs[:, states]
    out = np.full((len(logs), count), _NEVER)
    out[0, :2] = emitted[0, :2]
    barred = np.where(jump, 0.0, _NEVER)
    for step in range(1, len(logs)):
        last = out[step - 1]
        reached = last.copy()
        reached[1:] = np.logaddexp(reached[1:], last[:-1])
        reached[2:] = np.logaddexp(reached[2:], last[:-2] + barred[2:])
        out[step] = np.maximum(reached + emitted[step], _NEVER)
    return out
