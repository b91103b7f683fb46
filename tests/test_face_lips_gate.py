"""Lips of an engine are at rest where nothing is said."""

from __future__ import annotations

import numpy as np
import pytest

from retake.domain.phones import SILENCE
from retake.domain.rate import FrameRate
from retake.domain.timing import Phone, Timing
from retake.face.lips_gate import CLOSING, LEAD, OPENING, shown


def timing(*sounds: tuple[str, float]) -> Timing:
    phones, at = [], 0.0
    for symbol, seconds in sounds:
        phones.append(Phone(symbol, at, at + seconds))
        at += seconds
    return Timing(tuple(phones), ())


@pytest.mark.parametrize("rate", [FrameRate(25), FrameRate(30000, 1001), FrameRate(60)])
def test_words_are_the_engines_and_pauses_are_not(rate: FrameRate) -> None:
    said = timing((SILENCE, 0.5), ("AA", 0.6), (SILENCE, 0.8), ("IY", 0.5), (SILENCE, 0.6))
    weights = shown(said, rate.frames(3.4), rate)
    at = (np.arange(len(weights)) + 0.5) / float(rate)
    assert (weights[(at > 0.5 - LEAD) & (at < 1.1)] == 1).all()
    assert (weights[(at > 1.9 - LEAD) & (at < 2.4)] == 1).all()
    assert (weights[at < 0.5 - LEAD - OPENING] == 0).all()
    assert (weights[(at > 1.1 + CLOSING) & (at < 1.9 - LEAD - OPENING)] == 0).all()
    assert (weights[at > 2.4 + CLOSING] == 0).all()  # also behind the sound
    assert np.abs(np.diff(weights)).max() <= 1.5 / (CLOSING * float(rate)) + 1e-6  # no jumps


def test_short_silences_are_part_of_speech() -> None:
    assert (shown(timing(("AA", 0.5), (SILENCE, 0.2), ("IY", 0.5)), 30, FrameRate(25)) == 1).all()


def test_a_pause_too_short_to_come_to_rest_is_left_in_part() -> None:
    weights = shown(timing(("AA", 0.5), (SILENCE, 0.3), ("IY", 0.5)), 32, FrameRate(25))
    assert 0 <= weights.min() < 0.3 and weights[0] == weights[-1] == 1


def test_nothing_said_is_all_rest() -> None:
    assert (shown(Timing((), ()), 10, FrameRate(25)) == 0).all()
    assert (shown(timing((SILENCE, 0.4)), 10, FrameRate(25)) == 0).all()
    assert len(shown(Timing((), ()), 0, FrameRate(25))) == 0
