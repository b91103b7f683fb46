"""A claimed file while it is worked on: its orders, their jobs, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from retake.domain.job import Job
from retake.watch.claims import Claimed
from retake.watch.explain import Failure
from retake.watch.orders import Order
from retake.watch.results import Made
from retake.watch.wish import Drop


@dataclass
class Work:
    """One claimed file.

    orders: its clips; none for a timeline.
    timeline: the copy that a job fills, for a timeline.
    waiting: numbers of the clips that are not settled yet (0 is the timeline), with their jobs once there are some.
    """

    claimed: Claimed
    drop: Drop
    orders: dict[int, Order]
    timeline: Path | None = None
    content: bytes = b""
    waiting: dict[int, str] = field(default_factory=dict)
    made: dict[int, Made] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)  # timelines in `out`
    lines: int = 0  # of a filled timeline, those that could not be filled included

    @property
    def numbers(self) -> list[int]:
        return [0] if self.timeline is not None else sorted(self.orders)

    def where(self, number: int) -> str:
        return self.orders[number].where if number in self.orders else ""


@dataclass(frozen=True)
class Settled:
    """A job that is over, and the clip that it was for.

    since: when delivering it was first tried, on the watcher's clock; None before.
    """

    work: Work
    number: int
    job: Job
    since: float | None = None


@dataclass(frozen=True)
class Note:
    """Something that a person who looks on wants to know.

    kind: "claimed", "done", "failed", "left", "problem" or "watching".
    """

    folder: str
    kind: str
    name: str
    text: str
