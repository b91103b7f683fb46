"""A recorded voice-over becomes speech with timing, or a clear refusal."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.phones import SILENCE
from retake.domain.progress import Progress
from retake.domain.timing import Timing
from retake.media.audio import read_audio, write_wav
from retake.speech.recording import RATE, from_recording, problems

SAID = "Hello, and welcome."


@pytest.fixture(scope="module")
def sound() -> NDArray[np.float32]:
    """ "Hello, and welcome." at 48 kHz with silence around it."""
    with resources.as_file(resources.files("retake") / "assets" / "presenter" / "presenter.mp4") as path:
        return read_audio(path, RATE, seconds=2.4)


@pytest.fixture(scope="module")
def recording(sound: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voice over") / "take 1.wav"
    write_wav(path, sound, RATE)
    return path


def refused(path: Path, text: str | None = None) -> str:
    with pytest.raises(RetakeError) as caught:
        from_recording(path, text, Progress())
    assert caught.value.cause and caught.value.remedy
    return caught.value.code


def test_with_its_transcript(recording: Path, sound: NDArray[np.float32]) -> None:
    reports: list[float] = []
    speech = from_recording(recording, SAID, Progress(lambda _stage, fraction, _detail: reports.append(fraction)))
    assert speech.rate == RATE and len(speech.samples) == len(sound)
    assert np.abs(speech.samples - sound).max() < 1e-3
    assert [word.text for word in speech.timing.words] == ["Hello,", "and", "welcome."]
    assert speech.timing.words[0].start == pytest.approx(0.575, abs=0.05)
    assert not speech.timing.exact and speech.timing.confidence > 0.75
    assert speech.engine == "recording"
    assert problems(speech.timing) == []
    assert reports == sorted(reports) and reports[-1] == 1.0


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_without_a_transcript_phones_are_heard(recording: Path, text: str | None) -> None:
    speech = from_recording(recording, text, Progress())
    assert speech.timing.words == ()
    heard = [phone.symbol for phone in speech.timing.phones if phone.symbol != SILENCE]
    assert 9 <= len(heard) <= 16
    assert not speech.timing.exact
    assert "transcript" in problems(speech.timing)[0].message


def test_a_video_is_a_recording_too() -> None:
    with resources.as_file(resources.files("retake") / "assets" / "presenter" / "presenter.mp4") as path:
        text = (path.parent / "presenter.txt").read_text("utf-8")
        speech = from_recording(path, text, Progress())
    assert [word.text for word in speech.timing.words] == text.split()


@pytest.mark.parametrize("kind", ["silence", "tone", "noise"])
def test_sound_without_speech_is_refused(tmp_path: Path, kind: str) -> None:
    time = np.arange(3 * RATE) / RATE
    made = {
        "silence": np.zeros(len(time)),
        "tone": 0.4 * np.sin(2 * np.pi * 330 * time) + 0.2 * np.sin(2 * np.pi * 415 * time),
        "noise": np.random.default_rng(0).normal(0, 0.1, len(time)),
    }
    write_wav(tmp_path / "x.wav", made[kind].astype(np.float32), RATE)
    assert refused(tmp_path / "x.wav") == "no_speech"
    assert refused(tmp_path / "x.wav", SAID) == "no_speech"


def test_other_bad_input(tmp_path: Path, recording: Path) -> None:
    write_wav(tmp_path / "short.wav", np.full(RATE // 10, 0.1, np.float32), RATE)
    assert refused(tmp_path / "short.wav") == "sound_too_short"
    (tmp_path / "zero.wav").write_bytes(b"")
    assert refused(tmp_path / "zero.wav")
    assert refused(tmp_path / "missing.wav")
    assert refused(recording, "Привет, мир") == "text_language"
    assert refused(recording, "?!") == "text_empty"
    assert refused(recording, "Seventeen purple elephants dance around the enormous chocolate fountain every Thursday.") == "transcript_mismatch"


def test_it_can_be_stopped(recording: Path) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        from_recording(recording, SAID, progress)


def test_doubts_are_told(recording: Path) -> None:
    timing = from_recording(recording, SAID, Progress()).timing
    doubtful = Timing(timing.phones, timing.words, exact=False, confidence=0.4)
    assert problems(doubtful)[0].words == ("Hello,", "and", "welcome.")
    assert problems(Timing(timing.phones, timing.words)) == []
    assert len(problems(Timing(timing.phones, (), exact=False, confidence=0.4))) == 2
