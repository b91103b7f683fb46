"""Takes onto the timeline: into the bin, onto a free stretch of a track, and looked at again afterwards.

Resolve drops what overlaps, what meets a locked track and what is no whole number without a word, and has no undo for scripts. So everything is
checked before, read back after, and taken away again where it is not exactly right.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from .editor import Editor
from .errors import EditorError
from .lines import TRACK, is_ours
from .surface import Kind, add_video_track, duration_of, end_of, identity, items_in, source_start_of, start_of

if TYPE_CHECKING:
    from fusionscript import Folder, MediaPool, MediaPoolClipInfo, MediaPoolItem, Timeline, TimelineItem

_BACKUPS = 100


@dataclass
class EndRule:
    """How this version of Resolve counts `endFrame`: `extra` is what is added to the first frame that is no longer shown. Learnt by reading back."""

    extra: int = 0


@dataclass(frozen=True)
class Stretch:
    """Frames of the timeline, the end being the first that no longer belongs to it."""

    start: int
    end: int

    @property
    def frames(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Placed:
    """A take on the timeline."""

    video: TimelineItem
    audio: TimelineItem
    video_track: int
    audio_track: int
    notes: tuple[str, ...] = ()


def retake_bin(pool: MediaPool) -> Folder:
    """The bin Retake at the top of the media pool, made if there is none. Raises EditorError (no_bin)."""
    root = pool.GetRootFolder()
    for folder in root.GetSubFolderList() or []:
        if folder.GetName() == TRACK:
            return folder
    made = pool.AddSubFolder(root, TRACK)
    if made is None:
        raise EditorError("Resolve makes no bin.", "Check that you may change this project (in a shared one, lock its bins).", "no_bin")
    return made


@contextlib.contextmanager
def in_bin(pool: MediaPool) -> Iterator[Folder]:
    """Be in our bin, since imports land in the current one, and go back afterwards."""
    before = pool.GetCurrentFolder()
    folder = retake_bin(pool)
    if not pool.SetCurrentFolder(folder):
        raise EditorError("Resolve does not open the bin Retake.", "Select it in the media pool, then try again.", "no_bin")
    try:
        yield folder
    finally:
        if before is not None:
            pool.SetCurrentFolder(before)


def import_take(editor: Editor, path: str, frames: int, rate: Fraction) -> MediaPoolItem:
    """The clip of a file in our bin; imported once.

    Args:
        frames, rate: what the file holds, which Resolve must see in it too.

    Raises EditorError: missing_file, not_imported, wrong_media.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - a missing file would become an offline clip without a word
        raise EditorError(f"{path} is not there.", "Check that the drive is connected; then try again.", "missing_file")
    pool = editor.pool
    with in_bin(pool) as folder:
        item = next((clip for clip in folder.GetClipList() or [] if _same_file(_property(clip, "File Path"), path)), None)
        if item is None:
            before = {identity(clip) for clip in folder.GetClipList() or []}
            pool.ImportMedia([path])
            new = [clip for clip in folder.GetClipList() or [] if identity(clip) not in before]
            if len(new) != 1:
                raise EditorError(f"Resolve does not import {path}.", "Try to import it by hand; Resolve then says why.", "not_imported")
            item = new[0]
    seen = _property(item, "Frames")
    if seen.isdigit() and int(seen) != frames:
        raise EditorError(f"Resolve sees {seen} frames in {path}, and it has {frames}.", "Remove the clip from the bin and try again.", "wrong_media")
    shown = _property(item, "FPS")
    if shown and not _is_rate(shown, rate):
        raise EditorError(f"Resolve takes {path} for {shown} frames per second.", "Set the clip's frame rate in its attributes.", "wrong_media")
    return item


def free_track(editor: Editor, kind: Kind, stretch: Stretch, *, above: int = 0) -> int | None:
    """The lowest track of ours that is unlocked and empty there; None if there is none.

    Args:
        above: only tracks above this one, so that a take lies over the placeholder that it fills.
    """
    timeline = editor.timeline
    for track in range(above + 1, _tracks(timeline, kind) + 1):
        named = is_ours(str(timeline.GetTrackName(kind, track) or ""))
        if named and not is_locked(timeline, kind, track) and not overlaps(timeline, kind, track, stretch):
            return track
    return None


