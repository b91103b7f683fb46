"""Waiting in tests: for what must happen, with a limit that only a hang reaches, however slow or busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

# For what takes a moment, in seconds. Machines that run tests are shared, slow, and stand still for seconds at any point.
PATIENCE = 300.0
# For something that must take much longer than PATIENCE if nobody ends it: whoever waits for it has waited too long.
ENDLESS = 10 * PATIENCE

Found = TypeVar("Found")


def until(true: Callable[[], Found], what: object = "it did not happen", *, seconds: float = PATIENCE, step: float = 0.02) -> Found:
    """Wait until `true()` is, and return that; fails with `what` (called, if it can be) after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(step)
    return found
