"""What the Blender extension works out without Blender: rates, room on channels, ripples, markers found again, requests."""

from __future__ import annotations

import importlib
import sys
import types
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retake.domain.rate import FrameRate
from retake.domain.take import TakeRequest

EXTENSION = Path(__file__).resolve().parent.parent / "plugins" / "blender" / "extension"


def part(name: str) -> Any:
    """A module of the extension without its `__init__`, which needs bpy."""
    if "retake_extension" not in sys.modules:
        package = types.ModuleType("retake_extension")
        package.__path__ = [str(EXTENSION)]
        sys.modules["retake_extension"] = package
    return importlib.import_module(f"retake_extension.{name}")


rates, channels, matching, requests = (part(name) for name in ("rates", "channels", "matching", "requests"))
Span, Mark = channels.Span, matching.Mark


def float32(value: float) -> float:
    import numpy as np

    return float(np.float32(value))


@pytest.mark.parametrize(
    ("fps", "base", "exact"),
    [
        (24, 1.0, "24"),
        (25, 1.0, "25"),
        (60, 1.0, "60"),
        (24, 1.001, "24000/1001"),
        (30, 1.001, "30000/1001"),
        (60, 1.001, "60000/1001"),
        (120, 1.001, "120000/1001"),
        (25, 2.0, "25/2"),
        (2997, 100.0, "2997/100"),
    ],
)
def test_rates_of_scenes_are_exact(fps: int, base: float, exact: str) -> None:
    found = rates.exact_rate(fps, float32(base))
    assert rates.rate_text(found) == exact
    assert FrameRate.parse(rates.rate_text(found)).fraction == found  # the daemon understands the same


def test_rates_go_back_into_scenes() -> None:
    for rate in (Fraction(24), Fraction(25), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), Fraction(25, 2)):
        fps, base = rates.fps_and_base(rate)
        assert rates.exact_rate(fps, float32(base)) == rate
    assert rates.fps_and_base(Fraction(30000, 1001)) == (30, pytest.approx(1.001))


@pytest.mark.parametrize(("fps", "base"), [(0, 1.0), (25, 0.0), (25, -1.0)])
def test_no_rate(fps: int, base: float) -> None:
    with pytest.raises(ValueError, match="no frame rate"):
        rates.exact_rate(fps, base)


@given(st.integers(1, 20_000), st.sampled_from(["24", "25", "30", "60", "24000/1001", "30000/1001", "60000/1001", "25/2"]))
def test_a_slot_survives_the_way_through_seconds(frames: int, text: str) -> None:
    rate = FrameRate.parse(text)
    assert rate.frames(rates.seconds_of(frames, rate.fraction)) == frames


@given(st.integers(4, 65536), st.integers(4, 65536), st.integers(1, 100))
def test_sizes_are_those_that_a_take_can_have(width: int, height: int, percentage: int) -> None:
    found = rates.render_size(width, height, percentage)
    TakeRequest(speaker="anna", text="Hello.", width=found[0], height=found[1])


def test_size_of_a_scene() -> None:
    assert rates.render_size(1920, 1080, 100) == (1920, 1080)
    assert rates.render_size(1920, 1080, 50) == (960, 540)
    assert rates.render_size(1918, 1079, 33) == (632, 356)


def test_takes_go_to_the_lowest_free_pair_above_their_placeholder() -> None:
    spans = [Span("placeholder", 1, 0, 100), Span("title", 3, 50, 80), Span("behind", 2, 100, 200)]
    assert channels.free_pair(spans, 0, 100, above=1) == (4, 5)
    assert channels.free_pair(spans, 0, 50, above=1) == (2, 3)
    assert channels.free_pair(spans, 100, 200) == (3, 4)


def test_closed_channels_are_never_used() -> None:
    assert channels.free_pair([], 0, 10, closed={1, 3, 5}) == (6, 7)
    assert channels.free_pair([], 0, 10, closed=set(range(1, 129))) is None
    assert channels.free_pair([], 0, 10, above=128) == (127, 128)


@given(st.lists(st.builds(Span, st.text("ab", max_size=3), st.integers(1, 12), st.integers(0, 50), st.integers(51, 99)), max_size=20))
def test_nothing_lies_on_what_is_given_out(spans: list[Any]) -> None:
    pair = channels.free_pair(spans, 40, 60)
    assert pair is not None
    assert pair[1] == pair[0] + 1
    assert not [span for span in spans if span.channel in pair and span.start < 60 and span.end > 40]


def test_a_ripple_moves_what_is_behind_and_says_what_it_could_not() -> None:
    spans = [
        Span("own", 1, 0, 100),
        Span("next", 1, 100, 150),
        Span("music", 2, 0, 400),
        Span("locked", 3, 120, 180, fixed=True),
        Span("before", 4, 0, 90),
        Span("far", 3, 80, 95),
        Span("low", 3, 300, 310),
    ]
    plan = channels.plan_ripple(spans, 100, 20, own={"own"})
    assert plan.moved == ("next", "low")
    assert plan.held == ("locked",)
    assert plan.cut == ("music",)
    assert plan.overlaps == ()
    assert [sentence.split("'")[1] for sentence in plan.conflicts()] == ["locked", "music"]


