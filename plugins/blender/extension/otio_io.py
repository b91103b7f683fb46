"""The timeline as OpenTimelineIO, and scripts, subtitles and timelines onto it. What could not be carried is said, in sentences.

    export_file(scene, path) -> list[str]                    .otio, .retake.md, .srt, ... by the name's ending
    import_file(scene, path, frame=1) -> list[str]

Both raise PlacingError with cause and remedy. OpenTimelineIO comes in the extension's zip; it is loaded when it is needed and not before.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from . import adding, compat, dissolves, lines, placing, state, takes
from .placing import PlacingError
from .rates import exact_rate, fps_and_base

# What has neither a picture file nor words of its own, or is made of other strips: no format that editors share can say it.
_PICTURES = frozenset({"MOVIE", "IMAGE"})


def export_file(scene: bpy.types.Scene, path: str) -> list[str]:
    """Write the scene's timeline to `path`, complete or not at all; returns sentences about what was left out."""
    _load()
    from retake_otio.exchange import write_any
    from retake_otio.reading import TimelineError

    timeline, said = timeline_of(scene)
    target = Path(bpy.path.abspath(path))
    part = target.with_name(f".part-{os.getpid()}-{target.name}")
    try:
        said += [f"{found.where}: {found.cause}" for found in write_any(timeline, part)]
        part.replace(target)
    except TimelineError as error:
        raise PlacingError(error.cause, error.remedy) from error
    except OSError as error:
        raise PlacingError(f"'{target.name}' could not be written: {error.strerror or error}.", "Choose another folder.") from error
    finally:
        part.unlink(missing_ok=True)
    return said


def timeline_of(scene: bpy.types.Scene) -> tuple[Any, list[str]]:
    """The scene's edit as an OpenTimelineIO timeline, and sentences about what it could not hold.

    Its time zero is the scene's first frame (or the earliest strip's, if that is earlier), which `global_start_time` names.
    """
    otio = _load()
    export = _Export(otio, scene)
    timeline = otio.schema.Timeline(name=Path(bpy.data.filepath).stem or scene.name, metadata={"retake": {"format": 1}})
    timeline.global_start_time = export.time(export.origin)
    channels: dict[tuple[bool, int], list[_Row]] = {}
    every = [strip for strip in compat.strips_of(scene) if not strip.name.startswith(takes.COMPARED)]
    for chain in dissolves.chains_of(every):
        row = export.row(chain)
        if row is not None:
            channels.setdefault((False, chain.effects[0].channel), []).append(row)
            done = {strip.name for strip in (*chain.strips, *chain.effects)}
            every = [strip for strip in every if strip.name not in done]
    for strip in every:
        clip = export.clip(strip, compat.start_of(strip), compat.end_of(strip))
        if clip is not None:
            channels.setdefault((strip.type == "SOUND", strip.channel), []).append(_Row(compat.start_of(strip), compat.end_of(strip), [clip]))
    for (sound, channel), strips in sorted(channels.items()):
        kind = otio.schema.TrackKind.Audio if sound else otio.schema.TrackKind.Video
        for children in export.tracks(strips):
            timeline.tracks.append(otio.schema.Track(name=f"Channel {channel}", kind=kind, children=children))
    timeline.tracks.markers.extend(export.markers())
    return timeline, export.said


@dataclass(frozen=True)
class _Row:
    """What follows each other without a gap from `start` to `end`: a clip, or clips with transitions between them."""

    start: int
    end: int
    children: list[Any]


