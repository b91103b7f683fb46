"""Final Cut Pro X XML (.fcpxml), version 1.8, through the existing adapter.

The adapter knows eight rates by name, none of them as an exact fraction, and counts frames with floats that lose some. It is therefore given the same
frames at 24 a second, at which its arithmetic is exact for every frame number, and all times in the file are multiplied by 24 over the true rate, as
fractions. Names and addresses are tokens while it works: it searches by them, and fails on apostrophes.
"""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from xml.etree import ElementTree

import opentimelineio as otio

from .carrying import pack, shown_alone, spoken, unpack
from .fcp import expect_same, file_address
from .measuring import exact_rate
from .reading import TimelineError
from .sound import is_take, with_sound, without_sound
from .spans import RationalTime, local_path, rate_of, relabel, span, to_rate
from .words import is_placeholder, line_of, own_of, take_away

ADAPTER = "fcpx_xml"
KEY = "retake"  # of the metadata of clips and sequences
WORKING = 24  # n / 24 * 24 is n in floats for every whole n: 24 is a sum of two powers of two
_TIMES = ("offset", "start", "duration", "tcStart")
_CLIPS = ("clip", "asset-clip", "ref-clip")
_PLACEHOLDER = "/retake-placeholder/"


def write_fcpx(timeline: otio.schema.Timeline) -> str:
    """The text of an .fcpxml file. Raises TimelineError (mixed_rates, no_rate, not_written if it would not say the same when read again)."""
    rate = rate_of(timeline)
    made = with_sound(timeline)
    to_rate(made, rate)
    clips = {f"retake-{number}": clip for number, clip in enumerate(made.find_clips(), 1)}
    text = otio.adapters.write_to_string(_prepared(made, rate, clips), adapter_name=ADAPTER)
    text = _finished(text, made, rate, clips)
    expect_same(made, _read(text)[0], "FCPXML")
    return text


def read_fcpx(text: str) -> otio.schema.Timeline:
    """A timeline from the text of an .fcpxml file. Raises TimelineError (bad_timeline, mixed_rates)."""
    found, carried = _read(text)
    known = unpack(found.tracks, carried)
    extra = take_away(found.tracks.metadata, "timeline")
    if known and extra:
        found.name = str(extra.get("name", found.name))
        found.metadata.update(extra.get("metadata", {}))
        if not extra.get("start"):
            found.global_start_time = None
        for track, name in zip([track for track in found.tracks if track.kind == otio.schema.TrackKind.Video], extra.get("tracks", []), strict=False):
            track.name = str(name)
    without_sound(found)
    return found


def _prepared(timeline: otio.schema.Timeline, rate: Fraction, clips: dict[str, otio.schema.Clip]) -> otio.schema.Timeline:
    """What the adapter is given: tokens, one reference each, a first video track as long as the edit, 24 frames a second."""
    out = copy.deepcopy(timeline)
    out.name = "retake-project"
    for token, clip in zip(clips, out.find_clips(), strict=True):
        clip.source_range = clip.trimmed_range()
        reference = shown_alone(clip).media_reference
        address = reference.target_url if isinstance(reference, otio.schema.ExternalReference) else f"{_PLACEHOLDER}{token}"
        reference = otio.schema.ExternalReference(_token(address), reference.available_range or clip.trimmed_range())
        clip.set_media_references({otio.schema.Clip.DEFAULT_MEDIA_KEY: reference}, otio.schema.Clip.DEFAULT_MEDIA_KEY)
        clip.name = token
        clip.metadata.clear()
        for marker in clip.markers:
            marker.color = ""
    _fill_spine(out, float(rate))
    relabel(out, WORKING)
    return out


def _fill_spine(timeline: otio.schema.Timeline, rate: float) -> None:
    """Everything hangs on the first video track, so there must be one as long as all others."""
    length = round(timeline.tracks.duration().rescaled_to(rate).value)
    video = [track for track in timeline.tracks if isinstance(track, otio.schema.Track) and track.kind == otio.schema.TrackKind.Video]
    if not video:
        video = [otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)]
        timeline.tracks.insert(0, video[0])
    missing = length - round(video[0].duration().rescaled_to(rate).value) if len(video[0]) else length
    if missing > 0:
        video[0].append(otio.schema.Gap(source_range=span(0, missing, rate)))


