"""Words in their slot, and the slot between its handles: where they begin and end, how long everything lasts, what does not fit."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.speech import Speech
from retake.domain.take import Take, TakeFiles, TakeRequest
from retake.domain.timing import Phone, Timing, Word
from retake.media.audio import read_audio, write_wav
from retake.speech.conform import LEAD, TAIL
from retake.speech.slot import Slotted, handles_needed, in_slot

SOUND_RATE = 24000
RATES = ("24", "25", "24000/1001", "30000/1001", "60")


def say(seconds: float):
    """Words that last `seconds` at their own pace. Every sample is sound."""

    def spoken(pace: float) -> Speech:
        count = round(seconds / pace * SOUND_RATE)
        last = count / SOUND_RATE
        return Speech(np.full(count, 0.1, np.float32), SOUND_RATE, Timing((Phone("AA", 0.0, last),), (Word("Ah.", 0.0, last),)))

    return spoken


def slotted(seconds: float, rate: str = "25", **asked: object) -> Slotted:
    request = TakeRequest.model_validate({"speaker": "anna", "text": "Hello."} | asked)
    return in_slot(request, FrameRate.parse(rate), say(seconds), Progress())


def heard(found: Slotted, rate: str = "25") -> tuple[float, float]:
    """First and last frame in which something is heard."""
    sound = np.flatnonzero(found.speech.samples)
    return float(sound[0] / SOUND_RATE * float(FrameRate.parse(rate))), float((sound[-1] + 1) / SOUND_RATE * float(FrameRate.parse(rate)))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(RATES), st.floats(0.3, 6.0), st.integers(0, 250), st.sampled_from(["fit", "natural"]), st.floats(0.9, 1.6))
def test_handles_come_before_and_behind_and_change_nothing_between(rate: str, seconds: float, handles: int, pace: str, room: float) -> None:
    exact = FrameRate.parse(rate)
    for fit in (None, seconds * room + 0.3):
        try:
            plain = slotted(seconds, rate, fit=fit, pace=pace)
        except RetakeError:
            continue
        found = slotted(seconds, rate, fit=fit, pace=pace, handles=handles)
        assert found.frames == plain.frames + 2 * handles
        assert len(found.speech.samples) == round(exact.seconds(found.frames) * SOUND_RATE)
        shift = exact.seconds(handles)
        first, other = np.flatnonzero(found.speech.samples)[0], np.flatnonzero(plain.speech.samples)[0]
        assert abs((first - other) / SOUND_RATE - shift) <= 1 / SOUND_RATE
        assert np.count_nonzero(found.speech.samples) == np.count_nonzero(plain.speech.samples)
        assert found.speech.timing.words[0].start == pytest.approx(plain.speech.timing.words[0].start + shift, abs=1e-4)
        phones = found.speech.timing.phones
        assert phones[0].start == 0.0
        assert phones[-1].end == pytest.approx(exact.seconds(found.frames), abs=1e-6)
        assert all(abs(one.end - following.start) < 1e-6 for one, following in itertools.pairwise(phones))


def test_words_at_their_own_pace_keep_it() -> None:
    roomy = slotted(2.0, fit=4.0, pace="natural", handles=10)
    first, last = heard(roomy)
    assert first == pytest.approx(10 + LEAD * 25)
    assert last - first == pytest.approx(2.0 * 25)
    assert roomy.overhang == 0.0
    fitted = slotted(2.0, fit=4.0, handles=10)
    assert heard(fitted)[1] - heard(fitted)[0] > 2.0 * 25 + 3


def test_what_is_too_long_ends_in_the_handle() -> None:
    found = slotted(2.4, fit=2.0, pace="natural", handles=25)
    first, last = heard(found)
    assert found.frames == 100
    assert first == pytest.approx(25 + 2, abs=0.1)
    assert last == pytest.approx(first + 60, abs=0.1)
    assert found.overhang == pytest.approx((last - 75) / 25, abs=1e-3)
    assert np.count_nonzero(found.speech.samples) == round(2.4 * SOUND_RATE)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seconds", [1.9, 2.0, 2.5, 5.3])
def test_the_handles_that_are_needed_are_enough_and_no_more(rate: str, seconds: float) -> None:
    request = TakeRequest(speaker="anna", text="Hello.", fit=2.0, pace="natural")
    needed = handles_needed(seconds, request, FrameRate.parse(rate))
    slotted(seconds, rate, fit=2.0, pace="natural", handles=needed)
    if needed:
        with pytest.raises(RetakeError) as caught:
            slotted(seconds, rate, fit=2.0, pace="natural", handles=max(0, needed - 2))
        assert caught.value.code == "does_not_fit"
        assert f"{needed} frames" in caught.value.remedy


def test_what_no_handle_can_hold_is_said() -> None:
    with pytest.raises(RetakeError) as caught:
        slotted(20.0, fit=2.0, pace="natural", handles=12)
    assert caught.value.code == "does_not_fit"
    assert "handles of" not in caught.value.remedy
    assert f"{math.ceil((20 + LEAD + TAIL) * 10) / 10:.1f} s" in caught.value.remedy


def test_recordings_have_handles_too(tmp_path: Path) -> None:
    reference = Path(__file__).parent.parent / "daemon" / "retake" / "assets" / "presenter" / "presenter.mp4"
    samples = read_audio(reference, 48000, seconds=3.0)
    write_wav(tmp_path / "voice.wav", samples, 48000)

    def recorded(**asked: Any) -> Slotted:
        return slotted(0, text="", audio=str(tmp_path / "voice.wav"), **asked)

    plain = recorded()
    found = recorded(handles=20)
    assert (plain.frames, found.frames) == (75, 115)
    start = round(20 / 25 * 48000)
    assert np.array_equal(found.speech.samples[start : start + len(plain.speech.samples)], plain.speech.samples)
    assert not found.speech.samples[:start].any()
    short = recorded(fit=2.0, pace="natural", handles=30)
    assert short.frames == 50 + 60
    assert short.overhang == pytest.approx(1.0, abs=0.01)
    refused: tuple[dict[str, Any], ...] = ({"fit": 2.0, "handles": 30}, {"fit": 2.0, "handles": 10, "pace": "natural"})
    for asked in refused:
        with pytest.raises(RetakeError) as caught:
            recorded(**asked)
        assert caught.value.code == "does_not_fit"


def test_a_take_says_its_handles() -> None:
    files = TakeFiles(clip="a", timeline="a", captions="a", report="a", poster="a")
    request = TakeRequest(speaker="anna", text="Hi.", handles=12)
    take = Take(id="a" * 16, request=request, files=files, frames=74, rate="25", width=64, height=64, sha256="0" * 64)
    assert (take.handles, take.slot) == (12, 50)
    for wrong in ({"handles": -1}, {"handles": 251}, {"pace": "slow"}):
        with pytest.raises(ValueError, match=r"handles|pace"):
            TakeRequest.model_validate({"speaker": "anna", "text": "Hi.", **wrong})
