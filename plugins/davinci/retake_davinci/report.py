"""What became of each line, in words: every failure has its cause and its remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Outcome(Enum):
    """What became of a line."""

    PLACED = "placed"  # a new clip
    TAKE = "new take"  # a take more on its clip
    NOTHING = "as it was"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Entry:
    """One line's fate. `timecode` is where it stands; cause and remedy where it failed; notes are what else is worth knowing."""

    line: str
    timecode: str
    speaker: str
    text: str
    outcome: Outcome
    cause: str = ""
    remedy: str = ""
    notes: tuple[str, ...] = ()
    frames: int = 0


@dataclass
class Report:
    """What a batch did. `backup` is the name of the timeline as it was before, "" where nothing was changed."""

    timeline: str
    entries: list[Entry] = field(default_factory=list)
    backup: str = ""
    notes: list[str] = field(default_factory=list)

    def count(self, *outcomes: Outcome) -> int:
        return sum(entry.outcome in outcomes for entry in self.entries)

    @property
    def failed(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.outcome is Outcome.FAILED]

    @property
    def changed(self) -> bool:
        return self.count(Outcome.PLACED, Outcome.TAKE) > 0

    def summary(self) -> str:
        """One sentence."""
        if not self.entries:
            return "There was nothing to do."
        parts = [f"{self.count(kind)} {kind.value}" for kind in Outcome if self.count(kind)]
        return f"{self.timeline}: {', '.join(parts)}."

    def lines(self) -> list[str]:
        """The whole of it, to be read."""
        out = [self.summary()]
        for entry in self.entries:
            out.append(f"{entry.timecode}  {entry.outcome.value:<9}  @{entry.speaker}: {_short(entry.text)}")
            if entry.cause:
                out += [f"    {entry.cause}", f"    -> {entry.remedy}"]
            out += [f"    {note}" for note in entry.notes]
        out += self.notes
        if self.backup:
            out.append(f"The timeline as it was before is kept as '{self.backup}'.")
        return out


def _short(text: str, longest: int = 70) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"