def test_a_ripple_to_the_left_says_what_lies_over_what() -> None:
    spans = [Span("own", 1, 0, 100), Span("late", 2, 110, 150), Span("still", 2, 0, 95)]
    plan = channels.plan_ripple(spans, 100, -30, own={"own"})
    assert plan.overlaps == (("late", "still"),)


class TestMarkersAreFoundAgain:
    def test_unchanged(self) -> None:
        marks = [Mark("a", 1), Mark("b", 2), Mark("a", 3)]
        assert matching.match(marks, marks) == [0, 1, 2]

    def test_moved(self) -> None:
        assert matching.match([Mark("a", 1), Mark("b", 5)], [Mark("b", 9), Mark("a", 4)]) == [1, 0]

    def test_renamed(self) -> None:
        assert matching.match([Mark("a", 1), Mark("b", 5)], [Mark("c", 1), Mark("b", 5)]) == [0, 1]

    def test_moved_onto_the_place_of_another(self) -> None:
        # "a" was moved to where "b" was, "b" was renamed and stayed: the names count first.
        assert matching.match([Mark("a", 1), Mark("b", 5)], [Mark("a", 5), Mark("c", 5)]) == [0, 1]

    def test_deleted(self) -> None:
        assert matching.match([Mark("a", 1), Mark("b", 5)], [Mark("b", 5)]) == [None, 0]

    def test_several_of_one_name_go_to_the_nearest(self) -> None:
        assert matching.match([Mark("a", 100), Mark("a", 0)], [Mark("a", 3), Mark("a", 110)]) == [1, 0]

    @given(
        st.lists(st.builds(Mark, st.sampled_from("abc"), st.integers(0, 9)), max_size=8),
        st.lists(st.builds(Mark, st.sampled_from("abc"), st.integers(0, 9)), max_size=8),
    )
    def test_each_marker_belongs_to_one_line(self, known: list[Any], markers: list[Any]) -> None:
        found = [index for index in matching.match(known, markers) if index is not None]
        assert len(found) == len(set(found))
        assert all(0 <= index < len(markers) for index in found)


def wanted(**changes: Any) -> Any:
    usual = {"line": "l1", "text": "Hello everyone.", "speaker": "anna", "rate": Fraction(25), "frames": 75, "conform": "FIT"}
    return requests.Wanted(**(usual | changes))


def test_requests_are_those_of_the_daemon() -> None:
    made = TakeRequest.model_validate(requests.request_of(wanted(size=(640, 360), seed=3, handles=12)))
    assert (made.fit, made.pace, made.fps, made.width, made.height) == (3.0, "fit", "25", 640, 360)
    assert (made.handles, made.seed, made.line_id) == (12, 3, "l1")


def test_what_is_as_usual_is_not_said() -> None:
    assert set(requests.request_of(wanted(frames=None))) == {"speaker", "text", "fps", "seed", "line_id"}


def test_ripple_asks_for_the_natural_length() -> None:
    assert "fit" not in requests.request_of(wanted(conform="RIPPLE"))


def test_keep_asks_for_handles_in_which_the_words_can_end() -> None:
    long = wanted(conform="KEEP", text="a" * 100, frames=25)
    made = TakeRequest.model_validate(requests.request_of(long))
    assert made.pace == "natural"
    assert made.fit == 1.0
    assert made.handles == 225  # ten seconds of words, one second of slot
    assert requests.handles_of(wanted(conform="KEEP")) == 13  # half a second at least
    assert requests.handles_of(wanted(conform="KEEP", text="a" * 9000)) == requests.MOST_HANDLES


def test_seeds_are_new() -> None:
    assert requests.next_seed([]) == 0
    assert requests.next_seed([0, 4, 2]) == 5
    assert requests.next_seed([2**31 - 1]) == 0


def test_pieces_of_a_cut_are_one_line_and_copies_are_their_own() -> None:
    copies = part("copies")
    piece = copies.Piece
    holders = [piece("a", 1, 31), piece("a.001", 31, 76), piece("a.002", 201, 231)]
    shown = [piece("p", 1, 31, 1), piece("p.001", 31, 76, 1), piece("p.002", 201, 231, 201), piece("away", 500, 510, 480)]
    first, second = copies.share(holders, shown)
    assert first == copies.Share(("a", "a.001"), 1, 76, ("p", "away", "p.001"))
    assert second == copies.Share(("a.002",), 201, 231, ("p.002",))


def test_empty_placeholders_with_one_id_are_several_lines() -> None:
    copies = part("copies")
    found = copies.share([copies.Piece("a", 1, 31), copies.Piece("b", 31, 76)], [])
    assert [one.holders for one in found] == [("a",), ("b",)]
