"""Versions of one line on one clip: Resolve's take selector, and what is done where it does not work.

The first take of a selector is the clip as it was. A new take has the clip's length, so nothing moves. Sound that is linked to the picture is looked
at too: a selector that changes the picture alone would let a new mouth speak the old words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .clips import same_item
from .editor import Editor
from .errors import EditorError
from .placing import EndRule, Stretch, append
from .surface import duration_of, identity, offers, source_start_of, start_of

if TYPE_CHECKING:
    from fusionscript import MediaPoolItem, TimelineItem


@dataclass(frozen=True)
class TakeEntry:
    """A take of a clip: its number in the selector (from 1), the file it shows, and whether it is the chosen one."""

    index: int
    path: str
    chosen: bool


def list_takes(item: TimelineItem) -> list[TakeEntry]:
    """The takes of a clip; the clip itself where it has no selector."""
    count = int(item.GetTakesCount() or 0) if offers(item, "GetTakesCount") else 0
    if count == 0:
        return [TakeEntry(1, _path(item.GetMediaPoolItem()), True)]
    chosen = int(item.GetSelectedTakeIndex() or 0)
    return [TakeEntry(index, _path(item.GetTakeByIndex(index)["mediaPoolItem"]), index == chosen) for index in range(1, count + 1)]


def add_take(editor: Editor, item: TimelineItem, media: MediaPoolItem, *, first: int, rule: EndRule) -> list[str]:
    """Add a take to the clip and choose it, in picture and sound; place and length stay.

    Args:
        media: the take in the bin.
        first: its frame that is shown first.

    Returns what the user should know. Raises EditorError (no_take); the clip then shows what it showed before.
    """
    notes: list[str] = []
    was = _shown(item)
    if not _by_selector(item, media, first, rule):
        _replace(item, media, first)
        notes.append("Resolve added no take, so the clip's media was replaced: every timeline that shows it, copies too, has the new words now.")
    for sound in _linked_sound(item):
        if _shows(sound, media) or _by_selector(sound, media, first, rule):
            continue
        try:
            _replace_sound(editor, item, sound, media, first=first, rule=rule)
        except EditorError:
            _go_back(item, was)
            raise
        notes.append("The clip's sound was put there anew: volume and effects that were set on it are gone.")
    return notes


def choose_take(editor: Editor, item: TimelineItem, index: int, *, rule: EndRule) -> list[str]:
    """Show another take of the clip. Returns what the user should know; raises EditorError (no_take)."""
    count = int(item.GetTakesCount() or 0)
    if not 1 <= index <= count:
        raise EditorError(f"The clip has no take {index}.", f"It has {count or 1}.", "no_take")
    length = duration_of(item)
    before = int(item.GetSelectedTakeIndex() or 0)
    if not item.SelectTakeByIndex(index) or int(item.GetSelectedTakeIndex() or 0) != index or duration_of(item) != length:
        item.SelectTakeByIndex(before)
        raise EditorError("Resolve does not choose the take.", "Choose it by hand: Clip > Take Selector.", "no_take")
    media = item.GetTakeByIndex(index)["mediaPoolItem"]
    notes: list[str] = []
    for sound in _linked_sound(item):
        same = next((entry.index for entry in list_takes(sound) if _same(entry.path, _path(media))), 0)
        if _shows(sound, media) or (same and int(sound.GetTakesCount() or 0) and sound.SelectTakeByIndex(same)):
            continue
        _replace_sound(editor, item, sound, media, first=source_start_of(item), rule=rule)
        notes.append("The clip's sound was put there anew: volume and effects that were set on it are gone.")
    return notes


def keep_chosen(item: TimelineItem) -> None:
    """Forget the other takes of a clip. Raises EditorError (no_take)."""
    if not int(item.GetTakesCount() or 0):
        raise EditorError("The clip has one take only.", "Nothing is to be done.", "no_take")
    if not item.FinalizeTake() or int(item.GetTakesCount() or 0):
        raise EditorError("Resolve keeps the take selector.", "Finish it by hand: Clip > Finalize Take.", "no_take")


def _by_selector(item: TimelineItem, media: MediaPoolItem, first: int, rule: EndRule) -> bool:
    """Add and choose, read back; False with everything as before where it does not come out exactly."""
    if not offers(item, "AddTake"):
        return False
    start, length = start_of(item), duration_of(item)
    count, chosen = int(item.GetTakesCount() or 0), int(item.GetSelectedTakeIndex() or 0)
    for extra in dict.fromkeys((rule.extra, 0, -1)):
        added = item.AddTake(media, first, first + length + extra)
        now = int(item.GetTakesCount() or 0)
        if not added or now != max(1, count) + 1:
            break
        item.SelectTakeByIndex(now)
        if (int(item.GetSelectedTakeIndex() or 0), start_of(item), duration_of(item), source_start_of(item)) == (now, start, length, first):
            return True
        item.SelectTakeByIndex(chosen or 1)
        item.DeleteTakeByIndex(now)
        count, chosen = int(item.GetTakesCount() or 0), chosen or 1
    return False


def _replace(item: TimelineItem, media: MediaPoolItem, first: int) -> None:
    """The clip's media becomes another file: effects and grade stay."""
    shown = item.GetMediaPoolItem()
    if shown is None:
        raise EditorError("The clip shows no media, so it cannot have takes.", "Fill it as a placeholder.", "no_take")
    before, start, length = _path(shown), start_of(item), duration_of(item)
    done = offers(shown, "ReplaceClip") and shown.ReplaceClip(_path(media))
    if done and _same(_path(item.GetMediaPoolItem()), _path(media)) and (start_of(item), duration_of(item)) == (start, length):
        if source_start_of(item) == first:
            return
        shown.ReplaceClip(before)
    elif done:
        shown.ReplaceClip(before)
    raise EditorError("Resolve neither adds a take to the clip nor replaces its media.", "Unlock its track, or place the take by hand.", "no_take")


