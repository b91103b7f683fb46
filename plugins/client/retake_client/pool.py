"""A few threads that do things now or a little later. Nobody waits for them."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

Task = Callable[[], None]


class Pool:
    """`size` daemon threads; begun by `start`, ended by `end`.

    Args:
        failed: told what escaped from a task. Nothing should; the pool goes on.
    """

    def __init__(self, size: int, *, name: str, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._threads = [threading.Thread(target=self._work, name=f"{name} {number}", daemon=True) for number in range(1, size + 1)]
        self._heap: list[tuple[float, int, Task]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._ended = False

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def soon(self, task: Callable[..., None], *given: Any, after: float = 0.0) -> None:
        """Have ``task(*given)`` done, not before `after` seconds from now. Nothing happens once the pool has ended."""

        def call() -> None:
            task(*given)

        with self._changed:
            heapq.heappush(self._heap, (time.monotonic() + after, next(self._numbers), call))
            self._changed.notify()

    def end(self) -> None:
        """Begin nothing any more."""
        with self._changed:
            self._ended = True
            self._heap.clear()
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait for what is under way; whether all threads have ended."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while True:
            task = self._next()
            if task is None:
                return
            try:
                task()
            except Exception as error:  # noqa: BLE001 - a thread has nobody to raise it to
                self._failed(error)

    def _next(self) -> Task | None:
        with self._changed:
            while not self._ended:
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._heap)[2]
                self._changed.wait(wait)
        return None
