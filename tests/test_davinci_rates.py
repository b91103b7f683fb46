"""Frame rates and timecode as Resolve writes them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retake_davinci.errors import EditorError
from retake_davinci.rates import TimelineRate, timeline_rate

NTSC = {"23.976": Fraction(24000, 1001), "29.97": Fraction(30000, 1001), "47.952": Fraction(48000, 1001), "59.94": Fraction(60000, 1001)}


@pytest.mark.parametrize(
    ("setting", "rate"), [*NTSC.items(), ("24", 24), ("25", 25), ("30", 30), ("50", 50), ("60", 60), ("119.88", Fraction(120000, 1001))]
)
def test_settings_are_names_of_fractions(setting: str, rate: Fraction) -> None:
    assert timeline_rate(setting) == TimelineRate(Fraction(rate))


@pytest.mark.parametrize(
    ("setting", "rate"), [(24.0, 24), (25, 25), (29.97, Fraction(30000, 1001)), ("23.97602", NTSC["23.976"]), ("24.000", 24), ("25.0", 25)]
)
def test_other_ways_of_writing(setting: object, rate: Fraction) -> None:
    assert timeline_rate(setting).rate == rate


@pytest.mark.parametrize(
    ("setting", "dropping", "start"), [("29.97 DF", "", ""), ("59.94 DF", "0", ""), ("29.97", "1", ""), ("29.97", "", "01:00:00;00")]
)
def test_drop_frame_is_said_in_three_places(setting: str, dropping: str, start: str) -> None:
    assert timeline_rate(setting, dropping, start).drop


def test_drop_frame_is_not_said() -> None:
    assert not timeline_rate("29.97", "0", "01:00:00:00").drop
    assert not timeline_rate("29.97 NDF", "1", "").drop
    assert not timeline_rate("25", "1", "").drop  # 25 has none, whatever the switch says


@pytest.mark.parametrize("setting", ["", "film", None, "29.97 XY", "0", "-24", "1e9", "12.34", True])
def test_what_is_no_rate(setting: object) -> None:
    with pytest.raises(EditorError) as caught:
        timeline_rate(setting)
    assert caught.value.code == "bad_rate"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("setting", "timecode", "frame"),
    [
        ("24", "01:00:00:00", 86400),
        ("23.976", "01:00:00:00", 86400),
        ("25", "01:00:00:00", 90000),
        ("29.97", "01:00:00:00", 108000),
        ("29.97 DF", "01:00:00;00", 107892),
        ("29.97 DF", "00:01:00;02", 1800),
        ("29.97 DF", "00:10:00;00", 17982),
        ("59.94 DF", "01:00:00;00", 215784),
        ("59.94 DF", "00:01:00;04", 3600),
        ("60", "01:00:00:59", 216059),
        ("119.88", "00:00:01:119", 239),
    ],
)
def test_known_timecodes(setting: str, timecode: str, frame: int) -> None:
    rate = timeline_rate(setting)
    assert rate.frames_of(timecode) == frame
    assert rate.timecode_of(frame) == timecode


@pytest.mark.parametrize(
    ("setting", "timecode"),
    [("24", "00:00:00:24"), ("25", "00:60:00:00"), ("29.97 DF", "00:01:00;00"), ("59.94 DF", "00:09:00;03"), ("24", "soon"), ("24", "")],
)
def test_timecodes_that_do_not_exist(setting: str, timecode: str) -> None:
    with pytest.raises(EditorError) as caught:
        timeline_rate(setting).frames_of(timecode)
    assert caught.value.code == "bad_timecode"


@given(st.sampled_from(["23.976", "24", "25", "29.97", "29.97 DF", "30", "50", "59.94 DF", "60"]), st.integers(0, 24 * 3600 * 59))
def test_every_frame_has_one_timecode(setting: str, frame: int) -> None:
    rate = timeline_rate(setting)
    day = rate.frames_of("23:59:59:00" if not rate.drop else "23:59:59;00") + rate.nominal
    assert rate.frames_of(rate.timecode_of(frame)) == frame % day


def test_drop_frame_counts_every_frame_once() -> None:
    rate = timeline_rate("29.97 DF")
    shown = [rate.timecode_of(frame) for frame in range(17_990)]
    assert len(set(shown)) == len(shown)
    assert shown == sorted(shown)
    assert abs(17_982 / rate.rate - 600) < Fraction(1, 1000)  # ten minutes by the clock


def test_drop_frame_needs_a_rate_that_has_it() -> None:
    with pytest.raises(EditorError):
        TimelineRate(Fraction(25), drop=True)


def test_requests_get_the_fraction() -> None:
    assert timeline_rate("29.97 DF").text == "30000/1001"
    assert timeline_rate("24").text == "24"
    assert str(timeline_rate("59.94 DF")) == "59.94 DF"
