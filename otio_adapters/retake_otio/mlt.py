"""MLT XML (.mlt) through the existing adapter, for looking at a filled timeline without an editor: `melt cut.mlt -consumer avformat:cut.mp4`.

The adapter tells files apart by the names of clips (two clips of one name show the same file), plays placeholders as files of their names, leaves out
sounds that belong to a picture without a gap in their place, lets one track sound at a time, and writes no size. So clips are named by their files,
placeholders are gaps, pictures are silent, sounds lie on audio tracks alone, and all of those are mixed.
"""

from __future__ import annotations

from xml.etree import ElementTree

import opentimelineio as otio

from .carrying import shown_alone
from .checks import refuse
from .sound import with_sound
from .spans import RationalTime, local_path, rate_of, to_rate
from .words import is_placeholder

ADAPTER = "mlt_xml"
SIZE = (1280, 720)


def write_mlt(timeline: otio.schema.Timeline, size: tuple[int, int] = SIZE) -> str:
    """The text of an .mlt file; size: width and height of what `melt` renders. Raises TimelineError (see `checks.check`)."""
    refuse(timeline, "mlt")
    rate = rate_of(timeline)
    made = with_sound(timeline, everything=True)
    to_rate(made, rate)
    made.global_start_time = RationalTime(0, float(rate))
    names: dict[tuple[str, str], str] = {}
    silent: list[str] = []
    heard: list[str] = []
    for number, track in enumerate(made.tracks):
        sound = track.kind == otio.schema.TrackKind.Audio
        track.name = f"track{number}"
        (heard if sound else silent).append(track.name)
        for position, item in enumerate(track):
            if not isinstance(item, otio.schema.Clip):
                continue
            reference = item.media_reference
            if is_placeholder(item) or not isinstance(reference, otio.schema.ExternalReference) or not item.enabled:
                track[position] = otio.schema.Gap(source_range=otio.opentime.TimeRange(RationalTime(0, float(rate)), item.duration()))
                continue
            _show(item, names.setdefault((local_path(reference.target_url), str(track.kind)), f"media{len(names)}"))
    pieces = {
        "width": size[0],
        "height": size[1],
        "frame_rate_num": rate.numerator,
        "frame_rate_den": rate.denominator,
        "progressive": 1,
        "sample_aspect_num": 1,
        "sample_aspect_den": 1,
        "display_aspect_num": size[0],
        "display_aspect_den": size[1],
        "colorspace": 709,
    }
    text = otio.adapters.write_to_string(made, adapter_name=ADAPTER, **{name: str(value) for name, value in pieces.items()})
    return _mixed(text, silent, heard)


def _show(clip: otio.schema.Clip, name: str) -> None:
    """One reference, named by its file, counted from the file's first frame as MLT does."""
    alone = shown_alone(clip).media_reference
    shown = clip.trimmed_range()
    if isinstance(alone, otio.schema.ExternalReference):
        alone.target_url = local_path(alone.target_url)
    begin = alone.available_range.start_time if alone.available_range is not None else RationalTime(0, shown.start_time.rate)
    if alone.available_range is not None:
        alone.available_range = otio.opentime.TimeRange(RationalTime(0, begin.rate), alone.available_range.duration)
    clip.source_range = otio.opentime.TimeRange(shown.start_time - begin, shown.duration)
    alone.name = name
    clip.name = name
    clip.set_media_references({otio.schema.Clip.DEFAULT_MEDIA_KEY: alone}, otio.schema.Clip.DEFAULT_MEDIA_KEY)


def _mixed(text: str, silent: list[str], heard: list[str]) -> str:
    """Pictures without sound, sounds without picture, all sounds together; whole numbers where MLT counts frames."""
    root = ElementTree.fromstring(text)
    for element in root.iter():
        for name in ("in", "out", "length"):
            if name in element.attrib:
                element.set(name, str(round(float(element.attrib[name]))))
    tractor = next(element for element in root.iter("tractor") if element.get("id") == "tractor0")
    tracks = list(tractor.iter("track"))
    for index, track in enumerate(tracks):
        producer = track.get("producer", "")
        if producer in silent:
            track.set("hide", "audio")
        elif producer in heard:
            track.set("hide", "video")
            mix = ElementTree.SubElement(tractor, "transition", {"id": f"mix{index}"})
            for name, value in (("a_track", 0), ("b_track", index), ("mlt_service", "mix"), ("always_active", 1), ("sum", 1)):
                ElementTree.SubElement(mix, "property", {"name": name}).text = str(value)
    ElementTree.indent(root, "  ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
