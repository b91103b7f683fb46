"""Clips on the timeline that show takes of lines: found again by a marker on each, whose customData says which line and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retake_client.convention import marker_name

from . import custom_data
from .editor import Editor
from .surface import duration_of, identity, items_in, source_start_of, start_of

if TYPE_CHECKING:
    from fusionscript import TimelineItem

COLOR = "Mint"
LONGEST_HISTORY = 50  # takes of one clip that are remembered


@dataclass(frozen=True)
class Clip:
    """A clip that shows a take.

    line: id of the line.
    track: of pictures, counted from 1.
    start, frames: where it lies, in the timeline's count.
    marker: key of our marker on it.
    notes: what the marker says: "take", "request" (everything needed to make it again), "takes" (all there were: id and path).
    """

    item: TimelineItem
    line: str
    track: int
    start: int
    frames: int
    marker: float
    notes: dict[str, Any]

    @property
    def request(self) -> dict[str, Any]:
        found = self.notes.get("request")
        return dict(found) if isinstance(found, Mapping) else {}

    @property
    def take(self) -> str:
        return str(self.notes.get("take", ""))

    @property
    def takes(self) -> list[dict[str, str]]:
        """Oldest first; each has "id" and "path"."""
        found = self.notes.get("takes")
        listed = found if isinstance(found, list) else []
        return [{name: str(value) for name, value in entry.items()} for entry in listed if isinstance(entry, Mapping)]


def find_clips(editor: Editor) -> list[Clip]:
    """All clips of ours, in the order of tracks and time."""
    timeline = editor.timeline
    out: list[Clip] = []
    for track in range(1, int(timeline.GetTrackCount("video") or 0) + 1):
        for item in items_in(timeline, "video", track):
            found = _of_item(item, track)
            if found is not None:
                out.append(found)
    return out


def clips_by_line(editor: Editor, starts: Mapping[str, int]) -> dict[str, Clip]:
    """The clip of each line. Where the user has copied one (for a recap, a teaser) the one that lies nearest to the line is meant.

    Args:
        starts: where lines begin, by id, counted as items are.
    """
    out: dict[str, Clip] = {}
    for clip in find_clips(editor):
        known = out.get(clip.line)
        start = starts.get(clip.line)
        if known is None or (start is not None and abs(clip.start - start) < abs(known.start - start)):
            out[clip.line] = clip
    return out


def clip_at(editor: Editor, frame: int) -> Clip | None:
    """Our topmost clip there."""
    return next((clip for clip in reversed(find_clips(editor)) if clip.start <= frame < clip.start + clip.frames), None)


@dataclass(frozen=True)
class Shown:
    """A take and how it was asked for: what is noted on the clip that shows it."""

    line: str
    take: str
    path: str
    request: Mapping[str, Any]


def mark(item: TimelineItem, shown: Shown, earlier: Clip | None = None) -> bool:
    """Note on an item which line it shows; replaces the note of `earlier`. Returns whether it could be noted."""
    takes = [entry for entry in (earlier.takes if earlier is not None else []) if entry.get("id") != shown.take]
    takes.append({"id": shown.take, "path": shown.path})
    notes = {"line": shown.line, "take": shown.take, "request": dict(shown.request), "takes": takes[-LONGEST_HISTORY:]}
    frame = source_start_of(item) if earlier is None else earlier.marker
    if earlier is not None:
        item.DeleteMarkerAtFrame(earlier.marker)
    text = str(shown.request.get("text", ""))
    name = marker_name(str(shown.request.get("speaker", "")), "")
    return bool(item.AddMarker(frame, COLOR, name, text, 1, custom_data.with_notes("", notes)))


def same_item(a: TimelineItem, b: TimelineItem) -> bool:
    return identity(a) == identity(b)


def _of_item(item: TimelineItem, track: int) -> Clip | None:
    markers: Mapping[Any, Any] = item.GetMarkers() or {}
    for frame, marker in markers.items():
        notes = custom_data.notes_of(str(marker.get("customData", "")))
        line = notes.get("line")
        if isinstance(line, str) and "take" in notes:
            return Clip(item, line, track, start_of(item), duration_of(item), frame, notes)
    return None
