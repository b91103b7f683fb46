"""Orders: from lines of a timeline to what the daemon is asked, and how they are kept in the scene until they are done."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from retake_client.convention import speaker_problem

from . import lines, placing, state, takes
from .lines import LineKind, LineState, SceneLine
from .rates import exact_rate, render_size
from .requests import CONFORMS, Wanted, next_seed, request_of

WORDS = {
    "WAITING_FOR_DAEMON": "Waiting for Retake",
    "SENDING": "Sending",
    "QUEUED": "In the queue",
    "RUNNING": "Rendering",
    "FETCHING": "Fetching the take",
    "DONE": "Done",
    "FAILED": "Failed",
    "CANCELLED": "Cancelled",
}


@dataclass
class Asked:
    """What came of asking. orders: ids. refused: (label, cause, remedy) of each line that was not asked for."""

    orders: list[str] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Notice:
    """Something the user should read. `level`: INFO, WARNING or ERROR."""

    level: str
    label: str
    text: str


@dataclass(frozen=True)
class Progress:
    """One thing that is under way, for a progress line.

    state: name of the OrderState ("QUEUED", "RUNNING", ...), "FAILED" for one that waits to be dismissed.
    words: the state and stage in words. fraction: 0 to 1. seconds_left: None if not known. problem, remedy: of a failed one, else "".
    """

    order: str
    kind: str
    line: str
    label: str
    scene: str
    state: str
    words: str
    fraction: float
    seconds_left: float | None
    problem: str = ""
    remedy: str = ""


def ask(
    scene: bpy.types.Scene,
    wanted: Iterable[SceneLine | str] | None,
    *,
    conform: str | None,
    again: bool,
    priority: str,
    known: list[str] | None,
) -> Asked:
    """Store an order for each line (see `engine.generate`). `known`: speakers of the daemon, None: not known."""
    before = {line.key: (line.strip, line.marker) for line in lines.lines_of(scene)}
    lines.claim_copies(scene)
    every = lines.lines_of(scene, known)
    asked = Asked()
    if wanted is None:
        chosen = [line for line in every if line.state in {LineState.EMPTY, LineState.FAILED}]
    else:
        own = {(line.strip, line.marker): line.key for line in every}  # a copy has another key now
        keys = [one if isinstance(one, str) else one.key for one in wanted]
        keys = [own.get(before[key], key) if key.startswith("copy:") and key in before else key for key in keys]
        chosen = [line for key in keys for line in every if key in {line.key, line.line}]
        for key in keys:
            if not any(key in {line.key, line.line} for line in every):
                asked.refused.append((key, "The line is not there any more.", "Choose one of the list."))
    for line in chosen:
        problem = _refusal(line)
        if problem is not None:
            asked.refused.append((line.label, *problem))
            continue
        asked.orders.append(_store(scene, line, conform, again, priority))
    return asked


def ask_enrolment(scene: bpy.types.Scene, strip: Any, name: str, consent: str, transcript: str, *, replace: bool = False) -> Asked:
    """Store an order to learn a speaker from a movie strip's file."""
    label = f"Enrol {name}"
    path = placing.real_path(strip.filepath) if strip is not None and strip.type == "MOVIE" else ""
    if not path:
        return Asked(refused=[(label, "This is no movie strip.", "Select the strip with the person's video.")])
    if not Path(path).is_file():
        return Asked(refused=[(label, f"'{Path(path).name}' is not in '{Path(path).parent}'.", "Put the file back, or relink the strip.")])
    if speaker_problem(name):
        return Asked(refused=[(label, speaker_problem(name), "Give another name.")])
    if not consent.strip():
        return Asked(refused=[(label, "The person's consent is missing.", "Write down their statement that they agree.")])
    entry = scene.retake.orders.add()
    entry.id, entry.kind, entry.label, entry.priority = uuid.uuid4().hex, "enrol", label, "interactive"
    request = {"name": name, "reference": placing.blend_path(path), "consent": consent.strip(), "transcript": transcript.strip(), "replace": replace}
    entry.request = json.dumps(request)
    return Asked(orders=[entry.id])


