"""The lines of a timeline: what markers, subtitles and named generators ask for. Reads only; `identify` alone writes, into markers' customData."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from retake_client.convention import ScriptText, parse_line, read_marker

from . import custom_data
from .editor import Editor
from .errors import EditorError
from .surface import duration_of, identity, items_in, start_of, whole

if TYPE_CHECKING:
    from fusionscript import TimelineItem

TRACK = "Retake"  # what tracks and the bin of ours are called


class Source(Enum):
    """Where a line stands."""

    MARKER = "marker"  # of the timeline: note = text, name = @speaker
    SUBTITLE = "subtitle"
    PLACEHOLDER = "placeholder"  # a generator or title that is named "@speaker: text", or whose marker says so


class Subtitles(Enum):
    """Which subtitle items are lines."""

    NAMED = "named"  # those that begin with "@speaker:", and all of a subtitle track called Retake
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True)
class Line:
    """A line and where it belongs.

    id: stays with the line when its words change.
    start: its first frame, counted as the timeline's timecode counts.
    frames: how long it may last; None: as long as its words take (a marker of one frame).
    track: the video track of a placeholder, else 0.
    marker: its key among the timeline's markers, for lines that are one.
    known: whether the id stands in the timeline already.
    doubt: a sentence where the text may be meant otherwise.
    """

    id: str
    source: Source
    speaker: str | None
    text: str
    start: int
    frames: int | None
    track: int = 0
    marker: float | None = None
    known: bool = True
    doubt: str = ""

    @property
    def end(self) -> int | None:
        return None if self.frames is None else self.start + self.frames


def find_lines(editor: Editor, subtitles: Subtitles = Subtitles.NAMED) -> list[Line]:
    """All lines, in the order of the timeline. An id that stands there twice (a copied marker) belongs to the first; the other gets a new one."""
    found = [*_of_markers(editor), *_of_subtitles(editor, subtitles), *_of_placeholders(editor)]
    found.sort(key=lambda line: (line.start, line.source.value))
    seen: set[str] = set()
    out: list[Line] = []
    for line in found:
        if line.id in seen:
            line = replace(line, id=custom_data.derived_id(line.id, line.start), known=False)
        seen.add(line.id)
        out.append(line)
    return out


def starts_of(lines: Iterable[Line]) -> dict[str, int]:
    """Where each line begins, by id."""
    return {line.id: line.start for line in lines}


def identify(editor: Editor, line: Line) -> Line:
    """Write the line's id into its marker, so that it stays known when the marker is moved or its text changes.

    Raises EditorError (marker_gone).
    """
    if line.marker is None or line.known:
        return line
    marker = editor.timeline.GetMarkers().get(line.marker)
    data = custom_data.with_notes(str((marker or {}).get("customData", "")), {"line": line.id})
    if marker is None or data is None or not editor.timeline.UpdateMarkerCustomData(line.marker, data):
        raise EditorError("The marker of the line has gone.", "Look at the markers and try again.", "marker_gone")
    return replace(line, known=True)


def rewrite(editor: Editor, line: Line, text: str) -> None:
    """Put other words into the marker of a line; colour, name, length and customData stay. Lines without a marker are left alone.

    Resolve cannot change a marker: it is removed and set again, and set as it was if that fails. Raises EditorError (marker_gone, not_changed).
    """
    if line.marker is None:
        return
    timeline = editor.timeline
    marker = timeline.GetMarkers().get(line.marker)
    if marker is None:
        raise EditorError("The marker of the line has gone.", "Look at the markers and try again.", "marker_gone")
    title = parse_line(str(marker["name"]))
    name = str(marker["name"]) if not title.text or title.speaker is None else f"@{title.speaker}"
    color, duration, data = marker["color"], marker["duration"], str(marker.get("customData", ""))
    if not timeline.DeleteMarkerAtFrame(line.marker):
        raise EditorError("Resolve does not change the marker's text.", "Change it by hand.", "not_changed")
    if not timeline.AddMarker(line.marker, color, name, text, duration, data):
        timeline.AddMarker(line.marker, color, marker["name"], marker["note"], duration, data)
        raise EditorError("Resolve does not change the marker's text.", "Change it by hand.", "not_changed")


def _of_markers(editor: Editor) -> list[Line]:
    first = editor.start
    out: list[Line] = []
    markers: Mapping[Any, Any] = editor.timeline.GetMarkers() or {}
    for frame, marker in markers.items():
        data = str(marker.get("customData", ""))
        told = _read(str(marker.get("name", "")), str(marker.get("note", "")), known=custom_data.line_id_of(data) is not None)
        if told is None:
            continue
        identifier = custom_data.line_id_of(data)
        known = identifier is not None
        if identifier is None and custom_data.with_notes(data, {}) is None:  # another program's text, which stays
            identifier, known = custom_data.derived_id(editor.timeline_id, data), True
        length = whole(marker.get("duration", 1), "a marker's duration")
        out.append(
            Line(
                # Until it is written down it must be the same at every reading, since a list of lines is chosen from.
                id=identifier or custom_data.derived_id(editor.timeline_id, frame, told.speaker, told.text),
                source=Source.MARKER,
                speaker=told.speaker,
                text=told.text,
                start=first
                + whole(frame, "a marker's frame"),  # Resolve counts markers from the timeline's beginning, and everything else by timecode
                frames=length if length > 1 else None,
                marker=frame,
                known=known,
                doubt=told.doubt,
            )
        )
    return out


def _read(name: str, note: str, *, known: bool) -> ScriptText | None:
    told = read_marker(name, note)
    if told is None and known:  # a line of ours whose speaker was removed
        told = parse_line(note)
    return told if told is not None and told.text else None


def _of_subtitles(editor: Editor, which: Subtitles) -> list[Line]:
    if which is Subtitles.NONE:
        return []
    timeline = editor.timeline
    out: list[Line] = []
    for track in range(1, int(timeline.GetTrackCount("subtitle") or 0) + 1):
        everything = which is Subtitles.ALL or is_ours(str(timeline.GetTrackName("subtitle", track) or ""))
        for item in items_in(timeline, "subtitle", track):
            told = parse_line(str(item.GetName() or ""))
            if told.text and (everything or told.speaker is not None):
                out.append(_of_item(editor, item, told, Source.SUBTITLE))
    return out


def _of_placeholders(editor: Editor) -> list[Line]:
    timeline = editor.timeline
    out: list[Line] = []
    for track in range(1, int(timeline.GetTrackCount("video") or 0) + 1):
        for item in items_in(timeline, "video", track):
            if item.GetMediaPoolItem() is not None:  # footage, or a take of ours
                continue
            told = parse_line(str(item.GetName() or ""))
            if told.speaker is None or not told.text:
                told = _in_markers_of(item)
            if told is not None:
                out.append(replace(_of_item(editor, item, told, Source.PLACEHOLDER), track=track))
    return out


def _in_markers_of(item: TimelineItem) -> ScriptText | None:
    markers: Mapping[Any, Any] = item.GetMarkers() or {}
    for _, marker in sorted(markers.items()):
        told = read_marker(str(marker.get("name", "")), str(marker.get("note", "")))
        if told is not None and told.text:
            return told
    return None


def _of_item(editor: Editor, item: TimelineItem, told: ScriptText, source: Source) -> Line:
    identifier = custom_data.derived_id(editor.project_id, identity(item))
    return Line(identifier, source, told.speaker, told.text, start_of(item), duration_of(item), doubt=told.doubt)


def is_ours(track_name: str) -> bool:
    """Whether a track is called Retake, "Retake 2", ..."""
    return track_name.strip().split(" ")[0].lower() == TRACK.lower()
