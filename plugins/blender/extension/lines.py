"""What is said on a timeline, and where: `lines_of(scene)`. Reads only, so that `draw` may call it; `claim` gives a line its lasting id.

A line is one of
* a timeline marker with script text (`@presenter: Hello`), or whose text is kept in the scene (marker names hold 63 characters);
* a TEXT strip named `@presenter` (its text is what is said), or marked as a placeholder;
* any other strip marked as a placeholder (usually a colour strip), whose text is in `strip.retake`;
* a strip that shows a take.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import bpy

from retake_client.convention import marker_name, new_line_id, parse_line, read_marker, speaker_problem

from . import compat
from .copies import Piece, share
from .matching import Mark, match

_COPY = re.compile(r"\.\d{3,}$")  # what Blender appends to names that exist already


class LineKind(Enum):
    MARKER = "marker"
    TEXT = "text"  # a TEXT strip
    COLOUR = "colour"  # any other placeholder strip
    FILLED = "filled"  # a take without a placeholder or marker


class LineState(Enum):
    EMPTY = "empty"
    UNDER_WAY = "under way"
    FILLED = "filled"
    LOCKED = "locked"
    FAILED = "failed"


@dataclass(frozen=True)
class SceneLine:
    """One line of a timeline.

    key: finds it again; the line's id once it has one (`line`).
    label: for people, at most 40 characters.
    frame: where it begins. frames: the time there is for it, None: as long as it needs.
    words: (cause, remedy) why it cannot be generated as it is written, or None. problem: the same, or what went wrong the last time.
    doubt: a sentence where the text may be meant otherwise, else "".
    order: id of the order that is under way for it, or "".
    marker: index of its marker in `scene.timeline_markers`, or None. strip: name of its placeholder, or "".
    pictures, sounds: names of the strips that show its take (several where it was cut).
    """

    key: str
    kind: LineKind
    label: str
    text: str
    speaker: str
    frame: int
    frames: int | None
    state: LineState
    problem: tuple[str, str] | None = None
    line: str = ""
    seed: int = 0
    conform: str = ""
    channel: int = 0
    order: str = ""
    marker: int | None = None
    strip: str = ""
    pictures: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    takes: int = 0
    words: tuple[str, str] | None = None
    doubt: str = ""
    named: str = field(default="", compare=False)  # the speaker that it names itself


def lines_of(scene: bpy.types.Scene, speakers: Iterable[str] | None = None) -> list[SceneLine]:
    """All lines of the timeline, in the order of their frames.

    Args:
        speakers: names that the daemon knows, so that others are a problem; None: not known, nobody is refused.
    """
    known = None if speakers is None else sorted(speakers)
    shown = _shown(scene)
    found, used = _told_apart([*_marker_lines(scene), *_placeholder_lines(scene)], shown)
    for id_, (pictures, sounds) in list(shown.items()):
        if id_ not in used and not id_.startswith("copy:") and pictures:
            found.append(_filled_line(id_, pictures, sounds))
    orders = {order.line: order for order in scene.retake.orders if order.kind == "line"}
    lines = [_judged(scene, line, shown, orders, known) for line in found]
    return sorted(lines, key=lambda line: (line.frame, line.channel, line.key))


def find_line(scene: bpy.types.Scene, key: str) -> SceneLine | None:
    """The line with this key or line id."""
    lines = lines_of(scene)
    return next((line for line in lines if line.key == key), None) or next((line for line in lines if key and line.line == key), None)


def line_at(scene: bpy.types.Scene, strip: Any) -> SceneLine | None:
    """The line that `strip` is the placeholder of, or shows."""
    return next((line for line in lines_of(scene) if strip.name in (line.strip, *line.pictures, *line.sounds)), None)


def claim(scene: bpy.types.Scene, line: SceneLine) -> str:
    """Give the line its lasting id, if it has none, and return it. Changes the scene; call it from operators and the engine."""
    if line.line:
        return line.line
    id_ = new_line_id()
    if line.marker is not None:
        marker = scene.timeline_markers[line.marker]
        entry = scene.retake.markers.add()
        entry.line, entry.name, entry.frame = id_, marker.name, marker.frame
        return id_
    strip = scene_strip(scene, line.strip)
    if strip is not None:
        strip.retake.line = id_
        strip.retake.role = "PLACEHOLDER"
    for name in (*line.pictures, *line.sounds):  # of a copy: they were copied along
        one = scene_strip(scene, name)
        one.retake.line = id_
        for entry in one.retake.takes:
            entry.line = id_
    return id_


def claim_copies(scene: bpy.types.Scene) -> None:
    """Give every copy of a line its own id, so that what happens to the line does not happen to its copies. Changes the scene."""
    for line in lines_of(scene):
        if line.key.startswith("copy:"):
            claim(scene, line)


def rewrite(scene: bpy.types.Scene, line: SceneLine, text: str) -> str:
    """Give the line other words where they are written; who speaks stays. Returns its id. Changes the scene."""
    id_ = claim(scene, line)
    if line.marker is not None:
        entry = next(entry for entry in scene.retake.markers if entry.line == id_)
        marker = scene.timeline_markers[line.marker]
        if entry.text_block is not None:
            entry.text_block.from_string(text)
        entry.speaker = line.named
        entry.name = marker.name = marker_name(line.named or None, text)
        entry.text = text if marker.name.endswith("…") or not line.named else ""
        return id_
    strip = scene_strip(scene, line.strip)
    if strip is not None:
        if strip.type == "TEXT":
            strip.text = text
        else:
            strip.retake.text = text
    else:
        for one in (*strips_of_line(scene, id_, "PICTURE"), *strips_of_line(scene, id_, "SOUND")):
            one.retake.text = text
    return id_


def note_markers(scene: bpy.types.Scene) -> bool:
    """Remember where the markers of lines are now and what they are called, so that they are found after the next change. True if one has moved."""
    changed = False
    for entry, index in zip(scene.retake.markers, _matched(scene), strict=True):
        if index is None:
            continue
        marker = scene.timeline_markers[index]
        if (entry.name, entry.frame) != (marker.name, marker.frame):
            entry.name, entry.frame = marker.name, marker.frame
            changed = True
    return changed


def scene_strip(scene: bpy.types.Scene, name: str) -> Any:
    """The strip of that name, also inside of meta strips, or None."""
    return next((strip for strip in compat.all_strips_of(scene) if strip.name == name), None)


def strips_of_line(scene: bpy.types.Scene, line: str, role: str) -> list[Any]:
    """Strips with this line id and role, in the order of their frames."""
    found = [strip for strip in compat.all_strips_of(scene) if line and strip.retake.line == line and strip.retake.role == role]
    return sorted(found, key=compat.start_of)


def speaker_in_name(name: str) -> str | None:
    """'@presenter.001' -> 'presenter'; None for a name that is no speaker's."""
    return parse_line(_COPY.sub("", name)).speaker if name.startswith("@") else None