def give(session: Any, scene: bpy.types.Scene, entry: Any) -> None:
    """Hand a stored order to the session."""
    from retake_client.session import EnrolOrder, Order

    request = json.loads(entry.request)
    if entry.kind == "enrol":
        more = {"replace": bool(request.get("replace")), "folder": takes.takes_folder(), "label": entry.label}
        if request["transcript"]:
            more["transcript"] = request["transcript"]
        session.enrol(
            EnrolOrder(id=entry.id, name=request["name"], reference=placing.real_path(request["reference"]), consent=request["consent"], **more)
        )
        return
    session.render(
        Order(id=entry.id, key=entry.line, request=request, folder=takes.takes_folder(), priority=entry.priority or "interactive", label=entry.label)
    )


def progress_of(scene: bpy.types.Scene, entry: Any, update: Any) -> Progress:
    """How far an order is. `update`: its last Update, or None."""
    name = "FAILED" if entry.problem else update.state.name if update is not None else "WAITING_FOR_DAEMON"
    words = entry.problem if entry.problem else WORDS.get(name, name)
    if name == "RUNNING" and update.stage:
        words = update.stage
    return Progress(
        order=entry.id,
        kind=entry.kind,
        line=entry.line,
        label=entry.label,
        scene=scene.name,
        state=name,
        words=words,
        fraction=float(update.fraction or 0.0) if update is not None else 0.0,
        seconds_left=update.seconds_left if update is not None else None,
        problem=entry.problem,
        remedy=entry.remedy,
    )


def remove(scene: bpy.types.Scene, order: str) -> bool:
    """Remove an order from the scene; False if it has none of that id."""
    index = state.find(scene.retake.orders, order)
    if index >= 0:
        scene.retake.orders.remove(index)
    return index >= 0


def _refusal(line: SceneLine) -> tuple[str, str] | None:
    if line.state == LineState.UNDER_WAY:
        return "A take of it is under way.", "Wait for it, or cancel it."
    if line.state == LineState.LOCKED:
        return "The line is locked.", "Unlock it first."
    if line.state == LineState.FAILED:
        return line.words  # what is wrong with the line itself, not what went wrong the last time
    return line.problem


def _store(scene: bpy.types.Scene, line: SceneLine, conform: str | None, again: bool, priority: str) -> str:
    if line.order:
        remove(scene, line.order)  # it failed, and is asked for anew
    id_ = lines.claim(scene, line)
    own = scene.retake
    chosen = (conform or line.conform or own.conform).upper()
    chosen = chosen if chosen in CONFORMS else "FIT"
    picture = takes.first_picture(scene, id_)
    used = [] if picture is None else [entry.seed for entry in picture.retake.takes]
    seed = line.seed or own.seed
    frames = _time_of(line, picture)
    wanted = Wanted(
        line=id_,
        text=line.text,
        speaker=line.speaker,
        rate=exact_rate(scene.render.fps, scene.render.fps_base),
        frames=frames,
        conform=chosen,
        seed=next_seed([*used, seed]) if again else seed,
        handles=own.handles,
        size=_size_of(scene),
    )
    entry = own.orders.add()
    entry.id, entry.kind, entry.line, entry.label, entry.priority = uuid.uuid4().hex, "line", id_, line.label, priority
    entry.conform, entry.frame, entry.length, entry.channel = chosen, line.frame, frames or 0, line.channel
    entry.request = json.dumps(request_of(wanted))
    return entry.id


def _time_of(line: SceneLine, picture: Any) -> int | None:
    """The frames that the take is to last: those of its placeholder; where there is none, as many as the take that is shown."""
    if line.kind == LineKind.FILLED and picture is not None:
        shown = takes.active_take(picture)
        return line.frames if shown is None else shown.frames - 2 * shown.handles
    return line.frames


def _size_of(scene: bpy.types.Scene) -> tuple[int, int] | None:
    if scene.retake.size == "SPEAKER":
        return None
    render = scene.render
    return render_size(render.resolution_x, render.resolution_y, render.resolution_percentage)
