"""Opening and closing time on a track: everything behind the point moves by exactly as much, or is named; nothing is cut, lost or made shorter."""

from __future__ import annotations

from fractions import Fraction

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retake_otio.measuring import exact_rate, length, start_in
from retake_otio.own_track import place, take_out
from retake_otio.ripple import Clock, move_behind, move_markers, new_gap

RATES = (24.0, 25.0, 23.976, 30000 / 1001, 29.97, 60.0)


def clock(rate: float) -> Clock:
    exact = exact_rate(rate)
    assert exact is not None
    return Clock(exact, rate)


def span(frames: int, rate: float) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(otio.opentime.RationalTime(0, rate), otio.opentime.RationalTime(frames, rate))


Items = list[tuple[str, int]]


@st.composite
def tracks(draw: st.DrawFn) -> tuple[float, otio.schema.Track]:
    """Clips, gaps and dissolves between clips that are long enough for them."""
    rate = draw(st.sampled_from(RATES))
    track = otio.schema.Track("V2")
    items: Items = draw(st.lists(st.tuples(st.sampled_from("cgt"), st.integers(8, 90)), max_size=9))
    for number, (kind, frames) in enumerate(items):
        if kind == "t" and len(track) and isinstance(track[-1], otio.schema.Clip):
            offset = otio.opentime.RationalTime(3, rate)
            track.append(otio.schema.Transition("d", "SMPTE_Dissolve", in_offset=offset, out_offset=offset))
        if kind == "g":
            track.append(otio.schema.Gap(source_range=span(frames, rate)))
        else:
            track.append(otio.schema.Clip(f"c{number}", source_range=span(frames, rate)))
    return rate, track


def places(track: otio.schema.Track, rate: Fraction) -> dict[str, tuple[Fraction, Fraction]]:
    """Where clips begin and how long they are."""
    return {item.name: (start_in(track, i, rate), length(item, rate)) for i, item in enumerate(track) if isinstance(item, otio.schema.Clip)}


def joints(track: otio.schema.Track) -> list[tuple[str, str]]:
    """What each dissolve joins."""
    out: list[tuple[str, str]] = []
    for i, item in enumerate(track):
        if isinstance(item, otio.schema.Transition):
            out.append((track[i - 1].name, track[i + 1].name if i + 1 < len(track) else ""))
    return out


@settings(max_examples=200, deadline=None)
@given(tracks(), st.integers(0, 300), st.integers(1, 120))
def test_opening_time(made: tuple[float, otio.schema.Track], point: int, change: int) -> None:
    rate, track = made
    time = clock(rate)
    before, joined = places(track, time.rate), joints(track)
    stayed = {found.item.name: found.by for found in move_behind(track, point, change, time)}
    after = places(track, time.rate)
    assert joints(track) == joined
    assert list(after) == list(before)
    for name, (start, frames) in before.items():
        assert after[name][1] == frames
        moved = after[name][0] - start
        if start >= point:
            assert moved == (change if name not in stayed else change - stayed[name])
        else:
            assert moved == 0
            assert (name in stayed) == (start + frames > point)


@settings(max_examples=200, deadline=None)
@given(tracks(), st.integers(0, 300), st.integers(1, 120))
def test_closing_time(made: tuple[float, otio.schema.Track], point: int, change: int) -> None:
    rate, track = made
    time = clock(rate)
    before, joined = places(track, time.rate), joints(track)
    stayed = {found.item.name: found.by for found in move_behind(track, point, -change, time)}
    after = places(track, time.rate)
    assert joints(track) == joined
    assert list(after) == list(before)
    for name, (start, frames) in before.items():
        assert after[name][1] == frames
        moved = start - after[name][0]
        assert 0 <= moved <= change
        if start + frames <= point - change:
            assert moved == 0
            assert name not in stayed
        elif start >= point:
            assert moved == change - stayed.get(name, 0)
    ends = [start + frames for start, frames in after.values()]
    starts = [start for start, _ in after.values()]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


