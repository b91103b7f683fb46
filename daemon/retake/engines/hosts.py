"""The engines' processes of this process: kept loaded between lines, let go when idle or when another needs their memory."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from retake.domain.progress import Progress
from retake.settings import available_cores

from .failures import OutOfMemory
from .process import HostProcess
from .registry import Engine
from .room import Device, Machine, Room, device_for, lacking

_TICK = 0.2
SETTLE_SECONDS = 3.0  # within which a driver tells of memory that became free


def log_of(home: Path, engine: str) -> Path:
    return home / "logs" / "engines" / f"{engine}.log"


_State = tuple[int, int, int] | None


def _state(path: Path) -> _State:
    """Changes when a file does; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class _Place:
    """An engine's place: one order at a time, and the process that serves it, if one is loaded."""

    def __init__(self) -> None:
        self.busy = threading.Lock()
        self.host: HostProcess | None = None
        self.version = ""
        self.last_used = 0.0
        self.voices: dict[Path, _State] = {}  # files that the loaded engine has learnt voices from, as they were then


class Hosts:
    """All hosts of one home folder. May be used by several threads.

    Args:
        room: how much memory there is.
        clock: seconds.
        settle: how long to wait for memory that an unloaded engine gives back, in seconds.
    """

    def __init__(self, home: Path, *, room: Room | None = None, clock: Callable[[], float] = time.monotonic, settle: float = SETTLE_SECONDS) -> None:
        self._home = home
        self._room = room or Machine()
        self._clock = clock
        self._settle = settle
        self._lock = threading.Lock()
        self._places: dict[str, _Place] = {}
        self._watch: threading.Thread | None = None
        self._closed = threading.Event()

    @contextlib.contextmanager
    def use(self, engine: Engine, progress: Progress, *, voice: Path | None = None) -> Iterator[HostProcess]:
        """The loaded engine, for this thread alone until the block ends. Waits for its turn; loads the engine if need be.

        `voice` is the file that it will learn a voice from: when that is deleted or replaced, the engine is unloaded, and what it had
        learnt goes.

        Raises RetakeError where it does not fit into memory or cannot be loaded; Cancelled.
        """
        with self._lock:
            place = self._places.setdefault(engine.name, _Place())
        while not place.busy.acquire(timeout=_TICK):
            progress.check()
        try:
            if self._must_forget(place):
                self._drop(place)
            host = self._loaded(place, engine, progress)
            if voice is not None:
                place.voices.setdefault(voice, _state(voice))
            yield host
        except OutOfMemory:
            self._drop(place)  # its memory is in no known state, and the next attempt needs all there is
            raise
        finally:
            place.last_used = self._clock()
            place.busy.release()
            self._start_watch()

    def loaded(self) -> list[str]:
        """Names of the engines in memory."""
        with self._lock:
            return sorted(name for name, place in self._places.items() if place.host is not None and place.host.alive)

    def make_room(self) -> None:
        """Unload every engine that nobody uses just now."""
        for place in self._idle():
            self._unload_if_free(place)

    def close(self) -> None:
        """End all hosts, also those at work."""
        self._closed.set()
        with self._lock:
            places = list(self._places.values())
        for place in places:
            host = place.host
            if host is not None:
                host.end()

    def sweep(self) -> None:
        """Unload what has been idle for longer than its manifest allows, and what knows a voice that was deleted or learnt anew."""
        for place in self._idle():
            host = place.host
            if host is None:
                continue
            if self._must_forget(place) or self._clock() - place.last_used > host.engine.manifest.limits.idle_seconds:
                self._unload_if_free(place)

    @staticmethod
    def _must_forget(place: _Place) -> bool:
        return any(state is None or _state(voice) != state for voice, state in tuple(place.voices.items()))

    def _loaded(self, place: _Place, engine: Engine, progress: Progress) -> HostProcess:
        version = engine.sound_version
        if place.host is not None and (not place.host.alive or place.version != version):
            self._drop(place)
        if place.host is None:
            device = device_for(engine.manifest, self._room)
            # Two processes must not look at the same free memory and both take it.
            with self._turn(progress):
                self._fit(engine, device, progress)
                host = HostProcess(engine, device, log=log_of(self._home, engine.name), threads=available_cores())
                host.start(progress)  # ends by itself what it cannot start
                place.host, place.version, place.voices = host, version, {}
        return place.host

    def _fit(self, engine: Engine, device: Device, progress: Progress) -> None:
        """Unload idle engines, the one unused for longest first, until there is room; raises RetakeError if that is not enough."""
        problem = lacking(engine.manifest, device, self._room)
        for place in sorted(self._idle(), key=lambda one: one.last_used):
            if problem is None:
                return
            if not self._unload_if_free(place):
                continue
            until = time.monotonic() + self._settle
            while True:
                problem = lacking(engine.manifest, device, self._room)
                if problem is None or time.monotonic() > until:
                    break
                progress.check()
                time.sleep(_TICK)
        if problem is not None:
            raise problem

    @contextlib.contextmanager
    def _turn(self, progress: Progress) -> Iterator[None]:
        folder = self._home / "run"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "engine-loading.lock")
        while True:
            try:
                lock.acquire(timeout=_TICK)
                break
            except Timeout:
                progress.check()
        try:
            yield
        finally:
            lock.release()

    def _idle(self) -> list[_Place]:
        with self._lock:
            return [place for place in self._places.values() if place.host is not None and not place.busy.locked()]

    def _unload_if_free(self, place: _Place) -> bool:
        if not place.busy.acquire(blocking=False):
            return False
        try:
            host, place.host = place.host, None
            if host is not None:
                host.unload()
        finally:
            place.busy.release()
        return True

    def _drop(self, place: _Place) -> None:
        host, place.host = place.host, None
        if host is not None:
            host.end()

    def _start_watch(self) -> None:
        with self._lock:
            if self._watch is None and not self._closed.is_set():
                self._watch = threading.Thread(target=self._keep_watch, name="idle engines", daemon=True)
                self._watch.start()

    def _keep_watch(self) -> None:
        while not self._closed.wait(1.0):
            self.sweep()


@lru_cache(maxsize=4)  # home folders
def hosts(home: Path) -> Hosts:
    """The hosts of this process; ended when it ends. Should it be killed, they end by themselves."""
    made = Hosts(home)
    atexit.register(made.close)
    return made
