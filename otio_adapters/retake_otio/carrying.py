"""What other formats have no word for, carried through them as one text: metadata, line, takes and markers of a clip.

Formats of editors know a clip's media, place and markers. Everything else goes along as JSON in a comment of the clip. A program that rewrites the
comment loses it; what can then still be read is in the names and comments of markers and in the clip's own comment (docs/interchange.md).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import opentimelineio as otio

from retake_client.convention import format_line

from .words import plain, words_of

PREFIX = "retake:"
LONGEST = 1_000_000  # characters


def pack(item: otio.core.Item, *, leave: Sequence[str] = ()) -> str:
    """Everything of `item` that `unpack` puts back; `leave`: names in its metadata that stay behind."""
    content: dict[str, Any] = {"format": 1, "name": item.name, "metadata": plain({k: v for k, v in item.metadata.items() if k not in leave})}
    if isinstance(item, otio.schema.Clip):
        content["active"] = item.active_media_reference_key
        content["references"] = {
            key: json.loads(otio.core.serialize_json_to_string(value, indent=0)) for key, value in item.media_references().items()
        }
        content["source_start"] = item.trimmed_range().start_time.value
    content["markers"] = [
        {"name": marker.name, "comment": marker.comment, "color": marker.color, "metadata": plain(marker.metadata),
         "frames": marker.marked_range.duration.value}
        for marker in item.markers
    ]  # fmt: skip
    return PREFIX + json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def unpack(item: otio.core.Item, text: str | None) -> bool:
    """Put back what `pack` took; False, and nothing changed, if `text` is something else.

    The format that carried it counts where people may have edited it: the range, the markers' places and the path of the media that is shown.
    """
    if not text or not text.startswith(PREFIX) or len(text) > LONGEST:
        return False
    try:
        content = json.loads(text[len(PREFIX) :])
        if not isinstance(content, dict) or content.get("format") != 1:
            return False
        references = {str(key): otio.core.deserialize_json_from_string(json.dumps(value)) for key, value in content.get("references", {}).items()}
    except (ValueError, AttributeError, TypeError, RecursionError, otio.exceptions.OTIOError):
        return False
    if any(not isinstance(reference, otio.core.MediaReference) for reference in references.values()):
        return False
    item.name = str(content.get("name", item.name))
    metadata = content.get("metadata")
    item.metadata.clear()
    item.metadata.update(metadata if isinstance(metadata, dict) else {})
    _unpack_markers(item.markers, content.get("markers"))
    if isinstance(item, otio.schema.Clip) and references:
        _unpack_references(item, references, str(content.get("active", "")), content.get("source_start"))
    return True


def _unpack_references(clip: otio.schema.Clip, references: dict[str, otio.core.MediaReference], active: str, start: Any) -> None:
    if active not in references:
        return
    shown = clip.media_reference
    if isinstance(shown, otio.schema.ExternalReference) and isinstance(references[active], otio.schema.ExternalReference):
        references[active].target_url = shown.target_url  # media may have been moved and found again
    before = references[active].available_range
    now = clip.trimmed_range()
    if shown.available_range is not None and before is not None:
        first = now.start_time - shown.available_range.start_time + before.start_time.rescaled_to(now.start_time.rate)
        clip.source_range = otio.opentime.TimeRange(first, now.duration)
        for marker in clip.markers:
            moved = marker.marked_range.start_time - now.start_time + first
            marker.marked_range = otio.opentime.TimeRange(moved, marker.marked_range.duration)
    elif before is None and isinstance(start, int | float):
        clip.source_range = otio.opentime.TimeRange(otio.opentime.RationalTime(start, now.duration.rate), now.duration)
    clip.set_media_references(references, active)


def _unpack_markers(markers: Sequence[otio.schema.Marker], packed: Any) -> None:
    left = [entry for entry in packed if isinstance(entry, dict)] if isinstance(packed, list) else []
    for marker in markers:
        entry = next((entry for entry in left if entry.get("name") == marker.name), None)
        if entry is None:
            continue
        left.remove(entry)
        marker.comment = str(entry.get("comment", marker.comment))
        marker.color = str(entry.get("color") or marker.color)
        if entry.get("frames") == 0 and marker.marked_range.duration.value <= 1:
            marker.marked_range = otio.opentime.TimeRange(
                marker.marked_range.start_time, otio.opentime.RationalTime(0, marker.marked_range.duration.rate)
            )
        metadata = entry.get("metadata")
        marker.metadata.clear()
        marker.metadata.update(metadata if isinstance(metadata, dict) else {})


def spoken(clip: otio.schema.Clip) -> str:
    """The line of a clip as script text for people and editors ("@anna: Hello."), empty for a clip without one."""
    wants = words_of(clip)
    return format_line(str(wants["speaker"]) if wants.get("speaker") else None, str(wants["text"])) if wants.get("text") else ""


def shown_alone(clip: otio.schema.Clip) -> otio.schema.Clip:
    """A copy of `clip` with the reference that it shows and no other; a placeholder gets a missing one of its own length."""
    out = copy.deepcopy(clip)
    reference = copy.deepcopy(clip.media_reference)
    if not isinstance(reference, otio.schema.ExternalReference | otio.schema.ImageSequenceReference):
        available = reference.available_range or clip.trimmed_range()
        reference = otio.schema.MissingReference(name=clip.name, available_range=available)
    out.set_media_references({otio.schema.Clip.DEFAULT_MEDIA_KEY: reference}, otio.schema.Clip.DEFAULT_MEDIA_KEY)
    return out
