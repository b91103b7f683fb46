"""What is written beside a file that failed."""

from __future__ import annotations

from dataclasses import dataclass

from retake.domain.errors import RetakeError


@dataclass(frozen=True)
class Failure:
    """Why one clip, or (where it is empty) the whole file, could not be made."""

    where: str
    cause: str
    remedy: str

    @classmethod
    def of(cls, error: RetakeError, where: str = "") -> Failure:
        return cls(where, error.cause, error.remedy)


def explanation(name: str, failures: list[Failure], clips: int, *, filled: bool = False) -> str:
    """The text of NAME.error.txt: what failed, why, and what to do.

    Args:
        clips: how many clips the file asked for, 0 if nothing was rendered at all.
        filled: it is a timeline, which was filled with the others.
    """
    parts: list[str] = []
    made = clips - len(failures)
    if filled:
        parts.append(f"{len(failures)} of {clips} lines of {name} were not filled. The timeline with the others is in the folder 'out'.")
    elif made > 0:
        others = "The other one is" if made == 1 else f"The other {made} are"
        parts.append(f"{len(failures)} of {clips} clips of {name} were not rendered. {others} in the folder 'out'.")
    else:
        parts.append(f"{name} was not rendered.")
    parts.extend(_paragraph(failure) for failure in failures)
    again = "Then put the file into the folder again."
    parts.append(f"{again} What has not changed is not rendered a second time." if made > 0 else again)
    return "\n\n".join(parts) + "\n"


def _paragraph(failure: Failure) -> str:
    cause = failure.cause if not failure.where else f"{failure.where[0].upper()}{failure.where[1:]}: {failure.cause}"
    return f"{cause}\n{failure.remedy}".strip()
