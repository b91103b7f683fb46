"""How long a command will still take, learnt from the stages of its earlier runs on this machine."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from retake.domain.errors import RetakeError

# Rough seconds of each stage for 20 seconds of reference and a line of 5 seconds on two cores. Only the proportions matter, and only at first.
FIRST_GUESS: dict[str, dict[str, float]] = {
    "enrol": {
        "Reading the reference": 6.0,
        "Finding the face": 12.0,
        "Listening to the words": 5.0,
        "Learning the voice": 90.0,
        "Learning the mouth": 15.0,
        "Learning the movement": 6.0,
        "Checking the result": 12.0,
    },
    "say": {"Speaking": 3.0, "Planning the movement": 1.0, "Rendering": 5.0, "Measuring": 2.0},
}


class Pace:
    """Estimates the time left of a command that goes through known stages.

    Args:
        command: stages are remembered for each command apart.
        store: JSON file of earlier runs; a missing or damaged one only makes the first estimate coarser.
        rounds: how often the stages are gone through (lines of a script).
        clock: seconds, growing.
    """

    def __init__(self, command: str, store: Path, *, rounds: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._command = command
        self._store = store
        self._rounds = max(1, rounds)
        self._clock = clock
        self._expected = dict(_load(store).get(command) or FIRST_GUESS.get(command) or {})
        self._spent: dict[str, float] = {}
        self._times: dict[str, int] = {}  # how often each stage is over
        self._in_round: set[str] = set()
        self._round = 1
        self._stage = ""
        self._stage_start = clock()

    def enter(self, stage: str) -> None:
        """A stage begins; one that was gone through already begins a new round."""
        self._leave()
        if stage in self._in_round:
            self._round = min(self._rounds, self._round + 1)
            self._in_round.clear()
        self._in_round.add(stage)
        self._stage = stage
        self._stage_start = self._clock()

    def expect(self, rounds: int) -> None:
        """The stages are gone through so often, which was not known at the start."""
        self._rounds = max(1, self._round, rounds)

    def left(self, fraction: float) -> float | None:
        """Seconds left of the whole command, given the fraction of the current stage that is done; None while nothing is known."""
        in_stage = self._clock() - self._stage_start
        current = self._current(in_stage, fraction)
        if current is None:
            return None
        stages = list(self._expected)
        # What comes before the current stage is over or was left out, as some stages are for some inputs.
        rest = stages[stages.index(self._stage) + 1 :] if self._stage in self._expected else stages
        later = sum(self._expected[stage] for stage in rest if stage not in self._in_round)
        later += (self._rounds - self._round) * sum(self._expected.values())
        return current + self._speed() * later

    def finish(self) -> None:
        """The command succeeded: remember its stages, half the old figure and half the new one."""
        self._leave()
        everything = _load(self._store)
        known = everything.get(self._command) or {}
        seconds = {stage: spent / self._round for stage, spent in self._spent.items()}
        everything[self._command] = {stage: round((value + known.get(stage, value)) / 2, 3) for stage, value in seconds.items()}
        from retake.media.files import atomic_json

        # The work is done and its result is there: an estimate for the next time is not worth an error.
        with contextlib.suppress(OSError, RetakeError):
            self._store.parent.mkdir(parents=True, exist_ok=True)
            atomic_json(self._store, everything)

    def _leave(self) -> None:
        if self._stage:
            self._spent[self._stage] = self._spent.get(self._stage, 0.0) + self._clock() - self._stage_start
            self._times[self._stage] = self._times.get(self._stage, 0) + 1
            self._stage = ""

    def _speed(self) -> float:
        """How much slower this run is than the remembered ones, from the stages that are over."""
        expected = sum(self._expected.get(stage, 0.0) * times for stage, times in self._times.items())
        spent = sum(seconds for stage, seconds in self._spent.items() if stage in self._expected)
        return min(8.0, max(0.25, (spent + 1.0) / (expected + 1.0)))

    def _current(self, in_stage: float, fraction: float) -> float | None:
        """Seconds left of the current stage: what earlier runs say, giving way to this run's own rate as it proceeds."""
        measured = in_stage / fraction * (1 - fraction) if fraction > 0.02 else None
        remembered = self._expected.get(self._stage)
        if remembered is None:
            return measured
        predicted = max(0.0, remembered * self._speed() * (1 - fraction))
        return predicted if measured is None else fraction * measured + (1 - fraction) * predicted


def _load(path: Path) -> dict[str, dict[str, float]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, Mapping):
        return {}
    return {
        str(command): {str(stage): float(seconds) for stage, seconds in stages.items() if isinstance(seconds, int | float)}
        for command, stages in content.items()
        if isinstance(stages, Mapping)
    }
