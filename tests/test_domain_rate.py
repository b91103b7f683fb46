"""Frame rates are exact fractions, and what is no frame rate is told so at once."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retake.domain.errors import RetakeError
from retake.domain.rate import FrameRate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("25", Fraction(25)),
        (" 24 ", Fraction(24)),
        ("30000/1001", Fraction(30000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("60/2", Fraction(30)),
        ("12.5", Fraction(25, 2)),
        ("240", Fraction(240)),
    ],
)
def test_forms(text: str, value: Fraction) -> None:
    assert FrameRate.parse(text).fraction == value
    assert FrameRate.parse(str(FrameRate.parse(text))).fraction == value


@pytest.mark.parametrize("text", ["", "0", "-25", "0.5", "241", "25 fps", "1/0", "nan", "inf", "1e2", "1e999999999", "9" * 5000, "25/1/1", "²5"])
def test_anything_else_is_refused_at_once(text: str) -> None:
    with pytest.raises(RetakeError) as caught:
        FrameRate.parse(text)
    assert caught.value.code == "bad_rate"


@given(numerator=st.integers(1, 240_000), denominator=st.integers(1, 1001), frames=st.integers(1, 1_000_000))
def test_frames_and_seconds_are_inverse(numerator: int, denominator: int, frames: int) -> None:
    rate = FrameRate(numerator, denominator)
    assert rate.frames(rate.seconds(frames)) == frames


@given(seconds=st.floats(0.01, 3600), rate=st.sampled_from([FrameRate(25), FrameRate(30000, 1001), FrameRate(240)]))
def test_covering_covers_and_no_more(seconds: float, rate: FrameRate) -> None:
    frames = rate.frames_covering(seconds)
    assert rate.seconds(frames) >= seconds - 1e-5
    assert frames == 1 or rate.seconds(frames - 1) < seconds
