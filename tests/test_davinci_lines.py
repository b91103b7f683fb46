"""Which lines a timeline in Resolve has, where they are, and what their markers remember."""

from __future__ import annotations

import json

import pytest
from davinci_samples import RATES, editor_of, marker, synthetic_stage
from resolve.double import FIRST_FRAME

from retake_davinci import custom_data
from retake_davinci.errors import EditorError
from retake_davinci.lines import Source, Subtitles, find_lines, identify, rewrite


@pytest.mark.parametrize("rate", RATES)
def test_a_marker_is_a_line_where_timecode_says(rate: str) -> None:
    on = synthetic_stage(rate)
    marker(on, 48, "Hello everyone.", duration=75)
    marker(on, 300, "As long as it takes.", duration=1)
    first, second = find_lines(editor_of(on))
    assert (first.speaker, first.text, first.start, first.frames) == ("presenter", "Hello everyone.", FIRST_FRAME[rate] + 48, 75)
    assert second.frames is None and second.end is None
    assert first.source is Source.MARKER and not first.known


def test_markers_of_other_purposes_are_left_alone() -> None:
    on = synthetic_stage()
    marker(on, 1, "fix the grade here", name="TODO")
    marker(on, 2, "", name="@presenter")
    marker(on, 3, "", name="Marker 3")
    marker(on, 4, "ask Bob", name="", color="Red")
    marker(on, 5, "@anna: From the note alone.", name="Marker 5")
    marker(on, 6, "", name="@anna: From the name alone.")
    assert [(line.speaker, line.text) for line in find_lines(editor_of(on))] == [("anna", "From the note alone."), ("anna", "From the name alone.")]


def test_the_id_is_written_down_and_stays() -> None:
    on = synthetic_stage()
    marker(on, 10, "Hello.")
    editor = editor_of(on)
    line = identify(editor, find_lines(editor)[0])
    assert line.known
    again = find_lines(editor)[0]
    assert again.id == line.id and again.known
    on.timeline.markers[10.0]["note"] = "Something else."
    on.timeline.markers[99.0] = on.timeline.markers.pop(10.0)  # dragged elsewhere
    moved = find_lines(editor)[0]
    assert (moved.id, moved.text, moved.start) == (line.id, "Something else.", 86400 + 99)


def test_lines_are_the_same_at_every_reading_before_anything_is_written() -> None:
    on = synthetic_stage()
    for frame in (10, 90, 170):
        marker(on, frame, "Hello.", data=custom_data.with_notes("", {"line": "abc"}) or "" if frame > 10 else "")
    editor = editor_of(on)
    first, second = find_lines(editor), find_lines(editor)
    assert first == second and len({line.id for line in first}) == 3


def test_a_copied_marker_is_another_line() -> None:
    on = synthetic_stage()
    data = custom_data.with_notes("", {"line": "abc"})
    assert data is not None
    marker(on, 10, "Hello.", data=data)
    marker(on, 90, "Hello.", data=data)
    first, second = find_lines(editor_of(on))
    assert first.id == "abc" and first.known
    assert second.id != "abc" and not second.known


def test_other_programs_keep_what_they_noted() -> None:
    on = synthetic_stage()
    marker(on, 1, "Hello.", data='{"tool": {"id": 7}}')
    marker(on, 2, "Hello again.", data="review-4711")
    editor = editor_of(on)
    objects, text = (identify(editor, line) for line in find_lines(editor))
    assert json.loads(on.timeline.markers[1.0]["customData"]) == {"tool": {"id": 7}, "retake": {"format": 1, "line": objects.id}}
    assert on.timeline.markers[2.0]["customData"] == "review-4711"
    assert find_lines(editor)[1].id == text.id  # made from what stands there, so it stays too


@pytest.mark.parametrize("data", ["{", "[1]", '{"retake": 4}', '{"retake": {"line": ""}}', "\0", "{}" * 10])
def test_damaged_notes_are_no_ids(data: str) -> None:
    assert custom_data.line_id_of(data) is None


def test_a_marker_that_has_gone() -> None:
    on = synthetic_stage()
    marker(on, 10, "Hello.")
    editor = editor_of(on)
    line = find_lines(editor)[0]
    on.timeline.markers.clear()
    with pytest.raises(EditorError) as caught:
        identify(editor, line)
    assert caught.value.code == "marker_gone"


def test_subtitles() -> None:
    on = synthetic_stage()
    on.timeline.put("subtitle", 1, 100, 60, name="@presenter: With a name.")
    on.timeline.put("subtitle", 1, 200, 60, name="Without one.")
    on.timeline.put("subtitle", 2, 300, 60, name="On our track.")
    on.timeline.tracks["subtitle"][1].name = "Retake 2"
    editor = editor_of(on)
    assert [line.text for line in find_lines(editor)] == ["With a name.", "On our track."]
    assert [line.text for line in find_lines(editor, Subtitles.ALL)] == ["With a name.", "Without one.", "On our track."]
    assert find_lines(editor, Subtitles.NONE) == []
    line = find_lines(editor)[0]
    assert (line.start, line.frames, line.source) == (86500, 60, Source.SUBTITLE)
    assert find_lines(editor)[0].id == line.id


def test_placeholders_are_generators_with_a_name() -> None:
    on = synthetic_stage()
    on.timeline.put("video", 2, 0, 50, name="@presenter: Say this.")
    on.timeline.put("video", 2, 60, 50, name="Solid Color")
    marked = on.timeline.put("video", 2, 120, 50, name="Solid Color")
    marked.AddMarker(0, "Blue", "@anna", "Say that.", 1, "")
    lines = find_lines(editor_of(on))
    assert [(line.speaker, line.text, line.start - 86400, line.frames, line.track) for line in lines] == [
        ("presenter", "Say this.", 0, 50, 2),
        ("anna", "Say that.", 120, 50, 2),
    ]


def test_a_doubt_is_passed_on() -> None:
    on = synthetic_stage()
    marker(on, 1, "Hello.", name="@Müller")
    line = find_lines(editor_of(on))[0]
    assert "Müller" in line.doubt or "müller" in line.doubt


def test_the_note_is_rewritten_and_the_rest_stays() -> None:
    on = synthetic_stage()
    marker(on, 10, "Old words.", duration=33, color="Red", data='{"tool": 1}')
    editor = editor_of(on)
    line = identify(editor, find_lines(editor)[0])
    rewrite(editor, line, "New words.")
    found = on.timeline.markers[10.0]
    assert (found["note"], found["duration"], found["color"], found["name"]) == ("New words.", 33.0, "Red", "@presenter")
    assert json.loads(found["customData"])["tool"] == 1
    assert find_lines(editor)[0].id == line.id


def test_a_marker_that_cannot_be_set_again_is_told() -> None:
    on = synthetic_stage()
    marker(on, 10, "Old words.")
    editor = editor_of(on)
    line = identify(editor, find_lines(editor)[0])
    on.world.refuse.add("Timeline.AddMarker")
    with pytest.raises(EditorError) as caught:
        rewrite(editor, line, "New words.")
    assert caught.value.code == "not_changed"


def test_part_of_a_frame_is_refused() -> None:
    on = synthetic_stage()
    on.timeline.markers[10.5] = {"color": "Blue", "duration": 1.0, "note": "Hello.", "name": "@presenter", "customData": ""}
    with pytest.raises(EditorError) as caught:
        find_lines(editor_of(on))
    assert caught.value.code == "bad_frame"
