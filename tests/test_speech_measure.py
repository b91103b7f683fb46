"""Figures about voices and recordings."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import numpy as np
import pyloudnorm
import pytest
import soxr
from numpy.typing import NDArray

from retake.media.audio import read_audio
from retake.speech.activity import active, levels, stretches
from retake.speech.loudness import SILENT, limit, loudness, true_peak
from retake.speech.measure import edit_distance, has_speech, phone_error_rate, similarity_meaning, sound_quality, voice_similarity

RATE = 16000
SAID = "Hello, and welcome. I am a synthetic presenter: a digital face with a measured, friendly voice."


@lru_cache(maxsize=1)
def voice() -> NDArray[np.float32]:
    """The presenter's first two sentences: about 7 s with pauses."""
    with resources.as_file(resources.files("retake") / "assets" / "presenter" / "presenter.mp4") as path:
        return read_audio(path, RATE, seconds=7.3)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def chords(seconds: float) -> NDArray[np.float32]:
    """Music-like: broken chords of decaying harmonics."""
    out = np.zeros(round(seconds * RATE))
    for beat, root in enumerate(np.resize([220.0, 174.6, 261.6, 196.0], round(seconds * 2))):
        part = out[beat * RATE // 2 :]
        time = np.arange(min(len(part), RATE)) / RATE
        for interval in (1.0, 1.26, 1.5, 2.0):
            for harmonic in (1, 2, 3):
                part[: len(time)] += np.exp(-3 * time) * np.sin(2 * np.pi * root * interval * harmonic * time) / harmonic
    return (0.3 * out / np.abs(out).max()).astype(np.float32)


def drums(seconds: float) -> NDArray[np.float32]:
    out = np.zeros(round(seconds * RATE))
    for beat in range(round(seconds * 4)):
        part = out[beat * RATE // 4 :]
        time = np.arange(len(part)) / RATE
        part += (rng().normal(size=len(part)) if beat % 2 else np.sin(2 * np.pi * 60 * time)) * np.exp(-25 * time)
    return (0.3 * out / np.abs(out).max()).astype(np.float32)


def not_speech() -> dict[str, NDArray[np.float32]]:
    time = np.arange(5 * RATE) / RATE
    vibrato = np.sum([0.2 * np.sin(2 * np.pi * f * time + f / 130 * np.sin(2 * np.pi * 5.5 * time)) for f in (440, 880, 1320)], axis=0)
    beats = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * time)
    return {
        "nothing": np.zeros(0, np.float32),
        "silence": np.zeros(5 * RATE, np.float32),
        "offset": np.full(5 * RATE, 0.3, np.float32),
        "tone": (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32),
        "hum": (0.01 * np.sin(2 * np.pi * 50 * time)).astype(np.float32),
        "white noise": rng().normal(0, 0.1, 5 * RATE).astype(np.float32),
        "room noise": np.cumsum(rng().normal(0, 1e-4, 5 * RATE)).astype(np.float32),
        "throbbing noise": (beats * rng().normal(0, 0.1, 5 * RATE)).astype(np.float32),
        "vibrato": vibrato.astype(np.float32),
        "clicks": (np.arange(5 * RATE) % (RATE // 2) < 20).astype(np.float32),
        "chords": chords(5),
        "drums": drums(5),
        "band": 0.5 * (chords(5) + drums(5)),
    }


@pytest.mark.parametrize("name", list(not_speech()))
def test_what_is_no_speech(name: str) -> None:
    assert not has_speech(not_speech()[name], RATE)


def test_speech_is_found_also_in_noise_with_music_and_between_long_silences() -> None:
    sound = voice()
    root = float(np.sqrt(np.mean(sound**2)))
    assert has_speech(sound, RATE)
    assert has_speech(sound * 0.003, RATE)
    assert has_speech(sound + rng().normal(0, root * 10**-0.5, len(sound)).astype(np.float32), RATE)
    music = np.resize(chords(5), len(sound))
    assert has_speech((sound + music * (root / float(np.sqrt(np.mean(music**2))) * 10**-0.5)).astype(np.float32), RATE)
    silence = np.zeros(30 * RATE, np.float32)
    assert has_speech(np.concatenate([silence, sound[: 2 * RATE], silence]), RATE)
    assert has_speech(soxr.resample(sound, RATE, 48000).astype(np.float32), 48000)


def test_activity_follows_the_sound_at_any_level() -> None:
    sound = voice()
    loud = active(sound, RATE)
    assert len(loud) == len(levels(sound, RATE)) == int(np.ceil(len(sound) / 160))
    assert not loud[:50].any()  # half a second of silence before "Hello"
    assert 0.4 < loud.mean() < 0.9
    assert (active(sound * 0.01, RATE) == loud).mean() > 0.97
    assert (active(sound + rng().normal(0, 1e-3, len(sound)).astype(np.float32), RATE) == loud).mean() > 0.93
    assert not active(np.zeros(RATE, np.float32), RATE).any()
    assert active(np.zeros(0, np.float32), RATE).shape == (0,)


def test_stretches_bridge_short_gaps() -> None:
    flags = np.zeros(300, np.bool_)
    flags[50:100] = flags[120:150] = flags[280:290] = True
    assert stretches(flags, gap=0.5, margin=0.1) == [(0.4, 1.6), (2.7, 3.0)]


def test_one_voice_is_more_like_itself_than_like_another() -> None:
    sound = voice()
    half = len(sound) // 2
    same = voice_similarity(sound[:half], sound[half:], RATE)
    assert same is not None and same >= 0.8
    # A person with a vocal tract a quarter longer and a voice a quarter lower sounds like the recording slowed down.
    other = soxr.resample(sound, RATE, round(RATE * 1.25)).astype(np.float32)
    different = voice_similarity(sound, other, RATE)
    assert different is not None and different < same - 0.15
    assert voice_similarity(sound, sound * 0.05, RATE) == pytest.approx(1.0, abs=0.02)


def test_without_speech_there_is_no_similarity() -> None:
    assert voice_similarity(voice(), np.zeros(RATE, np.float32), RATE) is None
    assert "too little" in similarity_meaning(None)
    assert len({similarity_meaning(value) for value in (0.3, 0.7, 0.9)}) == 3


def test_phone_error_rate_is_low_for_the_words_said_and_high_for_others() -> None:
    assert phone_error_rate(voice(), RATE, SAID) <= 0.15
    assert phone_error_rate(voice(), RATE, "The quick brown fox jumps over the lazy dog, and that is that.") >= 0.6
    assert phone_error_rate(np.zeros(RATE, np.float32), RATE, SAID) == 1.0


def test_edit_distance() -> None:
    assert edit_distance(list("kitten"), list("sitting")) == 3
    assert edit_distance([], list("abc")) == 3
    assert edit_distance(list("abc"), []) == 3
    assert edit_distance(list("flaw"), list("lawn")) == 2
    assert edit_distance(list("same"), list("same")) == 0


def test_sound_quality_measures_noise_clipping_bandwidth_and_hum() -> None:
    sound = voice()
    clean = sound_quality(sound, RATE)
    assert clean["has_speech"] and clean["snr"] > 35 and clean["clipped"] == 0 and clean["humming"] == 0
    assert 0.15 < clean["pauses"] < 0.6
    assert clean["duration"] == pytest.approx(len(sound) / RATE, abs=1e-3)
    speech = float(np.sqrt(np.mean(sound[active_samples(sound)] ** 2)))
    noisy = sound_quality(sound + rng().normal(0, speech * 10 ** (-20 / 20), len(sound)).astype(np.float32), RATE)
    assert noisy["snr"] == pytest.approx(20, abs=4)
    clipped = sound_quality(np.clip(sound * 8, -0.9, 0.9).astype(np.float32), RATE)
    assert clipped["clipped"] > 0.005
    narrow = soxr.resample(soxr.resample(sound, RATE, 8000), 8000, RATE).astype(np.float32)
    assert sound_quality(narrow, RATE)["bandwidth"] == pytest.approx(4000, abs=400)
    assert clean["bandwidth"] > 6000
    hum = sound_quality((sound + 0.003 * np.sin(2 * np.pi * 50 * np.arange(len(sound)) / RATE)).astype(np.float32), RATE)
    assert hum["humming"] > 12


def active_samples(sound: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.repeat(active(sound, RATE), 160)[: len(sound)]


def test_sound_quality_of_nothing() -> None:
    for sound in (np.zeros(0, np.float32), np.zeros(RATE, np.float32)):
        figures = sound_quality(sound, RATE)
        assert not figures["has_speech"]
        assert figures["loudness"] == SILENT
        assert all(np.isfinite(value) for value in figures.values())


def test_loudness_of_a_reference_tone() -> None:
    """BS.1770-4: a 997 Hz sine at 0 dBFS in one channel reads -3.01 LUFS."""
    time = np.arange(48000 * 5) / 48000
    tone = np.sin(2 * np.pi * 997 * time).astype(np.float32)
    assert loudness(tone, 48000) == pytest.approx(-3.01, abs=0.1)
    assert loudness(tone * 0.1, 48000) == pytest.approx(-23.01, abs=0.1)
    assert loudness(np.zeros(48000, np.float32), 48000) == SILENT
    assert loudness(tone[:4800], 48000) == pytest.approx(-3.01, abs=0.5)


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 48000])
def test_loudness_agrees_with_another_meter(rate: int) -> None:
    """Longer than a piece, so that the pieces are joined; with pauses, so that the gates close."""
    random = np.random.default_rng(rate)
    at = np.arange(25 * rate) / rate
    sound = (random.standard_normal(len(at)) * 0.1 * np.clip(np.sin(3 * at), 0, 1)).astype(np.float32)
    assert loudness(sound, rate) == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(sound.astype(np.float64)), abs=0.001)


def test_peaks_are_held_across_pieces() -> None:
    """A peak at the border of two pieces (2 ** 18 samples)."""
    sound = np.zeros(600_000, np.float32)
    sound[(1 << 18) - 1 : (1 << 18) + 1] = 1.0
    assert true_peak(sound) == pytest.approx(true_peak(sound[250_000:270_000]), abs=1e-3)
    assert true_peak(limit(sound, RATE)) <= -1.0 + 0.01


def test_limiter_leaves_quiet_sound_alone_and_sees_peaks_between_samples() -> None:
    sound = voice() * 0.5
    assert limit(sound, RATE) is sound
    # A quarter of the rate, sampled 45 degrees off its peaks: the samples stay at 0.707 of what a player puts out.
    tone = (1.2 * np.sin(2 * np.pi * 0.25 * np.arange(RATE) + np.pi / 4)).astype(np.float32)
    assert np.abs(tone).max() < 0.86
    assert true_peak(tone) == pytest.approx(20 * np.log10(1.2), abs=0.3)
    assert true_peak(limit(tone, RATE)) <= -1.0 + 0.05
    assert true_peak(np.zeros(0, np.float32)) == float("-inf")
