"""A DaVinci Resolve that runs in a test: project, media pool, timeline. Its traps are the documented ones; a `World` says which of them are set.

The proxies of `stubs` stand between it and the plugin, so that nothing can be called that the published description does not have.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resolve.stubs import Part, Proxy

_IDS = itertools.count(1)
# Frame number of 01:00:00:00, by the setting: figures of the standard, so that the double does not count as the plugin does.
FIRST_FRAME = {"24": 86400, "25": 90000, "23.976": 86400, "29.97": 108000, "29.97 DF": 107892, "60": 216000, "59.94 DF": 215784}


class ModalDialog(AssertionError):
    """The free edition would show a dialog and wait for somebody."""


def _real_probe(path: str) -> tuple[int, float]:
    """What is really in the file."""
    from retake.media.probe import probe

    found = probe(Path(path))
    assert found.complete and found.rate is not None
    return found.frames, float(found.rate)


@dataclass
class World:
    """How this Resolve behaves.

    gone: whether it has ended.
    end_exclusive: whether `endFrame` is the first frame that is not shown (newer versions) or the last one that is.
    copy_becomes_current: whether DuplicateTimeline opens the copy.
    sound_takes: whether clips of sound can have takes; takes_move_sound: whether a take of a picture changes its linked sound.
    refuse: names of methods ("Timeline.AddMarker") that answer False or None.
    hide: names of methods that this version does not have.
    probe: frames and frames per second of a file.
    """

    gone: bool = False
    product: str = "DaVinci Resolve Studio"
    version: tuple[int, int, int] = (21, 0, 0)
    end_exclusive: bool = True
    copy_becomes_current: bool = True
    add_take: bool = True
    sound_takes: bool = True
    takes_move_sound: bool = False
    refuse: set[str] = field(default_factory=set)
    hide: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    probe: Callable[[str], tuple[int, float]] = _real_probe

    @property
    def studio(self) -> bool:
        return "Studio" in self.product

    def refuses(self, name: str) -> bool:
        return name in self.refuse


class _Owned(Part):
    """A part of a world, with an id of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.id = f"id-{next(_IDS)}"

    def offered(self) -> set[str]:
        return super().offered() - {name.partition(".")[2] for name in self.world.hide if name.partition(".")[0] == self.stub}

    def gone(self) -> bool:
        return self.world.gone

    def before(self, method: str) -> None:
        self.world.calls.append(f"{self.stub}.{method}")
        if not self.world.studio and f"{self.stub}.{method}" not in {"Resolve.GetProductName", "Resolve.GetVersion", "Resolve.GetVersionString"}:
            raise ModalDialog(f"{self.stub}.{method} on the free edition")

    def GetUniqueId(self) -> str:
        return self.id


