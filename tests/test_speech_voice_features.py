"""Measurements on speech and the alignment that rests on them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from retake.speech import dtw, features
from retake.speech.hibari_net import HOP, RATE
from retake.speech.material import prepare, read_script
from retake.speech.synthesis import Synthesiser

SENTENCES = ["ðə bˈY wʌz ðˈɛɹ wˌɛn ðə sˈʌn ɹˈOz.", "ə pˈɑt ʌv tˈi hˈɛlps tə pˈæs ði ˈivnɪŋ."]


@pytest.fixture(scope="module")
def base() -> Synthesiser:
    return Synthesiser()


def buzz(hertz: float, seconds: float) -> np.ndarray:
    """A voice-like sound: harmonics falling off by 12 dB an octave."""
    time = np.arange(round(seconds * RATE)) / RATE
    return sum(np.cos(2 * np.pi * hertz * k * time) / k**2 for k in range(1, int(6000 / hertz))).astype(np.float32) * 0.2


@pytest.mark.parametrize("hertz", [85.0, 130.0, 240.0])
def test_pitch_of_a_steady_voice(hertz: float) -> None:
    found = features.pitch(buzz(hertz, 1.0))
    inside = found[8:-8]
    assert len(found) == 80
    assert (inside > 0).mean() > 0.95
    assert abs(np.median(inside[inside > 0]) / hertz - 1) < 0.01


def test_silence_has_no_pitch() -> None:
    assert not features.pitch(np.zeros(RATE, np.float32)).any()
    assert features.pitch(np.zeros(100, np.float32)).shape == (0,)


def test_pitch_and_energy_agree_with_the_network(base: Synthesiser) -> None:
    samples, durations = base.speak_phonemes(SENTENCES[0])
    script = read_script(base, SENTENCES[:1])
    assert np.array_equal(script.durations, durations)
    pitch, energy = features.pitch(samples), features.energy(samples)
    both = (pitch > 0) & (script.pitch > 60)
    assert np.median(np.abs(np.log(pitch[both] / script.pitch[both]))) < 0.02
    assert ((pitch > 0) == (script.pitch > 50)).mean() > 0.85
    assert np.corrcoef(energy, script.energy)[0, 1] > 0.97
    assert abs(np.mean(energy - script.energy)) < 0.4


def test_warp_follows_a_stretched_copy() -> None:
    random = np.random.default_rng(0)
    first = np.cumsum(random.standard_normal((60, 6)), 0).astype(np.float32)
    truth = np.sort(np.concatenate([np.arange(60), random.integers(0, 60, 40)]))
    found, cost = dtw.warp(first, first[truth])
    assert found[0] == 0 and found[-1] == 59
    assert (np.diff(found) >= 0).all()
    assert np.abs(found - truth).mean() < 0.2
    assert cost < 0.05


def test_warp_of_single_frames() -> None:
    assert dtw.warp(np.ones((1, 2), np.float32), np.ones((3, 2), np.float32))[0].tolist() == [0, 0, 0]
    assert dtw.warp(np.ones((3, 2), np.float32), np.ones((1, 2), np.float32))[0].tolist() == [2]
    with pytest.raises(ValueError, match="nothing"):
        dtw.warp(np.ones((0, 2), np.float32), np.ones((1, 2), np.float32))


def test_alignment_finds_words_that_were_moved(base: Synthesiser) -> None:
    """The base voice itself, slower and with a pause put between the sentences."""
    parts = [base.speak_phonemes(phonemes, pace=0.85, seed=5) for phonemes in SENTENCES]
    pause = np.zeros(round(0.6 * RATE), np.float32)
    material = prepare(base, np.concatenate([parts[0][0], pause, parts[1][0]]), SENTENCES)
    truth = np.repeat(np.arange(len(parts[0][1]) + len(parts[1][1])), np.concatenate([parts[0][1], parts[1][1]]))
    truth = np.insert(truth, parts[0][1].sum(), np.full(24, len(parts[0][1]) - 1))
    spoken = material.script.spoken()[truth]
    late = [np.searchsorted(material.index, number) - np.searchsorted(truth, number) for number in np.unique(truth[spoken])]
    assert np.median(np.abs(late)) <= 1
    assert np.percentile(np.abs(late), 90) <= 3


def test_quiet_finds_pauses() -> None:
    random = np.random.default_rng(1)
    samples = np.concatenate([buzz(120, 0.6), np.zeros(RATE // 2, np.float32), buzz(150, 0.6)])
    samples += 1e-3 * random.standard_normal(len(samples)).astype(np.float32)
    quiet = features.quiet(samples)
    assert quiet[52:84].all()
    assert not quiet[4:44].any() and not quiet[94:130].any()


@pytest.mark.parametrize(("cutoff", "rate"), [(3400, 48000), (7500, 48000), (3400, 24000)])
def test_bandwidth_of_filtered_speech(cutoff: int, rate: int, base: Synthesiser) -> None:
    import soxr

    samples = soxr.resample(base.speak_phonemes(SENTENCES[0])[0], RATE, rate)
    narrow = sosfilt(butter(12, cutoff, fs=rate, output="sos"), samples).astype(np.float32)
    assert cutoff * 0.8 < features.bandwidth(narrow, rate) < cutoff * 1.5
    assert features.bandwidth(np.ascontiguousarray(samples), rate) > 8000


def test_frames_are_whole_steps() -> None:
    assert features.frames_of(np.zeros(5 * HOP + 7, np.float32)) == 4
    assert len(features.level(np.ones(5 * HOP, np.float32))) == 4
