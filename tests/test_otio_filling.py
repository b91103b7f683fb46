"""Takes put into their places: into clips, beside dissolves, at markers; and what moves when a line becomes longer or shorter."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retake_otio import (
    Filling,
    Line,
    Note,
    TakeMedia,
    TimelineError,
    fill_lines,
    find_lines,
    give_ids,
    missing,
    read_timeline,
    takes_of,
    unused_seed,
    write_timeline,
)
from retake_otio.measuring import exact_rate, start_of

Time, Range = otio.opentime.RationalTime, otio.opentime.TimeRange
RATES = (24.0, 25.0, 23.976, 30000 / 1001, 29.97, 60.0)


def span(start: float, frames: float, rate: float = 25.0) -> otio.opentime.TimeRange:
    return Range(Time(start, rate), Time(frames, rate))


def footage(name: str, frames: int = 50, rate: float = 25.0, start: int = 1000) -> otio.schema.Clip:
    media = otio.schema.ExternalReference(f"/{name}.mov", span(0, 100_000, rate))
    return otio.schema.Clip(name, media_reference=media, source_range=span(start, frames, rate))


def slate(name: str = "slate", frames: int = 50, rate: float = 25.0, start: int = 0, **retake: Any) -> otio.schema.Clip:
    return otio.schema.Clip(name, source_range=span(start, frames, rate), metadata={"retake": {"text": name, **retake}})


def gap(frames: int, rate: float = 25.0) -> otio.schema.Gap:
    return otio.schema.Gap(source_range=span(0, frames, rate))


def dissolve(before: int, behind: int) -> otio.schema.Transition:
    return otio.schema.Transition("d", "SMPTE_Dissolve", in_offset=Time(before, 25), out_offset=Time(behind, 25))


def marker(text: str, start: int, frames: int = 0, rate: float = 25.0) -> otio.schema.Marker:
    return otio.schema.Marker(f"@anna: {text}", marked_range=span(start, frames, rate))


def edit(*tracks: list[otio.core.Composable], markers: tuple[otio.schema.Marker, ...] = ()) -> otio.schema.Timeline:
    made = otio.schema.Timeline("edit")
    for number, items in enumerate(tracks, 1):
        made.tracks.append(otio.schema.Track(f"V{number}", children=items))
    made.tracks.markers.extend(markers)
    return made


def take(line: Line, slot: int, handles: int = 0, number: int = 0) -> TakeMedia:
    identifier = f"{abs(hash((line.wants['text'], slot, handles, number))):016x}"[:16]
    return TakeMedia(identifier, Path(f"/takes/{identifier}.mp4"), slot + 2 * handles, line.rate, {"seed": number}, handles)


def fill(made: otio.schema.Timeline, slots: dict[str, int], conform: Any = "fit", handles: int = 0, number: int = 0) -> list[Note]:
    """Fill the lines whose texts are named, with takes of that length."""
    lines = find_lines(made)
    fillings = {
        line.key: Filling(take(line, slots[str(line.wants["text"])], handles, number), line.id, {**line.wants, "handles": handles}, conform)
        for line in lines
        if line.wants["text"] in slots
    }
    return fill_lines(made, lines, fillings)


def by_name(made: otio.schema.Timeline, name: str) -> otio.schema.Clip:
    (found,) = [clip for clip in made.find_clips() if clip.name == name]
    return found


def place(made: otio.schema.Timeline, name: str) -> tuple[int, int]:
    """Where a clip begins, and how long it is, as the library counts."""
    found = by_name(made, name).transformed_time_range(by_name(made, name).trimmed_range(), made.tracks)
    return round(found.start_time.value), round(found.duration.value)


def test_a_take_with_handles_shows_its_slot_and_gives_dissolves_their_frames() -> None:
    made = edit([footage("a"), dissolve(6, 4), slate(start=500), dissolve(3, 8), footage("b")])
    (line,) = find_lines(made)
    assert line.handles == 8
    assert fill(made, {"slate": 50}, handles=line.handles) == []
    clip = by_name(made, "slate")
    assert clip.source_range == span(8, 50)
    assert clip.media_reference.available_range == span(0, 66)
    track = clip.parent()
    assert track.trimmed_range_of_child(clip) == span(50, 50)
    dissolved = [part for part in otio.algorithms.track_with_expanded_transitions(track) if isinstance(part, tuple)]
    shown = [part.source_range for group in dissolved for part in group if isinstance(part, otio.schema.Clip) and part.name.startswith("slate")]
    assert [(found.start_time.value, found.start_time.value + found.duration.value) for found in shown] == [(2, 12), (55, 66)]
    (short,) = fill(made, {"slate": 50}, handles=2)
    assert "A dissolve beside it shows 8 frames" in short.text


def test_a_marker_becomes_a_clip_at_its_exact_frame() -> None:
    made = edit([footage("a", 100), footage("b", 100)], markers=(marker("Hello.", 40, 30), marker("Bye.", 150)))
    before = [otio.adapters.write_to_string(item, adapter_name="otio_json") for item in made.tracks[0]]
    assert [line.frames for line in missing(find_lines(made))] == [30, None]
    assert fill(made, {"Hello.": 30, "Bye.": 44}, handles=5) == []
    assert [otio.adapters.write_to_string(item, adapter_name="otio_json") for item in made.tracks[0]] == before
    assert [track.name for track in made.tracks] == ["V1", "Retake"]
    assert (place(made, "Hello."), place(made, "Bye.")) == ((40, 30), (150, 44))
    assert by_name(made, "Hello.").source_range == span(5, 30)
    assert [found.name for found in made.tracks.markers] == ["@anna: Hello.", "@anna: Bye."]
    lines = find_lines(made)
    assert [(line.kind, line.state, line.frames, line.start) for line in lines] == [
        ("timeline marker", "filled", 30, 40),
        ("timeline marker", "filled", None, 150),
    ]
    assert [line.line for line in lines] == [found.metadata["retake"]["line"] for found in made.tracks.markers]


def test_filling_the_filled_timeline_makes_no_second_clip(tmp_path: Path) -> None:
    made = edit([footage("a", 100), slate()], markers=(marker("Hello.", 40, 30), marker("Bye.", 50)))
    for number in range(3):
        fill(made, {"Hello.": 30, "Bye.": 44, "slate": 50}, number=number % 2)
        write_timeline(tmp_path / "f.otio", made)
        made = read_timeline(tmp_path / "f.otio")
        assert [track.name for track in made.tracks] == ["V1", "Retake", "Retake 2"]
        assert len(list(made.find_clips())) == 4
    assert [len(takes_of(by_name(made, name))) for name in ("Hello.", "Bye.", "slate")] == [2, 2, 2]
    assert by_name(made, "slate").media_reference.metadata["retake"]["seed"] == 0
    assert by_name(made, "slate").media_reference.metadata["retake"]["number"] == 1


def test_markers_on_clips_lie_where_the_edit_shows_them() -> None:
    clip = footage("b", 100, start=86_400)
    clip.markers.append(marker("Hello.", 86_410, 20))
    made = edit([footage("a", 33), clip])
    fill(made, {"Hello.": 20})
    assert place(made, "Hello.") == (43, 20)
    assert clip.markers[0].marked_range == span(86_410, 20)
    assert find_lines(made)[0].state == "filled"


def test_a_marker_whose_words_changed_asks_for_another_take() -> None:
    made = edit([footage("a", 200)], markers=(marker("Hello.", 40), marker("Next.", 70)))
    fill(made, {"Hello.": 30, "Next.": 30})
    made.tracks.markers[0].name = "@anna: Hello to all of you."
    assert [line.wants["text"] for line in find_lines(made)] == ["Hello to all of you.", "Next."]
    fill(made, {"Hello to all of you.": 20})
    assert (place(made, "Hello."), place(made, "Next.")) == ((40, 20), (70, 30))


def test_a_longer_take_of_a_marker_moves_nothing_behind_it_and_goes_to_another_track_if_need_be() -> None:
    made = edit([footage("a", 300)], markers=(marker("Hello.", 40), marker("Next.", 70)))
    fill(made, {"Hello.": 20, "Next.": 30})
    (line, _) = find_lines(made)
    longer = Filling(take(line, 45), line.id, line.wants)
    assert line.frames is None
    assert fill_lines(made, [line], {line.key: longer}) == []
    assert (place(made, "Hello."), place(made, "Next.")) == ((40, 45), (70, 30))
    assert by_name(made, "Hello.").parent().name == "Retake 2"


def test_a_marker_that_was_made_longer_asks_for_a_longer_take_and_a_trimmed_clip_for_a_shorter_one() -> None:
    made = edit([footage("a", 300)], markers=(marker("Hello.", 40, 30),))
    fill(made, {"Hello.": 30})
    by_name(made, "Hello.").source_range = span(0, 25)
    assert find_lines(made)[0].frames == 25
    made.tracks.markers[0].marked_range = span(40, 60)
    assert find_lines(made)[0].frames == 60
    fill(made, {"Hello.": 60})
    assert place(made, "Hello.") == (40, 60)
    assert find_lines(made)[0].frames == 60


@pytest.mark.parametrize("change", [17, -17])
def test_ripple_moves_everything_behind_on_all_tracks(change: int) -> None:
    other: list[otio.core.Composable] = [footage("w", 40), gap(80), footage("x", 30)]
    music: list[otio.core.Composable] = [footage("music", 300)]
    titles: list[otio.core.Composable] = [gap(200), footage("title", 10)]
    made = edit(
        [footage("a"), slate(), footage("b"), slate("two"), footage("c")], other, music, titles, markers=(marker("Late.", 130), marker("Early.", 20))
    )
    notes = fill(made, {"slate": 50 + change}, "ripple")
    assert place(made, "slate") == (50, 50 + change)
    assert [place(made, name)[0] for name in ("b", "two", "c", "x", "title", "w", "music")] == [
        100 + change, 150 + change, 200 + change, 120 + change, 200 + change, 0, 0,
    ]  # fmt: skip
    assert [line.start for line in find_lines(made)] == [20, 50, 130 + change, 150 + change]
    assert [str(note) for note in notes] == [
        f"Clip 'slate': The clip 'music' on track 'V3' lies across the point from which things move by {change:+d} frames; it stays whole."
    ]
    assert fill(made, {"slate": 50 + change}, "ripple") == []  # nothing moves any more


def test_ripple_says_what_could_not_move() -> None:
    made = edit([footage("a"), slate(), footage("b")], [footage("w", 90), footage("x", 30), gap(5), footage("y", 10), gap(100), footage("z", 10)])
    notes = [note.text for note in fill(made, {"slate": 30}, "ripple")]
    assert [place(made, name)[0] for name in ("b", "w", "x", "y", "z")] == [80, 0, 90, 120, 215]
    assert len(notes) == 3
    assert "'w' on track 'V2' lies across" in notes[0]
    assert "'x' on track 'V2' lies across" in notes[1]
    assert "'y' on track 'V2' moves 15 frames too little" in notes[2]


def test_ripple_of_a_marker_with_a_duration() -> None:
    made = edit([footage("a"), footage("b")], markers=(marker("Hello.", 20, 30), marker("Next.", 60, 20)))
    fill(made, {"Hello.": 42, "Next.": 10}, "ripple")
    assert (place(made, "Hello."), place(made, "Next."), place(made, "b")) == ((20, 42), (72, 10), (62, 50))
    assert [line.frames for line in find_lines(made)] == [42, 10]
    fill(made, {"Hello.": 30, "Next.": 10}, "ripple")
    assert (place(made, "Hello."), place(made, "Next."), place(made, "b")) == ((20, 30), (60, 10), (50, 50))


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(RATES),
    st.lists(st.tuples(st.booleans(), st.integers(5, 90), st.integers(5, 130)), min_size=1, max_size=10),
    st.sampled_from(["fit", "keep", "ripple"]),
    st.integers(0, 12),
)
def test_lengths_add_up(rate: float, items: list[tuple[bool, int, int]], conform: str, handles: int) -> None:
    """With fit and keep nothing moves; with ripple every clip begins where the lengths before it end, at any rate, and a parallel track follows."""
    main: list[otio.core.Composable] = [
        slate(f"l{n}", frames, rate) if asks else footage(f"f{n}", frames, rate) for n, (asks, frames, _) in enumerate(items)
    ]
    total = sum(frames for _, frames, _ in items)
    beside: list[otio.core.Composable] = [gap(total, rate), footage("last", 9, rate)]
    made = edit(main, beside)
    names = {f"l{n}": (frames, natural) for n, (asks, frames, natural) in enumerate(items) if asks}
    notes = fill(made, {name: natural if conform == "ripple" else frames for name, (frames, natural) in names.items()}, conform, handles)
    assert notes == []
    begin = Fraction(0)
    exact = exact_rate(rate)
    assert exact is not None
    for clip, (asks, frames, natural) in zip(made.tracks[0], items, strict=True):
        assert start_of(clip, exact) == begin
        expected = natural if asks and conform == "ripple" else frames
        assert clip.source_range.duration.value == expected
        assert clip.source_range.start_time.value == (handles if asks else 1000)
        begin += expected
    if names and conform == "ripple":
        assert begin == total + sum(natural - frames for frames, natural in names.values())
    assert start_of(by_name(made, "last"), exact) == begin


def test_a_take_that_is_not_as_long_as_its_slot_is_refused() -> None:
    made = edit([footage("a"), slate()], markers=(marker("Hello.", 10, 20),))
    for slots in ({"slate": 49}, {"Hello.": 21}):
        with pytest.raises(TimelineError) as caught:
            fill(made, slots)
        assert caught.value.code == "take_does_not_match"
    (line, *_) = find_lines(made)
    wrong = TakeMedia("x", Path("/x.mp4"), 20, Fraction(24))
    with pytest.raises(TimelineError):
        fill_lines(made, find_lines(made), {line.key: Filling(wrong, "x", {}, "ripple")})
    with pytest.raises(ValueError, match="no lines 99"):
        fill_lines(made, find_lines(made), {"99": Filling(wrong, "x", {})})


def test_lines_in_compound_clips_move_what_lies_beside_them() -> None:
    inner = otio.schema.Stack("inner", children=[otio.schema.Track("i", children=[slate(), footage("behind")])])
    made = edit([footage("a"), inner])
    (note,) = fill(made, {"slate": 60}, "ripple")
    assert "compound clip" in note.text
    assert place(made, "behind")[0] == 110
    cut = otio.schema.Stack("inner", source_range=span(10, 80), children=[otio.schema.Track("i", children=[slate(), footage("behind")])])
    made = edit([footage("a"), cut])
    assert find_lines(made)[0].start == 40
    assert fill(made, {"slate": 60}, "ripple")
    assert made.tracks[0].duration() == Time(130, 25)


def test_a_cut_off_start_of_the_edit_counts() -> None:
    made = edit([footage("a", 200)], markers=(marker("Hello.", 60, 20),))
    made.tracks.source_range = span(50, 100)
    fill(made, {"Hello.": 20})
    assert find_lines(made)[0].start == 10
    clip = by_name(made, "Hello.")
    assert clip.range_in_parent().start_time == Time(60, 25)


def test_another_seed_is_one_that_no_take_has() -> None:
    made = edit([slate(seed=3)])
    assert unused_seed(find_lines(made)[0]) == 3
    for number in (3, 4, 9):
        fill(made, {"slate": 50}, number=number)
    assert unused_seed(find_lines(made)[0]) == 10


def test_ids_survive_filling_and_new_words() -> None:
    made = edit([footage("a"), slate()], markers=(marker("Hello.", 10, 20),))
    given = give_ids(find_lines(made))
    fill(made, {"Hello.": 20, "slate": 50})
    made.tracks.markers[0].name = "@anna: Something else."
    by_name(made, "slate").metadata["retake"]["text"] = "new words"
    assert sorted(line.id for line in find_lines(made)) == sorted(given.values())
    assert {line.wants["text"] for line in find_lines(made)} == {"Something else.", "new words"}


def test_what_is_written_is_plain_json() -> None:
    made = edit([slate(mine={"a": [1]})], markers=(marker("Hello.", 10, 20),))
    fill(made, {"Hello.": 20, "slate": 50}, handles=3)
    text = otio.adapters.write_to_string(made, adapter_name="otio_json")
    own = json.loads(text)["tracks"]["children"][0]["children"][0]["metadata"]["retake"]
    assert own == {"text": "slate", "mine": {"a": [1]}, "format": 1, "line": own["line"]}
