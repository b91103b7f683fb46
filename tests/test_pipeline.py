"""What the pipeline decides before anything is drawn: fitting a line into its time, one rate for a timeline, errors that name their line."""

from __future__ import annotations

import wave
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from retake import pipeline
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.phones import SILENCE
from retake.domain.progress import Progress
from retake.domain.script import Line, Script
from retake.domain.speaker import Consent, Speaker
from retake.domain.speech import Speech
from retake.domain.take import TakeRequest
from retake.domain.timing import Phone, Timing
from retake.face.embedded import EmbeddedLips
from retake.speakers import store
from retake.speech import phone_network, voiceprint

SOUND_RATE = 24000


class SlowToChange:
    """A voice engine whose durations follow the pace only in part, as coarse grids of durations do. Every sample is sound."""

    name = "slow"
    version = "1"
    languages = ("en",)

    def __init__(self, seconds: float, obedience: float) -> None:
        self.seconds, self.obedience = seconds, obedience
        self.paces: list[float] = []

    def speak(self, speaker: Path, text: str, *, seed: int, style: str, pace: float, progress: Progress) -> Speech:
        self.paces.append(pace)
        seconds = self.seconds / (1 + (pace - 1) * self.obedience)
        samples = np.full(round(seconds * SOUND_RATE), 0.1, np.float32)
        return Speech(samples, SOUND_RATE, Timing((Phone("AA", 0.0, len(samples) / SOUND_RATE),), ()))


def enrolled(home: Path, name: str, rate: str) -> Speaker:
    now = datetime(2026, 5, 12, tzinfo=UTC)
    speaker = Speaker(
        name=name, consent=Consent(statement="I agree to this.", recorded_by="anna", recorded_at=now, reference_sha256="0" * 64), created_at=now,
        product_version="0", transcript="", transcript_source="none", rate=rate, frames=100, width=64, height=64, seconds=4.0, voice_engine="slow 1",
        voice_similarity=None, loudness_lufs=None, lag_seconds=0.0, lag_confidence=0.0, fingerprint=name,
    )  # fmt: skip
    with store.building(home, name, replace=True) as folder:
        store.save(folder, speaker)
    return speaker


def fitted(home: Path, voice: SlowToChange, seconds: float) -> Speech:
    request = TakeRequest(speaker="anna", text="Hello.", fit=seconds)
    work = pipeline._Work(request, enrolled(home, "anna", "25"), voice, EmbeddedLips(), home, Progress())
    slotted = pipeline._speech(work)
    speech, frames = slotted.speech, slotted.frames
    assert frames == round(seconds * 25)
    assert len(speech.samples) == round(frames / 25 * SOUND_RATE)
    return speech


@pytest.mark.parametrize("obedience", [1.0, 0.6, 0.4])
def test_no_sound_is_cut_off_by_fitting(tmp_path: Path, obedience: float) -> None:
    voice = SlowToChange(5.5, obedience)
    speech = fitted(tmp_path, voice, 5.2)
    spoken = 5.5 / (1 + (voice.paces[-1] - 1) * obedience)
    assert np.count_nonzero(speech.samples) == round(spoken * SOUND_RATE)
    assert speech.timing.phones[-1].symbol == SILENCE


def test_a_voice_that_cannot_hurry_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught:
        fitted(tmp_path, SlowToChange(5.5, 0.0), 5.2)
    assert caught.value.code == "does_not_fit"
    assert "5.7" in caught.value.remedy


def test_a_timeline_has_one_rate(tmp_path: Path) -> None:
    enrolled(tmp_path, "anna", "30000/1001")
    enrolled(tmp_path, "ben", "25")
    anna, ben = TakeRequest(speaker="anna", text="Hello."), TakeRequest(speaker="ben", text="Hello.")
    assert [request.fps for request in pipeline._at_one_rate([anna, ben], tmp_path)] == ["30000/1001", "30000/1001"]
    assert pipeline._at_one_rate([ben, ben], tmp_path) == [ben, ben]


def test_a_script_with_a_line_that_cannot_be_spoken_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    enrolled(tmp_path, "anna", "25")
    lines = ("Hello there.", "Привет, как дела?")
    requests = [TakeRequest(speaker="anna", text=text) for text in lines]
    script = Script("", tuple(Line(str(number), text) for number, text in enumerate(lines)))
    with pytest.raises(RetakeError) as caught:
        pipeline.render_script(script, requests, home=tmp_path, output_folder=tmp_path / "out", progress=Progress())
    assert caught.value.code == "text_language"
    assert caught.value.kind is ErrorKind.BAD_INPUT
    assert caught.value.cause.startswith("Line 2 ('Привет")
    assert not (tmp_path / "out").exists()


def test_the_cached_voice_goes_with_its_speaker(tmp_path: Path) -> None:
    voice = SlowToChange(2.0, 1.0)
    fitted(tmp_path, voice, 3.0)
    kept = store.speech_folder(tmp_path, "anna")
    assert list(kept.iterdir())
    store.delete(tmp_path, "anna")
    assert not kept.exists()


