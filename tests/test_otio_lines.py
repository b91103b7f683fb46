"""Lines of a timeline: markers with script text beside placeholders, where they lie, how long they may take, and whose they are."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import opentimelineio as otio
import pytest

from retake_otio import Line, TimelineError, find_lines, find_placeholders, give_ids, lock, missing

Time, Range = otio.opentime.RationalTime, otio.opentime.TimeRange


def span(start: float, frames: float, rate: float = 25.0) -> otio.opentime.TimeRange:
    return Range(Time(start, rate), Time(frames, rate))


def footage(name: str, start: float = 0, frames: float = 50, rate: float = 25.0) -> otio.schema.Clip:
    media = otio.schema.ExternalReference(f"/{name}.mov", span(0, 100_000, rate))
    return otio.schema.Clip(name, media_reference=media, source_range=span(start, frames, rate))


def marker(name: str = "", start: float = 0, frames: float = 0, rate: float = 25.0, *, comment: str = "", **retake: Any) -> otio.schema.Marker:
    made = otio.schema.Marker(name, marked_range=span(start, frames, rate), metadata={"retake": retake} if retake else {})
    made.comment = comment
    return made


def timeline(*items: otio.core.Composable, markers: tuple[otio.schema.Marker, ...] = ()) -> otio.schema.Timeline:
    made = otio.schema.Timeline("edit")
    made.tracks.append(otio.schema.Track("V1", children=list(items)))
    made.tracks.markers.extend(markers)
    return made


def only(made: otio.schema.Timeline) -> Line:
    (found,) = find_lines(made)
    return found


@pytest.mark.parametrize(
    ("name", "comment", "wants"),
    [
        ("@presenter: Hello everyone", "", {"speaker": "presenter", "text": "Hello everyone"}),
        ("@presenter", "Hello everyone", {"speaker": "presenter", "text": "Hello everyone"}),
        ("Marker 3", "@Presenter : Hello everyone", {"speaker": "presenter", "text": "Hello everyone"}),
    ],
)
def test_script_text_in_a_marker_is_a_line(name: str, comment: str, wants: dict[str, str]) -> None:
    on_timeline = timeline(footage("a"), markers=(marker(name, 10, comment=comment),))
    clip = footage("a", start=1000)
    clip.markers.append(marker(name, 1010, comment=comment))
    on_clip = timeline(footage("b", frames=7), clip)
    for made, kind, start in ((on_timeline, "timeline marker", 10), (on_clip, "clip marker", 17)):
        line = only(made)
        assert (line.kind, line.wants, line.start, line.frames, line.state) == (kind, wants, start, None, "missing")


def test_metadata_counts_more_than_a_name_that_may_be_cut_off() -> None:
    line = only(timeline(footage("a"), markers=(marker("@anna: Hello ev…", 10, 30, text="Hello everyone.", line="l1", seed=4),)))
    assert line.wants == {"speaker": "anna", "text": "Hello everyone.", "seed": 4}
    assert (line.line, line.frames) == ("l1", 30)


def test_markers_that_are_no_lines() -> None:
    quiet = footage("a")
    quiet.markers.append(marker("Chapter 1", 5, comment="hello"))
    assert find_lines(timeline(quiet, markers=(marker("@anna", 3), marker("todo"), marker("x", note="y")))) == []
    assert find_lines(otio.schema.Timeline("empty")) == []


def test_a_marker_that_its_clip_does_not_show_is_not_in_the_edit() -> None:
    clip = footage("a", start=100, frames=50)
    clip.markers.extend([marker("@anna: early", 99), marker("@anna: first", 100), marker("@anna: last", 149), marker("@anna: late", 150)])
    assert [(line.wants["text"], line.start) for line in find_lines(timeline(clip))] == [("first", 0), ("last", 49)]


@pytest.mark.parametrize("rate", [24.0, 25.0, 23.976, 29.97, 30000 / 1001, 60.0, 59.94])
def test_places_are_whole_frames_at_any_rate(rate: float) -> None:
    hour = round(3600 * rate)
    clips = [footage(str(number), start=hour + 17, frames=1001, rate=rate) for number in range(40)]
    clips[39].markers.append(marker("@anna: Hi.", hour + 17 + 500, 33, rate))
    line = only(timeline(*clips))
    assert (line.start, line.frames) == (39 * 1001 + 500, 33)
    assert line.rate in {Fraction(24), Fraction(25), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60), Fraction(60000, 1001)}


def test_a_marker_counts_in_its_own_rate() -> None:
    line = only(timeline(footage("a", frames=500), markers=(marker("@anna: Hi.", 2.0, 1.5, rate=1.0),)))
    assert (line.start, line.frames) == (50, 38)


def test_compound_clips_and_cut_off_starts() -> None:
    inner = footage("inner", start=10, frames=60)
    inner.markers.append(marker("@anna: Hi.", 40))
    compound = otio.schema.Stack("compound", source_range=span(20, 40), children=[otio.schema.Track("i", children=[inner])])
    assert only(timeline(footage("a", frames=13), compound)).start == 13 + 30 - 20
    cut = timeline(footage("a", frames=100), markers=(marker("@anna: Hi.", 40), marker("@anna: Gone.", 10)))
    cut.tracks.source_range = span(30, 50)
    assert only(cut).start == 10


def test_dissolves_say_how_many_handles_are_wanted() -> None:
    slate = otio.schema.Clip("slate", source_range=span(0, 50), metadata={"retake": {"text": "Hi."}})
    before = otio.schema.Transition("d", "SMPTE_Dissolve", in_offset=Time(7, 25), out_offset=Time(3, 25))
    behind = otio.schema.Transition("d", "SMPTE_Dissolve", in_offset=Time(2, 25), out_offset=Time(9, 25))
    assert only(timeline(footage("a"), before, slate, behind, footage("b"))).handles == 9
    alone = otio.schema.Clip("slate", source_range=span(0, 50), metadata={"retake": {"text": "Hi."}})
    assert only(timeline(footage("a"), alone)).handles == 0


def test_placeholders_are_lines_too_and_metadata_on_a_clips_marker_means_the_clip() -> None:
    slate = footage("slate")
    slate.markers.append(marker("line", 5, text="Hello.", speaker="anna"))
    made = timeline(footage("a"), slate)
    line = only(made)
    (placeholder,) = find_placeholders(made)
    assert (line.kind, line.key, line.wants, line.start, line.frames) == ("placeholder", placeholder.key, placeholder.wants, 50, 50)


def test_lines_come_in_the_order_in_which_they_begin() -> None:
    slate = otio.schema.Clip("slate", source_range=span(0, 50), metadata={"retake": {"text": "two"}})
    made = timeline(footage("a"), slate, markers=(marker("@anna: three", 60), marker("@anna: one", 4)))
    assert [line.wants["text"] for line in find_lines(made)] == ["one", "two", "three"]
    assert [line.wants["text"] for line in find_lines(made, markers=False)] == ["two"]


def test_ids_are_given_once_and_copies_get_their_own() -> None:
    slate = otio.schema.Clip("slate", source_range=span(0, 50), metadata={"retake": {"text": "two", "line": "kept"}})
    copy = otio.schema.Clip("slate", source_range=span(0, 50), metadata={"retake": {"text": "two", "line": "kept"}})
    made = timeline(slate, copy, markers=(marker("@anna: one", 4),))
    given = list(give_ids(find_lines(made)).values())
    assert given[0] == "kept"
    assert len(set(given)) == 3
    assert all(0 < len(name) <= 64 and name.isprintable() for name in given)
    again = find_lines(made)
    assert [line.line for line in again] == given
    assert list(give_ids(again).values()) == given
    assert [line.id for line in again] == given


def test_locked_lines() -> None:
    slate = otio.schema.Clip("slate", source_range=span(0, 50), metadata={"retake": {"text": "two", "locked": True}})
    made = timeline(slate, markers=(marker("@anna: one", 4),))
    second, first = find_lines(made)
    assert (first.state, second.state) == ("missing", "locked")
    lock(first, True)
    lock(second, False)
    second, first = find_lines(made)
    assert (first.state, second.state) == ("locked", "missing")
    assert [line.key for line in missing([first, second])] == [second.key]
    assert second.wants == {"text": "two"}


def test_mixed_rates_are_refused_where_they_matter() -> None:
    mixed = footage("b", rate=24.0)
    mixed.markers.append(marker("@anna: Hi.", 3, rate=24.0))
    with pytest.raises(TimelineError) as caught:
        find_lines(timeline(footage("a"), mixed))
    assert caught.value.code == "mixed_rates"
    slate = otio.schema.Clip("slate", source_range=span(0, 50), metadata={"retake": {"text": "two"}})
    elsewhere = timeline(slate, markers=(marker("@anna: Hi.", 3),))
    elsewhere.tracks.append(otio.schema.Track("V2", children=[footage("fast", rate=50.0)]))
    assert len(find_lines(elsewhere)) == 2


def test_a_gap_that_lasts_less_than_nothing_is_refused() -> None:
    """It would put what follows before the start of the edit."""
    slate = otio.schema.Clip("slate", source_range=span(0, 50), metadata={"retake": {"text": "two"}})
    with pytest.raises(TimelineError) as caught:
        find_lines(timeline(otio.schema.Gap(source_range=span(0, -5)), slate))
    assert caught.value.code == "bad_times"
    assert "-5 frames" in caught.value.cause


def test_what_no_marker_can_be() -> None:
    for made in (marker("@anna: Hi.", float("nan")), marker("@anna: Hi.", float("inf"))):
        with pytest.raises(TimelineError) as caught:
            find_lines(timeline(footage("a"), markers=(made,)))
        assert caught.value.code == "bad_times"
    with pytest.raises(TimelineError, match="Marker '@anna: Hi") as caught:
        find_lines(timeline(footage("a"), markers=(marker("@anna: Hi.", 1, text=5),)))
    assert caught.value.code == "bad_placeholder"
    with pytest.raises(TimelineError) as caught:
        find_lines(timeline(footage("a"), markers=(marker("@anna: Hi.", 1, format=99),)))
    assert caught.value.code == "newer_timeline"


def test_what_may_be_meant_otherwise_is_said() -> None:
    line = only(timeline(footage("a"), markers=(marker("@Jörg: Hi.", 1),)))
    assert "jörg" in line.doubt