def _replace_sound(editor: Editor, item: TimelineItem, sound: TimelineItem, media: MediaPoolItem, *, first: int, rule: EndRule) -> None:
    stretch = Stretch(start_of(sound), start_of(sound) + duration_of(sound))
    _, track = sound.GetTrackTypeAndIndex()
    earlier, offset = sound.GetMediaPoolItem(), source_start_of(sound)
    if not editor.timeline.DeleteClips([sound], False):
        raise EditorError("Resolve does not take the old sound away.", "Unlock the audio track and try again.", "no_take")
    try:
        new = append(editor, media, "audio", track, stretch, first=first, rule=rule)
    except EditorError:
        if earlier is not None:
            back = append(editor, earlier, "audio", track, stretch, first=offset, rule=rule)
            editor.timeline.SetClipsLinked([item, back], True)
        raise
    editor.timeline.SetClipsLinked([item, new], True)  # without a link it still lies where it should


def _shown(item: TimelineItem) -> int:
    return int(item.GetSelectedTakeIndex() or 0) if offers(item, "GetSelectedTakeIndex") else 0


def _go_back(item: TimelineItem, index: int) -> None:
    last = int(item.GetTakesCount() or 0)
    if last > 1:
        item.SelectTakeByIndex(index or 1)
        item.DeleteTakeByIndex(last)


def _linked_sound(item: TimelineItem) -> list[TimelineItem]:
    linked = item.GetLinkedItems() if offers(item, "GetLinkedItems") else None
    return [other for other in linked or [] if other.GetTrackTypeAndIndex()[0] == "audio" and not same_item(other, item)]


def _shows(item: TimelineItem, media: MediaPoolItem) -> bool:
    shown = item.GetMediaPoolItem()
    return shown is not None and identity(shown) == identity(media)


def _path(media: MediaPoolItem | None) -> str:
    return str(media.GetClipProperty("File Path") or "") if media is not None else ""


def _same(a: str, b: str) -> bool:
    return bool(a) and a.replace("\\", "/") == b.replace("\\", "/")
