"""What Retake's operators have in common: the scene, when they can run, and how they tell what came of it."""

from __future__ import annotations

from typing import Any

from . import compat, view, watch
from .ordering import Asked
from .placing import PlacingError

# An operator that asks the daemon has {"UNDO"} alone: as REGISTER it would stand in the panel for adjusting the last operation, where every
# change of a setting would undo it and ask again.
ASKS = {"UNDO"}
CHANGES = {"REGISTER", "UNDO"}
READS = {"INTERNAL"}


def has_scene(cls: Any, context: Any) -> bool:
    if compat.edited_scene(context) is None:
        cls.poll_message_set("There is no scene in this sequencer")
        return False
    if compat.edited_scene(context).library is not None:
        cls.poll_message_set("This scene is linked from another file: edit it there")
        return False
    return True


def has_strip(cls: Any, context: Any) -> bool:
    if not has_scene(cls, context):
        return False
    if view.active_strip(compat.edited_scene(context)) is None:
        cls.poll_message_set("Select a strip")
        return False
    return True


def has_take(cls: Any, context: Any) -> bool:
    """Whether the selected strip belongs to a line that shows a take."""
    if not has_strip(cls, context):
        return False
    scene = compat.edited_scene(context)
    line = view.line_of_strip(scene, view.active_strip(scene))
    if line is None or not line.pictures:
        cls.poll_message_set("The selected strip shows no take")
        return False
    return True


def tell_asked(operator: Any, asked: Asked) -> set[str]:
    """Report what came of asking for takes; returns what the operator returns."""
    changed()
    for label, cause, remedy in asked.refused:
        operator.report({"WARNING"}, f"{label}: {cause} {remedy}" if label else f"{cause} {remedy}")
    if not asked.orders:
        if not asked.refused:
            operator.report({"INFO"}, "Every line has its take, or is under way")
        return {"CANCELLED"}
    count = len(asked.orders)
    operator.report({"INFO"}, f"Asked for {count} {'take' if count == 1 else 'takes'}")
    return {"FINISHED"}


def tell_problem(operator: Any, error: PlacingError) -> set[str]:
    """Report why something could not be done. Nothing was changed."""
    operator.report({"WARNING"}, f"{error.cause} {error.remedy}")
    return {"CANCELLED"}


def tell_placed(operator: Any, said: list[str]) -> set[str]:
    for sentence in said:
        operator.report({"WARNING"}, sentence)
    changed()
    return {"FINISHED"}


def changed() -> None:
    """The panels show what was changed just now."""
    view.forget()
    watch.redraw()
