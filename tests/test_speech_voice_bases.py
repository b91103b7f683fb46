"""Voices that learning starts from: what is stored, how they mix, and which one a reference gets."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from retake.domain.progress import Progress
from retake.speech import bases
from retake.speech.hibari_net import RATE, VoiceNet, load_base
from retake.speech.material import Material, prepare
from retake.speech.pitch_map import measure_pitch
from retake.speech.plan import plan
from retake.speech.synthesis import Synthesiser, pulse_spectrum, render
from retake.speech.voice_store import VoiceProfile

TEXT = "Nothing could be further from the truth. The old fisherman pushed his boat into the cold grey water."


@pytest.fixture(scope="module")
def base() -> Synthesiser:
    return Synthesiser()


def sentences() -> list[str]:
    return [utterance.phonemes for utterance in plan(TEXT)]


@torch.no_grad()
def spoken(base: Synthesiser, voice: VoiceNet, pitch_factor: float) -> NDArray[np.float32]:
    """TEXT with hibari's prosody, at another pitch."""
    parts = []
    for phonemes in sentences():
        steps = base.durations(phonemes)
        pitch, energy = base.contours(phonemes, steps)
        encoded = base.net.voice.text(torch.tensor([_ids(phonemes)]))
        spectra = voice(encoded, torch.repeat_interleave(torch.arange(len(steps)), steps), pitch, energy)
        parts.append(render(spectra, pulse_spectrum(pitch[0].numpy() * pitch_factor)[None], torch.Generator().manual_seed(1))[0].numpy())
    return np.concatenate([np.pad(part, (0, RATE // 4)) for part in parts])


def _ids(phonemes: str) -> list[int]:
    from retake.speech.hibari_net import phoneme_ids

    return phoneme_ids(phonemes)


def chosen(base: Synthesiser, samples: NDArray[np.float32]) -> bases.Choice:
    material: Material = prepare(base, samples, sentences(), Progress())
    told = torch.from_numpy(measure_pitch(material).to_base(material.pitch))
    return bases.choose_base(base, material, told, Progress())


@pytest.mark.parametrize("name", bases.STORED)
def test_a_stored_base_is_what_its_record_names_and_small(name: str) -> None:
    data = (bases.ASSETS / f"{name}.safetensors").read_bytes()
    record = json.loads((bases.ASSETS / f"{name}.json").read_text(encoding="utf-8"))
    assert hashlib.sha256(data).hexdigest() == record["weights_sha256"]
    assert len(data) <= 5_000_000
    assert record["licence"] == "Apache-2.0"
    assert all(source["licence"] and source["package"] for source in record["sources"])
    sentences_of_the_recipe = bases.ASSETS.parents[3] / "bench" / "base_voice_sentences.txt"
    assert hashlib.sha256(sentences_of_the_recipe.read_bytes()).hexdigest() == record["sentences_sha256"]


def test_the_ends_of_a_mixture_are_the_bases_and_the_middle_lies_between(base: Synthesiser) -> None:
    heart = load_base().voice.state_dict()
    for name in bases.STORED:
        own = bases.load_base_voice(name).state_dict()
        ends = [bases.start(bases.Choice(((bases.HEART, 1.0 - share), (name, share))), base).state_dict() for share in (0.0, 0.5, 1.0)]
        assert all(torch.equal(ends[0][key], heart[key]) and torch.equal(ends[2][key], own[key]) for key in heart)
        middle = max(float((ends[1][key] - (heart[key] + own[key]) / 2).abs().max()) for key in heart)
        assert middle < 1e-5
        assert not torch.equal(own["head.weight"], heart["head.weight"])
        assert torch.equal(own["text.emb.weight"], heart["text.emb.weight"])


def test_an_unknown_base_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="michael"):
        bases.load_base_voice("nobody")


def test_storing_a_difference_keeps_it_to_half_a_step_of_eight_bits() -> None:
    heart, other = load_base().voice, load_base().voice
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        other.head.weight += 0.01 * torch.randn(other.head.weight.shape, generator=generator)
        other.head.bias += 0.5
    from safetensors.torch import save

    back = bases.with_difference(heart, [(save(bases.difference_of(other, heart)), 1.0)])
    step = (other.head.weight - heart.head.weight).abs().amax(1) / 127
    assert bool(((back.head.weight - other.head.weight).abs().amax(1) <= 0.52 * step + 1e-7).all())
    assert torch.allclose(back.head.bias, other.head.bias, atol=1e-3)


def test_a_low_voice_starts_from_the_man_and_hibaris_own_from_the_woman(base: Synthesiser) -> None:
    low = spoken(base, bases.load_base_voice("michael"), 0.57)
    man, again = chosen(base, low), chosen(base, low)
    assert man == again
    assert dict(man.weights)["michael"] > 0
    assert chosen(base, spoken(base, base.net.voice, 1.0)).name == bases.HEART
    assert man.name in man.why
    assert len(man.scores) == len({name for name, _ in man.scores})


def test_choosing_can_be_cancelled(base: Synthesiser) -> None:
    class Stop(Exception):
        pass

    class Stopped(Progress):
        def check(self) -> None:
            raise Stop

    samples = spoken(base, base.net.voice, 1.0)
    material = prepare(base, samples, sentences(), Progress())
    with pytest.raises(Stop):
        bases.choose_base(base, material, torch.from_numpy(material.pitch), Stopped())


def test_a_voice_that_names_no_base_started_from_hibaris_own() -> None:
    assert VoiceProfile.model_fields["base"].default == bases.HEART
