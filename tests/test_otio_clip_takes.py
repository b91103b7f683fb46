"""The takes of one clip: which there are, in which order, and what showing another one changes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from retake_otio import TakeMedia, TimelineError, fill_placeholder, find_placeholders, line_clip, switch_take, takes_of
from retake_otio.clip_takes import add_take

Time, Range = otio.opentime.RationalTime, otio.opentime.TimeRange


def span(start: float, frames: float) -> otio.opentime.TimeRange:
    return Range(Time(start, 25), Time(frames, 25))


def take(identifier: str, slot: int, handles: int = 0, seed: int = 0) -> TakeMedia:
    return TakeMedia(identifier, Path(f"/{identifier}.mp4"), slot + 2 * handles, Fraction(25), {"seed": seed, "text": "Hi."}, handles)


def edit(*takes: TakeMedia) -> tuple[otio.schema.Timeline, otio.schema.Clip]:
    clip = otio.schema.Clip("slate", source_range=span(100, 50), metadata={"retake": {"text": "Hi."}})
    clip.markers.append(otio.schema.Marker("beat", marked_range=span(110, 0)))
    made = otio.schema.Timeline("edit")
    other = otio.schema.Clip("behind", source_range=span(0, 20))
    made.tracks.append(otio.schema.Track("V1", children=[clip, other]))
    for one in takes:
        add_take(clip, one, line="l1", parameters={}, start=one.handles, count=min(50, one.slot))
    return made, clip


def test_the_takes_of_a_clip_are_told_apart() -> None:
    _, clip = edit(take("b", 50, 3, seed=7), take("a", 50, 0, seed=8))
    first, second = takes_of(clip)
    assert (first.id, first.frames, first.slot, first.handles, first.seed, first.number, first.active) == ("b", 56, 50, 3, 7, 1, False)
    assert (second.id, second.url, second.rate, second.text, second.number, second.active) == ("a", "/a.mp4", Fraction(25), "Hi.", 2, True)
    assert takes_of(otio.schema.Clip("none")) == []


def test_takes_of_a_script_timeline_are_takes_too() -> None:
    clip = line_clip(line_id="l", name="x", parameters={}, takes=[take("a", 50, 4), take("b", 40)], active="a")
    assert [(found.id, found.active, found.handles) for found in takes_of(clip)] == [("a", True, 4), ("b", False, 0)]
    assert clip.source_range == span(4, 50)


def test_another_take_is_shown_from_behind_its_handle() -> None:
    made, clip = edit(take("a", 50, 10), take("b", 50, 4))
    assert clip.source_range == span(4, 50)
    assert switch_take(clip, "a") == []
    assert (clip.source_range, clip.active_media_reference_key) == (span(10, 50), "take_a")
    assert clip.markers[0].marked_range == span(20, 0)
    assert made.duration() == Time(70, 25)


def test_what_was_trimmed_by_hand_stays_trimmed() -> None:
    _, clip = edit(take("a", 50, 10), take("b", 50, 4))
    clip.source_range = span(4 + 7, 30)
    switch_take(clip, "a")
    assert clip.source_range == span(17, 30)
    switch_take(clip, "b")
    assert clip.source_range == span(11, 30)


def test_a_shorter_take_leaves_a_gap_and_the_longer_one_closes_it_again() -> None:
    made, clip = edit(take("a", 50), take("b", 50))
    add_take(clip, take("short", 38), line="l1", parameters={}, start=0, count=38)
    clip.source_range = span(0, 50)
    clip.active_media_reference_key = "take_b"
    (said,) = switch_take(clip, "short")
    assert "12 frames shorter" in said
    assert clip.source_range == span(0, 38)
    assert made.tracks[0].range_of_child_at_index(2) == span(50, 20)
    assert switch_take(clip, "short") == [said]
    assert made.tracks[0].range_of_child_at_index(2) == span(50, 20)
    assert switch_take(clip, "a") == []
    assert clip.source_range == span(0, 50)
    assert len(made.tracks[0]) == 2


def test_a_longer_take_shows_its_beginning() -> None:
    _, clip = edit(take("a", 50, 2), take("long", 90, 5))
    clip.active_media_reference_key = "take_a"
    clip.source_range = span(2, 50)
    assert switch_take(clip, "long") == []
    assert clip.source_range == span(5, 50)


def test_a_take_that_there_is_not() -> None:
    _, clip = edit(take("a", 50))
    with pytest.raises(TimelineError, match="Its takes: a") as caught:
        switch_take(clip, "z")
    assert caught.value.code == "unknown_take"


def test_a_clip_without_a_track() -> None:
    clip = line_clip(line_id="l", name="x", parameters={}, takes=[take("a", 50), take("b", 30)], active="a")
    assert switch_take(clip, "b")
    assert clip.source_range == span(0, 30)


def test_placeholders_take_handles() -> None:
    made, clip = edit()
    (found,) = find_placeholders(made)
    fill_placeholder(found, take("a", 50, 12), line="l1", parameters={"text": "Hi."})
    assert clip.source_range == span(12, 50)
    assert clip.media_reference.available_range == span(0, 74)
    with pytest.raises(TimelineError):
        fill_placeholder(found, take("b", 26, 12), line="l1", parameters={})
