"""The timeline as OpenTimelineIO, and scripts, subtitles and timelines onto it. What could not be carried is said, in sentences.

    export_file(scene, path) -> list[str]                    .otio, .retake.md, .srt, ... by the name's ending
    import_file(scene, path, frame=1) -> list[str]

Both raise PlacingError with cause and remedy. OpenTimelineIO comes in the extension's zip; it is loaded when it is needed and not before.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from . import adding, compat, lines, placing, takes
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
    channels: dict[tuple[bool, int], list[Any]] = {}
    for strip in compat.strips_of(scene):
        channels.setdefault((strip.type == "SOUND", strip.channel), []).append(strip)
    for (sound, channel), strips in sorted(channels.items()):
        kind = otio.schema.TrackKind.Audio if sound else otio.schema.TrackKind.Video
        for children in export.tracks(strips):
            timeline.tracks.append(otio.schema.Track(name=f"Channel {channel}", kind=kind, children=children))
    timeline.tracks.markers.extend(export.markers())
    return timeline, export.said


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

    def tracks(self, strips: list[Any]) -> list[list[Any]]:
        """Clips and gaps of one channel; strips that lie over each other, which Blender lets them, go to further tracks."""
        out: list[list[Any]] = []
        ends: list[int] = []
        for strip in sorted(strips, key=compat.start_of):
            clip = self.clip(strip)
            if clip is None:
                continue
            start, end = compat.start_of(strip), compat.end_of(strip)
            number = next((number for number, until in enumerate(ends) if until <= start), None)
            if number is None:
                number = len(out)
                out.append([])
                ends.append(self.origin)
            if start > ends[number]:
                out[number].append(self.otio.schema.Gap(source_range=self.span(0, start - ends[number])))
            out[number].append(clip)
            ends[number] = end
        return out

    def clip(self, strip: Any) -> Any:
        """The strip as a clip, or None for one that is left out."""
        line = self.lines.get(strip.name)
        length = compat.length_of(strip)
        shown = self.span(compat.start_of(strip) - compat.content_start(strip), length)
        if strip.retake.role == "PICTURE" and line is not None:
            clip = self.filled(strip, line)
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

    def filled(self, strip: Any, line: Any) -> Any:
        from retake_otio.clip_takes import add_take
        from retake_otio.timeline import TAKE_KEY, TakeMedia

        start, length = compat.start_of(strip) - compat.content_start(strip), compat.length_of(strip)
        clip = self.placeholder(line, length)
        for entry in sorted(strip.retake.takes, key=lambda entry: entry.id == strip.retake.take):  # the one that is shown comes last
            facts = takes.facts_of(entry)
            if facts.rate != self.rate:
                self.said.append(f"Take {facts.id} of '{strip.name}' has another frame rate than the scene and was left out.")
                continue
            metadata = {"text": facts.text, "seed": facts.seed, "speaker": facts.speaker}
            media = TakeMedia(facts.id, Path(facts.path), facts.frames, facts.rate, metadata, facts.handles)
            add_take(clip, media, line=line.line, parameters=_parameters(line) | {"seed": facts.seed}, start=start, count=length)
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
    for line in found:
        said += _import_line(scene, line, frame, known)
    others = [clip for clip in timeline.find_clips() if isinstance(clip.media_reference, otio.schema.ExternalReference)]
    left = sum(not any(clip is line.clip for line in found) for clip in others)
    if left:
        said.append(f"{left} clips that are no lines were left out.")
    return said


def _import_line(scene: bpy.types.Scene, line: Any, frame: int, known: set[str]) -> list[str]:
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
    return _import_takes(scene, line, holder)


def _import_takes(scene: bpy.types.Scene, line: Any, holder: Any) -> list[str]:
    from retake_otio.clip_takes import takes_of
    from retake_otio.spans import local_path

    said: list[str] = []
    every = sorted(takes_of(line.clip), key=lambda take: take.active) if line.clip is not None else []  # the one that is shown comes last
    filled = False
    for take in every:
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
            if filled:
                takes.show(scene, facts)
            else:
                takes.fill(scene, facts, name=takes.name_of(facts), frame=compat.start_of(holder), under=holder)
                filled = True
        except PlacingError as error:
            said.append(f"Take {take.id} of {line.label} was left out: {error.cause}")
    if filled and line.locked:
        takes.lock(scene, takes.first_picture(scene, holder.retake.line), True)
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
