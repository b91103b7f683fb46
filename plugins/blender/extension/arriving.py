"""What becomes of finished orders: takes onto the timeline, as one undo step each; nothing that arrives is lost."""

from __future__ import annotations

import json
from typing import Any

import bpy

from . import compat, lines, ordering, placing, state, takes
from .ordering import Notice
from .rates import exact_rate
from .takes import TakeFacts


class Arrivals:
    """What has arrived since the file was opened, so that undo and redo bring back neither an order that is done nor lose its take."""

    def __init__(self) -> None:
        self._arrived: dict[str, TakeFacts | None] = {}  # order's id -> its take; None: it was cancelled, or learnt a speaker
        self._asked: dict[str, tuple[dict[str, Any], str]] = {}  # order's id -> (request, line), also when asking for it was undone

    def forget(self) -> None:
        """Another file is loaded."""
        self._arrived.clear()
        self._asked.clear()

    def expect(self, entry: Any) -> None:
        """An order is handed to the session."""
        self._asked[entry.id] = (json.loads(entry.request), entry.line)

    def settle(self, scene: bpy.types.Scene, order: str) -> bool:
        """An order stands in the scene again because its arrival was undone. Put it away, and keep its take where the user finds it.

        False: it has not arrived yet.
        """
        if order not in self._arrived:
            return False
        facts = self._arrived[order]
        ordering.remove(scene, order)
        if facts is not None and not _knows(scene, facts):
            takes.remember(scene.retake.unplaced, facts)
        return True

    def cancelled(self, update: Any) -> None:
        self._arrived[update.order_id] = None
        for scene in compat.own_scenes():
            ordering.remove(scene, update.order_id)

    def failed(self, update: Any) -> list[Notice]:
        """Say at the order what went wrong; it stays until it is dismissed or asked for anew."""
        cause, remedy = (*update.error, "", "")[:2] if update.error else ("It failed.", "Try again.")
        label = ""
        for scene in compat.own_scenes():
            index = state.find(scene.retake.orders, update.order_id)
            if index >= 0:
                entry = scene.retake.orders[index]
                entry.problem, entry.remedy, label = cause, remedy, entry.label
        return [Notice("ERROR", label or update.key, f"{cause} {remedy}".strip())]

    def done(self, update: Any) -> list[Notice]:
        """Take in a finished order: one undo step."""
        scenes = [scene for scene in compat.own_scenes() if state.find(scene.retake.orders, update.order_id) >= 0]
        if update.take is None:
            self._arrived[update.order_id] = None
            name = str((update.speaker or {}).get("name", "")) or update.key
            for scene in scenes:
                ordering.remove(scene, update.order_id)
                if not scene.retake.speaker:
                    scene.retake.speaker = name
            compat.undo_step(f"Retake: enrol {name}")
            return [Notice("INFO", name, f"'{name}' can speak now."), *_doubts(name, update.speaker or {})]
        facts = _facts(update.take, *self._asked.pop(update.order_id, ({}, "")))
        self._arrived[update.order_id] = facts
        said: list[Notice] = []
        for scene in scenes:
            said += self._place(scene, update.order_id, facts)
        if not scenes:  # asking for it was undone meanwhile
            scene = compat.edited_scene()
            said += _keep(scene, facts, "its line is not there any more")
        compat.undo_step(f"Retake: {takes.name_of(facts)}")
        return said

    def _place(self, scene: bpy.types.Scene, order: str, facts: TakeFacts) -> list[Notice]:
        entry = scene.retake.orders[state.find(scene.retake.orders, order)]
        conform, length = entry.conform, entry.length
        ordering.remove(scene, order)
        label = takes.name_of(facts)
        line = lines.find_line(scene, facts.line)
        if line is None:
            return _keep(scene, facts, "its line was deleted meanwhile")
        if line.state == lines.LineState.LOCKED:
            picture = takes.first_picture(scene, facts.line)
            takes.remember(picture.retake.takes, facts)
            return [Notice("WARNING", label, "The line was locked meanwhile: the take waits in its list.")]
        try:
            if line.pictures:
                placed = takes.show(scene, facts, conform=conform, frames=line.frames if line.strip else None)
            else:
                under = lines.scene_strip(scene, line.strip) if line.strip else None
                placed = takes.fill(scene, facts, name=label, frame=line.frame, under=under, conform=conform)
        except placing.PlacingError as error:
            if line.pictures:  # of strips that are locked in the sequencer
                takes.remember(takes.first_picture(scene, facts.line).retake.takes, facts)
                return [Notice("WARNING", label, f"{error.cause} The take waits in its list: {error.remedy}")]
            takes.remember(scene.retake.unplaced, facts)
            return [Notice("ERROR", label, f"{error.cause} {error.remedy} It is kept in the list of unplaced takes.")]
        said = [Notice("WARNING", label, sentence) for sentence in placed.said]
        rate = exact_rate(scene.render.fps, scene.render.fps_base)
        if facts.rate != rate:
            said.append(
                Notice("WARNING", label, f"It has {float(facts.rate):g} frames a second and the scene {float(rate):g} now: generate it again.")
            )
        overhang = float(facts.measured.get("overhang_seconds") or 0.0)
        if overhang:
            said.append(
                Notice("WARNING", label, f"The words end {overhang:.2f} s behind the end of the clip, in the handle: pull its end out to hear them.")
            )
        if line.strip and length and line.frames not in {None, length} and conform != "RIPPLE":
            said.append(Notice("WARNING", label, f"Its place has {line.frames} frames now; the take was made for {length}."))
        return said or [Notice("INFO", label, "On the timeline.")]


def _facts(take: Any, request: dict[str, Any], line: str) -> TakeFacts:
    """The take as it arrived, with what was asked for."""
    return TakeFacts(
        id=take.id,
        path=str(take.path),
        frames=int(take.frames),
        rate=take.rate,
        handles=int(request.get("handles", 0)),
        width=int(take.width),
        height=int(take.height),
        seed=int(take.seed),
        text=str(take.text),
        speaker=str(take.speaker),
        sha256=str(take.sha256),
        measured=dict(take.measured),
        line=line,
    )


def _doubts(name: str, speaker: Any) -> list[Notice]:
    """What the enrolment found wanting in the video."""
    found = [warning for warning in speaker.get("warnings") or () if isinstance(warning, dict)]
    told = [f"{warning.get('message', '')} {warning.get('remedy') or ''}".strip() for warning in found]
    return [Notice("WARNING", name, sentence) for sentence in told if sentence]


def _keep(scene: bpy.types.Scene, facts: TakeFacts, why: str) -> list[Notice]:
    takes.remember(scene.retake.unplaced, facts)
    return [Notice("WARNING", takes.name_of(facts), f"The take is kept in the list of unplaced takes: {why}.")]


def _knows(scene: bpy.types.Scene, facts: TakeFacts) -> bool:
    return any(state.find(strip.retake.takes, facts.id) >= 0 for strip in compat.all_strips_of(scene) if strip.retake.role == "PICTURE")
