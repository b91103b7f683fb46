"""Versions of a line on one clip: the take selector, linked sound, and what happens where Resolve refuses."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from davinci_samples import editor_of, media_file, synthetic_stage
from resolve.double import Stage, TimelineItem

from retake_davinci import clips, placing, takes
from retake_davinci.clips import Shown
from retake_davinci.editor import Editor
from retake_davinci.errors import EditorError
from retake_davinci.placing import EndRule, Stretch


def placed(on: Stage, folder: Path, *, handles: int = 0) -> tuple[Editor, placing.Placed]:
    editor = editor_of(on)
    item = media(editor, folder, "first", handles)
    return editor, placing.place(editor, item, Stretch(editor.start, editor.start + 50), first=handles, rule=EndRule())


def media(editor: Editor, folder: Path, name: str, handles: int = 0) -> Any:
    frames = 50 + 2 * handles
    return placing.import_take(editor, media_file(folder, name, frames), frames, Fraction(24))


def picture(on: Stage) -> TimelineItem:
    return on.timeline.tracks["video"][1].items[0]


def sound(on: Stage) -> TimelineItem:
    found = [item for track in on.timeline.tracks["audio"] for item in track.items]
    assert len(found) == 1
    return found[0]


def shows(item: TimelineItem) -> str:
    assert item.media is not None
    return Path(item.media.path).stem.split("_")[0]


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("handles", [0, 10])
@pytest.mark.parametrize("world", [{}, {"sound_takes": False}, {"takes_move_sound": True}])
def test_a_take_changes_picture_and_sound_and_nothing_moves(tmp_path: Path, exclusive: bool, handles: int, world: dict[str, bool]) -> None:
    on = synthetic_stage(end_exclusive=exclusive, **world)
    editor, put = placed(on, tmp_path, handles=handles)
    notes = takes.add_take(editor, put.video, media(editor, tmp_path, "second", handles), first=handles, rule=EndRule())
    for item in (picture(on), sound(on)):
        assert (shows(item), item.start - on.timeline.first, item.frames, item.first) == ("second", 0, 50, handles)
    assert [entry.chosen for entry in takes.list_takes(put.video)] == [False, True]
    assert bool(notes) is (world == {"sound_takes": False})  # only the sound that was put there anew is worth a word
    assert sound(on).linked == [picture(on)]


def test_going_back_to_the_first_take(tmp_path: Path) -> None:
    on = synthetic_stage()
    editor, put = placed(on, tmp_path)
    rule = EndRule()
    takes.add_take(editor, put.video, media(editor, tmp_path, "second"), first=0, rule=rule)
    takes.choose_take(editor, put.video, 1, rule=rule)
    assert shows(picture(on)) == shows(sound(on)) == "first"
    takes.choose_take(editor, put.video, 2, rule=rule)
    assert shows(picture(on)) == shows(sound(on)) == "second"
    with pytest.raises(EditorError) as caught:
        takes.choose_take(editor, put.video, 3, rule=rule)
    assert caught.value.code == "no_take"
    takes.keep_chosen(put.video)
    assert len(takes.list_takes(put.video)) == 1
    with pytest.raises(EditorError):
        takes.keep_chosen(put.video)


@pytest.mark.parametrize("world", [{"add_take": False}, {"hide": {"TimelineItem.AddTake"}}])
def test_without_takes_the_media_is_replaced_and_that_is_said(tmp_path: Path, world: dict[str, Any]) -> None:
    on = synthetic_stage(**world)
    editor, put = placed(on, tmp_path)
    notes = takes.add_take(editor, put.video, media(editor, tmp_path, "second"), first=0, rule=EndRule())
    assert shows(picture(on)) == shows(sound(on)) == "second"
    assert any("every timeline" in note for note in notes)


def test_where_nothing_works_everything_stays(tmp_path: Path) -> None:
    on = synthetic_stage(add_take=False, refuse={"MediaPoolItem.ReplaceClip"})
    editor, put = placed(on, tmp_path)
    with pytest.raises(EditorError) as caught:
        takes.add_take(editor, put.video, media(editor, tmp_path, "second"), first=0, rule=EndRule())
    assert caught.value.code == "no_take" and caught.value.remedy
    assert shows(picture(on)) == shows(sound(on)) == "first"


def test_sound_that_cannot_be_changed_brings_the_picture_back(tmp_path: Path) -> None:
    on = synthetic_stage(sound_takes=False)
    editor, put = placed(on, tmp_path)
    second = media(editor, tmp_path, "second")
    on.timeline.tracks["audio"][1].locked = True
    with pytest.raises(EditorError):
        takes.add_take(editor, put.video, second, first=0, rule=EndRule())
    assert shows(picture(on)) == shows(sound(on)) == "first"
    assert takes.list_takes(put.video)[0].chosen


def test_a_media_of_the_wrong_length_becomes_no_take(tmp_path: Path) -> None:
    on = synthetic_stage(refuse={"MediaPoolItem.ReplaceClip"})
    editor, put = placed(on, tmp_path)
    short = placing.import_take(editor, media_file(tmp_path, "short", 30), 30, Fraction(24))
    with pytest.raises(EditorError):
        takes.add_take(editor, put.video, short, first=0, rule=EndRule())
    assert (shows(picture(on)), picture(on).frames) == ("first", 50)


def test_clips_are_found_by_their_marker(tmp_path: Path) -> None:
    on = synthetic_stage()
    editor, put = placed(on, tmp_path)
    request = {"text": "Hello.", "speaker": "presenter", "seed": 3}
    assert clips.find_clips(editor) == []
    assert clips.mark(put.video, Shown("line-1", "take-1", "/a.mp4", request))
    found = clips.find_clips(editor)[0]
    assert (found.line, found.take, found.request, found.start, found.frames) == ("line-1", "take-1", request, editor.start, 50)
    assert clips.mark(put.video, Shown("line-1", "take-2", "/b.mp4", {**request, "seed": 4}), found)
    again = clips.clips_by_line(editor, {})["line-1"]
    assert [entry["id"] for entry in again.takes] == ["take-1", "take-2"]
    assert len(picture(on).markers) == 1
    assert clips.clip_at(editor, editor.start + 49) is not None
    assert clips.clip_at(editor, editor.start + 50) is None
