"""Timelines from files that anybody may have written.

The library reads well-formed files only: it dies of deep nesting, of objects that hold themselves, and of a timeline without tracks (0.18.1: a
segmentation fault each). Such files are found before it sees them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import opentimelineio as otio

LARGEST = 64 * 1024**2  # bytes; an hour of edits with a clip a second is a tenth of that
DEEPEST = 200  # levels of JSON, four for each timeline inside another


class TimelineError(ValueError):
    """A timeline that cannot be used. `cause` and `remedy` are one sentence each; `code` is for programs."""

    def __init__(self, cause: str, remedy: str, code: str) -> None:
        super().__init__(f"{cause} {remedy}")
        self.cause = cause
        self.remedy = remedy
        self.code = code


def read_timeline(path: Path) -> otio.schema.Timeline:
    """Read native OpenTimelineIO JSON.

    Raises TimelineError (bad_timeline, a ValueError) for something else than a timeline, or one that is too large or too deeply nested; OSError.
    """
    if path.stat().st_size > LARGEST:
        raise TimelineError(f"{path.name} is larger than {LARGEST // 1024**2} MB.", "Split the timeline.", "timeline_too_large")
    try:
        text = path.read_text(encoding="utf-8")
        _check(json.loads(text), path.name)
        found = otio.adapters.read_from_string(text, adapter_name="otio_json")
    except RecursionError as error:
        raise _too_deep(path.name) from error
    except TimelineError:
        raise
    except (ValueError, KeyError, TypeError, otio.exceptions.OTIOError) as error:  # what Python and the library raise for what is no timeline
        reason = " ".join(str(error).split())[:200]
        raise _bad(path.name, f" ({reason})") from error
    if not isinstance(found, otio.schema.Timeline):
        raise _bad(path.name, f": it holds a {type(found).__name__}")
    return found


def _bad(name: str, why: str) -> TimelineError:
    return TimelineError(f"{name} holds no timeline{why}.", "Export it from the editor as OpenTimelineIO (.otio).", "bad_timeline")


def _too_deep(name: str) -> TimelineError:
    return TimelineError(f"{name} is nested more than {DEEPEST} levels deep.", "Flatten compound clips.", "bad_timeline")


def _check(content: object, name: str) -> None:
    """Raise TimelineError for what the library must not see."""
    if not isinstance(content, Mapping) or not str(content.get("OTIO_SCHEMA", "")).startswith("Timeline."):
        schema = content.get("OTIO_SCHEMA") if isinstance(content, Mapping) else None
        raise _bad(name, f": it holds a {str(schema)[:40]}" if schema else "")
    if not isinstance(content.get("tracks"), Mapping):
        raise _bad(name, ": it has no tracks")
    level: list[object] = [content]
    for _ in range(DEEPEST):
        below: list[object] = []
        for value in level:
            if isinstance(value, Mapping):
                if str(value.get("OTIO_SCHEMA", "")).startswith("SerializableObjectRef"):
                    raise _bad(name, ": it refers to its own parts")
                below += value.values()
            elif isinstance(value, list):
                below += value
        level = [value for value in below if isinstance(value, Mapping | list)]
        if not level:
            return
    raise _too_deep(name)
