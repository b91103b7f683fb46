"""Final Cut Pro 7 XML (.xml), which Premiere, Resolve and others import, through the existing adapter, with what it leaves out.

The adapter gives identical clips one item (so that only the first is placed), links no picture with its sound, drops names of tracks and comments of
markers, and fails on placeholders and on timelines without a start. Rates are written as timebase and NTSC flag of the exact fraction.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from fractions import Fraction
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import opentimelineio as otio

from . import fcp_dissolves
from .carrying import PREFIX, pack, shown_alone, spoken, unpack
from .reading import TimelineError
from .sound import link_of, with_sound, without_sound
from .spans import RationalTime, TimeRange, items_of, layout, local_path, rate_of, to_rate
from .words import is_placeholder, own_of, take_away

ADAPTER = "fcp_xml"
_CARRIED = "clipcommenta"
_SAID = "mastercomment1"
_SEEN = 5  # differences that are told


def write_fcp7(timeline: otio.schema.Timeline) -> str:
    """The text of an .xml file. Raises TimelineError (mixed_rates, no_rate, not_written if it would not say the same when read again)."""
    rate = rate_of(timeline)
    made = with_sound(timeline)
    to_rate(made, rate)
    prepared = _prepared(made, rate)
    text = _linked(otio.adapters.write_to_string(prepared, adapter_name=ADAPTER), prepared)
    expect_same(prepared, _read(text), "FCP7 XML")
    return text


def read_fcp7(text: str) -> otio.schema.Timeline:
    """A timeline from the text of an .xml file. Raises TimelineError (bad_timeline)."""
    found = _read(text)
    for item in list(items_of(found)):
        if isinstance(item, otio.schema.Clip):
            _unpack_clip(item)
        elif isinstance(item, otio.schema.Transition):
            fcp_dissolves.restore(item, ADAPTER)
        elif isinstance(item, otio.schema.Track):
            take_away(item.metadata, ADAPTER)
    own = take_away(found.metadata, ADAPTER)
    comments = own.get("comments")
    if isinstance(comments, Mapping):
        start, name = found.global_start_time, found.name
        unpack(found.tracks, _text(comments.get(_CARRIED)))
        carried = take_away(found.tracks.metadata, "timeline")
        if carried:
            found.metadata.update(carried.get("metadata", {}))
            found.name = name
            found.global_start_time = start if carried.get("start") else None
            names = list(carried.get("tracks", []))
            for track, known in zip([t for t in found.tracks if t.kind == otio.schema.TrackKind.Video], names, strict=False):
                track.name = str(known)
    timecode = own.get("timecode")
    if isinstance(timecode, Mapping) and timecode.get("displayformat") == "DF":
        found.metadata["retake"] = {**own_of(found), "drop_frame": True}
    without_sound(found)
    return found


def expect_same(before: otio.schema.Timeline, after: otio.schema.Timeline, what: str) -> None:
    """Raise TimelineError (not_written) unless both have the same clips at the same places."""
    wanted, found = layout(before), layout(after)
    if wanted == found:
        return
    told = [f"{laid.kind} at frame {laid.start}" for laid in wanted if laid not in found][:_SEEN] or ["more clips than there should be"]
    raise TimelineError(
        f"As {what} the timeline would be another one ({'; '.join(told)}).",
        "Flatten compound clips and remove changes of speed, or use .otio.",
        "not_written",
    )


def file_address(path: str) -> str:
    """The file:// address that editors of this format expect for an absolute path of this or of a Windows machine; other addresses as they are."""
    plain = local_path(path)
    if "://" in plain:
        return plain
    slashed = plain.replace("\\", "/") if len(plain) > 1 and plain[1] == ":" else plain
    return "file://localhost" + quote(slashed if slashed.startswith("/") else f"/{slashed}", safe="/:")


def _prepared(timeline: otio.schema.Timeline, rate: Fraction) -> otio.schema.Timeline:
    """A copy that the adapter can write: one reference each, no two items alike, what it has no word for in comments."""
    out = otio.schema.Timeline(name=timeline.name or "Timeline", global_start_time=timeline.global_start_time or RationalTime(0, float(rate)))
    stack = copy.deepcopy(timeline.tracks)
    stack.metadata["timeline"] = {
        "metadata": copy.deepcopy(timeline.metadata),
        "start": timeline.global_start_time is not None,
        "tracks": [track.name for track in timeline.tracks if getattr(track, "kind", "") == otio.schema.TrackKind.Video],
    }
    comments: dict[str, Any] = {"comments": {_CARRIED: pack(stack)}}
    drop = bool(own_of(timeline).get("drop_frame"))
    out.metadata[ADAPTER] = {**comments, "timecode": {"displayformat": "DF" if drop else "NDF"}}
    out.tracks = stack
    number = 0
    for item in list(items_of(out)):
        if isinstance(item, otio.schema.Track) and item.name:
            item.metadata[ADAPTER] = {"name": item.name}
        if isinstance(item, otio.schema.Clip):
            number += 1
            _prepare_clip(item, number)
        if isinstance(item, otio.schema.Transition):
            fcp_dissolves.prepare(item, ADAPTER)
        for marker in getattr(item, "markers", ()):
            if marker.comment:
                marker.metadata[ADAPTER] = {"comment": marker.comment}
    return out


