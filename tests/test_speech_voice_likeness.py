"""The speaker embedder in torch against the graph it is read from, and the loss made of it."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
import torch

from retake.speech import voiceprint
from retake.speech.hibari_net import RATE
from retake.speech.likeness import Likeness
from retake.speech.plan import plan
from retake.speech.synthesis import Synthesiser
from retake.speech.voiceprint_torch import FRAMES, Voiceprint

TEXT = "The boy was there when the sun rose, and a large size in stockings is hard to sell."


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return Synthesiser().speak_phonemes(plan(TEXT)[0].phonemes)[0]


def test_embeddings_agree_with_the_graph(sound: np.ndarray) -> None:
    network = Voiceprint()
    voiced = soxr.resample(voiceprint.voiced_part(sound, RATE), voiceprint.RATE, RATE).astype(np.float32)
    mel = network.mel(torch.from_numpy(voiced)[None])[0]
    made = network(mel.unfold(0, FRAMES, FRAMES // 2).transpose(1, 2)).mean(0).numpy()
    assert float(made @ voiceprint.embed(sound, RATE)) / float(np.linalg.norm(made)) > 0.995


def test_likeness_tells_voices_apart_and_can_be_followed(sound: np.ndarray) -> None:
    alike = Likeness(sound, 4)
    same = torch.from_numpy(sound)[None].requires_grad_()
    near = alike(same)
    other = torch.from_numpy(soxr.resample(sound, RATE, RATE * 1.25).astype(np.float32))[None]
    assert near.item() < 0.1 < alike(other).item()
    near.backward()
    assert same.grad is not None and torch.isfinite(same.grad).all() and same.grad.abs().max() > 0


def test_too_little_sound_costs_nothing(sound: np.ndarray) -> None:
    assert Likeness(sound, 4)(torch.zeros(1, RATE // 2)).item() == 0.0