class Markers(_Owned):
    """What timelines and their items have in common. Frames and durations come back as floats."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.markers: dict[float, dict[str, Any]] = {}

    def AddMarker(  # noqa: PLR0917 - as it is described
        self, frame: float, color: str, name: str, note: str, duration: float, data: str | None = None
    ) -> bool:
        if self.world.refuses(f"{self.stub}.AddMarker") or float(frame) in self.markers:
            return False
        self.markers[float(frame)] = {"color": color, "duration": float(duration), "note": note, "name": name, "customData": data or ""}
        return True

    def GetMarkers(self) -> dict[float, dict[str, Any]]:
        return copy.deepcopy(self.markers)

    def UpdateMarkerCustomData(self, frame: float, data: str) -> bool:
        if self.world.refuses(f"{self.stub}.UpdateMarkerCustomData") or float(frame) not in self.markers:
            return False
        self.markers[float(frame)]["customData"] = data
        return True

    def DeleteMarkerAtFrame(self, frame: float) -> bool:
        return self.markers.pop(float(frame), None) is not None


class MediaPoolItem(_Owned):
    stub = "MediaPoolItem"

    def __init__(self, world: World, path: str) -> None:
        super().__init__(world)
        self.path = path
        self.frames, self.fps = world.probe(path)

    def GetName(self) -> str:
        return Path(self.path).name

    def GetClipProperty(self, name: str | None = None) -> Any:
        found = {"File Path": self.path, "Frames": str(self.frames), "FPS": self.fps}  # the rate comes as a number
        return found if not name else found.get(name, "")

    def ReplaceClip(self, path: str) -> bool:
        if self.world.refuses("MediaPoolItem.ReplaceClip"):
            return False
        self.path = path
        self.frames, self.fps = self.world.probe(path)
        return True


class Folder(_Owned):
    stub = "Folder"

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world)
        self.name = name
        self.folders: list[Folder] = []
        self.clips: list[MediaPoolItem] = []

    def GetName(self) -> str:
        return self.name

    def GetSubFolderList(self) -> list[Folder]:
        return list(self.folders)

    def GetClipList(self) -> list[MediaPoolItem]:
        return list(self.clips)


@dataclass
class _Take:
    media: MediaPoolItem
    first: int
    frames: int


class TimelineItem(Markers):
    """Its own frames are absolute."""

    stub = "TimelineItem"

    def __init__(self, world: World, timeline: Timeline, kind: str, start: int, frames: int, *, media: MediaPoolItem | None, name: str = "") -> None:
        super().__init__(world)
        self.timeline = timeline
        self.kind = kind
        self.start = start
        self.frames = frames
        self.media = media
        self.first = 0
        self.name = name
        self.linked: list[TimelineItem] = []
        self.takes: list[_Take] = []
        self.selected = 0

    def GetName(self) -> str:
        return self.name or (self.media.GetName() if self.media is not None else "Solid Color")

    def GetStart(self, precise: bool = False) -> float:
        return float(self.start)

    def GetEnd(self, precise: bool = False) -> int:
        return self.start + self.frames

    def GetDuration(self, precise: bool = False) -> int:
        return self.frames

    def GetSourceStartFrame(self) -> int:
        return self.first

    def GetLeftOffset(self, precise: bool = False) -> int:
        return self.first

    def GetMediaPoolItem(self) -> MediaPoolItem | None:
        return self.media

    def GetLinkedItems(self) -> list[TimelineItem]:
        return list(self.linked)

    def GetTrackTypeAndIndex(self) -> list[Any]:
        return [self.kind, self.timeline.track_of(self)]

    def AddTake(self, media: MediaPoolItem, first: int | None = None, end: int | None = None) -> bool:
        locked = self.timeline.is_locked(self)
        if not self.world.add_take or locked or self.media is None or (self.kind == "audio" and not self.world.sound_takes):
            return False
        if first is None or end is None:
            first, frames = 0, media.frames
        else:
            frames = min(end - first + (0 if self.world.end_exclusive else 1), media.frames - first)
        if not self.takes:  # the first take is the clip as it is
            self.takes.append(_Take(self.media, self.first, self.frames))
            self.selected = 1
        self.takes.append(_Take(media, first, frames))
        return True

    def GetTakesCount(self) -> int:
        return len(self.takes)

    def GetSelectedTakeIndex(self) -> int:
        return self.selected

    def GetTakeByIndex(self, index: int) -> dict[str, Any]:
        take = self.takes[index - 1]
        return {"startFrame": take.first, "endFrame": take.first + take.frames, "mediaPoolItem": take.media}

    def SelectTakeByIndex(self, index: int) -> bool:
        if not 1 <= index <= len(self.takes):
            return False
        take = self.takes[index - 1]
        self.selected = index
        shown = [self, *(self.linked if self.world.takes_move_sound else [])]
        for item in shown:
            item.media, item.first, item.frames = take.media, take.first, take.frames
        return True

    def DeleteTakeByIndex(self, index: int) -> bool:
        if not 1 <= index <= len(self.takes) or index == self.selected:
            return False
        del self.takes[index - 1]
        self.selected -= index < self.selected
        return True

    def FinalizeTake(self) -> bool:
        if not self.takes:
            return False
        self.takes, self.selected = [], 0
        return True


class _Track:
    def __init__(self, name: str) -> None:
        self.name = name
        self.locked = False
        self.items: list[TimelineItem] = []


class Timeline(Markers):
    """Markers count from its beginning, items from the beginning of timecode, tracks from 1."""

    stub = "Timeline"

    def __init__(self, world: World, project: Project, name: str, rate: str) -> None:
        super().__init__(world)
        self.project = project
        self.name = name
        self.rate = rate
        self.first = FIRST_FRAME[rate]
        self.start_timecode = "01:00:00;00" if rate.endswith("DF") else "01:00:00:00"
        self.playhead = self.start_timecode
        self.tracks: dict[str, list[_Track]] = {"video": [_Track("Video 1")], "audio": [_Track("Audio 1")], "subtitle": []}

    def put(self, kind: str, track: int, start: int, frames: int, *, media: MediaPoolItem | None = None, name: str = "") -> TimelineItem:
        """What the user laid there by hand; `start` counts from the timeline's beginning."""
        while len(self.tracks[kind]) < track:
            self.tracks[kind].append(_Track(f"{kind.title()} {len(self.tracks[kind]) + 1}"))
        item = TimelineItem(self.world, self, kind, self.first + start, frames, media=media, name=name)
        self.tracks[kind][track - 1].items.append(item)
        return item

    def track_of(self, item: TimelineItem) -> int:
        return next((number for number, track in enumerate(self.tracks[item.kind], 1) if item in track.items), 0)

    def is_locked(self, item: TimelineItem) -> bool:
        number = self.track_of(item)
        return number > 0 and self.tracks[item.kind][number - 1].locked

    def GetName(self) -> str:
        return self.name

    def GetStartFrame(self) -> int:
        return self.first

    def GetEndFrame(self) -> int:
        ends = [item.start + item.frames for tracks in self.tracks.values() for track in tracks for item in track.items]
        return max(ends, default=self.first)

    def GetStartTimecode(self) -> str:
        return self.start_timecode

    def GetCurrentTimecode(self) -> str:
        return self.playhead

    def GetSetting(self, name: str) -> str:
        return self.rate if name == "timelineFrameRate" else ""

    def GetTrackCount(self, kind: str) -> int:
        return len(self.tracks[kind])

    def GetTrackName(self, kind: str, track: int) -> str:
        return self.tracks[kind][track - 1].name

    def SetTrackName(self, kind: str, track: int, name: str) -> bool:
        self.tracks[kind][track - 1].name = name
        return True

    def AddTrack(self, kind: str, more: Any = None) -> bool:
        if self.world.refuses("Timeline.AddTrack"):
            return False
        self.tracks[kind].append(_Track(f"{kind.title()} {len(self.tracks[kind]) + 1}"))
        return True

    def GetIsTrackLocked(self, kind: str, track: int) -> bool:
        return self.tracks[kind][track - 1].locked

    def SetTrackLock(self, kind: str, track: int, locked: bool) -> bool:
        self.tracks[kind][track - 1].locked = locked
        return True

    def GetItemListInTrack(self, kind: str, track: int) -> list[TimelineItem] | None:
        found = self.tracks[kind][track - 1].items
        return sorted(found, key=lambda item: item.start) or None

    def DeleteClips(self, items: list[TimelineItem], ripple: bool = False) -> bool:
        if self.world.refuses("Timeline.DeleteClips") or any(self.is_locked(item) for item in items):
            return False
        for item in items:
            number = self.track_of(item)
            if not number:
                return False
            self.tracks[item.kind][number - 1].items.remove(item)
            for other in item.linked:
                other.linked = [one for one in other.linked if one is not item]
        return True

    def SetClipsLinked(self, items: list[TimelineItem], linked: bool) -> bool:
        if self.world.refuses("Timeline.SetClipsLinked"):
            return False
        for item in items:
            item.linked = [other for other in items if other is not item] if linked else []
        return True

    def DuplicateTimeline(self, name: str | None = None) -> Timeline | None:
        wanted = name or f"{self.name} copy"
        if self.world.refuses("Timeline.DuplicateTimeline") or any(other.name == wanted for other in self.project.timelines):
            return None
        made = Timeline(self.world, self.project, wanted, self.rate)
        made.markers = copy.deepcopy(self.markers)
        made.tracks = {kind: [_copy_track(made, track) for track in tracks] for kind, tracks in self.tracks.items()}
        self.project.timelines.append(made)
        if self.world.copy_becomes_current:
            self.project.current = made
        return made


