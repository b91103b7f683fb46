"""Takes land exactly where they should, or not at all and with a reason: each trap of Resolve's appending, met by the plugin."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from davinci_samples import RATES, editor_of, media_file, synthetic_stage
from resolve.double import FIRST_FRAME, Stage

from retake_davinci import placing
from retake_davinci.editor import Editor
from retake_davinci.errors import EditorError
from retake_davinci.placing import EndRule, Stretch

FRACTIONS = {"24": Fraction(24), "25": Fraction(25), "29.97 DF": Fraction(30000, 1001), "60": Fraction(60)}


def put(editor: Editor, folder: Path, start: int, frames: int, *, rate: str = "24", handles: int = 0, **more: object) -> placing.Placed:
    name = rate.split(maxsplit=1)[0]
    path = media_file(folder, frames=frames + 2 * handles, rate=name)
    item = placing.import_take(editor, path, frames + 2 * handles, FRACTIONS[rate])
    first = editor.start + start
    return placing.place(editor, item, Stretch(first, first + frames), first=handles, rule=EndRule(), **more)  # type: ignore[arg-type]


def lying(on: Stage, kind: str = "video") -> list[tuple[int, int, int, int]]:
    """Track, start from the timeline's beginning, frames, first frame of the media."""
    return [
        (number, item.start - on.timeline.first, item.frames, item.first)
        for number, track in enumerate(on.timeline.tracks[kind], 1)
        for item in sorted(track.items, key=lambda item: item.start)
    ]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("handles", [0, 12])
def test_picture_and_sound_lie_exactly(tmp_path: Path, rate: str, exclusive: bool, handles: int) -> None:
    on = synthetic_stage(rate, end_exclusive=exclusive)
    put(editor_of(on), tmp_path, 100, 75, rate=rate, handles=handles)
    assert lying(on) == [(2, 100, 75, handles)]
    assert lying(on, "audio") == [(2, 100, 75, handles)]
    item = on.timeline.tracks["video"][1].items[0]
    assert item.start == FIRST_FRAME[rate] + 100
    assert item.linked == on.timeline.tracks["audio"][1].items
    assert (on.timeline.tracks["video"][1].name, on.timeline.tracks["audio"][1].name) == ("Retake", "Retake")


def test_the_version_that_counts_the_last_frame_is_learnt(tmp_path: Path) -> None:
    on = synthetic_stage(end_exclusive=False)
    editor = editor_of(on)
    rule = EndRule()
    item = placing.import_take(editor, media_file(tmp_path, frames=90), 90, Fraction(24))
    for number in range(3):
        start = editor.start + 100 * number
        placing.place(editor, item, Stretch(start, start + 60), first=10, rule=rule)
        assert rule.extra == -1
    assert [entry[1:] for entry in lying(on)] == [(0, 60, 10), (100, 60, 10), (200, 60, 10)]
    assert on.world.calls.count("MediaPool.AppendToTimeline") == 1 + 3 * 2  # one wrong one, which is taken away; then it is known


def test_a_neighbour_directly_behind_is_no_overlap(tmp_path: Path) -> None:
    """The version that counts the last frame would drop the first attempt because of the neighbour."""
    on = synthetic_stage(end_exclusive=False)
    editor = editor_of(on)
    put(editor, tmp_path, 150, 50)
    item = placing.import_take(editor, media_file(tmp_path, "long", 90), 90, Fraction(24))
    placing.place(editor, item, Stretch(editor.start + 100, editor.start + 150), first=0, rule=EndRule())
    assert lying(on) == [(2, 100, 50, 0), (2, 150, 50, 0)]


def test_what_overlaps_goes_onto_another_track(tmp_path: Path) -> None:
    on = synthetic_stage()
    editor = editor_of(on)
    put(editor, tmp_path, 100, 50)
    put(editor, tmp_path, 120, 50)
    assert lying(on) == [(2, 100, 50, 0), (3, 120, 50, 0)]
    assert [track.name for track in on.timeline.tracks["video"]] == ["Video 1", "Retake", "Retake 2"]


def test_locked_tracks_of_ours_are_passed_over(tmp_path: Path) -> None:
    on = synthetic_stage()
    editor = editor_of(on)
    put(editor, tmp_path, 0, 50)
    on.timeline.tracks["video"][1].locked = True
    put(editor, tmp_path, 100, 50)
    assert lying(on) == [(2, 0, 50, 0), (3, 100, 50, 0)]


def test_a_take_lies_above_its_placeholder(tmp_path: Path) -> None:
    on = synthetic_stage()
    editor = editor_of(on)
    on.timeline.tracks["video"][0].name = "Retake"
    on.timeline.put("video", 2, 0, 50, name="@presenter: Say this.")
    put(editor, tmp_path, 0, 50, above=2)
    assert lying(on) == [(2, 0, 50, 0), (3, 0, 50, 0)]


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_chosen_track_that_is_locked_or_full(tmp_path: Path, kind: str) -> None:
    on = synthetic_stage()
    editor = editor_of(on)
    track = on.timeline.tracks[kind][0]
    track.locked = True
    with pytest.raises(EditorError) as caught:
        put(editor, tmp_path, 0, 50, tracks=(1, 1))
    assert caught.value.code == "track_locked" and f"{kind.title()} 1" in caught.value.cause
    track.locked = False
    on.timeline.put(kind, 1, 49, 10)
    with pytest.raises(EditorError) as caught:
        put(editor, tmp_path, 0, 50, tracks=(1, 1))
    assert caught.value.code == "overlap" and "01:00:00:00" in caught.value.cause
    assert [entry for entry in lying(on, "video") if entry[1] == 0] == []  # the picture that lay there already was taken away again