class _Export:
    """One export: the scene's rate and first frame, and what is said."""

    def __init__(self, otio: Any, scene: bpy.types.Scene) -> None:
        self.otio = otio
        self.scene = scene
        self.rate = exact_rate(scene.render.fps, scene.render.fps_base)
        self.origin = min([scene.frame_start, *(compat.start_of(strip) for strip in compat.strips_of(scene))])
        self.said: list[str] = []
        self.lines = {name: line for line in lines.lines_of(scene) for name in (line.strip, *line.pictures) if name}

    def time(self, frames: int) -> Any:
        return self.otio.opentime.RationalTime(frames, float(self.rate))

    def span(self, start: int, frames: int) -> Any:
        return self.otio.opentime.TimeRange(self.time(start), self.time(frames))

    def row(self, chain: dissolves.Chain) -> _Row | None:
        """Clips that dissolve into each other, or None where one of them cannot be exported."""
        schema, cuts = self.otio.schema, chain.cuts()
        starts = [compat.start_of(chain.strips[0]), *cuts]
        ends = [*cuts, compat.end_of(chain.strips[-1])]
        said = list(self.said)
        children: list[Any] = []
        for number, (strip, start, end) in enumerate(zip(chain.strips, starts, ends, strict=True)):
            if start >= end:
                return None
            if number:
                effect = chain.effects[number - 1]
                before, behind = self.time(start - compat.start_of(effect)), self.time(compat.end_of(effect) - start)
                kind = schema.TransitionTypes.SMPTE_Dissolve
                children.append(schema.Transition(name=effect.name, transition_type=kind, in_offset=before, out_offset=behind))
            children.append(self.clip(strip, start, end))
        if None in children:
            self.said = said
            return None
        return _Row(starts[0], ends[-1], children)

    def tracks(self, rows: list[_Row]) -> list[list[Any]]:
        """Clips and gaps of one channel; strips that lie over each other, which Blender lets them, go to further tracks."""
        out: list[list[Any]] = []
        ends: list[int] = []
        for row in sorted(rows, key=lambda row: row.start):
            number = next((number for number, until in enumerate(ends) if until <= row.start), None)
            if number is None:
                number = len(out)
                out.append([])
                ends.append(self.origin)
            if row.start > ends[number]:
                out[number].append(self.otio.schema.Gap(source_range=self.span(0, row.start - ends[number])))
            out[number].extend(row.children)
            ends[number] = row.end
        return out

    def clip(self, strip: Any, start: int, end: int) -> Any:
        """The strip as a clip that shows it from `start` to `end` of the timeline, or None for one that is left out."""
        line = self.lines.get(strip.name)
        length = end - start
        shown = self.span(start - compat.content_start(strip), length)
        if strip.retake.role == "PICTURE" and line is not None:
            clip = self.filled(strip, line, start, length)
        elif line is not None and line.strip == strip.name:
            if line.pictures:
                return None  # its take is exported, and knows the line
            clip = self.placeholder(line, length)
        elif strip.type in _PICTURES or strip.type == "SOUND":
            clip = self.otio.schema.Clip(name=strip.name, source_range=shown, media_reference=self.media(strip))
        else:
            self.said.append(f"'{strip.name}' ({strip.type.lower().replace('_', ' ')}) has no counterpart in OpenTimelineIO and was left out.")
            return None
        clip.enabled = not strip.mute or line is not None
        if len(strip.modifiers):
            self.said.append(f"The modifiers of '{strip.name}' were left out.")
        return clip

    def media(self, strip: Any) -> Any:
        if strip.type == "SOUND":
            path = strip.sound.filepath if strip.sound is not None else ""
        elif strip.type == "MOVIE":
            path = strip.filepath
        else:
            path = str(Path(strip.directory) / strip.elements[0].filename) if strip.elements else ""
        real = placing.real_path(path)
        if not real or not Path(real).exists():
            self.said.append(f"The file of '{strip.name}' is missing.")
        if strip.type == "MOVIE" and strip.fps and abs(strip.fps - float(self.rate)) > 0.01:
            self.said.append(f"'{strip.name}' has {strip.fps:g} frames a second of its own; its times were written in the scene's.")
        return self.otio.schema.ExternalReference(target_url=Path(real).as_posix(), available_range=self.span(0, compat.content_length(strip)))

    def placeholder(self, line: Any, length: int) -> Any:
        from retake_otio.drafts import draft_clip

        return draft_clip(line.line or line.key, _parameters(line), length, self.rate)

    def filled(self, strip: Any, line: Any, start: int, length: int) -> Any:
        from retake_otio.clip_takes import add_take
        from retake_otio.timeline import TAKE_KEY, TakeMedia

        first = start - compat.content_start(strip)
        clip = self.placeholder(line, length)
        for entry in sorted(strip.retake.takes, key=lambda entry: entry.id == strip.retake.take):  # the one that is shown comes last
            facts = takes.facts_of(entry)
            if facts.rate != self.rate:
                self.said.append(f"Take {facts.id} of '{strip.name}' has another frame rate than the scene and was left out.")
                continue
            metadata = {"text": facts.text, "seed": facts.seed, "speaker": facts.speaker}
            media = TakeMedia(facts.id, Path(facts.path), facts.frames, facts.rate, metadata, facts.handles)
            add_take(clip, media, line=line.line, parameters=_parameters(line) | {"seed": facts.seed}, start=first, count=length)
        if TAKE_KEY.format(id=strip.retake.take) not in clip.media_references():
            self.said.append(f"'{strip.name}' was written as a placeholder: none of its takes could be.")
        if strip.retake.locked:
            clip.metadata["retake"]["locked"] = True
        return clip

    def markers(self) -> list[Any]:
        out: list[Any] = []
        of_marker = {line.marker: line for line in lines.lines_of(self.scene) if line.marker is not None}
        for index, marker in enumerate(self.scene.timeline_markers):
            line = of_marker.get(index)
            if marker.frame < self.origin:
                self.said.append(f"Marker '{marker.name}' lies before the beginning and was left out.")
                continue
            made = self.otio.schema.Marker(name=marker.name, marked_range=self.span(marker.frame - self.origin, (line.frames or 0) if line else 0))
            if line is not None:
                made.metadata["retake"] = {"format": 1, "line": line.line or line.key, **_parameters(line)}
                made.comment = line.text
            out.append(made)
        return out


