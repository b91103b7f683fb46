"""A reference's sound: what is wrong with it is found where it is, repaired or left out, and a clean one is left alone."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.progress import Progress
from retake.domain.timing import Timing, Word
from retake.media.audio import read_audio
from retake.speech import activity
from retake.speech import hygiene_detect as detect
from retake.speech.cache import save_timing
from retake.speech.hygiene import CleanReference, clean_reference
from retake.speech.hygiene_record import HygieneRecord, LeftOut, clean_voice, kept_sound, load_record, save_record
from retake.speech.hygiene_repair import remove_hum, remove_noise, remove_reverberation
from retake.speech.hygiene_words import kept_words
from retake.speech.spectrogram import Overlap
from retake.speech.voice_activity import speech_probability
from retake.speech.voiceprint import embed

RATE = 24000
Samples = NDArray[np.float32]
PRESENTER = Path(__file__).resolve().parent.parent / "daemon" / "retake" / "assets" / "presenter" / "presenter.mp4"


@lru_cache(maxsize=1)
def presenter() -> Samples:
    samples = read_audio(PRESENTER, RATE)
    samples.setflags(write=False)
    return samples


@lru_cache(maxsize=1)
def cleaned() -> CleanReference:
    return clean_reference(presenter(), RATE)


def speech_level() -> float:
    loud = np.repeat(activity.active(presenter(), RATE), RATE // 100)[: len(presenter())]
    return float(np.sqrt(np.mean(presenter()[: len(loud)][loud] ** 2)))


def noise(count: int, seed: int = 0) -> Samples:
    """Pink, as loud as the speech."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count)) / np.sqrt(np.maximum(np.fft.rfftfreq(count, 1 / RATE), 40))
    sound = np.fft.irfft(spectrum, count)
    return (sound / sound.std() * speech_level()).astype(np.float32)


