"""What a clip says, wherever it stands: its generator reference, its metadata or a marker's. For texts and captions: nothing is refused here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import opentimelineio as otio

from .placeholders import NUMBERS, WORDS
from .timeline import GENERATOR_KIND, METADATA

NAMES = (*WORDS, *NUMBERS)


def find_generator(clip: otio.schema.Clip) -> otio.schema.GeneratorReference | None:
    """The reference that says how the clip's line is made."""
    for reference in clip.media_references().values():
        if isinstance(reference, otio.schema.GeneratorReference) and reference.generator_kind == GENERATOR_KIND:
            return reference
    return None


def own_of(item: otio.core.SerializableObjectWithMetadata) -> dict[str, Any]:
    """A copy of what Retake wrote into the metadata of `item`."""
    own = item.metadata.get(METADATA)
    return plain(own) if isinstance(own, Mapping) else {}


def take_away(metadata: Any, name: str) -> dict[str, Any]:
    """Remove `name` from a library's dictionary and return what stood there as Python's: what was removed cannot be read any more."""
    found = metadata.get(name)
    out = plain(found) if isinstance(found, Mapping) else {}
    if name in metadata:
        del metadata[name]
    return out


def plain(value: Any) -> Any:
    """The library's dictionaries, lists and objects as plain JSON."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else json.loads(otio.core.serialize_json_to_string(value, indent=0))


def words_of(clip: otio.schema.Clip) -> dict[str, Any]:
    """What is known of the clip's line (text, speaker, seed, ...); a marker counts more than the clip, the clip more than the generator reference."""
    generator = find_generator(clip)
    sources: list[Mapping[str, Any]] = [{str(name): value for name, value in generator.parameters.items()}] if generator is not None else []
    sources.append(own_of(clip))
    sources += [own for own in map(own_of, clip.markers) if own.get("text") is not None]
    return {name: source[name] for source in sources for name in NAMES if source.get(name) is not None}


def line_of(clip: otio.schema.Clip) -> str | None:
    """The id of the clip's line."""
    found = own_of(clip).get("line")
    return found if isinstance(found, str) and found else None


def is_placeholder(clip: otio.schema.Clip) -> bool:
    """Whether the clip asks for a line and shows no media yet."""
    if isinstance(clip.media_reference, otio.schema.ExternalReference | otio.schema.ImageSequenceReference):
        return False
    return find_generator(clip) is not None or bool(words_of(clip).get("text") or words_of(clip).get("audio"))