def new_track(editor: Editor, kind: Kind) -> int:
    """Add a track of ours at the end (for pictures: on top). Raises EditorError (no_track)."""
    timeline = editor.timeline
    before = _tracks(timeline, kind)
    names = {str(timeline.GetTrackName(kind, track) or "") for track in range(1, before + 1)}
    if kind == "video":
        add_video_track(timeline)
    else:
        timeline.AddTrack("audio", "stereo")
    if _tracks(timeline, kind) != before + 1:
        raise EditorError(f"Resolve adds no {kind} track.", "Add one by hand, call it Retake, and try again.", "no_track")
    name = next(name for name in (TRACK, *(f"{TRACK} {number}" for number in range(2, 1000))) if name not in names)
    timeline.SetTrackName(kind, before + 1, name)
    return before + 1


def place(
    editor: Editor, item: MediaPoolItem, stretch: Stretch, *, first: int, rule: EndRule, above: int = 0, tracks: tuple[int, int] = (0, 0)
) -> Placed:
    """Put picture and sound of a take onto tracks of ours, linked, exactly at `stretch`.

    Args:
        first: the take's frame that is shown first.
        rule: how this Resolve counts; learns.
        tracks: numbers of the video and the audio track that the user wants; 0: one of ours.

    Raises EditorError (track_locked, overlap, dropped, wrong_place, no_track); nothing of the take lies on the timeline then.
    """
    wanted: dict[Kind, int] = {"video": tracks[0], "audio": tracks[1]}
    put: list[TimelineItem] = []
    used: list[int] = []
    try:
        for kind, track in wanted.items():
            free = track or free_track(editor, kind, stretch, above=above if kind == "video" else 0)
            used.append(new_track(editor, kind) if free is None else free)
            put.append(append(editor, item, kind, used[-1], stretch, first=first, rule=rule))
    except EditorError:
        remove(editor, put)
        raise
    video, audio = put
    notes: list[str] = []
    if not editor.timeline.SetClipsLinked([video, audio], True):
        notes.append("Picture and sound could not be linked; link them by hand.")
    return Placed(video, audio, used[0], used[1], tuple(notes))


def append(editor: Editor, item: MediaPoolItem, kind: Kind, track: int, stretch: Stretch, *, first: int, rule: EndRule) -> TimelineItem:
    """Append one kind of a clip to a track, and make sure that it lies there as wanted.

    Raises EditorError: track_locked, overlap (both found before anything is done), dropped, wrong_place.
    """
    timeline = editor.timeline
    check_room(editor, kind, track, stretch)
    name = str(timeline.GetTrackName(kind, track) or f"{kind} {track}")
    where = editor.timecode(stretch.start)
    lengths: list[int] = []
    for extra in dict.fromkeys((rule.extra, 0, -1)):
        found = _try(editor, kind, track, _clip_info(item, kind, track, stretch, first=first, extra=extra))
        if found is None:
            continue
        lengths.append(duration_of(found))
        if (start_of(found), duration_of(found), source_start_of(found)) == (stretch.start, stretch.frames, first):
            rule.extra = extra
            return found
        if not timeline.DeleteClips([found], False):
            raise EditorError(
                f"Resolve put a clip of {lengths[-1]} frames at {where} and does not remove it.", "Undo it by hand (Ctrl+Z).", "wrong_place"
            )
    if not lengths:
        raise EditorError(f"Resolve did not put the clip onto the {kind} track '{name}' at {where}.", "Check the track, then try again.", "dropped")
    raise EditorError(
        f"Resolve made the clip at {where} {lengths[-1]} frames long instead of {stretch.frames}.",
        "Check that the timeline's frame rate is the project's; then try again.",
        "wrong_place",
    )


def check_room(editor: Editor, kind: Kind, track: int, stretch: Stretch) -> None:
    """Raise EditorError (no_track, track_locked, overlap) where a clip on this track would be dropped without a word."""
    timeline = editor.timeline
    if not 1 <= track <= _tracks(timeline, kind):
        raise EditorError(f"There is no {kind} track {track}.", "Choose one that the timeline has.", "no_track")
    name = str(timeline.GetTrackName(kind, track) or f"{kind} {track}")
    if is_locked(timeline, kind, track):
        raise EditorError(f"The {kind} track '{name}' is locked.", "Unlock it and try again.", "track_locked")
    if overlaps(timeline, kind, track, stretch):
        where = editor.timecode(stretch.start)
        raise EditorError(f"Something lies on the {kind} track '{name}' at {where}.", "Make room there, or use another track.", "overlap")