def _matched(scene: bpy.types.Scene) -> list[int | None]:
    known = [Mark(entry.name, entry.frame) for entry in scene.retake.markers]
    return match(known, [Mark(marker.name, marker.frame) for marker in scene.timeline_markers])


def _marker_lines(scene: bpy.types.Scene) -> list[SceneLine]:
    entries = {index: entry for entry, index in zip(scene.retake.markers, _matched(scene), strict=True) if index is not None}
    out: list[SceneLine] = []
    for index, marker in enumerate(scene.timeline_markers):
        entry = entries.get(index)
        stored = _stored_text(entry)
        named = read_marker(marker.name)
        # The name is what the editor sees and edits; the stored words count where it has none, or was cut off.
        written = read_marker(marker.name, stored) if named is None or not named.text or named.text.endswith("…") else named
        if entry is None and written is None:
            continue
        text = written.text if written is not None else stored
        speaker = (entry.speaker if entry is not None else "") or (written.speaker if written is not None else None) or ""
        out.append(
            SceneLine(
                key=entry.line if entry is not None else f"marker:{marker.name}@{marker.frame}",
                kind=LineKind.MARKER,
                label="",
                text=text,
                speaker=speaker,
                frame=marker.frame,
                frames=(entry.length or None) if entry is not None else None,
                state=LineState.EMPTY,
                line=entry.line if entry is not None else "",
                seed=entry.seed if entry is not None else 0,
                conform=entry.conform if entry is not None else "",
                doubt=written.doubt if written is not None else "",
                marker=index,
            )
        )
    return out


def _stored_text(entry: Any) -> str:
    if entry is None:
        return ""
    return " ".join(entry.text_block.as_string().split()) if entry.text_block is not None else entry.text


def _placeholder_lines(scene: bpy.types.Scene) -> list[SceneLine]:
    """Lines of placeholder strips. Of two with the same id the one whose name is shorter (so: not the copy) comes first."""
    out: list[SceneLine] = []
    for strip in sorted(compat.all_strips_of(scene), key=lambda strip: (len(strip.name), strip.name)):
        own = strip.retake
        named = speaker_in_name(strip.name) if strip.type == "TEXT" else None
        if own.role in {"PICTURE", "SOUND"} or (own.role != "PLACEHOLDER" and named is None):
            continue
        is_text = strip.type == "TEXT"
        written = parse_line(strip.text if is_text else own.text)
        out.append(
            SceneLine(
                key=own.line or f"strip:{strip.name}",
                kind=LineKind.TEXT if is_text else LineKind.COLOUR,
                label="",
                text=written.text,
                speaker=own.speaker or named or written.speaker or "",
                frame=compat.start_of(strip),
                frames=compat.length_of(strip),
                state=LineState.EMPTY,
                line=own.line,
                seed=own.seed,
                conform=own.conform,
                doubt=written.doubt,
                channel=strip.channel,
                strip=strip.name,
            )
        )
    return out