def _copy_track(timeline: Timeline, track: _Track) -> _Track:
    made = _Track(track.name)
    made.locked = track.locked
    for item in track.items:
        twin = TimelineItem(timeline.world, timeline, item.kind, item.start, item.frames, media=item.media, name=item.name)
        twin.first, twin.markers, twin.takes, twin.selected = item.first, copy.deepcopy(item.markers), list(item.takes), item.selected
        made.items.append(twin)
    return made


class MediaPool(_Owned):
    stub = "MediaPool"

    def __init__(self, world: World, project: Project) -> None:
        super().__init__(world)
        self.project = project
        self.root = Folder(world, "Master")
        self.current = self.root

    def GetRootFolder(self) -> Folder:
        return self.root

    def GetCurrentFolder(self) -> Folder:
        return self.current

    def SetCurrentFolder(self, folder: Folder) -> bool:
        self.current = folder
        return True

    def AddSubFolder(self, folder: Folder, name: str) -> Folder | None:
        if self.world.refuses("MediaPool.AddSubFolder"):
            return None
        made = Folder(self.world, name)
        folder.folders.append(made)
        return made

    def ImportMedia(self, paths: list[str]) -> list[MediaPoolItem]:
        if self.world.refuses("MediaPool.ImportMedia"):
            return []
        made = [MediaPoolItem(self.world, path) for path in paths]
        self.current.clips += made
        return made

    def DeleteTimelines(self, timelines: list[Timeline]) -> bool:
        self.project.timelines = [one for one in self.project.timelines if one not in timelines]
        return True

    def AppendToTimeline(self, clips: list[dict[str, Any]]) -> list[TimelineItem]:
        """Drops without a word what overlaps, meets a locked track or is no whole number."""
        timeline = self.project.current
        out: list[TimelineItem] = []
        for clip in clips:
            kinds = {1: ["video"], 2: ["audio"]}.get(clip.get("mediaType", 0), ["video", "audio"])
            for kind in kinds:
                item = self._append(timeline, kind, clip)
                if item is not None:
                    out.append(item)
        return out

    def _append(self, timeline: Timeline | None, kind: str, clip: dict[str, Any]) -> TimelineItem | None:
        figures = [clip[name] for name in ("startFrame", "endFrame", "recordFrame", "trackIndex")]
        if timeline is None or any(not isinstance(figure, int) for figure in figures) or self.world.refuses("MediaPool.AppendToTimeline"):
            return None
        first, end, record, number = figures
        media: MediaPoolItem = clip["mediaPoolItem"]
        if not 1 <= number <= len(timeline.tracks[kind]) or record < timeline.first or not 0 <= first < media.frames:
            return None
        track = timeline.tracks[kind][number - 1]
        frames = min(end - first + (0 if self.world.end_exclusive else 1), media.frames - first)
        overlapping = any(item.start < record + frames and item.start + item.frames > record for item in track.items)
        if track.locked or overlapping or frames < 1:
            return None
        item = TimelineItem(self.world, timeline, kind, record, frames, media=media)
        item.first = first
        track.items.append(item)
        return item


