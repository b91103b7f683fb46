"""OTIO adapter for script documents (.retake.md): paragraphs are lines, headings are sequences, `@anna:` says who speaks (docs/interchange.md).

    ---
    rate: 25
    speaker: anna
    ---
    # Opening

    Good morning. <!-- line: 3f2a; slot: 75 -->

    @ben: And good morning from me.

A name before a paragraph holds for that paragraph; a name alone ("@ben:") for all that follow, up to the next one that stands alone.
"""

from __future__ import annotations

import warnings
from collections import Counter
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from retake_client.convention import parse_line
from retake_otio.drafts import draft_clip, estimate, gap, line_identity, parse_rate
from retake_otio.front_matter import format_front_matter, split_front_matter
from retake_otio.reading import TimelineError
from retake_otio.script_text import Block, blocks_of, escaped, note_of, written_line
from retake_otio.spans import RationalTime, rate_of
from retake_otio.timeline import FORMAT, METADATA
from retake_otio.words import is_placeholder, line_of, own_of, words_of

DEFAULT_RATE = Fraction(25)
HEADINGS = "headings"  # in the metadata of the first clip behind them
SEQUENCE = "sequence"  # in the metadata of every clip: the last heading before it
ESTIMATED = "estimated"
_CLIP_KEYS = {"format", "line", "conform", ESTIMATED, HEADINGS, SEQUENCE, "text", "speaker", "link"}
_TEXT_HOLDS = {"text", "speaker", "seed", "width", "height", "conform"}


def read_from_string(input_str: str, rate: str | float | None = None, speaker: str | None = None) -> otio.schema.Timeline:
    """A timeline of placeholders, one behind the other, from a script document.

    How long a line takes is not known before it is spoken: without a slot its clip is as long as `drafts.estimate` guesses, says `estimated`, and is
    to be conformed by `ripple`, so that filling gives it its true length.

    Args:
        rate: frames per second where the front matter says nothing; 25 without either.
        speaker: of lines for which nothing names one.

    Raises TimelineError (bad_front_matter, bad_script, bad_rate) naming the line.
    """
    text = input_str.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    front, body, skipped = split_front_matter(text)
    exact = front.rate or (parse_rate(rate) if rate is not None else DEFAULT_RATE)
    timeline = otio.schema.Timeline(name=front.title or "", global_start_time=RationalTime(0, float(exact)))
    track = otio.schema.Track(name="Lines", kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)
    seen: Counter[str] = Counter()
    current, headings, sequence, before = front.speaker or speaker, [], "", 0
    wanted_gap: int | None = None
    for block in blocks_of(body, skipped):
        if block.level:
            headings.append({"level": block.level, "text": block.text})
            sequence = block.text
            timeline.name = timeline.name or block.text
            continue
        if block.note is not None and not block.text:
            wanted_gap = block.note.get("gap", wanted_gap)
            continue
        said = parse_line(block.text)
        if said.doubt and said.speaker is not None:
            raise TimelineError(f"Line {block.line}: {said.doubt}", "Correct the name.", "bad_script")
        if not said.text:
            current = said.speaker
            continue
        space = wanted_gap if wanted_gap is not None else (front.gap if before else 0)
        if space:
            track.append(gap(space, exact))
        parameters = {"text": said.text, "speaker": said.speaker or current, **front.parameters()}
        clip = _clip(block, parameters, front.conform, exact, seen)
        if headings:
            clip.metadata[METADATA] = {**own_of(clip), HEADINGS: headings}
        if sequence:
            clip.metadata[METADATA] = {**own_of(clip), SEQUENCE: sequence}
        track.append(clip)
        headings, wanted_gap, before = [], None, before + 1
    if not before:
        raise TimelineError("The script holds no line to speak.", "Write one paragraph for each line.", "bad_script")
    timeline.metadata[METADATA] = {
        "format": FORMAT,
        "script": {key: value for key, value in (("speaker", front.speaker), ("conform", front.conform), ("gap", front.gap)) if value},
        **({HEADINGS: headings} if headings else {}),
    }
    timeline.name = timeline.name or "Script"
    return timeline


def write_to_string(input_otio: otio.core.SerializableObject) -> str:
    """A script document of all clips with a line, by the time at which they begin.

    What a text cannot hold is named by a warning and by a comment at the end of the document (see `losses`). Raises TimelineError (no_lines,
    bad_timeline, mixed_rates).
    """
    if not isinstance(input_otio, otio.schema.Timeline):
        raise TimelineError(f"A {type(input_otio).__name__} cannot become a script.", "Write a timeline.", "bad_timeline")
    found = _placed(input_otio)
    if not found:
        raise TimelineError("No clip of the timeline has a line.", "A script is written of clips with a text.", "no_lines")
    rate = rate_of(input_otio)
    front = _common(input_otio, [clip for _, _, clip in found], rate)
    parts = [format_front_matter(front | {"size": front["size"] and "{}x{}".format(*front["size"])})]
    position = 0
    for index, (start, end, clip) in enumerate(found):
        own, wants = own_of(clip), words_of(clip)
        parts += [f"{'#' * int(heading.get('level', 1))} {escaped(str(heading.get('text', '')))}\n" for heading in own.get(HEADINGS, [])]
        if start - position != (front["gap"] if index else 0) and start >= position:
            parts.append(f"<!-- gap: {start - position} -->\n")
        who = str(wants["speaker"]) if wants.get("speaker") else None
        text = written_line(who if who != front["speaker"] else None, " ".join(str(wants["text"]).split()))
        parts.append(f"{text} {_comment(clip, own, wants, front, end - start)}\n")
        position = max(position, end)
    parts += [f"{'#' * int(heading.get('level', 1))} {escaped(str(heading.get('text', '')))}\n" for heading in own_of(input_otio).get(HEADINGS, [])]
    lost = losses(input_otio)
    if lost:
        warnings.warn(f"A script document does not hold: {'; '.join(lost)}.", stacklevel=2)
        parts.append(f"<!-- not in this text: {'; '.join(lost)} -->\n")
    return "\n".join(part for part in parts if part)


