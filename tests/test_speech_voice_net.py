"""The torch network says what the ONNX graph it came from says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from retake.speech.hibari_net import HOP, expand, phoneme_ids, vocabulary
from retake.speech.synthesis import Synthesiser, pulse_spectrum, render

SENTENCE = "pɹˈɪntɪŋ, ɪn ði ˈOnli sˈɛns wɪð wˌɪʧ wi ɑɹ æt pɹˈɛzᵊnt kənsˈɜɹnd, dˈɪfəɹz fɹʌm mˈOst ˈɑɹts."


@pytest.fixture(scope="module")
def base() -> Synthesiser:
    return Synthesiser()


def onnx_outputs(phonemes: str) -> list[np.ndarray]:
    import hibari
    import onnxruntime

    graph = onnxruntime.InferenceSession(str(Path(hibari.__file__).parent / "assets" / "hibari.onnx"), providers=["CPUExecutionProvider"])
    feeds = {"ids": np.array([phoneme_ids(phonemes)], np.int64), "speed": np.ones(1, np.float32)}
    return [np.asarray(output) for output in graph.run(None, feeds)]


def test_agrees_with_the_graph_it_was_read_from(base: Synthesiser) -> None:
    log_harmonic, _, log_noise, log_free, _, pitch = onnx_outputs(SENTENCE)
    durations = base.durations(SENTENCE)
    ours_pitch, energy = base.contours(SENTENCE, durations)
    with torch.no_grad():
        encoded = base.net.voice.text(torch.tensor([phoneme_ids(SENTENCE)]))
        spectra = base.net.voice(encoded, expand(durations), ours_pitch, energy)
    assert spectra.log_harmonic.shape == log_harmonic.shape
    for ours, theirs in ((spectra.log_harmonic, log_harmonic), (spectra.log_noise, log_noise), (spectra.log_free, log_free)):
        assert np.abs(ours.numpy() - theirs).mean() < 0.08
    assert np.abs(ours_pitch.numpy() - pitch).mean() < 1.0


def test_durations_tile_the_samples(base: Synthesiser) -> None:
    samples, durations = base.speak_phonemes(SENTENCE)
    assert len(durations) == len(phoneme_ids(SENTENCE))
    assert len(samples) == durations.sum() * 2 * HOP
    assert durations.min() >= 1
    assert 0.02 < np.sqrt(np.mean(samples**2)) < 0.1


def test_a_seed_fixes_the_noise(base: Synthesiser) -> None:
    first, again, other = (base.speak_phonemes("həlˈO ðˈɛɹ.", seed=seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_pace_shortens(base: Synthesiser) -> None:
    plain, quick = (base.durations(SENTENCE, pace).sum().item() for pace in (1.0, 1.25))
    assert 0.72 < quick / plain < 0.9


def test_unknown_characters_are_left_out() -> None:
    assert phoneme_ids("h€ə") == phoneme_ids("hə")
    assert 0 not in [phoneme_ids(symbol)[1] for symbol in vocabulary()]


def test_rendering_is_differentiable(base: Synthesiser) -> None:
    pitch = np.full(40, 150.0, np.float32)
    encoded = base.net.voice.text(torch.tensor([phoneme_ids("hə")]))
    energy = torch.full((1, 40), 4.0, requires_grad=True)
    spectra = base.net.voice(encoded, torch.zeros(20, dtype=torch.int64), torch.from_numpy(pitch)[None], energy)
    sound = render(spectra, pulse_spectrum(pitch)[None], torch.Generator().manual_seed(0))
    assert sound.shape == (1, 40 * HOP)
    sound.square().mean().backward()
    assert energy.grad is not None and energy.grad.abs().sum() > 0
