"""Speech put into a slot: pace within 12 %, exact lengths, phones that tile."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retake.domain.errors import RetakeError
from retake.domain.phones import SILENCE
from retake.domain.speech import Speech
from retake.domain.timing import Phone, Timing, Word
from retake.speech.cache import SpeechCache, timing_from_json, timing_to_json
from retake.speech.conform import LEAD, MAX_PACE, MIN_LEAD, MIN_PACE, MIN_TAIL, TAIL, place, slot_for

RATE = 1000


def speech(seconds: float = 2.0) -> Speech:
    middle = seconds / 2
    phones = (Phone("AA", 0.0, middle, 1), Phone("M", middle, seconds))
    return Speech(np.ones(round(seconds * RATE), np.float32), RATE, Timing(phones, (Word("am", 0.0, seconds),)), "test 1")


def test_a_line_that_fits_with_room_keeps_its_pace_and_the_usual_lead() -> None:
    slot = slot_for(2.0, 2.0 + LEAD + TAIL)
    assert slot.pace == pytest.approx(1.0)
    assert slot.lead == pytest.approx(LEAD)


def test_a_short_line_is_slowed_by_12_percent_at_most_and_the_rest_stays_quiet() -> None:
    slot = slot_for(1.0, 30.0)
    assert slot.pace == pytest.approx(MIN_PACE)
    assert slot.lead == pytest.approx(LEAD)


def test_a_long_line_is_quickened_only_as_far_as_needed() -> None:
    assert slot_for(2.0, 2.0 + MIN_LEAD + MIN_TAIL).pace == pytest.approx(1.0)
    assert 1.0 < slot_for(2.0, 2.0).pace <= MAX_PACE


def test_a_line_that_cannot_fit_names_the_shortest_slot_and_that_slot_works() -> None:
    with pytest.raises(RetakeError) as error:
        slot_for(10.0, 5.0)
    assert error.value.code == "does_not_fit"
    shortest = 10.0 / MAX_PACE + MIN_LEAD + MIN_TAIL
    assert f"{shortest:.1f} s" in error.value.cause
    assert slot_for(10.0, shortest + 1e-6).pace == pytest.approx(MAX_PACE, rel=1e-3)


@given(st.floats(0.2, 60), st.floats(0.2, 60))
def test_a_slot_always_holds_the_speech_it_promises(natural: float, seconds: float) -> None:
    try:
        slot = slot_for(natural, seconds)
    except RetakeError:
        assert natural / MAX_PACE > seconds - MIN_LEAD - MIN_TAIL - 1e-5
        return
    assert MIN_PACE - 1e-9 <= slot.pace <= MAX_PACE + 1e-9
    assert slot.lead >= 0
    assert slot.lead + natural / slot.pace <= seconds + 1e-6


def test_placed_speech_has_exactly_the_length_and_its_phones_tile_it() -> None:
    placed = place(speech(), 0.25, 3.5)
    assert len(placed.samples) == 3500
    assert not placed.samples[:250].any()
    assert placed.samples[250:2250].all()
    assert not placed.samples[2250:].any()
    phones = placed.timing.phones
    assert [p.symbol for p in phones] == [SILENCE, "AA", "M", SILENCE]
    assert phones[0].start == 0.0
    assert phones[-1].end == 3.5
    assert all(a.end == pytest.approx(b.start) for a, b in itertools.pairwise(phones))
    assert placed.timing.words[0].start == pytest.approx(0.25)


def test_speech_longer_than_its_place_is_cut_with_its_phones() -> None:
    placed = place(speech(), 0.0, 1.5)
    assert len(placed.samples) == 1500
    assert placed.timing.phones[-1].end == 1.5


def test_timings_survive_json() -> None:
    timing = speech().timing
    assert timing_from_json(timing_to_json(timing)) == timing  # type: ignore[arg-type]


def test_the_cache_returns_what_was_put_and_nothing_else(tmp_path) -> None:  # type: ignore[no-untyped-def]
    cache = SpeechCache(tmp_path / "speech")
    assert cache.get("a") is None
    cache.put("a", speech())
    back = cache.get("a")
    assert back is not None
    assert back.rate == RATE
    assert back.engine == "test 1"
    assert back.timing == speech().timing
    np.testing.assert_array_equal(back.samples, speech().samples)
    assert cache.get("b") is None


@pytest.mark.parametrize("damage", ["a.json", "a.safetensors"])
def test_a_damaged_entry_counts_as_absent(tmp_path, damage: str) -> None:  # type: ignore[no-untyped-def]
    cache = SpeechCache(tmp_path)
    cache.put("a", speech())
    (tmp_path / damage).write_bytes(b"{ not this")
    assert cache.get("a") is None