def losses(timeline: otio.schema.Timeline) -> list[str]:
    """What a script document of `timeline` would not hold, in words; empty if it holds everything."""
    counts: Counter[str] = Counter()
    with_line = 0
    for clip in timeline.find_clips():
        if not words_of(clip).get("text"):
            counts["clips without a line"] += 1
            continue
        with_line += 1
        counts["takes"] += sum(isinstance(reference, otio.schema.ExternalReference) for reference in clip.media_references().values())
        counts["markers"] += sum(own_of(marker).get("text") is None for marker in clip.markers)
        counts["effects"] += len(clip.effects)
        extra = {name for name in words_of(clip) if name not in _TEXT_HOLDS} | (own_of(clip).keys() - _CLIP_KEYS)
        counts["settings of lines"] += len(extra)
        counts["metadata of other programs"] += len([name for name in clip.metadata if name != METADATA])
    counts["transitions"] = sum(isinstance(item, otio.schema.Transition) for item in timeline.tracks.find_children())
    counts["markers"] += len(timeline.tracks.markers)
    counts["further tracks"] = max(0, sum(bool(track.find_clips()) for track in timeline.tracks) - 1)
    counts["metadata of other programs"] += len([name for name in timeline.metadata if name != METADATA])
    start = timeline.global_start_time
    counts["start timecode"] = int(start is not None and start.value != 0)
    return [f"{number} {name}" for name, number in counts.items() if number]


def _clip(block: Block, wanted: dict[str, Any], conform: str | None, rate: Fraction, seen: Counter[str]) -> otio.schema.Clip:
    note = block.note or {}
    parameters = {name: value for name, value in wanted.items() if value is not None}
    if "seed" in note:
        parameters["seed"] = note["seed"]
    text = str(parameters["text"])
    line = note.get("line") or line_identity(parameters.get("speaker"), text, seen)
    slot = note.get("slot")
    conform = note.get("conform") or conform or ("ripple" if slot is None else None)
    own: dict[str, Any] = {"conform": conform} if conform else {}
    if slot is None:
        own[ESTIMATED] = True
    return draft_clip(line, parameters, slot or estimate(text, rate), rate, **own)


def _placed(timeline: otio.schema.Timeline) -> list[tuple[int, int, otio.schema.Clip]]:
    """First frame and the one behind the last of every clip with a line on a video track, in the order of the edit."""
    out: list[tuple[int, int, otio.schema.Clip]] = []
    for track in timeline.tracks:
        if track.kind == otio.schema.TrackKind.Audio:
            continue
        for clip in track.find_clips():
            if words_of(clip).get("text"):
                where = clip.transformed_time_range(clip.trimmed_range(), timeline.tracks)
                out.append((round(where.start_time.value), round(where.end_time_exclusive().value), clip))
    return sorted(out, key=_start)


def _start(placed: tuple[int, int, otio.schema.Clip]) -> int:
    return placed[0]


def _common(timeline: otio.schema.Timeline, clips: list[otio.schema.Clip], rate: Fraction) -> dict[str, Any]:
    """What goes into the head of the document: what holds for every line, and what the document said when it was read."""
    script = own_of(timeline).get("script")
    said: dict[str, Any] = script if isinstance(script, dict) else {}
    wants = [words_of(clip) for clip in clips]
    speakers = {want.get("speaker") for want in wants}
    seeds = {want.get("seed") for want in wants}
    sizes = {(want.get("width"), want.get("height")) for want in wants}
    size = sizes.pop() if len(sizes) == 1 else (None, None)
    return {
        "title": timeline.name or None,
        "rate": rate if rate.denominator > 1 else rate.numerator,
        "size": size if all(size) else None,
        "speaker": said.get("speaker") if None not in speakers else None,
        "seed": seeds.pop() if len(seeds) == 1 else None,
        "conform": said.get("conform"),
        "gap": int(said.get("gap") or 0),
    } | ({"speaker": next(iter(speakers))} if len(speakers) == 1 and None not in speakers else {})


def _comment(clip: otio.schema.Clip, own: dict[str, Any], wants: dict[str, Any], front: dict[str, Any], frames: int) -> str:
    note: dict[str, Any] = {"line": line_of(clip)}
    waits = is_placeholder(clip) and own.get(ESTIMATED)
    if not waits:
        note["slot"] = frames
    understood = front["conform"] or ("ripple" if waits else None)
    if own.get("conform") != understood:
        note["conform"] = own.get("conform") or "fit"
    if wants.get("seed") != front["seed"]:
        note["seed"] = wants.get("seed")
    return note_of(note)
