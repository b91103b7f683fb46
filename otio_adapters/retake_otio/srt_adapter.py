"""OTIO adapter for captions (.srt): every cue a placeholder at its exact frames, and every clip with a line a caption.

    otioconvert -i captions.srt -o edit.otio -A rate=30000/1001 -A speaker='"anna"'

Captions know nothing of frame rates, so reading wants one. A cue may name its speaker ("@anna: Hello."); written captions name none unless asked to.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import opentimelineio as otio

from retake_client.convention import format_line, parse_line
from retake_otio.cues import Cue, format_cues, parse_cues
from retake_otio.drafts import draft_clip, gap, line_identity, parse_rate
from retake_otio.reading import TimelineError
from retake_otio.spans import RationalTime
from retake_otio.timeline import FORMAT, METADATA
from retake_otio.words import words_of


def read_from_string(
    input_str: str, rate: str | float | None = None, speaker: str | None = None, overlaps: str = "refuse", name: str = "Captions"
) -> otio.schema.Timeline:
    """A timeline of placeholders from captions.

    Args:
        rate: frames per second, as "25", 29.97 or "30000/1001"; needed.
        speaker: of cues that name none.
        overlaps: "refuse" cues that overlap (a person cannot say two lines at once), or lay them on further "track"s.

    Raises TimelineError: no_rate, bad_rate, bad_srt (naming the line of the file).
    """
    if rate is None or rate == "":
        raise TimelineError("Captions do not say their frame rate.", "Say it, for example rate=25 or rate=30000/1001.", "no_rate")
    if overlaps not in {"refuse", "track"}:
        raise TimelineError(f"'{overlaps}' is no way to treat overlaps.", "Use refuse or track.", "bad_option")
    exact = parse_rate(rate)
    cues = parse_cues(input_str)
    if not cues:
        raise TimelineError("The file holds no caption with words.", "Write a number, the times and the text of each cue.", "bad_srt")
    timeline = otio.schema.Timeline(name=name, metadata={METADATA: {"format": FORMAT}})
    timeline.global_start_time = RationalTime(0, float(exact))
    seen: Counter[str] = Counter()
    for number, several in enumerate(_tracks(cues, exact, overlaps), 1):
        track = otio.schema.Track(name=f"Lines {number}" if number > 1 else "Lines", kind=otio.schema.TrackKind.Video)
        position = 0
        for cue, start, end in several:
            if start > position:
                track.append(gap(start - position, exact))
            said = parse_line(cue.text)
            who = said.speaker or speaker
            parameters = {"text": said.text, **({"speaker": who} if who else {})}
            track.append(draft_clip(line_identity(who, said.text, seen), parameters, end - start, exact))
            position = end
        timeline.tracks.append(track)
    return timeline


def write_to_string(input_otio: otio.core.SerializableObject, speakers: bool = False) -> str:
    """Captions of all clips with a line, at the times at which they lie in the edit, counted from its beginning.

    Args:
        speakers: write "@anna: " before the words, so that reading gives the speakers again.

    Raises TimelineError (no_lines, bad_timeline).
    """
    if not isinstance(input_otio, otio.schema.Timeline):
        raise TimelineError(f"A {type(input_otio).__name__} cannot become captions.", "Write a timeline.", "bad_timeline")
    found: list[tuple[int, int, str]] = []
    for clip in input_otio.find_clips():
        wants = words_of(clip)
        text = " ".join(str(wants.get("text", "")).split())
        if not text or not clip.enabled or _is_sound(clip):
            continue
        where = clip.transformed_time_range(clip.trimmed_range(), input_otio.tracks)
        who = str(wants["speaker"]) if speakers and wants.get("speaker") else None
        said = format_line(who, text) if speakers else text
        found.append((_milliseconds(where.start_time), _milliseconds(where.end_time_exclusive()), said))
    if not found:
        raise TimelineError("No clip of the timeline has a line.", "Captions are written of clips with a text.", "no_lines")
    return format_cues(sorted(found))


def _tracks(cues: Sequence[Cue], rate: Fraction, overlaps: str) -> list[list[tuple[Cue, int, int]]]:
    """The cues with their first frame and the one behind their last, as tracks without overlaps."""
    tracks: list[list[tuple[Cue, int, int]]] = []
    for cue in cues:
        start, end = _frame(cue.start, rate), _frame(cue.end, rate)
        if end <= start:
            raise TimelineError(f"{cue.label} is shorter than a frame.", "Give it more time.", "bad_srt")
        free = next((track for track in tracks if track[-1][2] <= start), None)
        if free is not None:
            free.append((cue, start, end))
        elif tracks and overlaps == "refuse":
            before = tracks[0][-1][0]
            remedy = "Correct the times, or lay overlapping cues on tracks of their own with overlaps=track."
            raise TimelineError(f"{cue.label} begins before cue {before.number} has ended.", remedy, "bad_srt")
        else:
            tracks.append([(cue, start, end)])
    return tracks


def _frame(milliseconds: int, rate: Fraction) -> int:
    return math.floor(milliseconds * rate / 1000 + Fraction(1, 2))


def _milliseconds(time: otio.opentime.RationalTime) -> int:
    return math.floor(Fraction(round(time.value)) * 1000 / parse_rate(time.rate) + Fraction(1, 2))


def _is_sound(clip: otio.schema.Clip) -> bool:
    track = clip.parent()
    return isinstance(track, otio.schema.Track) and track.kind == otio.schema.TrackKind.Audio