def _prepare_clip(clip: otio.schema.Clip, number: int) -> None:
    carried, said, waits = pack(clip), spoken(clip), is_placeholder(clip)
    comments: dict[str, Any] = {_SAID: said} if said else {}
    track = clip.parent()
    sound = isinstance(track, otio.schema.Track) and track.kind == otio.schema.TrackKind.Audio
    clip.metadata[ADAPTER] = {
        # What would be alike becomes one item of two places.
        "@id": f"clipitem-{number}",
        "enabled": "TRUE" if clip.enabled else "FALSE",
        "comments": {**comments, _CARRIED: carried},
        "sourcetrack": {"mediatype": "audio" if sound else "video", "trackindex": "1"},
    }
    alone = shown_alone(clip).media_reference
    if isinstance(alone, otio.schema.ExternalReference):
        alone.target_url = file_address(alone.target_url)
        alone.name = alone.target_url.rsplit("/", 1)[-1]
        alone.available_range = alone.available_range or clip.trimmed_range()
    alone.metadata.clear()
    shift = alone.available_range.start_time if alone.available_range is not None else RationalTime(0, clip.trimmed_range().start_time.rate)
    clip.source_range = clip.trimmed_range()
    clip.set_media_references({otio.schema.Clip.DEFAULT_MEDIA_KEY: alone}, otio.schema.Clip.DEFAULT_MEDIA_KEY)
    for marker in clip.markers:  # this format counts them from the beginning of the media
        marker.marked_range = TimeRange(marker.marked_range.start_time - shift, marker.marked_range.duration)
    if waits and said:
        where = TimeRange(clip.source_range.start_time - shift, clip.source_range.duration)
        clip.markers.append(otio.schema.Marker(name=said, marked_range=where, comment=said))


def _linked(text: str, prepared: otio.schema.Timeline) -> str:
    """The same with links between picture and sound."""
    pairs: dict[int, list[tuple[str, str, int, int]]] = {}
    counts = {otio.schema.TrackKind.Video: 0, otio.schema.TrackKind.Audio: 0}
    for track in prepared.tracks:
        if not isinstance(track, otio.schema.Track) or track.kind not in counts:
            continue
        counts[track.kind] += 1
        clips = [item for item in track if not isinstance(item, otio.schema.Gap | otio.schema.Transition)]
        for index, clip in enumerate(clips, 1):
            number = link_of(clip) if isinstance(clip, otio.schema.Clip) else None
            if number is not None:
                entry = (str(clip.metadata[ADAPTER]["@id"]), str(track.kind).lower(), counts[track.kind], index)
                pairs.setdefault(number, []).append(entry)
    by_item = {entry[0]: several for several in pairs.values() if len(several) > 1 for entry in several}
    root = ElementTree.fromstring(text)
    for item in root.iter("clipitem"):
        for identifier, kind, track_index, clip_index in by_item.get(item.get("id", ""), []):
            link = ElementTree.SubElement(item, "link")
            for name, value in (("linkclipref", identifier), ("mediatype", kind), ("trackindex", track_index), ("clipindex", clip_index)):
                ElementTree.SubElement(link, name).text = str(value)
    ElementTree.indent(root, "  ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _read(text: str) -> otio.schema.Timeline:
    if "<!ENTITY" in text:
        raise TimelineError("The file defines entities, which no editor writes.", "Export it from the editor again.", "bad_timeline")
    try:
        found = otio.adapters.read_from_string(text, adapter_name=ADAPTER)
        if isinstance(found, otio.schema.Timeline) and found.tracks is not None and not len(found.tracks):
            raise ValueError("its sequence has no tracks")
    except RecursionError as error:
        raise TimelineError("The file is nested too deeply.", "Flatten compound clips.", "bad_timeline") from error
    # What a missing or strange element makes of the adapter: None where there should be one, text where there should be a number.
    except (ElementTree.ParseError, AttributeError, ValueError, TypeError, KeyError, otio.exceptions.OTIOError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TimelineError(f"The file holds no FCP7 XML timeline ({reason}).", "Export it as Final Cut Pro 7 XML.", "bad_timeline") from error
    if isinstance(found, otio.schema.SerializableCollection):
        names = ", ".join(f"'{one.name}'" for one in found)[:300]
        raise TimelineError(f"The file holds several sequences ({names}).", "Export one sequence.", "bad_timeline")
    return found


def _unpack_clip(clip: otio.schema.Clip) -> None:
    reference = clip.media_reference
    if isinstance(reference, otio.schema.ExternalReference):
        reference.target_url = local_path(reference.target_url)
    own = clip.metadata.get(ADAPTER)
    comments = own.get("comments") if isinstance(own, Mapping) else None
    carried = _text(comments.get(_CARRIED)) if isinstance(comments, Mapping) else ""
    said = _text(comments.get(_SAID)) if isinstance(comments, Mapping) else ""
    if isinstance(own, Mapping) and str(own.get("enabled", "TRUE")).upper() == "FALSE":
        clip.enabled = False
    if reference.available_range is not None and isinstance(reference, otio.schema.ExternalReference):
        shift = reference.available_range.start_time
        for marker in clip.markers:
            marker.marked_range = TimeRange(marker.marked_range.start_time + shift, marker.marked_range.duration)
    for position in range(len(clip.markers) - 1, -1, -1):
        marker = clip.markers[position]
        marker.comment = _text(take_away(marker.metadata, ADAPTER).get("comment"))
        if carried.startswith(PREFIX) and said and marker.name == marker.comment == said:
            del clip.markers[position]
    unpack(clip, carried)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
