"""When words and phones are said, against exact times of a synthetic speaker and the word times of a real one."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.phones import FROM_MISAKI, SILENCE, VOWELS
from retake.domain.timing import Timing
from retake.media.audio import read_audio
from retake.speech import activity
from retake.speech.align import align, align_phones
from retake.speech.phone_network import decode, posteriors
from retake.speech.recognise import recognise

RATE = 16000
SHARED = Path(os.environ.get("RETAKE_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
GRID = SHARED / "grid_s1"
PARTS = 8.9  # s: the presenter's first three sentences, which end in a pause
SAID = "Hello, and welcome. I am a synthetic presenter: a digital face with a measured, friendly voice."


@dataclass(frozen=True)
class Truth:
    symbol: str
    start: float
    end: float


@lru_cache(maxsize=1)
def presenter() -> tuple[NDArray[np.float32], list[Truth]]:
    """Sound of the presenter's first two sentences, and the phones as they were synthesised."""
    folder = resources.files("retake") / "assets" / "presenter"
    record = json.loads((folder / "phones.json").read_text("utf-8"))
    phones = [
        Truth(SILENCE if phone["phone"] == "sil" else FROM_MISAKI[phone["phone"]][0], phone["start"], phone["end"]) for phone in record["phones"]
    ]
    end = next(phone.start for phone in phones if phone.symbol == SILENCE and phone.start > 6.5) + 0.3
    with resources.as_file(folder / "presenter.mp4") as path:
        sound = read_audio(path, RATE, seconds=end)
    return sound, [phone for phone in phones if phone.end <= end]


@lru_cache(maxsize=1)
def aligned() -> Timing:
    return align(presenter()[0], RATE, SAID)


def spoken(timing: Timing) -> list[tuple[str, float, float]]:
    return [(phone.symbol, phone.start, phone.end) for phone in timing.phones if phone.symbol != SILENCE]


def assert_tiles(timing: Timing, duration: float) -> None:
    assert timing.phones[0].start == 0
    assert timing.phones[-1].end == pytest.approx(duration, abs=1e-6)
    for one, other in zip(timing.phones, timing.phones[1:], strict=False):
        assert one.end == pytest.approx(other.start, abs=1e-9)
    assert all(phone.end > phone.start for phone in timing.phones)
    assert all(word.end > word.start for word in timing.words)
    assert all(one.end <= other.start + 1e-9 for one, other in zip(timing.words, timing.words[1:], strict=False))


def test_phones_are_found_where_they_were_synthesised() -> None:
    _, truth = presenter()
    wanted = [phone for phone in truth if phone.symbol != SILENCE]
    found = spoken(aligned())
    assert [symbol for symbol, _, _ in found] == [phone.symbol for phone in wanted]
    errors = np.array([start - phone.start for (_, start, _), phone in zip(found, wanted, strict=True)])
    assert abs(np.median(errors)) <= 0.01  # no constant lag
    assert np.median(np.abs(errors)) <= 0.02
    assert np.percentile(np.abs(errors), 90) <= 0.045
    assert np.abs(errors).max() <= 0.12


def test_timing_tiles_the_sound_and_keeps_the_words() -> None:
    sound, _ = presenter()
    timing = aligned()
    assert_tiles(timing, len(sound) / RATE)
    assert [word.text for word in timing.words] == SAID.split()
    assert not timing.exact
    assert timing.confidence >= 0.8
    assert any(phone.stress == 1 for phone in timing.phones if phone.symbol in VOWELS)
    assert all(phone.stress == 0 for phone in timing.phones if phone.symbol not in VOWELS)


def test_pauses_are_silent_and_none_is_missed() -> None:
    sound, truth = presenter()
    timing = aligned()
    level = activity.levels(sound, RATE)
    speech = np.percentile(level, 90)
    for start, end in timing.pauses(0.15):
        assert level[round(start * 100) + 2 : round(end * 100) - 2].max() < speech - 20
    for phone in truth:
        if phone.symbol == SILENCE and phone.end - phone.start >= 0.25:
            middle = (phone.start + phone.end) / 2
            assert any(start <= middle <= end for start, end in timing.pauses(0.15)), phone


def test_a_long_recording_is_aligned_like_its_parts() -> None:
    sound, _ = presenter()
    times = 9  # a minute
    timing = align(np.tile(sound, times), RATE, " ".join([SAID] * times))
    assert_tiles(timing, times * len(sound) / RATE)
    once = aligned().words
    length = len(sound) / RATE
    starts = np.array([word.start for word in timing.words]).reshape(times, len(once))
    expected = np.array([word.start for word in once])[None] + length * np.arange(times)[:, None]
    assert np.percentile(np.abs(starts - expected), 95) <= 0.05


def test_noise_moves_words_little() -> None:
    sound, _ = presenter()
    noise = np.random.default_rng(1).normal(0, np.sqrt(np.mean(sound**2)) * 10 ** (-15 / 20), len(sound)).astype(np.float32)
    timing = align(sound + noise, RATE, SAID, strict=False)
    assert_tiles(timing, len(sound) / RATE)
    moved = np.array([word.start - clean.start for word, clean in zip(timing.words, aligned().words, strict=True)])
    assert np.median(np.abs(moved)) <= 0.03
    assert timing.confidence < aligned().confidence


