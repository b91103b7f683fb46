"""Where Resolve's own description of its interface says less than the truth, in one place.

Arguments that Resolve's texts call optional are left out here, since older versions do not know them; the published description wants all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .errors import EditorError

if TYPE_CHECKING:
    from fusionscript import Timeline, TimelineItem


Kind = Literal["video", "audio", "subtitle"]  # of tracks


def offers(thing: object, name: str) -> bool:
    """Whether an object of Resolve has a method. `hasattr` is always true for them: a name they do not know gives None."""
    return name in dir(thing)


def whole(value: Any, what: str) -> int:
    """A frame number, which Resolve gives as a float here and there. Raises EditorError for part of a frame."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise EditorError(f"Resolve says that {what} is {value!r}.", "Snap the clip to whole frames, then try again.", "bad_frame")
    return int(value)


def start_of(item: TimelineItem) -> int:
    """First frame of the item, counted as the timeline's timecode counts."""
    return whole(item.GetStart(), "a clip's start")  # pyright: ignore[reportCallIssue] - its argument came late and is optional


def end_of(item: TimelineItem) -> int:
    """The frame behind the item's last one."""
    return start_of(item) + duration_of(item)


def duration_of(item: TimelineItem) -> int:
    return whole(item.GetDuration(), "a clip's duration")  # pyright: ignore[reportCallIssue] - its argument came late and is optional


def source_start_of(item: TimelineItem) -> int:
    """Which frame of the media the item shows first."""
    if offers(item, "GetSourceStartFrame"):
        return whole(item.GetSourceStartFrame(), "a clip's first source frame")
    return whole(item.GetLeftOffset(), "a clip's left handle")  # pyright: ignore[reportCallIssue] - its argument came late and is optional


def add_video_track(timeline: Timeline) -> bool:
    """A track above all others."""
    return bool(timeline.AddTrack("video"))  # pyright: ignore[reportCallIssue] - the second argument is for sound


def identity(thing: Any) -> str:
    """What tells one object of Resolve from another: the same clip is a new Python object every time it is asked for."""
    return str(thing.GetUniqueId())


def items_in(timeline: Timeline, kind: Kind, track: int) -> list[TimelineItem]:
    """The items of a track (counted from 1), in order; Resolve answers None where there are none."""
    return sorted(timeline.GetItemListInTrack(kind, track) or [], key=start_of)
