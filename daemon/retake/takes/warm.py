"""Load the networks that every take needs, so that the first one of a process does not wait for them."""

from __future__ import annotations

import contextlib

import numpy as np

from retake.domain.errors import RetakeError
from retake.engines.landmarks import FaceDetector
from retake.face.prior import load_prior
from retake.speech.measure import phone_error_rate, voice_similarity
from retake.speech.plan import plan
from retake.speech.synthesis import Synthesiser

from .standard import VOICE_RATE

WORDS = "Hello there."


def load_networks() -> None:
    """Use everything once, on two seconds of noise: pronouncing dictionary, voice, recogniser of phones, embedder of voices, face detector.

    They stay in memory. A face detector that cannot be loaded here is told about by whoever needs it.
    """
    plan(WORDS)
    Synthesiser()
    load_prior()
    noise = np.random.default_rng(0).normal(0.0, 0.05, 2 * VOICE_RATE).astype(np.float32)
    noise[:VOICE_RATE] *= 1e-3  # what does not stand out from silence is not listened to
    phone_error_rate(noise, VOICE_RATE, WORDS)
    voice_similarity(noise, noise, VOICE_RATE)
    with contextlib.suppress(RetakeError):
        FaceDetector(2).close()