def chords(count: int) -> Samples:
    """Plucked chords of four notes with overtones, a new one every two seconds, as loud as the speech."""
    time = np.arange(count) / RATE
    out = np.zeros(count)
    for number, root in enumerate((220.0, 174.6, 196.0, 261.6) * (count // (8 * RATE) + 1)):
        since = time - 2.0 * number
        on = (since >= 0) & (since < 2.0)
        for note in (1.0, 1.25, 1.5, 2.0):
            for overtone in range(1, 5):
                out[on] += np.sin(2 * np.pi * root * note * overtone * since[on]) * np.exp(-since[on] / 1.5) / overtone**1.5
    return (out / out.std() * speech_level()).astype(np.float32)


def hummed(samples: Samples) -> Samples:
    time = np.arange(len(samples)) / RATE
    lines = sum(np.sin(2 * np.pi * 50.02 * k * time + k) / k for k in (1, 2, 3, 5, 7))
    return (samples + 0.1 * speech_level() * lines).astype(np.float32)


def in_room(samples: Samples, seconds: float) -> Samples:
    """A synthetic room whose sound dies by 60 dB in `seconds`, its tail as strong as what comes straight."""
    time = np.arange(int(1.2 * seconds * RATE)) / RATE
    tail = np.random.default_rng(1).standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    tail[: int(0.003 * RATE)] = 0
    tail /= np.linalg.norm(tail)
    tail[0] = 1.0
    length = len(samples) + len(tail)
    return np.fft.irfft(np.fft.rfft(samples, length) * np.fft.rfft(tail, length), length)[: len(samples)].astype(np.float32)


def lower_voice(samples: Samples) -> Samples:
    """Another person: the same recording at four fifths of the speed, so that pitch and vocal tract change together."""
    return np.asarray(soxr.resample(samples, 0.78, 1.0), np.float32)


def reasons(found: CleanReference, start: float, end: float) -> set[str]:
    """Why the middle of a stretch is left out."""
    return {part.reason for part in found.left_out if part.start < (start + end) / 2 < part.end}


class TestClean:
    def test_passes_through_sample_by_sample(self):
        assert cleaned().samples is presenter()
        assert cleaned().left_out == ()
        assert cleaned().findings == ()
        assert cleaned().kept.all()
        assert cleaned().measures.snr > 35
        assert cleaned().measures.used == cleaned().measures.speech > 10

    def test_one_person_who_speaks_up_stays_one_person(self):
        half = len(presenter()) // 2
        louder = np.concatenate([presenter()[:half] * np.float32(0.2), presenter()[half:]])
        found = clean_reference(louder, RATE)
        assert found.left_out == ()
        assert found.samples is louder


class TestLeftOut:
    def test_another_voice(self):
        other = lower_voice(presenter()[2 * RATE : 6 * RATE])
        at = 9.0
        sound = np.concatenate([presenter()[: round(at * RATE)], other, presenter()[round(at * RATE) :]])
        end = at + len(other) / RATE
        found = clean_reference(sound, RATE)
        assert reasons(found, at, end) == {"other_voice"}
        assert all(at - 2.5 < part.start and part.end < end + 2.5 for part in found.left_out)
        assert len(found.samples) == len(sound)
        assert np.array_equal(found.samples[: round((at - 3) * RATE)], sound[: round((at - 3) * RATE)]), "the rest is untouched"
        inside = found.samples[round((at + 1) * RATE) : round((end - 1) * RATE)]
        assert np.sqrt(np.mean(inside**2)) < 0.05 * speech_level(), "it is quiet there"
        assert "left_out_other_voice" in {finding.code for finding in found.findings}

    def test_music_under_speech(self):
        sound = presenter().copy()
        low, high = 8 * RATE, 14 * RATE
        sound[low:high] += 0.3 * chords(high - low)
        found = clean_reference(sound, RATE)
        assert reasons(found, 8.0, 14.0) == {"music"}
        assert not found.kept[850:1350].any()
        assert found.kept[:650].all()
        assert found.kept[1600:].all()

    def test_a_burst_of_noise(self):
        sound = presenter().copy()
        sound[5 * RATE : 7 * RATE] += noise(2 * RATE)
        found = clean_reference(sound, RATE)
        assert reasons(found, 5.0, 7.0) == {"noise"}
        assert float((~found.kept).sum()) / 100 < 3.5

    def test_overdriven_speech(self):
        sound = presenter() * np.float32(0.9 / np.abs(presenter()).max())
        peak = np.abs(sound[10 * RATE : 13 * RATE]).max()
        sound[10 * RATE : 13 * RATE] = np.clip(sound[10 * RATE : 13 * RATE] * (5.0 / peak), -0.98, 0.98)
        found = clean_reference(sound, RATE)
        assert "clipped" in {part.reason for part in found.left_out}
        assert found.kept[:900].all()
        assert found.measures.clipped > 0.001

    def test_too_little_left_names_what_was_found(self):
        with pytest.raises(RetakeError) as caught:
            clean_reference((presenter() + 0.4 * chords(len(presenter()))).astype(np.float32), RATE)
        assert caught.value.code == "too_little_clean"
        assert "music" in caught.value.cause
        assert "without" in caught.value.remedy

    def test_stopping(self):
        progress = Progress()
        progress.cancel()
        with pytest.raises(Cancelled):
            clean_reference(presenter(), RATE, progress)


class TestRepaired:
    def test_noise_is_lowered_and_the_voice_comes_closer(self):
        noisy = (presenter() + 0.2 * noise(len(presenter()))).astype(np.float32)
        found = clean_reference(noisy, RATE)
        voice = embed(presenter(), RATE)
        assert found.measures.snr_after > found.measures.snr + 6
        assert embed(found.samples, RATE) @ voice > embed(noisy, RATE) @ voice + 0.05
        assert "sound_noise" in {finding.code for finding in found.findings}
        assert len(found.record.voice) == 256

    def test_hum_goes_and_nothing_else(self):
        sound = hummed(presenter())
        lines = detect.hum_lines(sound, RATE)
        assert [round(line / 50.02) for line in lines[:2]] == [1, 2]
        assert all(abs(line - 50.02 * round(line / 50.02)) < 0.2 for line in lines)
        mended = remove_hum(sound, RATE, lines)
        assert np.sqrt(np.mean((mended - presenter()) ** 2)) < 0.45 * np.sqrt(np.mean((sound - presenter()) ** 2))

    def test_no_hum_in_clean_speech_and_in_music(self):
        assert detect.hum_lines(presenter(), RATE) == []
        assert detect.hum_lines(chords(8 * RATE), RATE) == []

    def test_a_room_is_measured_and_reduced(self):
        dry, wet = detect.decay(presenter(), RATE), detect.decay(in_room(presenter(), 0.6), RATE)
        assert dry is not None
        assert wet is not None
        assert dry < 0.25
        assert wet > 0.35
        part = in_room(presenter()[: 8 * RATE], 0.6)
        mended = remove_reverberation(part, RATE)

        def far(sound: Samples) -> float:
            ours, truth = (20 * np.log10(np.abs(Overlap(1024).split(each)) + 1e-3) for each in (sound, presenter()[: 8 * RATE]))
            return float(np.sqrt(np.mean((ours - truth) ** 2)))

        assert far(mended) < far(part)

    def test_silence_stays_silence(self):
        quiet = np.zeros(4 * RATE, np.float32)
        talking = np.zeros(400, np.bool_)
        assert np.abs(remove_noise(quiet, RATE, talking, 12.0)).max() < 1e-6
        assert np.isfinite(remove_reverberation(quiet, RATE)).all()

    def test_the_same_twice(self):
        noisy = (presenter()[: 10 * RATE] + 0.1 * noise(10 * RATE)).astype(np.float32)
        assert np.array_equal(clean_reference(noisy, RATE).samples, clean_reference(noisy, RATE).samples)


def test_spectra_give_the_same_sound_again():
    sound = np.random.default_rng(0).standard_normal(10_001).astype(np.float32)
    overlap = Overlap(960)
    assert np.abs(overlap.join(overlap.split(sound), len(sound)) - sound).max() < 1e-5


def test_who_talks_is_not_music_or_silence():
    assert speech_probability(chords(6 * RATE), RATE).max() < 0.5
    assert not speech_probability(np.zeros(RATE, np.float32), RATE).any()
    talking = speech_probability(presenter(), RATE) > 0.5
    assert len(talking) == int(np.ceil(len(presenter()) / (0.01 * RATE)))
    assert 0.5 < talking.mean() < 0.9


class TestRecord:
    def record(self) -> HygieneRecord:
        return cleaned().record.model_copy(update={"left_out": (LeftOut(start=1.0, end=2.0, reason="music"),), "voice": (0.6, 0.8)})

    def test_kept_and_read(self, tmp_path: Path):
        save_record(tmp_path, self.record())
        assert load_record(tmp_path) == self.record()
        assert np.array_equal(kept_sound(tmp_path, np.arange(40, dtype=np.float32), 10), np.r_[0:10, 20:40].astype(np.float32))
        assert clean_voice(tmp_path) == pytest.approx(np.array([0.6, 0.8]))

    def test_a_speaker_without_one_counts_as_a_whole(self, tmp_path: Path):
        samples = np.ones(10, np.float32)
        assert load_record(tmp_path) is None
        assert kept_sound(tmp_path, samples, 10) is samples
        assert clean_voice(tmp_path) is None

    def test_words_go_with_their_sound(self, tmp_path: Path):
        words = tuple(Word(text, float(at), at + 0.5) for at, text in enumerate(("One", "two", "three.", "Four", "five.")))
        out = (LeftOut(start=1.9, end=3.2, reason="music"),)
        text = "One two three. Four five."
        assert kept_words(text, out, tmp_path) == text, "without times nothing is known"
        save_timing(tmp_path, Timing((), words))
        assert kept_words(text, out, tmp_path) == "One two. Four five."
        assert kept_words(text, (), tmp_path) == text
        assert kept_words("Other words altogether, of another count", out, tmp_path) == "Other words altogether, of another count"
