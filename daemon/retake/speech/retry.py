"""Speech that is checked, and said again with another seed where it is bad."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.domain.speech import Speech

from .take_check import Problem, SpeechCheck, worst

ATTEMPTS = 3
_STEP = 104_729  # from one seed to the next; not the step that engines in their own process use among themselves
_SEEDS = 2**31

Say = Callable[[int], Speech]  # with a seed
Check = Callable[[Speech], SpeechCheck]


@dataclass(frozen=True)
class Attempt:
    """seed: it was said with. problems: what was wrong, empty where nothing was."""

    seed: int
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Checked:
    """speech: the best of the attempts, number `kept`. check: of it."""

    speech: Speech
    check: SpeechCheck
    attempts: tuple[Attempt, ...]
    kept: int = 0

    def as_json(self) -> dict[str, Any]:
        """All but the speech."""
        tries = [{"seed": one.seed, "problems": [vars(problem) for problem in one.problems]} for one in self.attempts]
        return {"kept": self.kept, "attempts": tries, "check": self.check.as_json()}

    @classmethod
    def from_json(cls, speech: Speech, record: dict[str, Any]) -> Checked:
        """Inverse of `as_json`; raises TypeError, KeyError or ValueError for anything else."""
        tries = tuple(
            Attempt(int(one["seed"]), tuple(Problem(str(p["code"]), str(p["message"]), p["where"]) for p in one["problems"]))
            for one in record["attempts"]
        )
        kept = int(record["kept"])
        if not 0 <= kept < len(tries):
            raise ValueError("kept")
        return cls(speech, SpeechCheck.from_json(record["check"]), tries, kept)


def seed_of(asked: int, attempt: int) -> int:
    """The seed of an attempt: the first is the one that was asked for."""
    return (asked + attempt * _STEP) % _SEEDS


def speak_checked(say: Say, check: Check, seed: int, progress: Progress, *, first: Speech | None = None) -> Checked:
    """Say something, and say it again with other seeds until it is good, at most ATTEMPTS times.

    The first good one counts; if there is none, the one whose problems weigh least (`take_check.WEIGHTS`), then the one with fewer wrong phones,
    then the more similar one, then the earlier one.

    Args:
        first: the speech of the first attempt, if it was made before.

    Raises what `say` raises, unless an earlier attempt brought something; engine_wrong_words only if every attempt does.
    """
    tries: list[Attempt] = []
    best: tuple[tuple[float, float, float, int], Speech, SpeechCheck] | None = None
    failed: RetakeError | None = None
    for number in range(ATTEMPTS):
        progress.check()
        own = seed_of(seed, number)
        try:
            speech = first if first is not None and number == 0 else say(own)
        except RetakeError as error:
            if error.code == "engine_wrong_words":  # another seed usually says them
                tries.append(Attempt(own, (Problem("wrong_words", error.cause),)))
                failed = error
                continue
            if best is None or error.kind is ErrorKind.CANCELLED:
                raise
            tries.append(Attempt(own, (Problem("no_sound", error.cause),)))
            break
        found = check(speech)
        tries.append(Attempt(own, found.problems))
        order = (found.badness, _or(found.phone_error_rate, 1.0), -_or(found.similarity, 0.0), number)
        if best is None or order < best[0]:
            best = order, speech, found
        if found.ok:
            break
    if best is None:
        assert failed is not None
        raise failed
    return Checked(best[1], best[2], tuple(tries), best[0][3])


def notes(checked: Checked) -> list[str]:
    """What the user should know, in plain words: nothing where the first attempt was good."""
    out: list[str] = []
    if not checked.check.words_checked:
        out.append("The words could not be checked: the checker understands English only.")
    if checked.check.ok:
        before = checked.attempts[: checked.kept]
        if before:
            wrong = worst([problem for one in before for problem in one.problems])[0].message
            out.append(f"Said {len(before) + 1} times, with other seeds, until nothing was found wrong. Before: {wrong}")
        return out
    tried = f"{len(checked.attempts)} readings were" if len(checked.attempts) > 1 else "One reading was"
    shown = [problem.message for problem in worst(checked.check.problems)]
    more = f" And {len(shown) - 4} more." if len(shown) > 4 else ""
    return [*out, f"{tried} tried, and the best is not flawless: {' '.join(shown[:4])}{more}"]


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
