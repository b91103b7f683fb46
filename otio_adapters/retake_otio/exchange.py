"""Timelines in and out of files of any format that Retake knows; the one place that goes by a file's name.

read_any("cut.xml")                                  a timeline with the lines and takes that the format could carry
write_any(timeline, "cut.xml")                       checked first, read again afterwards
write_any(timeline, "cut.otio", profile="resolve")   for the import of DaVinci Resolve
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from . import bundle, checks, fcp, fcpx, mlt, resolve_profile, script_adapter, srt_adapter
from .reading import LARGEST, TimelineError, read_timeline
from .timeline import write_timeline

# Endings of names and what they stand for.
ENDINGS = {".otio": "otio", ".xml": "fcp7", ".otioz": "otioz", ".fcpxml": "fcpxml", ".srt": "srt", ".retake.md": "script", ".mlt": "mlt"}
PROFILES = ("resolve",)
_EDITORS = {"fcp7": fcp.write_fcp7, "fcpxml": fcpx.write_fcpx, "mlt": mlt.write_mlt}


def format_of(path: str | Path) -> str:
    """The format that a file's name stands for. Raises TimelineError (bad_output) for another one."""
    name = Path(path).name.lower()
    for ending, format_ in ENDINGS.items():
        if name.endswith(ending):
            return format_
    known = ", ".join(ENDINGS)
    raise TimelineError(f"'{Path(path).name}' has no ending that says which format it is.", f"Use one of {known}.", "bad_output")


def read_any(path: str | Path, rate: Fraction | None = None, *, format: str | None = None) -> otio.schema.Timeline:
    """Read a timeline.

    Args:
        rate: frames per second, for formats that do not say it (.srt needs it; .retake.md uses it where its front matter says nothing).
        format: one of the values of ENDINGS, where the name does not tell it.

    Raises TimelineError with a cause and a remedy for what cannot be used, OSError.
    """
    path = Path(path)
    kind = format or format_of(path)
    if kind == "otio":
        return resolve_profile.from_resolve(read_timeline(path))
    if kind == "otioz":
        return bundle.read_bundle(path)
    text = _text(path)
    if kind == "fcp7":
        return fcp.read_fcp7(text)
    if kind == "fcpxml":
        return fcpx.read_fcpx(text)
    if kind == "srt":
        return srt_adapter.read_from_string(text, rate=None if rate is None else str(rate), name=path.stem)
    if kind == "script":
        return script_adapter.read_from_string(text, rate=None if rate is None else str(rate))
    raise _unreadable(kind)


def write_any(timeline: otio.schema.Timeline, path: str | Path, profile: str | None = None, *, format: str | None = None) -> list[checks.Finding]:
    """Write a timeline; the file appears as it is written, so callers write beside and rename.

    Args:
        profile: "resolve" for an .otio that DaVinci Resolve imports.
        format: one of the values of ENDINGS, where the name does not tell it.

    Returns what is left out. Raises TimelineError with a cause and a remedy where the timeline cannot be said in that format, OSError.
    """
    path = Path(path)
    kind = format or format_of(path)
    if profile is not None and profile not in PROFILES:
        raise TimelineError(f"There is no profile '{profile}'.", f"Profiles: {', '.join(PROFILES)}.", "bad_output")
    if profile == "resolve":
        if kind != "otio":
            raise TimelineError("The profile for Resolve is an .otio.", "Name a file that ends in .otio.", "bad_output")
        found = checks.refuse(timeline, "resolve")
        write_timeline(path, resolve_profile.for_resolve(timeline))
        return found
    if kind == "otio":
        write_timeline(path, timeline)
    elif kind == "otioz":
        bundle.write_bundle(timeline, path)
    elif kind == "srt":
        _write(path, srt_adapter.write_to_string(timeline))
    elif kind == "script":
        _write(path, script_adapter.write_to_string(timeline))
        return [
            checks.Finding("left_out", "Timeline", f"Not in the text: {lost}.", "Keep the .otio too.", False)
            for lost in script_adapter.losses(timeline)
        ]
    elif kind in _EDITORS:
        found = checks.refuse(timeline, kind)
        _write(path, _EDITORS[kind](timeline))
        return found
    else:
        raise _unreadable(kind)
    return []


def _unreadable(kind: str) -> TimelineError:
    return TimelineError(f"There is no format '{kind}'.", f"Formats: {', '.join(sorted(set(ENDINGS.values())))}.", "bad_output")


def _text(path: Path) -> str:
    if path.stat().st_size > LARGEST:
        raise TimelineError(f"{path.name} is larger than {LARGEST // 1024**2} MB.", "Split the timeline.", "timeline_too_large")
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise TimelineError(f"Line {line} of {path.name} is not in UTF-8.", "Save it as UTF-8.", "bad_timeline") from error


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
