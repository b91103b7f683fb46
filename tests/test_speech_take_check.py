"""Speech checked before anybody hears it: the presenter's own passes, spoilt in any way it does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.domain.timing import Timing
from retake.media.audio import read_audio
from retake.speech.heard import evidence
from retake.speech.phone_network import posteriors
from retake.speech.take_check import WEIGHTS, SpeechCheck, Voice, check_speech, reference_voice
from retake.speech.voiceprint import embed

PRESENTER = Path(__file__).resolve().parent.parent / "daemon" / "retake" / "assets" / "presenter"
RATE = 24000


@pytest.fixture(scope="module")
def whole() -> tuple[Speech, str]:
    samples = read_audio(PRESENTER / "presenter.mp4", RATE)
    return Speech(samples, RATE, Timing((), ())), (PRESENTER / "presenter.txt").read_text(encoding="utf-8").strip()


@pytest.fixture(scope="module")
def voice(whole: tuple[Speech, str]) -> Voice:
    return reference_voice(whole[0].samples, RATE, embed(whole[0].samples, RATE))


def codes(check: SpeechCheck) -> set[str]:
    return {problem.code for problem in check.problems}


def spoilt(speech: Speech, samples: np.ndarray) -> Speech:
    return replace(speech, samples=samples.astype(np.float32))


def test_the_presenter_passes_and_the_figures_are_told(whole: tuple[Speech, str], voice: Voice) -> None:
    check = check_speech(*whole, voice)
    assert check.ok and check.words_checked and check.badness == 0
    assert check.phone_error_rate is not None and check.phone_error_rate < 0.15
    assert check.similarity is not None and check.similarity > 0.9
    assert not check.words_missing and not check.words_repeated and check.words_inserted == 0 and check.clicks == 0


def test_what_was_found_is_stored_and_read_again(whole: tuple[Speech, str], voice: Voice) -> None:
    check = check_speech(spoilt(whole[0], whole[0].samples[: 4 * RATE]), whole[1], voice)
    assert not check.ok and check.badness > 0 and codes(check) <= set(WEIGHTS)
    assert SpeechCheck.from_json(json.loads(json.dumps(check.as_json()))) == check
    for record in ({}, check.as_json() | {"new": 1}, check.as_json() | {"problems": [{"code": "?", "message": "", "where": None}]}):
        with pytest.raises((KeyError, TypeError)):
            SpeechCheck.from_json(record)


def test_words_that_are_not_said_are_named(whole: tuple[Speech, str], voice: Voice) -> None:
    speech, text = whole
    words = text.split()
    check = check_speech(speech, " ".join([*words[:6], "wonderful", *words[6:]]), voice)
    assert check.words_missing == ("wonderful",)
    assert codes(check) == {"word_missing"}
    assert check_speech(speech, f"{text} And goodbye to everybody.", voice).words_missing[-1] == "everybody."


def test_words_said_twice_are_found(whole: tuple[Speech, str], voice: Voice) -> None:
    speech, text = whole
    twice = np.concatenate([speech.samples, speech.samples[-2 * RATE :]])
    check = check_speech(spoilt(speech, twice), text, voice)
    assert check.words_repeated or check.words_inserted
    assert codes(check) & {"word_repeated", "extra_words"}


def test_other_words_and_other_voices(whole: tuple[Speech, str], voice: Voice) -> None:
    speech, _ = whole
    assert "wrong_words" in codes(check_speech(speech, "Nobody would expect that a fox jumps over the lazy dog at midnight.", voice))
    stranger = np.zeros(256, np.float32)
    stranger[0] = 1.0
    assert "other_voice" in codes(check_speech(*whole, Voice(stranger)))


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("clicks", lambda x: x + 0.9 * np.abs(x).max() * (np.arange(len(x)) % 16411 == 16410)),
        ("clipped", lambda x: np.clip(x, -0.3 * np.abs(x).max(), 0.3 * np.abs(x).max())),
        ("offset", lambda x: x + 0.05),
        ("silence", lambda x: np.concatenate([x[: 8 * RATE], np.zeros(4 * RATE), x[8 * RATE :]])),
        ("cut_off", lambda x: x[: int(np.abs(x[: 9 * RATE]).argmax())]),
        ("noise", lambda x: x + np.random.default_rng(0).standard_normal(len(x)) * 0.4 * np.sqrt(np.mean(x**2))),
        ("no_sound", lambda x: x * np.nan),
        ("no_sound", lambda x: x[:0]),
        ("no_speech", lambda x: x[: 2 * RATE] * 0),
    ],
)
def test_faults_of_the_sound_are_found(whole: tuple[Speech, str], voice: Voice, code: str, spoil: object) -> None:
    assert callable(spoil)
    speech, text = whole
    assert code in codes(check_speech(spoilt(speech, np.asarray(spoil(speech.samples))), text, voice))


def test_silence_that_was_asked_for_is_none_too_many(whole: tuple[Speech, str], voice: Voice) -> None:
    speech, text = whole
    gap = np.concatenate([speech.samples, np.zeros(3 * RATE, np.float32), speech.samples])
    asked = check_speech(spoilt(speech, gap), f"{text} [pause 4] {text}", voice)
    assert "silence" not in codes(asked) and asked.longest_silence > 3.5
    assert "silence" in codes(check_speech(spoilt(speech, gap), f"{text} {text}", voice))


def test_words_of_other_languages_are_left_alone(whole: tuple[Speech, str], voice: Voice) -> None:
    check = check_speech(whole[0], "Dzień dobry, jak się masz?", voice, language="pl")
    assert check.ok and not check.words_checked and check.phone_error_rate is None and check.similarity is not None
    assert not check_speech(whole[0], "Привет, как дела?", voice).words_checked


def test_a_long_text_is_checked_in_stretches(whole: tuple[Speech, str], voice: Voice) -> None:
    speech, text = whole
    four = spoilt(speech, np.concatenate([np.pad(speech.samples, (0, RATE // 2))] * 4))
    check = check_speech(four, " ".join([text] * 4), voice)
    assert check.ok
    words = " ".join([text] * 4).split()
    words.insert(len(words) // 2, "tomorrow")
    assert "tomorrow" in check_speech(four, " ".join(words), voice).words_missing


def test_evidence_of_nothing() -> None:
    nothing = posteriors(np.zeros(16000, np.float32), 16000, Progress())
    assert evidence(nothing, [["HH", "AY"]]).words[0] < -10
    assert not evidence(nothing, []).words.size
    assert not evidence(nothing[:0], [["AY"]]).words.any()
