"""What a splice will change, where times go, several channels, and what is told of recordings that are not as they should be."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from enrolled import EnrolledHome
from hypothesis import given
from hypothesis import strategies as st

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.domain.timing import Timing, Word
from retake.speech import splice_notes as notes
from retake.speech.embedded import EmbeddedVoice
from retake.speech.splice import splice
from retake.speech.splice_fit import recording_of
from retake.speech.splice_join import frames_of, pitch_of
from retake.speech.splice_places import beside
from retake.speech.splice_plan import plan_splice
from retake.speech.splice_times import on_channels, time_map
from retake.speech.stretch import stretch
from retake.speech.word_diff import Change

RATE = 24000
TEXT = "We ship the new version on Friday. Nobody waits for us, and the second room is larger than this one."


@pytest.fixture(scope="module")
def folder(presenter_home: EnrolledHome) -> Path:
    return presenter_home.path / "speakers" / "presenter"


@pytest.fixture(scope="module")
def speech(folder: Path) -> Speech:
    return EmbeddedVoice().speak(folder, TEXT)


@st.composite
def span_lists(draw: st.DrawFn) -> tuple[list[tuple[int, int, int, int]], int]:
    """Changes of a recording in samples, and its length."""
    at = old = 0
    out: list[tuple[int, int, int, int]] = []
    for kept, before, after in draw(st.lists(st.tuples(st.integers(1, 900), st.integers(0, 500), st.integers(0, 500)), max_size=4)):
        start, old_start = at + kept, old + kept
        out.append((start, start + after, old_start, old_start + before))
        at, old = start + after, old_start + before
    return out, old + draw(st.integers(1, 900))


@given(span_lists())
def test_times_go_there_and_back(drawn: tuple[list[tuple[int, int, int, int]], int]) -> None:
    spans, length = drawn
    times = time_map(spans, length, 100)
    assert times.pieces[0].old_start == times.pieces[0].start == 0.0
    assert times.pieces[-1].old_end == pytest.approx(length / 100)
    for one, other in itertools.pairwise(times.pieces):
        assert one.old_end == pytest.approx(other.old_start) and one.end == pytest.approx(other.start)
    for piece in times.pieces:
        if piece.kept:
            assert piece.old_end - piece.old_start == pytest.approx(piece.end - piece.start)
            middle = (piece.old_start + piece.old_end) / 2
            assert times.old(times.new(middle)) == pytest.approx(middle)
    moments = np.linspace(-1.0, length / 100 + 1.0, 50)
    assert (np.diff([times.new(moment) for moment in moments]) >= -1e-9).all()


@given(span_lists(), st.integers(1, 3))
def test_channels_keep_what_did_not_change(drawn: tuple[list[tuple[int, int, int, int]], int], count: int) -> None:
    spans, length = drawn
    random = np.random.default_rng(length)
    channels = random.standard_normal((length, count)).astype(np.float32)
    size = length + sum((end - start) - (old_end - old_start) for start, end, old_start, old_end in spans)
    made = random.standard_normal(size).astype(np.float32)
    out = on_channels(channels, made, spans, 100)
    assert out.shape == (size, count)
    at = old = 0
    for start, end, old_start, old_end in [*spans, (size, size, length, length)]:
        assert np.array_equal(out[at:start], channels[old:old_start])
        at, old = end, old_end
    with pytest.raises(ValueError, match="same recording"):
        on_channels(channels, made[:-1], spans, 100)


def test_the_new_sound_is_where_the_voice_is(speech: Speech, folder: Path) -> None:
    """A voice that is louder on the left stays there; the mean of both channels is what was spliced."""
    channels = np.stack([1.2 * speech.samples, 0.8 * speech.samples], axis=1)
    done = splice(replace(speech, samples=channels.mean(1)), TEXT.replace("version", "edition"), voice=EmbeddedVoice(), speaker=folder)
    spans = [(one.start, one.end, one.old_start, one.old_end) for one in done.spans]
    out = on_channels(channels, done.speech.samples, spans, RATE)
    assert np.allclose(out[:, 0], 1.2 * done.speech.samples, atol=2e-3)
    assert np.allclose(out.mean(1), done.speech.samples, atol=2e-3)


def test_a_plan_tells_what_splice_does(speech: Speech, folder: Path) -> None:
    text = TEXT.replace("version", "edition of the book").replace(" second", "")
    plan = plan_splice(speech, text)
    done = splice(speech, text, voice=EmbeddedVoice(), speaker=folder)
    assert len(plan.changes) == len(done.spans) == 2
    for planned, span in zip(plan.changes, done.spans, strict=True):
        assert (planned.old_words, planned.new_words) == (span.old_words, span.new_words)
        assert planned.low - 0.02 <= span.old_start / RATE <= span.old_end / RATE <= planned.high + 0.02
        assert planned.low <= planned.start <= planned.end <= planned.high
    longer, gone = plan.changes
    assert longer.context == "We ship the new edition of the book on Friday." and gone.context == ""
    said = next(word for word in done.speech.timing.words if word.text == "edition"), next(w for w in done.speech.timing.words if w.text == "book")
    assert longer.new_seconds == pytest.approx(said[1].end - said[0].start, rel=0.4)
    assert not longer.fits and gone.new_seconds == 0.0
    assert plan.times.pieces[-1].end == pytest.approx(done.speech.duration, rel=0.1)
    end = speech.timing.words[-1].start
    assert done.times.new(end) == pytest.approx(done.speech.timing.words[-1].start, abs=1e-6)
    assert plan_splice(speech, TEXT).changes == ()


def test_a_plan_says_why_more_is_said_anew(speech: Speech) -> None:
    words = speech.timing.words
    short = tuple(Word(w.text, w.start, w.start + 0.1) if w.text == "the" else w for w in words)
    original = replace(speech, timing=replace(speech.timing, words=short))
    (change,) = plan_splice(original, TEXT.replace("ship the new", "send the old")).changes
    assert change.old_words == ("ship", "the", "new") and "'the'" in change.reasons[0]


def test_the_same_words_are_found_in_both(speech: Speech) -> None:
    """A reading at another pace: every place of a word finds its place there."""
    slow = stretch(speech.samples, RATE, 0.8)
    factor = len(slow) / len(speech.samples)
    frames = [frames_of(sound, RATE, pitch_of(sound, RATE)) for sound in (speech.samples, slow)]
    words = [word for word in speech.timing.words if word.text in ("second", "room")]
    pairs = [(word, Word(word.text, word.start * factor, word.end * factor)) for word in reversed(words)]
    side = beside(frames[0], frames[1], pairs, back=True)
    assert side is not None
    places = np.linspace(words[0].start + 0.03, words[1].end - 0.03, 40)
    assert np.abs(side.there(places) - places * factor).mean() < 0.02


def test_a_loud_reading_does_not_clip(speech: Speech, folder: Path) -> None:
    text = TEXT.replace("second", "*enormous*")
    done = splice(replace(speech, samples=speech.samples / np.abs(speech.samples).max() * 0.97), text, voice=EmbeddedVoice(), speaker=folder)
    assert np.abs(done.speech.samples).max() <= 0.985


def test_a_long_silence_first_does_not_matter(speech: Speech, folder: Path) -> None:
    silence = 6 * RATE
    late = Speech(np.pad(speech.samples, (silence, 0)), RATE, speech.timing.shifted(silence / RATE))
    done = splice(late, TEXT.replace("We ship", "They ship"), voice=EmbeddedVoice(), speaker=folder)
    (span,) = done.spans
    assert span.old_start > silence - RATE
    first = done.speech.timing.words[0]
    assert first.start == pytest.approx(late.timing.words[0].start, abs=0.15)


def test_a_wrong_transcript_is_named(speech: Speech, folder: Path) -> None:
    said = "Our boats were painted yellow last summer before anybody noticed that some children have gone home already this winter"
    other = said.split()
    words = tuple(replace(word, text=text) for word, text in zip(speech.timing.words, other, strict=False))
    wrong = replace(speech, timing=Timing(speech.timing.phones, words, exact=False, confidence=0.9))
    text = " ".join(word.text for word in words).replace("yellow", "green")
    with pytest.raises(RetakeError, match="does not say '") as caught:
        splice(wrong, text, voice=EmbeddedVoice(), speaker=folder)
    assert caught.value.code == "transcript_mismatch"
    right = replace(speech, timing=replace(speech.timing, exact=False, confidence=0.9))
    recording = recording_of(right.samples, RATE, right.timing.words, right.timing.phones, folder)
    assert notes.unheard(recording, Change(4, 5, 4, 5), 0.0, Progress()) == []


def test_music_and_sounds_without_words_are_told(speech: Speech, folder: Path) -> None:
    def told(samples: np.ndarray, words: tuple[Word, ...]) -> list[str]:
        recording = recording_of(samples, RATE, words, speech.timing.phones, folder)
        return notes.sound_notes(recording, Change(8, 9, 8, 9), [])

    words = speech.timing.words
    assert told(speech.samples, words) == []
    seconds = np.arange(len(speech.samples)) / RATE
    chord = sum(0.01 * np.sin(2 * np.pi * hertz * seconds) for hertz in (262, 330, 392))
    assert any("music" in note for note in told((speech.samples + chord).astype(np.float32), words))
    # The time of a word that the transcript lacks belongs to a pause.
    missing = (*words[:8], *words[9:])
    assert any("transcript does not have" in note for note in told(speech.samples, missing))
