"""The double of Resolve: its surface is the published one, and each of its traps is there, hit on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from resolve.double import CLASSES, FIRST_FRAME, ModalDialog, Stage, World, stage
from resolve.stubs import NotInSurface, Part, strangers, surface


def synthetic(path: str) -> tuple[int, float]:
    """Files named after their length: "take_50.mp4" has 50 frames."""
    return int(Path(path).stem.split("_")[-1]), 24.0


@pytest.fixture
def open_stage() -> Iterator[Stage]:
    yield stage("24", World(probe=synthetic))


def clip_info(item: Any, **more: Any) -> dict[str, Any]:
    return {"mediaPoolItem": item, "startFrame": 0, "endFrame": 50, "mediaType": 1, "trackIndex": 1, "recordFrame": 86400, **more}


def import_one(on: Stage, name: str = "take_50.mp4") -> Any:
    return pool_of(on).ImportMedia([name])[0]


def pool_of(on: Stage) -> Any:
    return project_of(on).GetMediaPool()


def project_of(on: Stage) -> Any:
    return on.resolve.GetProjectManager().GetCurrentProject()


def items(on: Stage, kind: str = "video", track: int = 1) -> list[Any]:
    return project_of(on).GetCurrentTimeline().GetItemListInTrack(kind, track) or []


def test_the_description_is_read() -> None:
    known = surface()
    assert sum(len(methods) for methods in known.methods.values()) > 300
    assert known.literals["TrackType"] == {"audio", "video", "subtitle"}
    assert known.dictionaries["MediaPoolClipInfo"]["mediaType"] == "NotRequired[MediaType]"


@pytest.mark.parametrize("kind", CLASSES)
def test_the_double_invents_nothing(kind: type[Part]) -> None:
    assert strangers(kind) == []


def test_unknown_names_are_none(open_stage: Stage) -> None:
    timeline = project_of(open_stage).GetCurrentTimeline()
    assert timeline.MoveClips is None
    assert hasattr(timeline, "MoveClips")  # which is why the plugin asks dir()
    assert "MoveClips" not in dir(timeline)
    assert "AddMarker" in dir(timeline)


def test_only_positions_literals_and_keys_that_are_described(open_stage: Stage) -> None:
    timeline, pool = project_of(open_stage).GetCurrentTimeline(), pool_of(open_stage)
    clip = import_one(open_stage)
    with pytest.raises(TypeError):
        timeline.GetTrackCount(trackType="video")
    for call in (
        lambda: timeline.GetTrackCount("vdeo"),
        timeline.GetTrackCount,
        lambda: timeline.AddMarker(1, "Bleu", "a", "b", 1, ""),
        lambda: timeline.AddMarker(1, "Blue"),
        lambda: pool.AppendToTimeline([clip_info(clip, startFrme=0)]),
        lambda: pool.AppendToTimeline([{"mediaPoolItem": clip, "startFrame": 0}]),
        lambda: pool.AppendToTimeline([clip_info(clip, mediaType=3)]),
        lambda: pool.AppendToTimeline([clip_info("take.mp4")]),
        lambda: pool.SetCurrentFolder(clip),
    ):
        with pytest.raises(NotInSurface):
            call()


def test_an_overlap_is_dropped_without_a_word(open_stage: Stage) -> None:
    clip = import_one(open_stage)
    pool_of(open_stage).AppendToTimeline([clip_info(clip)])
    pool_of(open_stage).AppendToTimeline([clip_info(clip, recordFrame=86449)])
    assert [item.GetStart() for item in items(open_stage)] == [86400.0]
    pool_of(open_stage).AppendToTimeline([clip_info(clip, recordFrame=86450)])
    assert len(items(open_stage)) == 2


def test_a_locked_track_takes_nothing(open_stage: Stage) -> None:
    project_of(open_stage).GetCurrentTimeline().SetTrackLock("video", 1, True)
    pool_of(open_stage).AppendToTimeline([clip_info(import_one(open_stage))])
    assert items(open_stage) == []


@pytest.mark.parametrize("figure", ["startFrame", "endFrame", "recordFrame", "trackIndex"])
def test_only_whole_numbers_arrive(open_stage: Stage, figure: str) -> None:
    clip = import_one(open_stage)
    pool_of(open_stage).AppendToTimeline([clip_info(clip) | {figure: float(clip_info(clip)[figure])}])
    assert items(open_stage) == []


@pytest.mark.parametrize(("exclusive", "frames"), [(True, 40), (False, 41)])
def test_the_last_frame_counts_in_some_versions(exclusive: bool, frames: int) -> None:
    on = stage("24", World(probe=synthetic, end_exclusive=exclusive))
    pool_of(on).AppendToTimeline([clip_info(import_one(on), endFrame=40)])
    assert items(on)[0].GetDuration() == frames


@pytest.mark.parametrize("rate", FIRST_FRAME)
def test_markers_are_relative_and_items_absolute(rate: str) -> None:
    on = stage(rate, World(probe=synthetic))
    timeline = project_of(on).GetCurrentTimeline()
    assert timeline.AddMarker(24, "Blue", "a", "b", 1, "")
    on.timeline.put("video", 1, 24, 10)
    assert next(iter(timeline.GetMarkers())) == 24.0
    assert items(on)[0].GetStart() == FIRST_FRAME[rate] + 24


def test_a_frame_has_one_marker(open_stage: Stage) -> None:
    timeline = project_of(open_stage).GetCurrentTimeline()
    assert timeline.AddMarker(1, "Blue", "a", "b", 1, "")
    assert not timeline.AddMarker(1, "Red", "a", "b", 1, "")


def test_imports_land_in_the_current_bin(open_stage: Stage) -> None:
    pool = pool_of(open_stage)
    made = pool.AddSubFolder(pool.GetRootFolder(), "Elsewhere")
    pool.SetCurrentFolder(made)
    import_one(open_stage)
    assert len(made.GetClipList()) == 1
    assert pool.GetRootFolder().GetClipList() == []


@pytest.mark.parametrize("becomes", [True, False])
def test_a_copy_may_become_current_and_names_are_given_once(becomes: bool) -> None:
    on = stage("24", World(probe=synthetic, copy_becomes_current=becomes))
    project = project_of(on)
    made = project.GetCurrentTimeline().DuplicateTimeline("Copy")
    assert (project.GetCurrentTimeline().GetUniqueId() == made.GetUniqueId()) is becomes
    assert on.timeline.DuplicateTimeline("Copy") is None


def test_the_first_take_is_the_clip_itself(open_stage: Stage) -> None:
    pool_of(open_stage).AppendToTimeline([clip_info(import_one(open_stage))])
    item = items(open_stage)[0]
    assert (item.GetTakesCount(), item.GetSelectedTakeIndex()) == (0, 0)
    assert item.AddTake(import_one(open_stage, "other_50.mp4"), 0, 50)
    assert (item.GetTakesCount(), item.GetSelectedTakeIndex()) == (2, 1)
    assert item.GetTakeByIndex(1)["mediaPoolItem"].GetName() == "take_50.mp4"
    assert not item.SelectTakeByIndex(3)
    assert item.FinalizeTake()
    assert item.GetTakesCount() == 0


def test_the_free_edition_shows_a_dialog() -> None:
    on = stage("24", World(product="DaVinci Resolve"))
    assert on.resolve.GetProductName() == "DaVinci Resolve"
    assert on.resolve.GetVersion()[:3] == [21, 0, 0]
    with pytest.raises(ModalDialog):
        on.resolve.GetProjectManager()