def import_file(scene: bpy.types.Scene, path: str, *, frame: int = 1) -> list[str]:
    """Put the lines of a file onto the scene, its time zero at `frame`: placeholders as text strips, markers, and takes whose files are there.

    A scene without strips gets the file's frame rate. Returns sentences about what was left out. Raises PlacingError, and changes nothing then.
    """
    otio = _load()
    from retake_otio.exchange import read_any
    from retake_otio.lines import find_lines
    from retake_otio.reading import TimelineError

    rate = exact_rate(scene.render.fps, scene.render.fps_base)
    source = Path(bpy.path.abspath(path))
    try:
        timeline = read_any(source, rate)
        found = find_lines(timeline)
    except TimelineError as error:
        raise PlacingError(error.cause, error.remedy) from error
    except OSError as error:
        raise PlacingError(f"'{source.name}' could not be read: {error.strerror or error}.", "Choose another file.") from error
    if not found:
        raise PlacingError(f"'{source.name}' holds no line.", "Lines are script text, placeholders, or markers such as '@anna: Hello.'.")
    said: list[str] = []
    own = found[0].rate
    if own != rate:
        if len(compat.strips_of(scene)):
            raise PlacingError(
                f"'{source.name}' has {float(own):g} frames a second, the scene {float(rate):g}.",
                "Set the scene's rate, or use an empty one.",
            )
        scene.render.fps, scene.render.fps_base = fps_and_base(own)
        said.append(f"The scene has {float(own):g} frames a second now, as '{source.name}'.")
    known = {line.line for line in lines.lines_of(scene) if line.line}
    placed: list[tuple[Any, str]] = []  # clip and its line's id
    for line in found:
        said += _import_line(scene, line, frame, known, placed)
    said += _import_dissolves(scene, timeline, placed)
    others = [clip for clip in timeline.find_clips() if isinstance(clip.media_reference, otio.schema.ExternalReference)]
    left = sum(not any(clip is line.clip for line in found) for clip in others)
    if left:
        said.append(f"{left} clips that are no lines were left out.")
    return said


def _import_line(scene: bpy.types.Scene, line: Any, frame: int, known: set[str], placed: list[tuple[Any, str]]) -> list[str]:
    text, speaker = str(line.wants.get("text", "")), str(line.wants.get("speaker", ""))
    if not text:
        return [f"{line.label} has no words (a recording?) and was left out."]
    begin = frame + line.start
    id_ = line.line if line.line and line.line not in known else ""
    if line.marker is not None and line.clip is None:
        adding.add_marker(scene, speaker, text, frame=begin, frames=line.frames or 0)
        entry = scene.retake.markers[-1]
        entry.line, entry.seed = id_ or entry.line, int(line.wants.get("seed", 0))
        known.add(entry.line)
        return []
    holder = adding.add_placeholder(scene, speaker, text, frame=begin, frames=line.frames)
    holder.retake.line = id_ or holder.retake.line
    holder.retake.seed = int(line.wants.get("seed", 0))
    known.add(holder.retake.line)
    placed.append((line.clip, holder.retake.line))
    return _import_takes(scene, line, holder)


