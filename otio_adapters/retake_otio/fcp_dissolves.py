"""Dissolves in FCP7 XML, which knows them centred on the cut or wholly on one side of it.

Others are written centred and as long as they were, less a frame where that is odd. How they were goes along, and comes back as long as no editor
changed them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import opentimelineio as otio

from .carrying import PREFIX
from .clip_takes import plain
from .words import take_away

_CARRIED = "clipcommenta"


def centred(transition: otio.schema.Transition) -> tuple[int, int]:
    """Frames before and behind the cut, as this format can say them."""
    before, behind = round(transition.in_offset.value), round(transition.out_offset.value)
    if before == behind or not before or not behind:
        return before, behind
    half = (before + behind) // 2
    return half, half


def prepare(transition: otio.schema.Transition, adapter: str) -> None:
    """Make `transition` one that the adapter writes truly."""
    rate = transition.in_offset.rate
    before, behind = centred(transition)
    carried = {
        "name": transition.name,
        "type": transition.transition_type,
        "metadata": plain(transition.metadata),
        "offsets": [transition.in_offset.value, transition.out_offset.value],
        "written": [before, behind],
    }
    transition.metadata.clear()
    transition.metadata[adapter] = {
        "alignment": "center" if before and behind else _one_sided(transition, bool(before)),
        "comments": {_CARRIED: PREFIX + json.dumps(carried, ensure_ascii=False)},
    }
    transition.in_offset, transition.out_offset = otio.opentime.RationalTime(before, rate), otio.opentime.RationalTime(behind, rate)


def restore(transition: otio.schema.Transition, adapter: str) -> None:
    """Put back what `prepare` took."""
    own = take_away(transition.metadata, adapter)
    comments = own.get("comments")
    text = comments.get(_CARRIED) if isinstance(comments, Mapping) else None
    if not isinstance(text, str) or not text.startswith(PREFIX):
        return
    try:
        carried = json.loads(text[len(PREFIX) :])
        offsets = [float(value) for value in carried["offsets"]]
        written = [float(value) for value in carried["written"]]
        name, kind, metadata = str(carried["name"]), str(carried["type"]), dict(carried["metadata"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    transition.name, transition.transition_type = name, kind
    transition.metadata.update(metadata)
    if len(offsets) == 2 and written == [transition.in_offset.value, transition.out_offset.value]:
        rate = transition.in_offset.rate
        transition.in_offset, transition.out_offset = (otio.opentime.RationalTime(value, rate) for value in offsets)


def _one_sided(transition: otio.schema.Transition, ends: bool) -> str:
    """A dissolve on one side of its cut, or a fade where there is nothing on the other side."""
    track = transition.parent()
    beside: list[otio.core.Composable] = []
    if isinstance(track, otio.schema.Track):
        place = next(index for index, item in enumerate(track) if item is transition)
        beside = [track[near] for near in (place - 1, place + 1) if 0 <= near < len(track)]
    both = len(beside) == 2 and not any(isinstance(item, otio.schema.Gap) for item in beside)
    return ("end" if ends else "start") + ("" if both else "-black")
