"""OpenTimelineIO for Retake: the convention by which a clip carries its line and its takes. Imports opentimelineio, never retake."""

from .timeline import (
    GENERATOR_KEY,
    GENERATOR_KIND,
    METADATA,
    TakeMedia,
    build_timeline,
    line_clip,
    line_id,
    line_parameters,
    read_timeline,
    write_timeline,
)

__all__ = [
    "GENERATOR_KEY",
    "GENERATOR_KIND",
    "METADATA",
    "TakeMedia",
    "build_timeline",
    "line_clip",
    "line_id",
    "line_parameters",
    "read_timeline",
    "write_timeline",
]
