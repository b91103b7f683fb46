"""A script: the lines that shall be said, in order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One line of a script.

    id: stays the same while the line's words and speaker do, wherever the line moves to.
    text: what is said, plain text; paragraphs of one line are joined by spaces.
    speaker: name of who says it, None where the script does not tell.
    """

    id: str
    text: str
    speaker: str | None = None


@dataclass(frozen=True)
class Script:
    """`title` is the first heading, or "" where there is none."""

    title: str
    lines: tuple[Line, ...]