class Project(_Owned):
    stub = "Project"

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world)
        self.name = name
        self.pool = MediaPool(world, self)
        self.timelines: list[Timeline] = []
        self.current: Timeline | None = None

    def GetName(self) -> str:
        return self.name

    def GetMediaPool(self) -> MediaPool:
        return self.pool

    def GetCurrentTimeline(self) -> Timeline | None:
        return self.current

    def SetCurrentTimeline(self, timeline: Timeline) -> bool:
        if timeline not in self.timelines:
            return False
        self.current = timeline
        return True

    def GetTimelineCount(self) -> int:
        return len(self.timelines)

    def GetTimelineByIndex(self, index: int) -> Timeline | None:
        return self.timelines[index - 1] if 1 <= index <= len(self.timelines) else None


class ProjectManager(_Owned):
    stub = "ProjectManager"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.project: Project | None = None

    def GetCurrentProject(self) -> Project | None:
        return self.project


class Resolve(_Owned):
    stub = "Resolve"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.manager = ProjectManager(world)

    def GetProductName(self) -> str:
        return self.world.product

    def GetVersion(self) -> list[Any]:
        return [*self.world.version, 0, ""]

    def GetProjectManager(self) -> ProjectManager:
        return self.manager


CLASSES: tuple[type[Part], ...] = (MediaPoolItem, Folder, TimelineItem, Timeline, MediaPool, Project, ProjectManager, Resolve)


@dataclass
class Stage:
    """A Resolve with one project and one timeline open. `resolve` is what the plugin is given; the rest is for tests to look behind it."""

    world: World
    resolve: Any
    project: Project
    timeline: Timeline


def stage(rate: str = "24", world: World | None = None, *, name: str = "Cut") -> Stage:
    chosen = world or World()
    resolve = Resolve(chosen)
    project = Project(chosen, "Film")
    timeline = Timeline(chosen, project, name, rate)
    project.timelines.append(timeline)
    project.current = timeline
    resolve.manager.project = project
    return Stage(chosen, Proxy(resolve), project, timeline)