def test_a_speaker_that_was_replaced_meanwhile_spoils_the_take(tmp_path: Path) -> None:
    speaker = enrolled(tmp_path, "anna", "25")
    work = pipeline._Work(TakeRequest(speaker="anna", text="Hi."), speaker, SlowToChange(1.0, 1.0), EmbeddedLips(), tmp_path, Progress())
    pipeline._check_same_speaker(work)
    with store.building(tmp_path, "anna", replace=True) as folder:
        store.save(folder, speaker.model_copy(update={"fingerprint": "another"}))
    with pytest.raises(RetakeError) as caught:
        pipeline._check_same_speaker(work)
    assert caught.value.code == "speaker_changed"


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        ({"fps": "25"}, True),
        ({"width": 64, "height": 64}, True),
        ({"fps": "30000/1001"}, False),
        ({"width": 128, "height": 64}, False),
        ({"seed": 1}, False),
    ],
)
def test_asking_for_what_the_reference_has_is_the_same_take(tmp_path: Path, asked: dict[str, object], same: bool) -> None:
    speaker = enrolled(tmp_path, "anna", "25")

    def key(**changes: object) -> str:
        request = TakeRequest.model_validate({"speaker": "anna", "text": "Hello.", **changes})
        return pipeline._key(pipeline._Work(request, speaker, SlowToChange(1.0, 1.0), EmbeddedLips(), tmp_path, Progress()))

    assert (key(**asked) == key()) is same


def use(voice: SlowToChange, monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(name: str, *, folder: Path) -> SlowToChange:
        return voice

    monkeypatch.setattr(pipeline, "voice_engine", engine)


@pytest.mark.parametrize("fit", [None, 2.0])
def test_what_was_prepared_is_not_spoken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fit: float | None) -> None:
    enrolled(tmp_path, "anna", "25")
    voice = SlowToChange(2.0, 0.7)
    use(voice, monkeypatch)
    request = TakeRequest(speaker="anna", text="Hello.", fit=fit)
    assert pipeline.prepare_line(request, home=tmp_path, progress=Progress())
    spoken = len(voice.paces)
    assert spoken > 0
    assert not pipeline.prepare_line(request, home=tmp_path, progress=Progress())
    work = pipeline._work_on(request, tmp_path, Progress())
    pipeline._speech(work)
    assert len(voice.paces) == spoken
    assert not work.spoken


def test_there_is_nothing_to_prepare_for_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enrolled(tmp_path, "anna", "25")
    voice = SlowToChange(2.0, 1.0)
    use(voice, monkeypatch)
    assert not pipeline.prepare_line(TakeRequest(speaker="anna", audio="voice.wav"), home=tmp_path, progress=Progress())
    assert not voice.paces


def test_preparing_says_what_is_wrong_with_a_line(tmp_path: Path) -> None:
    enrolled(tmp_path, "anna", "25")
    for request, code in ((TakeRequest(speaker="anna", text=""), "text_empty"), (TakeRequest(speaker="ben", text="Hi."), "unknown_speaker")):
        with pytest.raises(RetakeError) as caught:
            pipeline.prepare_line(request, home=tmp_path, progress=Progress())
        assert caught.value.code == code


def test_warming_up_loads_what_every_take_needs() -> None:
    pipeline.warm_up()
    assert phone_network._network.cache_info().currsize == 1
    assert voiceprint._network.cache_info().currsize == 1
    loaded = phone_network._network.cache_info().misses
    pipeline.warm_up()
    assert phone_network._network.cache_info().misses == loaded


def test_what_takes_are_measured_by_is_never_another_speakers(copy_of_presenter_home: Path) -> None:
    folder = store.speaker_folder(copy_of_presenter_home, "presenter")
    for measured_by in (pipeline._mouth, pipeline._sound):
        first = measured_by(folder, "first")
        assert measured_by(folder, "first") is first
        assert measured_by(folder, "second") is not first  # enrolled anew at the same place
        for number in range(8):
            measured_by(folder, str(number))
        info = measured_by.cache_info()
        assert info.maxsize is not None
        assert info.currsize == info.maxsize <= 4
    embedding = pipeline._sound(folder, "first").voice.embedding
    assert embedding is not None
    assert abs(float(np.linalg.norm(embedding)) - 1.0) < 1e-3


def test_the_users_words_change_the_takes_of_lines_that_hold_them_alone(tmp_path: Path) -> None:
    enrolled(tmp_path, "anna", "25")
    held, free = TakeRequest(speaker="anna", text="Ask SQL."), TakeRequest(speaker="anna", text="Ask me.")
    with wave.open(str(tmp_path / "said.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 16000, "NONE", ""))
        file.writeframes(bytes(32000))
    recording = held.model_copy(update={"audio": str(tmp_path / "said.wav")})
    requests = (held, free, recording)
    before = [pipeline.take_key(request, home=tmp_path) for request in requests]
    (tmp_path / "words.yaml").write_text("SQL: sequel\n", encoding="utf-8")
    listed = [pipeline.take_key(request, home=tmp_path) for request in requests]
    (tmp_path / "words.yaml").write_text("SQL: squeal\n", encoding="utf-8")
    changed = [pipeline.take_key(request, home=tmp_path) for request in requests]
    assert before[1:] == listed[1:] == changed[1:]
    assert len({before[0], listed[0], changed[0]}) == 3


def test_a_style_that_does_not_exist_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    enrolled(tmp_path, "anna", "25")
    with pytest.raises(RetakeError) as caught:
        pipeline.take_key(TakeRequest(speaker="anna", text="Ask me.", style="angry"), home=tmp_path)
    assert caught.value.code == "unknown_style"
    assert "brisk" in caught.value.remedy
