"""What would go wrong where a timeline is taken to, found before it is written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import opentimelineio as otio

from .measuring import exact_rate
from .reading import TimelineError
from .spans import items_of, local_path, rates_of
from .words import is_placeholder

PROFILES = ("otio", "otioz", "resolve", "fcp7", "fcpxml", "mlt")
LONGEST_NAME = 200
_TOLD = 20


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. where: the clip or track; refused: the timeline cannot be written like this, otherwise something is left out."""

    code: str
    where: str
    cause: str
    remedy: str
    refused: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.cause} {self.remedy}"


def check(timeline: otio.schema.Timeline, profile: str = "otio") -> list[Finding]:
    """Everything that speaks against writing `timeline` for `profile`, in the order of the edit; empty if nothing does.

    profile: otio, otioz (media go along), resolve, fcp7, fcpxml, mlt. Raises TimelineError (bad_output) for another one.
    """
    if profile not in PROFILES:
        raise TimelineError(f"There is no profile '{profile}'.", f"Profiles: {', '.join(PROFILES)}.", "bad_output")
    out = _rates(timeline)
    if not timeline.name.strip() and profile in {"resolve", "fcp7", "fcpxml"}:
        out.append(Finding("no_name", "Timeline", "It has no name.", "Name it: editors list timelines by their names.", refused=False))
    if len(timeline.name) > LONGEST_NAME or any(ord(character) < 32 for character in timeline.name):
        out.append(Finding("bad_name", "Timeline", "Its name is too long or has control characters.", "Give it a short name."))
    for item in items_of(timeline):
        if isinstance(item, otio.schema.Clip):
            out += _clip(item, profile)
        elif isinstance(item, otio.schema.Stack) and item is not timeline.tracks and profile not in {"otio", "otioz"}:
            out.append(Finding("nested", f"Compound clip '{item.name}'", "It may be lost.", "Flatten it in the editor.", refused=profile != "fcp7"))
        elif isinstance(item, otio.schema.Transition):
            out += _transition(item, profile)
    return out


def refuse(timeline: otio.schema.Timeline, profile: str = "otio") -> list[Finding]:
    """Raise TimelineError (not_fit, or the code where there is only one) with all that refuses `profile`; returns the other findings."""
    found = check(timeline, profile)
    bad = [finding for finding in found if finding.refused]
    if not bad:
        return found
    told = " ".join(f"{finding.where}: {finding.cause}" for finding in bad[:_TOLD])
    more = f" And {len(bad) - _TOLD} more." if len(bad) > _TOLD else ""
    remedies = list(dict.fromkeys(finding.remedy for finding in bad))
    codes = {finding.code for finding in bad}
    raise TimelineError(told + more, " ".join(remedies[:5]), codes.pop() if len(codes) == 1 else "not_fit")


def _rates(timeline: otio.schema.Timeline) -> list[Finding]:
    rates = rates_of(timeline)
    if len(rates) > 1:
        names = ", ".join(f"{float(rate):g}" for rate in sorted(rates))
        return [Finding("mixed_rates", "Timeline", f"It mixes frame rates ({names}).", "Conform it to one rate in the editor and export it again.")]
    if rates in ({0}, set()):
        return [Finding("no_rate", "Timeline", "It has no clip with a duration, or no frame rate.", "Put clips with a duration into it.")]
    return []


def _clip(clip: otio.schema.Clip, profile: str) -> list[Finding]:
    where = f"Clip '{clip.name}'" if clip.name.strip() else "A clip without a name"
    out: list[Finding] = []
    reference = clip.media_reference
    if clip.source_range is None and reference.available_range is None:
        return [Finding("no_range", where, "It has no source range.", "Give it one.")]
    shown = clip.trimmed_range()
    if any(abs(time.value - round(time.value)) > 1e-3 for time in (shown.start_time, shown.duration)) or shown.duration.value < 1:
        out.append(Finding("bad_times", where, "It does not lie on whole frames.", "Move its cuts to frames."))
    speed = any(getattr(effect, "time_scalar", 1.0) != 1.0 for effect in clip.effects if isinstance(effect, otio.schema.TimeEffect))
    if speed and profile in {"fcp7", "fcpxml"}:
        out.append(Finding("speed", where, "Its change of speed would be lost.", "Render it into a clip first."))
    if is_placeholder(clip):
        cause = "It waits for its take."
        return [*out, Finding("unfilled", where, cause, "Fill the timeline first.", refused=False)]
    if isinstance(reference, otio.schema.ExternalReference):
        out += _media(clip, reference, where, profile)
    elif isinstance(reference, otio.schema.MissingReference) and profile in {"resolve", "otioz"}:
        out.append(Finding("missing_media", where, "It has no media.", "Relink it in the editor.", refused=profile == "resolve"))
    return out


def _media(clip: otio.schema.Clip, reference: otio.schema.ExternalReference, where: str, profile: str) -> list[Finding]:
    out: list[Finding] = []
    path = local_path(reference.target_url)
    if "://" in path:
        return (
            [Finding("unreachable", where, f"Its media is at {path[:100]}, which is no file.", "Copy it to this machine.")]
            if profile != "otio"
            else []
        )
    if not os.path.isabs(path) and not (len(path) > 2 and path[1] == ":"):  # noqa: PTH117 - a path of another system is no Path
        out.append(Finding("relative_path", where, f"Its media has the relative path {path[:200]}.", "Relink it to an absolute path."))
    elif not Path(path).is_file():
        out.append(Finding("missing_media", where, f"Its media is not there ({path[:200]}).", "Bring it back, or fill the line again."))
    available = reference.available_range
    if available is None:
        out.append(Finding("no_range", where, "It is not known how long its media is.", "Export it from the editor with media ranges."))
        return out if profile in {"resolve", "fcpxml"} else out[:-1]
    shown = clip.trimmed_range()
    if exact_rate(available.duration.rate) == exact_rate(shown.duration.rate) and not (
        available.start_time.value <= shown.start_time.value and shown.end_time_exclusive().value <= available.end_time_exclusive().value
    ):
        out.append(Finding("beyond_media", where, "It shows more than its media has.", "Trim it, or fill the line again."))
    return out


def _transition(transition: otio.schema.Transition, profile: str) -> list[Finding]:
    track = transition.parent()
    where = f"Transition '{transition.name}'"
    if profile == "fcpxml":
        return [Finding("transition", where, "FCPXML is written without transitions.", "Set it again in the editor.", refused=False)]
    if track is None:
        return []
    uneven = {transition.in_offset.value, transition.out_offset.value}
    said: list[Finding] = []
    if profile == "fcp7" and len(uneven) == 2 and 0.0 not in uneven:
        said = [
            Finding("transition", where, "FCP7 XML knows dissolves that lie evenly on their cut: it is moved there.", "Look at it.", refused=False)
        ]
    index = track.index(transition)
    before = track[index - 1] if index > 0 else None
    behind = track[index + 1] if index + 1 < len(track) else None
    if isinstance(before, otio.schema.Transition) or isinstance(behind, otio.schema.Transition):
        return [Finding("overlap", where, "It overlaps another one.", "Keep one of them.")]
    for beside, offset in ((before, transition.in_offset), (behind, transition.out_offset)):
        if beside is None or not isinstance(beside, otio.schema.Clip):
            continue
        if beside.trimmed_range().duration.value < offset.value:
            return [Finding("overlap", where, "It is longer than a clip beside it.", "Shorten it.")]
    return said
