"""Ids of lines, which stay with them however their words change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from retake_client.convention import new_line_id

from .clip_takes import plain
from .lines import Line
from .timeline import FORMAT, METADATA


def give_ids(lines: Sequence[Line]) -> dict[str, str]:
    """Write an id into every line that has none, and a new one into copies, which would otherwise be the same line.

    Returns the ids by the keys of the lines; read the lines again afterwards.
    """
    out: dict[str, str] = {}
    taken: set[str] = set()
    for line in lines:
        identifier = line.line
        if identifier is None or identifier in taken:
            identifier = new_line_id()
            for target in (line.marker, line.clip):
                if target is not None:
                    own = target.metadata.get(METADATA)
                    target.metadata[METADATA] = {**(plain(own) if isinstance(own, Mapping) else {}), "format": FORMAT, "line": identifier}
        taken.add(identifier)
        out[line.key] = identifier
    return out
