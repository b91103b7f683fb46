"""When each phone and word is heard. Times are seconds from the first sample of the speech they belong to."""

from __future__ import annotations

from dataclasses import dataclass, field

from .phones import SILENCE


@dataclass(frozen=True)
class Phone:
    """One speech sound: `symbol` is an ARPAbet symbol without stress digits, or SIL (see domain.phones)."""

    symbol: str
    start: float
    end: float
    stress: int = 0  # 0 none, 1 primary, 2 secondary; vowels only


@dataclass(frozen=True)
class Word:
    """One spoken word as written for captions (with its punctuation), and when it is heard."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Timing:
    """Phones that tile the speech without gaps (SIL where nothing is said), and the words among them.

    `exact` tells whether the times come from a synthesiser (True) or from an alignment of a recording (False).
    """

    phones: tuple[Phone, ...]
    words: tuple[Word, ...]
    exact: bool = True
    confidence: float = 1.0  # 0..1, of the alignment

    def shifted(self, seconds: float) -> Timing:
        return Timing(
            tuple(Phone(p.symbol, p.start + seconds, p.end + seconds, p.stress) for p in self.phones),
            tuple(Word(w.text, w.start + seconds, w.end + seconds) for w in self.words),
            self.exact,
            self.confidence,
        )

    def pauses(self, at_least: float = 0.3) -> list[tuple[float, float]]:
        """Stretches of silence of `at_least` seconds, neighbouring SIL phones joined."""
        out: list[tuple[float, float]] = []
        for phone in self.phones:
            if phone.symbol != SILENCE:
                continue
            if out and abs(out[-1][1] - phone.start) < 1e-4:
                out[-1] = (out[-1][0], phone.end)
            else:
                out.append((phone.start, phone.end))
        return [(a, b) for a, b in out if b - a >= at_least]


@dataclass(frozen=True)
class TimingProblem:
    """Something the user should know about an alignment ("'Kubernetes' was not in the dictionary")."""

    message: str
    words: tuple[str, ...] = field(default_factory=tuple)