def test_a_track_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EditorError) as caught:
        put(editor_of(synthetic_stage()), tmp_path, 0, 50, tracks=(7, 1))
    assert caught.value.code == "no_track"


def test_an_append_that_does_nothing_is_noticed(tmp_path: Path) -> None:
    on = synthetic_stage(refuse={"MediaPool.AppendToTimeline"})
    with pytest.raises(EditorError) as caught:
        put(editor_of(on), tmp_path, 0, 50)
    assert caught.value.code == "dropped" and caught.value.remedy
    assert lying(on) == []


def test_a_clip_that_comes_out_wrong_is_taken_away(tmp_path: Path) -> None:
    """Media that is shorter than it should be makes a shorter clip, whatever is asked for."""
    on = synthetic_stage()
    editor = editor_of(on)
    item = placing.import_take(editor, media_file(tmp_path, frames=40), 40, Fraction(24))
    with pytest.raises(EditorError) as caught:
        placing.place(editor, item, Stretch(editor.start, editor.start + 50), first=0, rule=EndRule())
    assert caught.value.code == "wrong_place" and "40 frames" in caught.value.cause
    assert lying(on) == [] and lying(on, "audio") == []


def test_unlinked_sound_is_told(tmp_path: Path) -> None:
    on = synthetic_stage(refuse={"Timeline.SetClipsLinked"})
    assert "link" in " ".join(put(editor_of(on), tmp_path, 0, 50).notes)


def test_tracks_that_cannot_be_added(tmp_path: Path) -> None:
    with pytest.raises(EditorError) as caught:
        put(editor_of(synthetic_stage(refuse={"Timeline.AddTrack"})), tmp_path, 0, 50)
    assert caught.value.code == "no_track"


def test_imports_go_into_the_bin_once_and_the_users_bin_stays(tmp_path: Path) -> None:
    on = synthetic_stage()
    editor = editor_of(on)
    pool = on.project.pool
    dailies = pool.AddSubFolder(pool.root, "Dailies")
    assert dailies is not None
    pool.current = dailies
    path = media_file(tmp_path)
    for _ in range(2):
        placing.import_take(editor, path, 50, Fraction(24))
    assert pool.current is dailies and dailies.clips == []
    found = [folder for folder in pool.root.folders if folder.name == "Retake"]
    assert len(found) == 1 and [clip.path for clip in found[0].clips] == [path]


@pytest.mark.parametrize(
    ("frames", "rate", "code"), [(49, Fraction(24), "wrong_media"), (50, Fraction(25), "wrong_media"), (50, Fraction(24000, 1001), "wrong_media")]
)
def test_what_resolve_sees_is_compared(tmp_path: Path, frames: int, rate: Fraction, code: str) -> None:
    with pytest.raises(EditorError) as caught:
        placing.import_take(editor_of(synthetic_stage()), media_file(tmp_path), frames, rate)
    assert caught.value.code == code


def test_a_missing_file_and_a_refused_import(tmp_path: Path) -> None:
    editor = editor_of(synthetic_stage())
    with pytest.raises(EditorError) as caught:
        placing.import_take(editor, str(tmp_path / "gone_50_24.mp4"), 50, Fraction(24))
    assert caught.value.code == "missing_file"
    on = synthetic_stage(refuse={"MediaPool.ImportMedia"})
    with pytest.raises(EditorError) as caught:
        placing.import_take(editor_of(on), media_file(tmp_path), 50, Fraction(24))
    assert caught.value.code == "not_imported"
    assert on.project.pool.current is on.project.pool.root


@pytest.mark.parametrize("becomes", [True, False])
def test_a_copy_is_kept_and_the_original_stays_open(becomes: bool) -> None:
    on = synthetic_stage(copy_becomes_current=becomes)
    editor = editor_of(on)
    assert placing.back_up(editor) == "Cut (before Retake)"
    assert placing.back_up(editor) == "Cut (before Retake 2)"  # the first name is given already
    assert on.project.current is on.timeline
    assert placing.drop_back_up(editor, "Cut (before Retake 2)")
    assert [timeline.name for timeline in on.project.timelines] == ["Cut", "Cut (before Retake)"]


def test_no_copy_no_work() -> None:
    with pytest.raises(EditorError) as caught:
        placing.back_up(editor_of(synthetic_stage(refuse={"Timeline.DuplicateTimeline"})))
    assert caught.value.code == "no_backup" and "nothing was changed" in caught.value.cause


def test_another_timeline_may_be_looked_at(tmp_path: Path) -> None:
    on = synthetic_stage()
    editor = editor_of(on)
    other = on.timeline.DuplicateTimeline("Other")
    assert other is not None and on.project.current is other
    with editor.at_work():
        put(editor, tmp_path, 0, 50)
    assert on.project.current is other
    assert lying(on) == [(2, 0, 50, 0)] and len(other.tracks["video"]) == 1


def test_another_project_is_left_alone(tmp_path: Path) -> None:
    on = synthetic_stage()
    editor = editor_of(on)
    on.resolve._impl.manager.project = synthetic_stage().project
    with pytest.raises(EditorError) as caught, editor.at_work():
        put(editor, tmp_path, 0, 50)
    assert caught.value.code == "other_project"


@pytest.mark.parametrize("rate", RATES)
def test_the_playhead_is_counted_as_items_are(rate: str) -> None:
    on = synthetic_stage(rate)
    editor = editor_of(on)
    on.timeline.playhead = editor.timecode(editor.start + 1234)
    assert editor.playhead() == editor.start + 1234
    on.timeline.first = 0  # a timeline whose frames are counted from elsewhere than its timecode says
    assert editor.playhead() == 1234
