"""An .otio for the import of DaVinci Resolve: stock schemas, one media reference for each clip, absolute paths, sound on audio tracks.

Generator references and the takes that are not shown stay behind; the clip's line and where the others are stay as plain metadata, from which
`from_resolve` makes them again where a program keeps metadata of others.
"""

from __future__ import annotations

import uuid

import opentimelineio as otio

from .carrying import pack, shown_alone, spoken, unpack
from .checks import refuse
from .fcp import expect_same
from .sound import link_of, with_sound, without_sound
from .spans import RationalTime, items_of, local_path, rate_of, span, to_rate
from .timeline import METADATA
from .words import is_placeholder, own_of, take_away

CARRIED = "carried"  # in metadata["retake"]
LINKS = "Resolve_OTIO"  # Resolve's own metadata; clips of one group are linked


def for_resolve(timeline: otio.schema.Timeline, *, unique_name: bool = True) -> otio.schema.Timeline:
    """A copy that keeps the rules of Resolve's import. Lines without a take become gaps with a marker on the timeline.

    Args:
        unique_name: add some digits to the name, since Resolve imports no second timeline of the same name.

    Raises TimelineError with everything that Resolve would refuse (see `checks.check`).
    """
    refuse(timeline, "resolve")
    rate = rate_of(timeline)
    out = with_sound(timeline)
    to_rate(out, rate)
    out.global_start_time = out.global_start_time or RationalTime(0, float(rate))
    own = own_of(timeline)
    carrier = otio.schema.Stack(name=timeline.name)
    carrier.metadata["start"] = timeline.global_start_time is not None
    out.metadata[METADATA] = {**own, CARRIED: pack(carrier)}
    if unique_name:
        out.name = f"{out.name or 'Timeline'} {uuid.uuid4().hex[:4]}"
    for clip in list(out.find_clips()):
        if is_placeholder(clip):
            _make_gap(out, clip)
        else:
            _simplify(clip)
    for item in items_of(out):
        if isinstance(item, otio.core.Item):
            item.effects[:] = [effect for effect in item.effects if type(effect) in {otio.schema.LinearTimeWarp, otio.schema.FreezeFrame}]
    expect_same(_pictures(timeline), _pictures(out), "an .otio for Resolve")
    return out


def from_resolve(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """Lines and takes again, from what `for_resolve` left in the metadata; a timeline of somebody else's stays as it is."""
    for item in list(timeline.tracks.find_children()):
        if not isinstance(item, otio.schema.Clip | otio.schema.Gap) or CARRIED not in own_of(item):
            continue
        take_away(item.metadata, LINKS)
        text = str(own_of(item)[CARRIED])
        if isinstance(item, otio.schema.Clip):
            unpack(item, text)
            continue
        clip = otio.schema.Clip(source_range=item.trimmed_range())
        if unpack(clip, text):
            parent = item.parent()
            parent[parent.index(item)] = clip
            _remove_marker(timeline, own_of(item).get("gap"))
    own = own_of(timeline)
    if CARRIED not in own:
        return timeline
    carrier = otio.schema.Stack()
    if unpack(carrier, str(own.pop(CARRIED, ""))):
        timeline.name = carrier.name
        if not carrier.metadata.get("start"):
            timeline.global_start_time = None
        if own:
            timeline.metadata[METADATA] = own
        else:
            del timeline.metadata[METADATA]
    without_sound(timeline)
    return timeline


def _simplify(clip: otio.schema.Clip) -> None:
    carried, said, link = pack(clip), spoken(clip), link_of(clip)
    own = own_of(clip)
    alone = shown_alone(clip).media_reference
    clip.source_range = clip.trimmed_range()
    if isinstance(alone, otio.schema.ExternalReference):
        alone.target_url = local_path(alone.target_url)
        alone.name = alone.target_url.replace("\\", "/").rsplit("/", 1)[-1]
    clip.set_media_references({otio.schema.Clip.DEFAULT_MEDIA_KEY: alone}, otio.schema.Clip.DEFAULT_MEDIA_KEY)
    clip.metadata[METADATA] = {**own, CARRIED: carried, **({"said": said} if said else {})}
    if link is not None:
        clip.metadata[LINKS] = {"Link Group ID": link}


def _make_gap(timeline: otio.schema.Timeline, clip: otio.schema.Clip) -> None:
    where = clip.transformed_time_range(clip.trimmed_range(), timeline.tracks)
    identifier = uuid.uuid4().hex
    rate = clip.trimmed_range().duration.rate
    gap = otio.schema.Gap(source_range=span(0, clip.trimmed_range().duration.value, rate))
    gap.metadata[METADATA] = {CARRIED: pack(clip), "gap": identifier}
    parent = clip.parent()
    parent[parent.index(clip)] = gap
    timeline.tracks.markers.append(otio.schema.Marker(name=spoken(clip) or clip.name, marked_range=where, metadata={METADATA: {"gap": identifier}}))


def _remove_marker(timeline: otio.schema.Timeline, identifier: object) -> None:
    for position in range(len(timeline.tracks.markers) - 1, -1, -1):
        if identifier is not None and own_of(timeline.tracks.markers[position]).get("gap") == identifier:
            del timeline.tracks.markers[position]


def _pictures(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """The clips with media of video tracks alone, to be compared."""
    out = otio.schema.Timeline(tracks=None)
    for track in timeline.tracks:
        if getattr(track, "kind", "") != otio.schema.TrackKind.Video:
            continue
        copied = track.deepcopy()
        for position, item in enumerate(copied):
            if isinstance(item, otio.schema.Clip) and is_placeholder(item):
                copied[position] = otio.schema.Gap(source_range=item.trimmed_range())
        out.tracks.append(copied)
    return out