def _finished(text: str, timeline: otio.schema.Timeline, rate: Fraction, clips: dict[str, otio.schema.Clip]) -> str:
    """The adapter's text with true times, names and addresses, and with what the adapter leaves out."""
    root = ElementTree.fromstring(text)
    factor = Fraction(WORKING) / rate
    for element in root.iter():
        for name in _TIMES:
            if name in element.attrib:
                element.set(name, _written(_seconds(element.attrib[name]) * factor))
    for format_ in root.iter("format"):
        format_.set("frameDuration", f"{rate.denominator}/{rate.numerator}s")
        format_.attrib.pop("name", None)
    for browsed in root.findall("asset-clip"):  # one for every clip, beside the project
        root.remove(browsed)
    _finish_assets(root, clips)
    for element in root.iter("clip"):
        _finish_clip(element, clips[element.get("name", "")], rate)
    sequence = next(root.iter("sequence"))
    for project in root.iter("project"):
        project.set("name", timeline.name or "Timeline")
        if not project.get("uid"):
            project.attrib.pop("uid", None)
    _finish_sequence(sequence, timeline, rate)
    ElementTree.indent(root, "    ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _finish_assets(root: ElementTree.Element, clips: dict[str, otio.schema.Clip]) -> None:
    addresses: dict[str, tuple[str, str]] = {}
    for token, clip in clips.items():
        reference = clip.media_reference
        if isinstance(reference, otio.schema.ExternalReference):
            address = file_address(reference.target_url).replace("file://localhost/", "file:///")
            addresses[_token(reference.target_url)] = (address, local_path(reference.target_url).replace("\\", "/").rsplit("/", 1)[-1])
        else:
            name = line_of(clip) or token
            addresses[_token(f"{_PLACEHOLDER}{token}")] = (file_address(f"{_PLACEHOLDER}{name}.mov").replace("file://localhost/", "file:///"), name)
    takes = {_token(clip.media_reference.target_url) for clip in clips.values() if is_take(clip)}  # pyright: ignore[reportAttributeAccessIssue]
    for asset in root.iter("asset"):
        token = asset.get("src", "")
        address, name = addresses[token]
        asset.set("src", address)
        asset.set("name", name)
        if token in takes:  # sound and picture of one file
            for part in ("hasVideo", "hasAudio", "audioSources"):
                asset.set(part, "1")


def _finish_clip(element: ElementTree.Element, clip: otio.schema.Clip, rate: Fraction) -> None:
    element.set("name", clip.name)
    if not clip.enabled:
        element.set("enabled", "0")
    for written, marker in zip(element.findall("marker"), clip.markers, strict=True):
        if marker.comment:
            written.set("note", marker.comment)
        if written.get("duration") == "0s":
            written.set("duration", _written(1 / rate))
    said = spoken(clip)
    if said:
        note = ElementTree.Element("note")
        note.text = said
        element.insert(0, note)
    if said and is_placeholder(clip):
        where = clip.trimmed_range()
        attributes = {"start": _time(where.start_time, rate), "duration": _time(where.duration, rate), "value": said, "note": said}
        ElementTree.SubElement(element, "marker", attributes)
    ElementTree.SubElement(ElementTree.SubElement(element, "metadata"), "md", {"key": KEY, "value": pack(clip)})


def _finish_sequence(sequence: ElementTree.Element, timeline: otio.schema.Timeline, rate: Fraction) -> None:
    """Start timecode, and markers of the whole timeline, which lie on what the first track shows at their time."""
    start = timeline.global_start_time
    begins = Fraction(round(start.value)) / rate if start is not None else Fraction(0)
    spine = next(sequence.iter("spine"))
    for marker in timeline.tracks.markers:
        at = Fraction(round(marker.marked_range.start_time.value)) / rate
        for element in spine:
            first = _seconds(element.get("offset", "0s"))
            if first <= at < first + _seconds(element.get("duration", "0s")):
                length = Fraction(max(1, round(marker.marked_range.duration.value))) / rate
                attributes = {"start": _written(at - first + _seconds(element.get("start", "0s"))), "duration": _written(length)}
                written = ElementTree.Element(
                    "marker", {**attributes, "value": marker.name or "marker", "note": f"{KEY}: {marker.comment}".rstrip(": ")}
                )
                metadata = element.find("metadata")
                element.insert(list(element).index(metadata) if metadata is not None else len(element), written)
                break
    for element in spine:
        element.set("offset", _written(_seconds(element.get("offset", "0s")) + begins))
    drop = bool(own_of(timeline).get("drop_frame"))
    sequence.set("tcStart", _written(begins))
    sequence.set("tcFormat", "DF" if drop else "NDF")
    carrier = copy.deepcopy(timeline.tracks)
    video = [track for track in timeline.tracks if getattr(track, "kind", "") == otio.schema.TrackKind.Video]
    carrier.metadata["timeline"] = {
        "name": timeline.name,
        "metadata": copy.deepcopy(timeline.metadata),
        "start": start is not None,
        "tracks": [track.name for track in video],
        "places": [[marker.marked_range.start_time.value, marker.marked_range.duration.value] for marker in timeline.tracks.markers],
    }
    ElementTree.SubElement(ElementTree.SubElement(sequence, "metadata"), "md", {"key": KEY, "value": pack(carrier)})


def _read(text: str) -> tuple[otio.schema.Timeline, str]:
    """The timeline with everything in its place, and what was carried for the whole of it."""
    if "<!ENTITY" in text:
        raise TimelineError("The file defines entities, which no editor writes.", "Export it from the editor again.", "bad_timeline")
    try:
        root = ElementTree.fromstring(text)
        rate = _rate(root)
        projects = list(root.iter("project"))
        if len(projects) != 1:
            names = ", ".join(f"'{project.get('name', '')}'" for project in projects)[:300] or "none"
            raise TimelineError(f"The file holds {len(projects)} projects ({names}).", "Export one project.", "bad_timeline")
        sequence = next(root.iter("sequence"))
        carried = _carried(sequence)
        begins = _seconds(sequence.get("tcStart", "0s"))
        markers = _without_start(sequence, begins, rate)
        elements = _tokens(root, rate)
        found = otio.adapters.read_from_string(ElementTree.tostring(root, encoding="unicode"), adapter_name=ADAPTER)
    except TimelineError:
        raise
    except RecursionError as error:
        raise TimelineError("The file is nested too deeply.", "Flatten compound clips.", "bad_timeline") from error
    # What a missing or strange element makes of the adapter: None where there should be one, text where there should be a number.
    except (
        ElementTree.ParseError,
        AttributeError,
        ValueError,
        TypeError,
        KeyError,
        StopIteration,
        ArithmeticError,
        otio.exceptions.OTIOError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise TimelineError(f"The file holds no FCPXML project ({reason}).", "Export it as Final Cut Pro X XML.", "bad_timeline") from error
    timeline = next(iter(found)) if isinstance(found, otio.schema.SerializableCollection) else found
    _restore(timeline, elements, rate)
    if begins or carried:
        timeline.global_start_time = RationalTime(round(begins * rate), float(rate))
    if sequence.get("tcFormat") == "DF":
        timeline.metadata["retake"] = {**own_of(timeline), "drop_frame": True}
    timeline.tracks.markers.extend(markers)
    return timeline, carried


def _rate(root: ElementTree.Element) -> Fraction:
    """The one rate of all formats; they become the working rate."""
    durations = {_seconds(format_.get("frameDuration", "0s")) for format_ in root.iter("format")} - {Fraction(0)}
    if len(durations) != 1:
        names = ", ".join(f"{float(1 / duration):g}" for duration in sorted(durations, reverse=True)) or "none"
        raise TimelineError(f"The file mixes frame rates ({names}).", "Conform it to one rate in the editor and export it again.", "mixed_rates")
    for format_ in root.iter("format"):
        format_.set("frameDuration", "25/600s")
    rate = 1 / durations.pop()
    return exact_rate(float(rate)) or rate


def _without_start(sequence: ElementTree.Element, begins: Fraction, rate: Fraction) -> list[otio.schema.Marker]:
    """Count the spine from 0; returns the markers of gaps and of the whole timeline, which the adapter would not find or take for a clip's."""
    markers: list[otio.schema.Marker] = []
    for element in next(sequence.iter("spine")):
        offset = _seconds(element.get("offset", "0s")) - begins
        element.set("offset", _written(offset))
        for marker in element.findall("marker"):
            note = marker.get("note", "")
            if element.tag != "gap" and note != KEY and not note.startswith(f"{KEY}: "):
                continue
            if element.find("metadata/md[@key='retake']") is not None and marker.get("value") == _said(element):
                continue
            moved = _marker(marker, rate, offset - _seconds(element.get("start", "0s")))
            moved.comment = note.removeprefix(KEY).removeprefix(": ")
            markers.append(moved)
            element.remove(marker)
    return markers


def _marker(written: ElementTree.Element, rate: Fraction, moved: Fraction = Fraction(0)) -> otio.schema.Marker:
    start, length = _seconds(written.get("start", "0s")) + moved, _seconds(written.get("duration", "0s"))
    colors = {"0": otio.schema.MarkerColor.RED, "1": otio.schema.MarkerColor.GREEN}
    return otio.schema.Marker(
        name=written.get("value", ""),
        marked_range=span(round(start * rate), round(length * rate), float(rate)),
        color=colors.get(written.get("completed", ""), otio.schema.MarkerColor.PURPLE),
        comment=written.get("note", ""),
    )


def _said(element: ElementTree.Element) -> str | None:
    note = element.find("note")
    return note.text if note is not None else None


def _tokens(root: ElementTree.Element, rate: Fraction) -> dict[str, ElementTree.Element]:
    """Name every clip by a token, and say all times in working seconds. Returns the clips as they were."""
    elements: dict[str, ElementTree.Element] = {}
    for element in root.iter():
        if element.tag in _CLIPS:
            token = f"retake-{len(elements) + 1}"
            elements[token] = copy.deepcopy(element)
            element.set("name", token)
        for name in _TIMES:
            if name in element.attrib:
                element.set(name, f"{round(_seconds(element.attrib[name]) * rate)}/{WORKING}s")
    for element in root.iter():
        for marker in element.findall("marker"):  # the adapter gives a clip those of all clips that hang on it too
            element.remove(marker)
    return elements


def _restore(timeline: otio.schema.Timeline, elements: dict[str, ElementTree.Element], rate: Fraction) -> None:
    """True times, names, paths, and what was carried for each clip; tracks as OTIO orders them: pictures from below, then sounds."""
    relabel(timeline, float(rate))
    tracks = sorted(timeline.tracks, key=_lane)
    del timeline.tracks[:]
    for number, track in enumerate(tracks):
        track.name = f"{'A' if track.kind == otio.schema.TrackKind.Audio else 'V'}{number + 1}"
        timeline.tracks.append(track)
    for clip in timeline.find_clips():
        element = elements[clip.name]
        clip.name = element.get("name", "")
        if element.get("enabled") == "0":
            clip.enabled = False
        clip.markers.extend(_marker(written, rate) for written in element.findall("marker"))
        reference = clip.media_reference
        waits = isinstance(reference, otio.schema.ExternalReference) and _PLACEHOLDER in reference.target_url
        if isinstance(reference, otio.schema.ExternalReference):
            take_away(reference.metadata, "fcpx")
            reference.target_url = local_path(reference.target_url)
        if waits:
            for position in range(len(clip.markers) - 1, -1, -1):
                marker = clip.markers[position]
                if _carried(element) and marker.name == marker.comment == _said(element):
                    del clip.markers[position]
            clip.media_reference = otio.schema.MissingReference(available_range=reference.available_range)
        unpack(clip, _carried(element))


def _carried(element: ElementTree.Element) -> str:
    found = element.find(f"metadata/md[@key='{KEY}']")
    return found.get("value", "") if found is not None else ""


def _lane(track: otio.schema.Track) -> tuple[bool, int]:
    lane = int(track.name or "0")
    return track.kind == otio.schema.TrackKind.Audio, abs(lane)


def _token(address: str) -> str:
    """An address without anything that the adapter would stumble over, one for each."""
    return "retake:" + address.encode("utf-8").hex()


def _seconds(text: str) -> Fraction:
    value = text.strip().removesuffix("s")
    if len(value) > 60:
        raise ValueError(f"'{value[:40]}...' is no time")
    return Fraction(value)


def _written(seconds: Fraction) -> str:
    return f"{seconds.numerator}s" if seconds.denominator == 1 else f"{seconds.numerator}/{seconds.denominator}s"


def _time(time: otio.opentime.RationalTime, rate: Fraction) -> str:
    return _written(Fraction(math.floor(time.value + 0.5)) / rate)
