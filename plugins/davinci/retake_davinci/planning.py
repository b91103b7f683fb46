"""Which lines are to be done, and what each asks for: everything that can be found wrong before anything is rendered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from retake_client.convention import speaker_problem, text_problem

from .clips import Clip, clip_at, clips_by_line
from .editor import Editor
from .errors import EditorError
from .lines import Line, Source, find_lines, starts_of
from .placing import Stretch, check_room
from .settings import Settings

LARGEST_SEED = 2**31 - 1


class State(Enum):
    """How a line stands on the timeline."""

    MISSING = "missing"
    CHANGED = "changed"  # its clip says something else
    DONE = "done"


@dataclass
class Task:
    """One take that is to be made and put somewhere.

    line: the line; for a clip whose line has gone, what the clip says about itself.
    clip: the clip that gets the take as a further one; None: the take is placed anew.
    request: a TakeRequest as JSON.
    error: why it cannot be done, found before rendering.
    """

    line: Line
    clip: Clip | None
    request: dict[str, Any] = field(default_factory=dict)
    error: EditorError | None = None

    def order_id(self, editor: Editor) -> str:
        """The same wish of the same timeline has the same id, so that a script that was ended goes on where it was."""
        content = json.dumps([editor.project_id, editor.timeline_id, self.line.id, self.request], sort_keys=True)
        return "davinci-" + hashlib.sha256(content.encode("utf-8")).hexdigest()[:32]


def state_of(line: Line, clip: Clip | None, settings: Settings) -> State:
    if clip is None:
        return State.MISSING
    same = clip.request.get("text") == line.text and clip.request.get("speaker") == (line.speaker or settings.speaker or clip.request.get("speaker"))
    return State.DONE if same else State.CHANGED


def plan_missing(editor: Editor, settings: Settings, speakers: Sequence[str] = (), chosen: Sequence[str] | None = None) -> list[Task]:
    """Tasks for all lines without a clip, and for those whose words were changed since.

    Args:
        speakers: who is enrolled; empty: not known.
        chosen: ids of lines; None: all.
    """
    lines = find_lines(editor, settings.which_subtitles)
    clips = clips_by_line(editor, starts_of(lines))
    tasks: list[Task] = []
    for line in lines:
        if chosen is not None and line.id not in chosen:
            continue
        clip = clips.get(line.id)
        if chosen is None and state_of(line, clip, settings) is State.DONE:
            continue
        tasks.append(plan_line(editor, settings, line, clip, speakers=speakers))
    if settings.video_track or settings.audio_track:
        _refuse_overlaps(editor, tasks)
    return tasks


def plan_at(editor: Editor, settings: Settings, frame: int, speakers: Sequence[str] = ()) -> Task:
    """A task for the line at a frame: the one that begins there or lasts over it, else the last one that begins before and has no length.

    Raises EditorError (no_line).
    """
    lines = find_lines(editor, settings.which_subtitles)
    over = [line for line in lines if line.start <= frame < (line.end or line.start + 1)]
    before = [line for line in lines if line.start <= frame and line.frames is None]
    found = (over or before)[-1:]
    if not found:
        raise EditorError(
            f"There is no line at {editor.timecode(frame)}.",
            "Put the playhead onto a marker whose name is '@speaker' and whose note is the text; its length is the time to fit.",
            "no_line",
        )
    return plan_line(editor, settings, found[0], clips_by_line(editor, starts_of(lines)).get(found[0].id), speakers=speakers)


def plan_revision(editor: Editor, settings: Settings, clip: Clip, text: str, *, seed: int | None = None, speakers: Sequence[str] = ()) -> Task:
    """A task for a clip of ours with other words (or another seed): a new take of the same length on the same clip."""
    line = next((line for line in find_lines(editor, settings.which_subtitles) if line.id == clip.line), None)
    speaker = str(clip.request.get("speaker", "")) or settings.speaker
    whole = Line(clip.line, line.source if line else Source.MARKER, speaker, text, clip.start, clip.frames, clip.track, line.marker if line else None)
    task = plan_line(editor, settings, whole, clip, speakers=speakers)
    if seed is not None:
        task.request["seed"] = seed
    return task


def clip_to_revise(editor: Editor, frame: int) -> Clip:
    """Our clip under a frame, or that of the line there. Raises EditorError (no_clip)."""
    found = clip_at(editor, frame)
    if found is None:
        raise EditorError(f"No take of Retake lies at {editor.timecode(frame)}.", "Put the playhead onto a clip that Retake has placed.", "no_clip")
    return found


def plan_line(editor: Editor, settings: Settings, line: Line, clip: Clip | None, *, speakers: Sequence[str] = ()) -> Task:
    """The task for one line, with everything checked that can be."""
    task = Task(line, clip)
    try:
        task.request = _request(editor, settings, line, clip, speakers)
        if clip is None and line.frames is not None:
            stretch = Stretch(line.start, line.start + line.frames)
            if settings.video_track:
                check_room(editor, "video", settings.video_track, stretch)
            if settings.audio_track:
                check_room(editor, "audio", settings.audio_track, stretch)
        if clip is not None and editor.timeline.GetIsTrackLocked("video", clip.track):
            name = editor.timeline.GetTrackName("video", clip.track)
            raise EditorError(f"The video track '{name}' is locked.", "Unlock it and try again.", "track_locked")
    except EditorError as error:
        task.error = error
    return task


def _refuse_overlaps(editor: Editor, tasks: Sequence[Task]) -> None:
    """Of lines that overlap only the first can go onto a track that the user has chosen: said before the others are rendered."""
    behind = 0
    before = ""
    for task in tasks:
        line = task.line
        if task.error is not None or task.clip is not None:
            continue
        if line.start < behind:
            task.error = EditorError(
                f"The line begins at {editor.timecode(line.start)}, before the line at {before} ends, and both are for the same track.",
                "Move or shorten one of them, or leave the choice of tracks to Retake (video_track and audio_track 0).",
                "lines_overlap",
            )
        elif line.end is not None:
            behind, before = line.end, editor.timecode(line.start)


def first_frame(request: Mapping[str, Any]) -> int:
    """The first frame of a take that a clip shows: what is before is handle."""
    return int(request.get("handles", 0))


def _request(editor: Editor, settings: Settings, line: Line, clip: Clip | None, speakers: Sequence[str]) -> dict[str, Any]:
    earlier = clip.request if clip is not None else {}
    speaker = line.speaker or settings.speaker or str(earlier.get("speaker", ""))
    if not speaker and len(speakers) == 1:
        speaker = speakers[0]
    if not speaker:
        raise EditorError("It is not said who speaks.", "Name the marker @speaker, or choose a speaker for all lines.", "no_speaker")
    problem = speaker_problem(speaker)
    if problem:
        raise EditorError(problem, "Correct the marker's name.", "bad_speaker")
    if speakers and speaker not in speakers:
        raise EditorError(f"There is no speaker '{speaker}'.", f"Enrolled are {', '.join(speakers)}.", "unknown_speaker")
    problem = text_problem(line.text)
    if problem:
        raise EditorError(problem, "Change the marker's note.", "bad_text")
    request: dict[str, Any] = {"speaker": speaker, "text": line.text, "fps": editor.rate.text, "line_id": line.id}
    frames = clip.frames if clip is not None else line.frames
    if frames is not None:
        request["fit"] = editor.rate.seconds(frames)
        if settings.conform == "keep":
            request["pace"] = "natural"
    for name in ("seed", "style", "language", "voice_engine", "lips_engine", "width", "height", "handles"):
        if name in earlier:
            request[name] = earlier[name]
    if settings.handles and clip is None:
        request["handles"] = settings.handles
    if settings.width:
        request["width"], request["height"] = settings.width, settings.height
    return request