@settings(max_examples=100, deadline=None)
@given(tracks(), st.integers(0, 300), st.integers(1, 120))
def test_opening_and_closing_again_leaves_everything_where_it_was(made: tuple[float, otio.schema.Track], point: int, change: int) -> None:
    rate, track = made
    time = clock(rate)
    before = places(track, time.rate)
    opened = move_behind(track, point, change, time)
    if not opened:
        assert move_behind(track, point + change, -change, time) == []
        assert places(track, time.rate) == before


@pytest.mark.parametrize("rate", RATES)
def test_sound_that_counts_in_samples_moves_by_exact_frames(rate: float) -> None:
    time = clock(rate)
    sound = otio.schema.Track("A1", kind="Audio")
    sound.append(otio.schema.Clip("one", source_range=span(48_000, 48_000.0)))
    sound.append(otio.schema.Gap(source_range=span(100_003, 48_000.0)))
    sound.append(otio.schema.Clip("two", source_range=span(48_000, 48_000.0)))
    before = places(sound, time.rate)["two"][0]
    point = int(time.rate) + 2
    assert move_behind(sound, point, 11, time) == []
    assert abs(places(sound, time.rate)["two"][0] - before - 11) < Fraction(1, 1000)
    assert move_behind(sound, point + 11, -11, time) == []
    assert abs(places(sound, time.rate)["two"][0] - before) < Fraction(1, 1000)


def test_markers_of_the_timeline_move_too() -> None:
    time = clock(25.0)

    def marked(start: int, frames: int) -> otio.schema.Marker:
        return otio.schema.Marker(str(start), marked_range=otio.opentime.TimeRange(otio.opentime.RationalTime(start, 25), span(frames, 25).duration))

    stack = otio.schema.Stack()
    stack.markers.extend([marked(0, 10), marked(40, 30), marked(45, 0), marked(50, 5), marked(60, 0)])
    own = stack.markers[1]
    assert move_markers(stack, 50, 12, time, but=own) == []
    assert [int(found.marked_range.start_time.value) for found in stack.markers] == [0, 40, 45, 62, 72]
    (across,) = move_markers(stack, 62, -20, time)
    assert across is stack.markers[1]
    assert [int(found.marked_range.start_time.value) for found in stack.markers] == [0, 40, 42, 42, 52]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RATES), st.lists(st.tuples(st.integers(0, 200), st.integers(1, 60)), min_size=1, max_size=12))
def test_clips_lie_at_their_exact_frames_on_as_many_tracks_as_they_need(rate: float, wanted: list[tuple[int, int]]) -> None:
    time = clock(rate)
    made = otio.schema.Timeline("edit")
    made.tracks.append(otio.schema.Track("V1", children=[otio.schema.Clip("under", source_range=span(300, rate))]))
    made.tracks.append(otio.schema.Track("A1", kind="Audio"))
    clips = [otio.schema.Clip(str(number), source_range=span(frames, rate)) for number, (_, frames) in enumerate(wanted)]
    for clip, (start, _) in zip(clips, wanted, strict=True):
        place(made, clip, start, time)

    def check(left: list[int]) -> None:
        found: dict[str, int] = {}
        for track in made.tracks:
            if track.name.startswith("Retake"):
                found |= {name: int(start) for name, (start, _) in places(track, time.rate).items()}
                assert not any(
                    isinstance(a, otio.schema.Gap) and isinstance(b, otio.schema.Gap) for a, b in zip(track, list(track)[1:], strict=False)
                )
        assert found == {str(number): wanted[number][0] for number in left}

    check(list(range(len(clips))))
    assert [track.kind for track in made.tracks][-1] == "Audio"
    depth = max(sum(start <= frame < start + frames for start, frames in wanted) for frame in range(260))
    assert depth <= sum(track.name.startswith("Retake") for track in made.tracks)
    take_out(clips[0], time)
    check(list(range(1, len(clips))))


def test_lengths_that_are_no_whole_frames_keep_their_rate() -> None:
    gap = new_gap(Fraction(5, 2), clock(25.0))
    assert length(gap, Fraction(25)) == Fraction(5, 2)
