"""Work ahead in a thread, with a bounded number of results waiting, so that decoding, computing and encoding overlap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.1


class _End:
    pass


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class Prefetch(Generic[T]):
    """Iterate over `source` in a thread of its own, at most `depth` results ahead. What the source raises is raised here.

    Close it, or use it in a `with` block: the thread ends and the source is closed even when the consumer stops early.
    """

    def __init__(self, source: Iterable[T], depth: int, name: str = "prefetch") -> None:
        self._source = source
        self._queue: queue.Queue[T | _End | _Failure] = queue.Queue(maxsize=max(1, depth))
        self._stop = threading.Event()
        self._finished = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._finished:
            raise StopIteration
        item = self._wait()
        if isinstance(item, _End):
            self._finished = True
            raise StopIteration
        if isinstance(item, _Failure):
            self._finished = True
            raise item.error
        return item

    def __enter__(self) -> Prefetch[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop working ahead and wait for the thread."""
        self._finished = True
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _wait(self) -> T | _End | _Failure:
        while True:
            try:
                # A wait without limit cannot be interrupted by Ctrl-C on Windows.
                return self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue

    def _work(self) -> None:
        end: _End | _Failure = _End()
        iterator = iter(self._source)
        try:
            for item in iterator:
                if not self._put(item):
                    break
        except BaseException as error:  # noqa: BLE001 - handed to the consumer's thread and raised there
            end = _Failure(error)
        finally:
            close_source(iterator)
            self._put(end)

    def _put(self, item: T | _End | _Failure) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
                return True
            except queue.Full:
                continue
        return False


def close_source(frames: object) -> None:
    """Close an iterator that can be closed (a generator), and with it the files and threads behind it."""
    close = getattr(frames, "close", None)
    if close is not None:
        close()


class Worker(Generic[T]):
    """The other way round: `put` hands items to `consume`, which runs in a thread of its own, at most `depth` items behind.

    An error in the consumer is raised by the next `put` or by `finish`. `check` is called while they wait, and may raise.
    """

    def __init__(self, consume: Callable[[T], None], depth: int, name: str = "worker", check: Callable[[], None] | None = None) -> None:
        self._check = check
        self._consume = consume
        self._queue: queue.Queue[T | _End] = queue.Queue(maxsize=max(1, depth))
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Hand over an item; waits while `depth` items are waiting."""
        self._put(item)

    def finish(self) -> None:
        """Wait until everything handed over has been consumed."""
        self._put(_End())
        while self._thread.is_alive():
            self._thread.join(_POLL_SECONDS)
            self._ask()
        self._raise()

    def abandon(self) -> None:
        """Stop after the current item and wait for the thread; safe to call at any time, also after `finish`."""
        self._stop.set()
        self._thread.join()

    def _put(self, item: T | _End) -> None:
        while True:
            self._raise()
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
                return
            except queue.Full:
                self._ask()

    def _ask(self) -> None:
        if self._check is not None:
            self._check()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                item = self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(item, _End):
                return
            try:
                self._consume(item)
            except BaseException as error:  # noqa: BLE001 - raised in the producer's thread
                self._error = error
                return
