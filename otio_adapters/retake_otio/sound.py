"""Sound where editors look for it: a take on a video track gets its sound on an audio track beneath."""

from __future__ import annotations

import copy

import opentimelineio as otio

from .spans import Laid, layout
from .timeline import METADATA
from .words import line_of, own_of

LINK = "link"  # in the metadata of a picture and its sound: the same number
SOUND_OF = "sound_of"  # in the metadata of a sound that was laid here: the line, or the clip's name


def with_sound(timeline: otio.schema.Timeline, *, everything: bool = False) -> otio.schema.Timeline:
    """A copy of `timeline` in which the sound of takes lies on audio tracks, with the same cuts and dissolves, unless it is there already.

    Picture and sound that belong together get the same number as `metadata["retake"]["link"]`.

    Args:
        everything: in a timeline without any audio track lay the sound of all other files too. Whether they have one is not known here.
    """
    out = copy.deepcopy(timeline)
    without_sound(out)
    present = {_mirrored(laid, "Audio"): True for laid in layout(out) if laid.kind == otio.schema.TrackKind.Audio}
    everything = everything and not any(track.kind == otio.schema.TrackKind.Audio for track in out.tracks)
    number = 0
    for position, track in enumerate(list(out.tracks)):
        if not isinstance(track, otio.schema.Track) or track.kind != otio.schema.TrackKind.Video:
            continue
        sound = otio.schema.Track(name=f"{track.name or f'V{position + 1}'} sound", kind=otio.schema.TrackKind.Audio)
        heard = False
        for item in track:
            if isinstance(item, otio.schema.Clip) and _sounds(item, everything) and not _is_present(item, out, present):
                number += 1
                twin = _twin(item)
                for linked in (item, twin):
                    linked.metadata[METADATA] = {**own_of(linked), LINK: number}
                sound.append(twin)
                heard = True
            elif isinstance(item, otio.schema.Transition):
                sound.append(copy.deepcopy(item))
            else:
                sound.append(otio.schema.Gap(source_range=otio.opentime.TimeRange(_zero(item), item.duration())))
        if heard:
            _drop_lonely_transitions(sound)
            out.tracks.append(sound)
    return out


def without_sound(timeline: otio.schema.Timeline) -> None:
    """Take away the sound that `with_sound` laid: it follows from the pictures, and would be the old one when a line is filled again."""
    for position in range(len(timeline.tracks) - 1, -1, -1):
        track = timeline.tracks[position]
        if not isinstance(track, otio.schema.Track) or track.kind != otio.schema.TrackKind.Audio:
            continue
        laid = [clip for clip in track if isinstance(clip, otio.schema.Clip) and own_of(clip).get(SOUND_OF) is not None]
        for clip in laid:
            index = track.index(clip)
            track[index] = otio.schema.Gap(source_range=otio.opentime.TimeRange(_zero(clip), clip.duration()))
        if laid and not any(isinstance(item, otio.schema.Clip | otio.schema.Stack) for item in track):
            del timeline.tracks[position]
        elif laid:
            _drop_lonely_transitions(track)
    for clip in timeline.find_clips():
        own = own_of(clip)
        if own.pop(LINK, None) is not None:
            if own:
                clip.metadata[METADATA] = own
            else:
                del clip.metadata[METADATA]


def is_take(clip: otio.schema.Clip) -> bool:
    """Whether the clip shows a take of Retake."""
    reference = clip.media_reference
    return isinstance(reference, otio.schema.ExternalReference) and own_of(reference).get("take") is not None


def link_of(clip: otio.schema.Clip) -> int | None:
    """The number that picture and sound share."""
    found = own_of(clip).get(LINK)
    return int(found) if isinstance(found, int | float) else None


def _sounds(clip: otio.schema.Clip, everything: bool) -> bool:
    return is_take(clip) or (everything and isinstance(clip.media_reference, otio.schema.ExternalReference))


def _is_present(clip: otio.schema.Clip, timeline: otio.schema.Timeline, present: dict[Laid, bool]) -> bool:
    if not present:
        return False
    lonely = otio.schema.Timeline()
    where = clip.transformed_time_range(clip.trimmed_range(), timeline.tracks)
    track = otio.schema.Track(kind=otio.schema.TrackKind.Audio)
    if where.start_time.value > 0:
        track.append(otio.schema.Gap(source_range=otio.opentime.TimeRange(_zero(clip), where.start_time)))
    track.append(copy.deepcopy(clip))
    lonely.tracks.append(track)
    return layout(lonely)[0] in present


def _twin(clip: otio.schema.Clip) -> otio.schema.Clip:
    """The sound of `clip`: the same take, without what belongs to the picture."""
    twin = otio.schema.Clip(name=clip.name, source_range=clip.trimmed_range(), media_reference=copy.deepcopy(clip.media_reference))
    twin.enabled = clip.enabled
    twin.metadata[METADATA] = {SOUND_OF: line_of(clip) or clip.name}
    return twin


def _mirrored(laid: Laid, kind: str) -> Laid:
    return Laid(kind, laid.start, laid.frames, laid.media, laid.source)


def _zero(item: otio.core.Item) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(0, item.duration().rate)


def _drop_lonely_transitions(track: otio.schema.Track) -> None:
    """A dissolve needs something that sounds on one side at least."""
    for position in range(len(track) - 1, -1, -1):
        if not isinstance(track[position], otio.schema.Transition):
            continue
        beside = [track[near] for near in (position - 1, position + 1) if 0 <= near < len(track)]
        if not any(isinstance(item, otio.schema.Clip) for item in beside):
            del track[position]