def test_any_rate_gives_the_same_times() -> None:
    import soxr

    sound, _ = presenter()
    timing = align(soxr.resample(sound, RATE, 44100).astype(np.float32) * 0.05, 44100, SAID)
    moved = [abs(word.start - other.start) for word, other in zip(timing.words, aligned().words, strict=True)]
    assert np.median(moved) <= 0.01
    assert max(moved) <= 0.06


def test_a_transcript_of_something_else_is_refused() -> None:
    sound, _ = presenter()
    other = "The quick brown fox jumps over the lazy dog while seventeen purple elephants dance around."
    with pytest.raises(RetakeError) as caught:
        align(sound, RATE, other)
    assert caught.value.code == "transcript_mismatch"
    assert align(sound, RATE, other, strict=False).confidence < 0.4


def test_missing_and_extra_words_lower_the_confidence() -> None:
    sound, _ = presenter()
    words = SAID.split()
    missing = align(sound, RATE, " ".join(words[:4] + words[9:]), strict=False)
    extra = align(sound, RATE, " ".join([*words[:6], "wonderful", "gigantic", "chocolate", *words[6:]]), strict=False)
    assert missing.confidence < aligned().confidence - 0.05
    assert extra.confidence < aligned().confidence - 0.05
    assert [word.text for word in missing.words][-5:] == words[-5:]
    ends = [abs(word.start - right.start) for word, right in zip(missing.words[-3:], aligned().words[-3:], strict=True)]
    assert max(ends) <= 0.05  # what is right stays right


def test_what_is_not_heard_joins_its_neighbours() -> None:
    sound, _ = presenter()
    timing = align(sound, RATE, SAID.replace("welcome.", "— welcome. USD 40"), strict=False)
    assert [word.text for word in timing.words][:4] == ["Hello,", "and —", "welcome.", "USD 40"]


@pytest.mark.parametrize("sound", [np.zeros(RATE, np.float32), np.zeros(0, np.float32), np.full(RATE, 0.2, np.float32)])
def test_silence_is_refused(sound: NDArray[np.float32]) -> None:
    with pytest.raises(RetakeError) as caught:
        align(sound, RATE, "Hello.")
    assert caught.value.code == "no_speech"
    with pytest.raises(RetakeError):
        recognise(sound, RATE)


def test_more_words_than_sound_does_not_break() -> None:
    sound, _ = presenter()
    with pytest.raises(RetakeError) as caught:
        align(sound[RATE * 6 // 10 : RATE * 11 // 10], RATE, SAID * 4)
    assert caught.value.code == "transcript_mismatch"


def test_phones_without_text_can_be_aligned() -> None:
    sound, _ = presenter()
    timing = align_phones(sound[: round(2.4 * RATE)], RATE, [["HH", "AH", "L", "OW"], ["AE", "N", "D"], ["W", "EH", "L", "K", "AH", "M"]])
    assert timing.words == ()
    starts = [start for _, start, _ in spoken(timing)]
    assert np.median(np.abs(np.array(starts) - [start for _, start, _ in spoken(aligned())][: len(starts)])) <= 0.02


def test_the_recogniser_hears_most_phones_at_their_time() -> None:
    sound, truth = presenter()
    heard = recognise(sound, RATE)
    assert_tiles(heard.timing, len(sound) / RATE)
    assert heard.timing.words == ()
    assert heard.confidence >= 0.8
    wanted = [phone for phone in truth if phone.symbol != SILENCE]
    near = [any(symbol == phone.symbol and abs(start - phone.start) <= 0.06 for symbol, start, _ in spoken(heard.timing)) for phone in wanted]
    assert np.mean(near) >= 0.75


def test_posteriors_are_probabilities_and_silent_ends_change_nothing() -> None:
    sound, _ = presenter()
    alone = posteriors(sound, RATE)
    assert alone.shape == (int(np.ceil(len(sound) / 320)), 41)
    assert alone.min() >= 0 and alone.sum(1).max() <= 1.001
    silence = np.zeros(30 * RATE, np.float32)
    long = posteriors(np.concatenate([silence, sound, silence]), RATE)
    words, _ = decode(alone)
    again, _ = decode(long)
    assert [phone for word in words for phone in word] == [phone for word in again for phone in word]


@pytest.mark.skipif(not GRID.exists(), reason="needs the recordings in the shared data folder")
def test_words_of_a_real_speaker() -> None:
    """GRID speaker 1 against the corpus' own word times, whose steps are 10-20 ms. The first word is left out: its start is often wrong there."""
    starts: list[float] = []
    ends: list[float] = []
    confidence: list[float] = []
    for path in sorted(GRID.glob("*.align"))[::5][:40]:
        rows = [line.split() for line in path.read_text("utf-8").splitlines()]
        truth = [(word, int(start) / 25000, int(end) / 25000) for start, end, word in rows if word not in ("sil", "sp")]
        text = " ".join(word.upper() if len(word) == 1 else word for word, _, _ in truth)
        timing = align(read_audio(path.with_suffix(".mpg"), RATE), RATE, text)
        assert len(timing.words) == len(truth)
        confidence.append(timing.confidence)
        starts += [word.start - start for word, (_, start, _) in zip(timing.words[1:], truth[1:], strict=True)]
        ends += [word.end - end for word, (_, _, end) in zip(timing.words, truth, strict=True)]
    for errors in (np.array(starts), np.array(ends)):
        assert abs(np.median(errors)) <= 0.01
        assert np.median(np.abs(errors)) <= 0.025
        assert np.percentile(np.abs(errors), 90) <= 0.06
        assert np.abs(errors).max() <= 0.25
    assert np.median(confidence) >= 0.65
