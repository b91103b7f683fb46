"""Whose turn it is: clients of one priority take turns, however many jobs each of them has put in.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): a job's rank is its start tag. A client's next job starts where its last one ends, but never
before what is being worked on now, so that a client which was away does not save up turns. The queue works in the order of ranks.
"""

from __future__ import annotations

from retake.domain.job import Priority

# Distance between two jobs of one client: room to move others in between without touching anybody's rank.
SPACING = 256
# DBOS takes priorities from 1 to 2^31 - 1, smaller first. Each of ours gets a band, with ranks counted from its middle.
BAND = 2**29
MIDDLE = 2**28


def start_tag(running: int | None, queued: int | None, own: int | None) -> int:
    """Rank of a new job.

    Args:
        running: greatest rank among the jobs of its priority that are being worked on; None if there is none.
        queued: smallest rank among those that wait.
        own: greatest rank among the same client's jobs, waiting or worked on.
    """
    now = running if running is not None else queued if queued is not None else 0
    return now if own is None else max(now, own + SPACING)


def between(before: int | None, behind: int | None) -> int | None:
    """A rank after `before` and before `behind` (None: nothing is there); None if there is no room."""
    if before is None and behind is None:
        return 0
    if before is None:
        assert behind is not None
        return behind - SPACING
    if behind is None:
        return before + SPACING
    middle = (before + behind) // 2
    return middle if before < middle < behind else None


def queue_priority(priority: Priority, rank: int) -> int:
    """The number that DBOS sorts by."""
    return int(priority) * BAND + max(1, min(BAND - 1, MIDDLE + rank))