def remove(editor: Editor, items: list[TimelineItem]) -> None:
    """Take away what we have put there ourselves."""
    if items:
        editor.timeline.DeleteClips(items, False)


def is_locked(timeline: Timeline, kind: Kind, track: int) -> bool:
    return bool(timeline.GetIsTrackLocked(kind, track))


def overlaps(timeline: Timeline, kind: Kind, track: int, stretch: Stretch) -> bool:
    return any(start_of(item) < stretch.end and end_of(item) > stretch.start for item in items_in(timeline, kind, track))


def back_up(editor: Editor) -> str:
    """Keep the timeline as it is under another name, which is returned; work goes on with the original. Raises EditorError (no_backup)."""
    name = str(editor.timeline.GetName())
    for number in range(1, _BACKUPS + 1):
        wanted = f"{name} (before Retake{f' {number}' if number > 1 else ''})"
        copy = editor.timeline.DuplicateTimeline(wanted)
        if copy is None:  # a name that exists already
            continue
        editor.make_current()  # the copy may have become the current one
        if identity(copy) == editor.timeline_id:
            raise EditorError("Resolve gave the timeline back instead of a copy.", "Duplicate it by hand and try again.", "no_backup")
        return wanted
    editor.make_current()
    raise EditorError(
        f"Resolve makes no copy of the timeline '{name}', so nothing was changed.",
        "Duplicate it by hand, or remove old copies (before Retake).",
        "no_backup",
    )


def drop_back_up(editor: Editor, name: str) -> bool:
    """Remove a copy that is not needed, since nothing was changed; False if it stays, which it does while the user looks at it."""
    shown = editor.project.GetCurrentTimeline()
    if shown is not None and identity(shown) != editor.timeline_id and shown.GetName() == name:
        return False
    for index in range(1, int(editor.project.GetTimelineCount() or 0) + 1):
        timeline = editor.project.GetTimelineByIndex(index)
        if timeline is not None and timeline.GetName() == name and identity(timeline) != editor.timeline_id:
            return bool(editor.pool.DeleteTimelines([timeline]))
    return False


def _clip_info(item: MediaPoolItem, kind: Kind, track: int, stretch: Stretch, *, first: int, extra: int) -> MediaPoolClipInfo:
    return {
        "mediaPoolItem": item,
        "startFrame": first,
        "endFrame": first + stretch.frames + extra,
        "mediaType": 1 if kind == "video" else 2,
        "trackIndex": track,
        "recordFrame": stretch.start,
    }


def _try(editor: Editor, kind: Kind, track: int, wanted: MediaPoolClipInfo) -> TimelineItem | None:
    """What lies on the track after appending and did not before. What the call returns is not trusted."""
    before = {identity(found) for found in items_in(editor.timeline, kind, track)}
    clips: list[MediaPoolClipInfo] = [wanted]
    editor.pool.AppendToTimeline(clips)
    new = [found for found in items_in(editor.timeline, kind, track) if identity(found) not in before]
    if len(new) > 1:
        remove(editor, new)
    return new[0] if len(new) == 1 else None


def _tracks(timeline: Timeline, kind: Kind) -> int:
    return int(timeline.GetTrackCount(kind) or 0)


def _property(item: MediaPoolItem, name: str) -> str:
    found = item.GetClipProperty(name)
    return str(found) if isinstance(found, (str, int, float)) else ""


def _same_file(a: str, b: str) -> bool:
    return bool(a) and os.path.normcase(os.path.normpath(a)) == os.path.normcase(os.path.normpath(b))


def _is_rate(shown: str, rate: Fraction) -> bool:
    try:
        return abs(float(shown) - float(rate)) < 0.01  # Resolve shows 29.97 for 30000/1001; 29.97 and 30 differ by 0.03
    except ValueError:
        return True
