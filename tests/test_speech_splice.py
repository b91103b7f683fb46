"""Words of a recording changed: what is compared, how joins are found and sounds matched, and that everything else stays as it is."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from enrolled import EnrolledHome
from hypothesis import given, settings
from hypothesis import strategies as st

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.phones import PHONES
from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.domain.timing import Timing
from retake.speech import splice_match as match
from retake.speech.embedded import EmbeddedVoice
from retake.speech.measure import phone_error_rate
from retake.speech.psola import move_pitch
from retake.speech.splice import Spliced, splice
from retake.speech.splice_context import context_of
from retake.speech.splice_join import best_cut, crossfade, frames_of, pitch_of, settled
from retake.speech.word_diff import Change, changes, share_changed, words_of

RATE = 24000
TEXT = "We ship the new version on Friday. Nobody waits for us, and the second room is larger than this one."
WORDS = ["we", "ship", "it", "on", "friday", "not", "monday"]


def keys(text: str) -> list[str]:
    return [word.key for word in words_of(text)]


def test_punctuation_and_capitals_are_no_changes() -> None:
    assert changes(keys("We ship on Friday."), keys("we ship — on “Friday”!")) == []
    assert changes(keys("It costs $9.99 now"), keys("It costs $9.98 now")) == [Change(2, 3, 2, 3)]


def test_hints_are_changes() -> None:
    plain = keys("Use SQL here now.")
    assert changes(plain, keys("Use [SQL](say: sequel) here now.")) == [Change(1, 2, 1, 2)]
    assert changes(plain, keys("Use *SQL here* now.")) == [Change(1, 3, 1, 3)]
    assert changes(plain, keys("Use SQL [pause 0.4] here now.")) == [Change(1, 2, 1, 2)]
    (word,) = words_of("[New York](say: noo york)!")
    assert (word.raw, word.written) == ("[New York](say: noo york)!", "New York!")
    assert [word.written for word in words_of("— So, “yes” – no.")] == ["— So,", "“yes” –", "no."]
    assert words_of("Wait [pause 400ms] here.")[0].pause == pytest.approx(0.4)


@given(st.lists(st.sampled_from(WORDS), max_size=14), st.lists(st.sampled_from(WORDS), max_size=14))
def test_changes_turn_old_into_new(old: list[str], new: list[str]) -> None:
    out: list[str] = []
    place = 0
    found = changes(old, new)
    for change in found:
        out += [*old[place : change.old_start], *new[change.new_start : change.new_end]]
        place = change.old_end
    assert [*out, *old[place:]] == new
    assert all(a.old_end < b.old_start and a.new_end < b.new_start for a, b in itertools.pairwise(found))
    assert 0.0 <= share_changed(found, len(old), len(new)) <= 1.0


def test_a_change_is_spoken_in_its_sentence() -> None:
    words = words_of("Dr. Who is in. We ship on Friday. Then we rest.")
    assert context_of(words, Change(5, 6, 5, 6)) == (4, 8)
    assert context_of(words, Change(7, 8, 7, 8)) == (4, 11)  # the pause behind it is spoken, too
    assert context_of(words, Change(0, 1, 0, 1)) == (0, 4)


def tone(hertz: float, seconds: float, level: float = 0.2) -> np.ndarray:
    """A buzz with eight harmonics."""
    time = np.arange(round(seconds * RATE)) / RATE
    harmonics = np.stack([np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 9)])
    return (level * harmonics.sum(0) / 2).astype(np.float32)


def test_pitch_moves_and_time_does_not() -> None:
    sound = tone(150.0, 1.0)
    moved = move_pitch(sound, RATE, np.full(len(sound), 150.0), np.full(len(sound), np.log(1.12)))
    heard = pitch_of(moved, RATE)
    assert len(moved) == len(sound)
    assert np.median(heard[heard > 0]) == pytest.approx(168.0, rel=0.02)
    assert move_pitch(sound, RATE, np.full(len(sound), 150.0), np.zeros(len(sound))) is sound


def test_spectrum_and_level_are_matched() -> None:
    random = np.random.default_rng(0)
    wanted = match.noise_like(np.linspace(1.0, 0.05, match.POINTS // 2 + 1), 3 * RATE, 1)
    given = (random.standard_normal(3 * RATE) * 0.05).astype(np.float32)
    whole = [(0.0, 3.0)]
    one, other = match.spectrum(wanted, RATE, whole), match.spectrum(given, RATE, whole)
    assert one is not None and other is not None
    after = match.spectrum(match.filtered(given, match.equaliser(one, other, RATE)), RATE, whole)
    assert after is not None
    middle = slice(20, 400)
    assert np.abs(10 * np.log10(after[middle] / one[middle])).mean() < 1.0 < np.abs(10 * np.log10(other[middle] / one[middle])).mean()
    level = [match.level_of(sound, RATE, whole) for sound in (wanted, match.noise_like(one, 3 * RATE, 5))]
    assert level[0] == pytest.approx(level[1], abs=0.5)


@given(st.integers(1, 400), st.floats(-1.0, 1.0))
def test_crossfades_keep_the_power(count: int, alike: float) -> None:
    random = np.random.default_rng(count)
    first = random.standard_normal(count).astype(np.float32)
    assert np.allclose(crossfade(first, first), first, atol=1e-5)  # what is alike stays as it is
    other = (alike * first).astype(np.float32)
    assert np.isfinite(crossfade(first, other)).all() and len(crossfade(first, other)) == count


def test_joins_go_where_it_is_quiet_and_waves_meet() -> None:
    sound = np.concatenate([tone(140.0, 0.5), np.zeros(RATE // 10, np.float32), tone(140.0, 0.5)])
    frames = frames_of(sound, RATE, pitch_of(sound, RATE))
    cut = best_cut(frames, frames, (0.4, 0.7), (0.4, 0.7), lambda a, b: 60.0 * np.abs(a - b))
    assert 0.5 < cut.a < 0.6 and cut.kind == "pause"
    inside = replace(cut, a=0.25, b=0.2512, kind="voice")
    a, b, _ = settled(sound, sound, RATE, inside)
    assert np.corrcoef(sound[a - 100 : a + 100], sound[b - 100 : b + 100])[0, 1] > 0.99
    assert np.signbit(sound[a]) != np.signbit(sound[a - 1])


@pytest.fixture(scope="module")
def folder(presenter_home: EnrolledHome) -> Path:
    return presenter_home.path / "speakers" / "presenter"


@pytest.fixture(scope="module")
def engine() -> EmbeddedVoice:
    return EmbeddedVoice()


@pytest.fixture(scope="module")
def speech(folder: Path, engine: EmbeddedVoice) -> Speech:
    return engine.speak(folder, TEXT)


def check_whole(done: Spliced, original: Speech, text: str) -> None:
    """Everything outside the spans is the original's, and times fit."""
    at = old = 0
    for span in done.spans:
        assert np.array_equal(done.speech.samples[at : span.start], original.samples[old : span.old_start])
        assert np.abs(done.speech.samples[span.start : span.end]).max(initial=0.0) < 1.0
        at, old = span.end, span.old_end
    assert np.array_equal(done.speech.samples[at:], original.samples[old:])
    timing = done.speech.timing
    assert [word.text for word in timing.words] == [word.written for word in words_of(text)]
    assert all(word.start < word.end for word in timing.words)
    assert all(a.end <= b.start + 1e-6 for a, b in itertools.pairwise(timing.words))
    assert timing.phones[0].start == 0.0 and timing.phones[-1].end == pytest.approx(done.speech.duration, abs=1e-6)
    assert all(abs(a.end - b.start) < 1e-9 and a.end >= a.start for a, b in itertools.pairwise(timing.phones))
    assert {phone.symbol for phone in timing.phones} <= set(PHONES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version", "edition"),  # one word
        ("new version on", "old edition before"),  # with a kept word's neighbours
        (" second", ""),  # taken out
        ("Nobody waits for us, and the", "The"),
        ("larger", "much larger and warmer"),
        ("We ship", "Today we ship"),  # at the start
        ("We ship", "Ship"),
        ("this one.", "this one over there."),  # at the end
        (" than this one", ""),
    ],
)
def test_edits_leave_the_rest_alone(old: str, new: str, speech: Speech, folder: Path, engine: EmbeddedVoice) -> None:
    text = TEXT.replace(old, new)
    done = splice(speech, text, voice=engine, speaker=folder)
    check_whole(done, speech, text)
    assert done.spans and not done.too_large
    assert phone_error_rate(done.speech.samples, RATE, text) < 0.15


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_any_words_taken_out_leave_the_rest_alone(data: st.DataObject, speech: Speech, folder: Path, engine: EmbeddedVoice) -> None:
    words = TEXT.split()
    kept = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)).filter(any))
    text = " ".join(word for word, keep in zip(words, kept, strict=True) if keep)
    check_whole(splice(speech, text, voice=engine, speaker=folder), speech, text)