def _import_takes(scene: bpy.types.Scene, line: Any, holder: Any) -> list[str]:
    from retake_otio.clip_takes import takes_of
    from retake_otio.spans import local_path

    said: list[str] = []
    before, behind = _beside(line.clip)
    head, tail = (_offsets(before)[0] if before is not None else 0), (_offsets(behind)[1] if behind is not None else 0)
    every = takes_of(line.clip) if line.clip is not None else []
    shown = None
    for take in sorted(every, key=lambda take: not take.active):
        facts = takes.TakeFacts(
            id=take.id,
            path=local_path(take.url),
            frames=take.frames,
            rate=Fraction(take.rate),
            handles=take.handles,
            width=int(line.wants.get("width", 0)),
            height=int(line.wants.get("height", 0)),
            seed=take.seed or 0,
            text=take.text or str(line.wants.get("text", "")),
            speaker=str(line.wants.get("speaker", "")),
            sha256="",
            measured={},
            line=holder.retake.line,
        )
        try:
            if shown is not None:
                placing.check_file(facts.path)
                takes.remember(shown.retake.takes, facts)
                continue
            start, part = compat.start_of(holder), None
            if take.active and line.clip.source_range is not None:
                first = round(line.clip.source_range.start_time.value - line.clip.media_reference.available_range.start_time.value)
                length = compat.length_of(holder)
                if first < head or first + length + tail > facts.frames:
                    said.append(f"The dissolves beside {line.label} need more frames than its take has and were left out.")
                    head = tail = 0
                start, part = start - head, (max(0, first - head), length + head + tail)
            shown = takes.fill(scene, facts, name=takes.name_of(facts), frame=start, under=holder, part=part).pictures[0]
        except PlacingError as error:
            said.append(f"Take {take.id} of {line.label} was left out: {error.cause}")
    filled = shown is not None
    if shown is not None:
        listed = shown.retake.takes
        for number, take in enumerate(take for take in every if state.find(listed, take.id) >= 0):
            listed.move(state.find(listed, take.id), number)
        shown.retake.active = state.find(listed, shown.retake.take)
    if filled and line.locked:
        takes.lock(scene, takes.first_picture(scene, holder.retake.line), True)
    return said


def _beside(clip: Any) -> tuple[Any, Any]:
    """The transitions before and behind a clip, or None."""
    from retake_otio.neighbours import transitions_beside

    return (None, None) if clip is None else transitions_beside(clip)


def _offsets(transition: Any) -> tuple[int, int]:
    """Whole frames that a transition lasts before and after the cut."""
    return tuple(0 if time is None else round(time.value) for time in (transition.in_offset, transition.out_offset))


def _import_dissolves(scene: bpy.types.Scene, timeline: Any, placed: list[tuple[Any, str]]) -> list[str]:
    """Cross strips between takes whose clips dissolve into each other."""
    said: list[str] = []
    count = sum(isinstance(child, _load().schema.Transition) for child in timeline.find_children())
    for one, line in placed:
        behind = _beside(one)[1] if one is not None else None
        other = next((id_ for clip, id_ in placed if clip is not None and behind is not None and _beside(clip)[0] is behind), None)
        first, second = takes.first_picture(scene, line), takes.first_picture(scene, other) if other is not None else None
        if first is None or second is None:
            continue
        start, end = compat.start_of(second), compat.end_of(first)
        if end - start == sum(_offsets(behind)) and dissolves.mix(scene, first, second, start, end):
            count -= 1
    if count:
        said.append(f"{count} {'transition was' if count == 1 else 'transitions were'} left out: they are kept between two takes alone.")
    return said


def _parameters(line: Any) -> dict[str, Any]:
    named = {"speaker": line.speaker} if line.speaker else {}
    return {"text": line.text, **named, **({"seed": line.seed} if line.seed else {})}


def _load() -> Any:
    """OpenTimelineIO. Raises PlacingError where it cannot be loaded: another processor's zip, or modules that were copied by hand."""
    try:
        import opentimelineio

        import retake_otio
    except ImportError as error:
        raise PlacingError(
            f"OpenTimelineIO cannot be loaded ({error}).", "Install the extension's zip for this system by Blender's own command."
        ) from error
    del retake_otio
    return opentimelineio
