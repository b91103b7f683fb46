"""Bad speech is said again with another seed, three times at most; the best is kept and the user is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.domain.timing import Phone, Timing
from retake.speech.cache import SpeechCache
from retake.speech.retry import ATTEMPTS, Checked, notes, seed_of, speak_checked
from retake.speech.spoken_line import SpokenLine
from retake.speech.take_check import Problem, SpeechCheck, Voice

RATE = 24000
GOOD = SpeechCheck(words_checked=True, phone_error_rate=0.02, similarity=0.9)
CLICKS = Problem("clicks", "The sound clicks at 0.10 s.", 0.1)
MISSING = Problem("word_missing", "The word 'x' is not heard.", 0.5)


def speech(seed: int) -> Speech:
    return Speech(np.full(RATE, seed / 1e6, np.float32), RATE, Timing((Phone("AA", 0.0, 1.0),), ()), "toy 1")


def with_problems(*problems: Problem, errors: float = 0.1) -> SpeechCheck:
    return SpeechCheck(problems=problems, words_checked=True, phone_error_rate=errors, similarity=0.8)


def run(checks: list[SpeechCheck], seed: int = 5) -> tuple[Checked, list[int]]:
    seeds: list[int] = []

    def say(own: int) -> Speech:
        seeds.append(own)
        return speech(own)

    waiting = iter(checks)
    return speak_checked(say, lambda _: next(waiting), seed, Progress()), seeds


def test_a_good_one_is_said_once() -> None:
    checked, seeds = run([GOOD])
    assert seeds == [5] and checked.kept == 0 and len(checked.attempts) == 1 and notes(checked) == []


def test_the_first_good_one_counts() -> None:
    checked, seeds = run([with_problems(MISSING), GOOD])
    assert seeds == [5, seed_of(5, 1)] and checked.kept == 1 and checked.check.ok
    assert "'x' is not heard" in notes(checked)[0] and "2 times" in notes(checked)[0]


@pytest.mark.parametrize(
    ("checks", "kept"),
    [
        ([with_problems(MISSING), with_problems(CLICKS), with_problems(MISSING, CLICKS)], 1),
        ([with_problems(CLICKS), with_problems(CLICKS, errors=0.05), with_problems(CLICKS, errors=0.2)], 1),
        ([with_problems(CLICKS), with_problems(CLICKS), with_problems(CLICKS)], 0),
    ],
)
def test_of_bad_ones_the_least_bad_is_kept(checks: list[SpeechCheck], kept: int) -> None:
    checked, seeds = run(checks)
    assert len(seeds) == ATTEMPTS == len(set(seeds)) and checked.kept == kept
    assert checked.speech.samples[0] == pytest.approx(seeds[kept] / 1e6)
    assert "3 readings" in notes(checked)[0]


def test_seeds_stay_within_their_range() -> None:
    assert [seed_of(2**31 - 1, number) for number in range(3)] == [2**31 - 1, 104_728, 209_457]


def test_an_engine_that_fails_later_does_not_spoil_what_there_is() -> None:
    def say(seed: int) -> Speech:
        if seed != 5:
            raise RetakeError("The engine died.", "Restart it.", code="engine_failed")
        return speech(seed)

    checked = speak_checked(say, lambda _: with_problems(CLICKS), 5, Progress())
    assert checked.kept == 0 and checked.attempts[1].problems[0].message == "The engine died."
    with pytest.raises(RetakeError):
        speak_checked(say, lambda _: GOOD, 6, Progress())


def test_cancelling_between_attempts() -> None:
    progress = Progress()

    def check(_: Speech) -> SpeechCheck:
        progress.cancel()
        return with_problems(CLICKS)

    with pytest.raises(Cancelled):
        speak_checked(speech, check, 1, progress)


class Mumbler:
    """A voice engine that says nothing at all but with some seeds."""

    name, version, languages = "mumbler", "1", ("en",)

    def __init__(self, sound: np.ndarray, good: set[int]) -> None:
        self.sound, self.good = sound, good
        self.seeds: list[int] = []

    def speak(self, speaker: Path, text: str, *, seed: int, style: str, pace: float, progress: Progress) -> Speech:
        self.seeds.append(seed)
        return Speech(self.sound if seed in self.good else self.sound * 0, RATE, Timing((), ()), "mumbler 1")


def test_what_was_found_is_kept_with_the_speech(tmp_path: Path) -> None:
    bursts = np.sin(np.arange(RATE) / RATE * 2 * np.pi * 2) > 0
    noise = (np.random.default_rng(1).standard_normal(RATE) * 0.1 * bursts).astype(np.float32)
    engine = Mumbler(noise, {seed_of(7, 1)})
    line = SpokenLine(engine, tmp_path, "Hello there, everybody.", 7, "neutral", 1.0)
    cache = SpeechCache(tmp_path / "cache")
    checked, key = line.from_cache(cache, "f", Voice(), Progress())
    assert key is not None and checked.kept == 1 and [one.seed for one in checked.attempts] == engine.seeds
    again, new = line.from_cache(cache, "f", Voice(), Progress())
    assert new is None and len(engine.seeds) == ATTEMPTS
    assert (again.check, again.attempts, again.kept) == (checked.check, checked.attempts, checked.kept)
    assert np.array_equal(again.speech.samples, checked.speech.samples)


def test_a_speech_of_an_earlier_version_is_checked_as_the_first_attempt(tmp_path: Path) -> None:
    engine = Mumbler(np.zeros(RATE, np.float32), set())
    line = SpokenLine(engine, tmp_path, "Hello.", 7, "neutral", 1.0)
    cache = SpeechCache(tmp_path / "cache")
    _, key = line.from_cache(cache, "f", Voice(), Progress())
    assert key is not None
    cache.put(key, speech(7))
    engine.seeds.clear()
    checked, new = line.from_cache(cache, "f", Voice(), Progress())
    assert new is None and engine.seeds == [seed_of(7, 1), seed_of(7, 2)] and len(checked.attempts) == ATTEMPTS
    assert cache.get_checked(key) is not None