def test_nothing_changed(speech: Speech, folder: Path, engine: EmbeddedVoice) -> None:
    done = splice(speech, TEXT.replace("us,", "us –"), voice=engine, speaker=folder)
    assert done.spans == () and np.array_equal(done.speech.samples, speech.samples)
    assert "us –" in [word.text for word in done.speech.timing.words]


@pytest.mark.parametrize(("old", "new"), [("version", "edition"), (" second", "")])
def test_length_can_stay(old: str, new: str, speech: Speech, folder: Path, engine: EmbeddedVoice) -> None:
    text = TEXT.replace(old, new)
    done = splice(speech, text, voice=engine, speaker=folder, keep_length=True)
    check_whole(done, speech, text)
    assert len(done.speech.samples) == len(speech.samples)
    assert all(span.end - span.start == span.old_end - span.old_start for span in done.spans)


def test_what_does_not_fit_is_said(speech: Speech, folder: Path, engine: EmbeddedVoice) -> None:
    with pytest.raises(RetakeError, match="new words need") as caught:
        splice(speech, TEXT.replace("new", "entirely unprecedented"), voice=engine, speaker=folder, keep_length=True)
    assert caught.value.code == "does_not_fit"


def test_large_changes_are_told(speech: Speech, folder: Path, engine: EmbeddedVoice) -> None:
    text = "They built a house by the sea. Nobody waits for them, but their children come home every summer."
    done = splice(speech, text, voice=engine, speaker=folder)
    check_whole(done, speech, text)
    assert done.too_large and done.notes


