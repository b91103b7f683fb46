"""OpenTimelineIO for Retake: the convention by which a clip carries its line and its takes. Imports opentimelineio and
retake_client, never retake.
"""

from .clip_takes import TakeOfClip, switch_take, takes_of
from .filling import CONFORMS, Filling, Note, fill_line, fill_lines, lock, missing, unused_seed
from .identity import give_ids
from .lines import Line, find_lines
from .placeholders import Placeholder, fill_placeholder, find_placeholders
from .reading import TimelineError, read_timeline
from .requests import is_asked_for, request_of
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
    "CONFORMS",
    "GENERATOR_KEY",
    "GENERATOR_KIND",
    "METADATA",
    "Filling",
    "Line",
    "Note",
    "Placeholder",
    "TakeMedia",
    "TakeOfClip",
    "TimelineError",
    "build_timeline",
    "fill_line",
    "fill_lines",
    "fill_placeholder",
    "find_lines",
    "find_placeholders",
    "give_ids",
    "is_asked_for",
    "line_clip",
    "line_id",
    "line_parameters",
    "lock",
    "missing",
    "read_timeline",
    "request_of",
    "switch_take",
    "takes_of",
    "unused_seed",
    "write_timeline",
]
