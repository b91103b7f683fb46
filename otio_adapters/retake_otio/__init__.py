"""OpenTimelineIO for Retake: the convention by which a clip carries its line and its takes. Imports opentimelineio, never retake."""

from .placeholders import Placeholder, fill_placeholder, find_placeholders
from .reading import TimelineError, read_timeline
from .timeline import (
    GENERATOR_KEY,
    GENERATOR_KIND,
    METADATA,
    TakeMedia,
    build_timeline,
    line_clip,
    line_id,
    line_parameters,
    write_timeline,
)

__all__ = [
    "GENERATOR_KEY",
    "GENERATOR_KIND",
    "METADATA",
    "Placeholder",
    "TakeMedia",
    "TimelineError",
    "build_timeline",
    "fill_placeholder",
    "find_placeholders",
    "line_clip",
    "line_id",
    "line_parameters",
    "read_timeline",
    "write_timeline",
]