def test_the_room_and_the_level_go_on(speech: Speech, folder: Path, engine: EmbeddedVoice) -> None:
    done = splice(speech, TEXT.replace("second", "other"), voice=engine, speaker=folder)
    (span,) = done.spans
    level = [float(np.sqrt(np.mean(np.square(part)))) for part in (done.speech.samples[span.start : span.end], speech.samples)]
    assert abs(20 * np.log10(level[0] / level[1])) < 6.0
    again = splice(speech, TEXT.replace("second", "other"), voice=engine, speaker=folder)
    assert np.array_equal(again.speech.samples, done.speech.samples)


def test_errors(speech: Speech, folder: Path, engine: EmbeddedVoice) -> None:
    def code(original: Speech, text: str, old_text: str | None = None) -> str:
        with pytest.raises(RetakeError) as caught:
            splice(original, text, voice=engine, speaker=folder, old_text=old_text)
        assert caught.value.remedy
        return caught.value.code

    assert code(speech, "…") == "text_empty"
    assert code(replace(speech, timing=Timing(speech.timing.phones, ())), "Yes.") == "splice_no_words"
    assert code(replace(speech, timing=replace(speech.timing, exact=False, confidence=0.2)), "Yes.") == "transcript_mismatch"
    assert code(speech, TEXT, TEXT.replace("ship", "sail")) == "splice_words_differ"
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        splice(speech, TEXT.replace("version", "edition"), voice=engine, speaker=folder, progress=progress)
