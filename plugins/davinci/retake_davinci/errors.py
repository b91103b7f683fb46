"""What can go wrong in Resolve, said so that the person who edits can mend it."""

from __future__ import annotations


class EditorError(Exception):
    """Something that cannot be done.

    cause, remedy: one short sentence each, for people.
    code: stable name, for programs and tests ("track_locked").
    """

    def __init__(self, cause: str, remedy: str, code: str) -> None:
        super().__init__(f"{cause} {remedy}".strip())
        self.cause = cause
        self.remedy = remedy
        self.code = code