def _shown(scene: bpy.types.Scene) -> dict[str, tuple[list[Any], list[Any]]]:
    """(pictures, sounds) of each line that shows a take."""
    out: dict[str, tuple[list[Any], list[Any]]] = {}
    for strip in sorted(compat.all_strips_of(scene), key=compat.start_of):
        own = strip.retake
        if own.line and own.role in {"PICTURE", "SOUND"}:
            out.setdefault(own.line, ([], []))[0 if own.role == "PICTURE" else 1].append(strip)
    return out


def _told_apart(every: list[SceneLine], shown: dict[str, tuple[list[Any], list[Any]]]) -> tuple[list[SceneLine], set[str]]:
    """The lines, copies of placeholders as lines of their own (with the takes that were copied along) and the pieces of cut ones as one.

    `shown` gets the takes of each copy under its key. Returns the ids that are used as well.
    """
    of_id: dict[str, list[SceneLine]] = {}
    out: list[SceneLine] = []
    for line in every:
        if line.line:
            of_id.setdefault(line.line, []).append(line)
        else:
            out.append(line)
    for id_, same in of_id.items():
        if len(same) == 1:
            out.append(same[0])
            continue
        pictures, sounds = shown.get(id_, ([], []))
        strips = {strip.name: strip for strip in (*pictures, *sounds)}
        pieces = [Piece(name, compat.start_of(strip), compat.end_of(strip), compat.content_start(strip)) for name, strip in strips.items()]
        holders = {line.strip or f"marker {line.marker}": line for line in same}
        begun = [Piece(name, line.frame, line.frame + (line.frames or 1)) for name, line in holders.items()]
        for number, own in enumerate(share(begun, pieces)):
            line = holders[own.holders[0]]
            if len(own.holders) > 1:
                line = replace(line, frame=own.start, frames=own.end - own.start)
            if number:
                line = replace(line, line="", key=f"copy:{line.key}:{own.holders[0]}")
            shown[line.key] = (
                [strip for strip in pictures if strip.name in own.shown],
                [strip for strip in sounds if strip.name in own.shown],
            )
            out.append(line)
    return out, set(of_id)


def _filled_line(id_: str, pictures: list[Any], sounds: list[Any]) -> SceneLine:
    first, last = pictures[0], pictures[-1]
    own = first.retake
    return SceneLine(
        key=id_,
        kind=LineKind.FILLED,
        label="",
        text=own.text,
        speaker=own.speaker,
        frame=compat.start_of(first),
        frames=compat.end_of(last) - compat.start_of(first),
        state=LineState.FILLED,
        line=id_,
        seed=own.seed,
        conform=own.conform,
        channel=first.channel,
    )


def _judged(scene: bpy.types.Scene, line: SceneLine, shown: Any, orders: Any, known: list[str] | None) -> SceneLine:
    """The line with its state, what is wrong with it, and the strips that show it."""
    pictures, sounds = shown.get(line.key, ([], []))
    order = orders.get(line.line) if line.line else None
    speaker = line.speaker or scene.retake.speaker
    words = problem = _problem(line.text, speaker, known)
    if order is not None:
        state = LineState.FAILED if order.problem else LineState.UNDER_WAY
        problem = (order.problem, order.remedy) if order.problem and problem is None else problem
    elif pictures:
        state = LineState.LOCKED if any(strip.retake.locked for strip in pictures) else LineState.FILLED
    else:
        state = LineState.EMPTY
    return replace(
        line,
        speaker=speaker,
        named=line.speaker,
        label=_label(speaker, line.text),
        words=words,
        problem=problem,
        state=state,
        order=order.id if order is not None else "",
        pictures=tuple(strip.name for strip in pictures),
        sounds=tuple(strip.name for strip in sounds),
        takes=len(pictures[0].retake.takes) if pictures else 0,
    )


def _problem(text: str, speaker: str, known: list[str] | None) -> tuple[str, str] | None:
    if not text.strip():
        return "There is nothing to say.", "Write the words into the text strip, or into the line's text field."
    if not speaker:
        return "Nobody is named who says it.", "Choose the scene's speaker, or begin the text with '@name: '."
    if speaker_problem(speaker):
        return f"'{speaker}' cannot be a speaker's name.", "Use lower-case letters a to z, digits, '-' and '_'."
    if known is not None and speaker not in known:
        names = ", ".join(known) or "nobody yet"
        return f"There is no speaker '{speaker}'.", f"Known speakers: {names}. Choose one, or enrol '{speaker}' from a strip."
    return None


def _label(speaker: str, text: str) -> str:
    words = f"{speaker}: {text}" if speaker else text
    return words if len(words) <= 40 else f"{words[:39].rstrip()}…"
