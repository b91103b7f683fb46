"""A host's life: greet, load the adapter, fulfil orders one after another, end with the parent."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, NoReturn

from . import wire
from .guard import NetworkRefused, refuse_network
from .orders import Order, Refused, Setup, Stopped

_CALLS = frozenset(["speak", "render"])  # methods that an order may name
_TRACE_LINES = 12
_BETWEEN_REPORTS = 0.1  # s; an engine may report as often as it likes


class Talk:
    """The way to the parent; may be used by several threads."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def say(self, arrays: dict[str, wire.Array] | None = None, **fields: Any) -> None:
        with self._lock:
            try:
                wire.write(self._stream, fields, arrays)
            except OSError:
                end_with_parent()


class Inbox:
    """Reads what the parent says in a thread of its own: a cancellation must be heard while the engine computes, and so must the parent's end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._orders: queue.SimpleQueue[wire.Message] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running: tuple[int, Order] | None = None
        self._cancelled: set[int] = set()

    def first(self) -> wire.Message:
        message = wire.read(self._stream)
        if message is None:
            end_with_parent()
        return message

    def listen(self) -> None:
        threading.Thread(target=self._listen, name="inbox", daemon=True).start()

    def next(self) -> wire.Message:
        return self._orders.get()

    @contextlib.contextmanager
    def running(self, number: int, order: Order) -> Iterator[None]:
        with self._lock:
            self._running = (number, order)
            if number in self._cancelled:
                order.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._running = None
                self._cancelled.clear()

    def _listen(self) -> None:
        while True:
            try:
                message = wire.read(self._stream)
            except (OSError, wire.WireError):
                message = None
            if message is None:
                end_with_parent()
            if message.type == "cancel":
                self._cancel(int(message.fields["id"]))
            else:
                self._orders.put(message)

    def _cancel(self, number: int) -> None:
        with self._lock:
            if self._running is not None and self._running[0] == number:
                self._running[1].cancel()
            else:
                self._cancelled.add(number)


def main() -> NoReturn:
    """Live until the parent says or is gone."""
    talk, inbox = Talk(_own_stdout()), Inbox(sys.stdin.buffer)
    hello = inbox.first()
    talk.say(type="hello", protocol=wire.PROTOCOL, pid=os.getpid(), python=sys.version.split()[0])
    if hello.type != "hello" or hello.fields.get("protocol") != wire.PROTOCOL:
        leave(3)
    inbox.listen()
    refuse_network()
    engine = _loaded(talk, hello.fields)
    while True:
        message = inbox.next()
        if message.type == "unload":
            _close(engine)
            leave(0)
        if message.type == "call":
            _fulfil(engine, message, talk, inbox)


def _own_stdout() -> BinaryIO:
    """The parent's pipe, kept from the engine: whatever prints, in Python or native code, prints into the log."""
    stream = os.fdopen(os.dup(1), "wb", buffering=2**16)
    os.dup2(2, 1)
    return stream


def _loaded(talk: Talk, fields: dict[str, Any]) -> Any:
    started = time.monotonic()
    setup = Setup(fields, _teller(talk, {"type": "loading"}))
    try:
        engine = _adapter(Path(str(fields["adapter"]))).load(setup)
    except BaseException as error:  # noqa: BLE001 - an engine may fail in any way, and the parent has to be told
        talk.say(type="failed", id=0, **_failure(error))
        leave(4)
    talk.say(type="ready", seconds=round(time.monotonic() - started, 3), paces=bool(getattr(engine, "paces", False)))
    return engine


def _adapter(path: Path) -> ModuleType:
    import importlib.util

    spec = importlib.util.spec_from_file_location(f"retake_adapter_{path.stem.replace('-', '_')}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _fulfil(engine: Any, message: wire.Message, talk: Talk, inbox: Inbox) -> None:
    number, name = int(message.fields["id"]), str(message.fields["call"])
    order = Order(message.fields, message.arrays, _teller(talk, {"type": "progress", "id": number}))
    try:
        with inbox.running(number, order):
            if name not in _CALLS or not hasattr(engine, name):
                raise Refused(f"The engine has nothing called '{name}'.", "Use an engine of that stage.")
            for piece in getattr(engine, name)(order):
                order.check()
                _send(talk, number, name, piece)
    except BaseException as error:  # noqa: BLE001 - an engine may fail in any way, and the parent has to be told
        talk.say(type="failed", id=number, **_failure(error))
        return
    talk.say(type="done", id=number)


def _send(talk: Talk, number: int, name: str, piece: Any) -> None:
    if name == "speak":
        samples, rate = piece
        data = memoryview(samples)
        if data.format != "f" or data.ndim != 1 or not data.contiguous:
            raise TypeError(f"sound is a row of 32 bit floats, not '{data.format}' in {data.ndim} dimensions")
        talk.say({"samples": wire.Array("float32", (len(data),), data)}, type="part", id=number, rate=int(rate))
        return
    frame = memoryview(piece)
    if frame.format != "B" or frame.ndim != 3 or not frame.c_contiguous:
        raise TypeError(f"a frame is (height, width, 3) of bytes, not '{frame.format}' in {frame.ndim} dimensions")
    talk.say({"frame": wire.Array("uint8", tuple(frame.shape or ()), frame)}, type="part", id=number)


def _teller(talk: Talk, fields: dict[str, Any]) -> Any:
    last = [0.0]

    def tell(fraction: float, detail: str) -> None:
        now = time.monotonic()
        if now - last[0] >= _BETWEEN_REPORTS:
            last[0] = now
            talk.say(**fields, fraction=min(1.0, max(0.0, float(fraction))), detail=str(detail)[:200])

    return tell


def _failure(error: BaseException) -> dict[str, Any]:
    """What went wrong: kind, words, remedy. The whole traceback goes to the log."""
    if isinstance(error, Stopped):
        return {"kind": "cancelled", "cause": "", "remedy": ""}
    if isinstance(error, Refused):
        return {"kind": "refused", "cause": error.cause, "remedy": error.remedy}
    traceback.print_exception(error, limit=-_TRACE_LINES, file=sys.stderr)
    sys.stderr.flush()
    kind = "memory" if _is_memory(error) else "network" if isinstance(error, NetworkRefused) else "error"
    text = " ".join(str(error).split())[:300]
    return {"kind": kind, "cause": f"{type(error).__name__}: {text}" if text else type(error).__name__, "remedy": ""}


def _is_memory(error: BaseException) -> bool:
    # PyTorch's own class for a full GPU is known by name: this program must not import PyTorch. On the processor it says so in words alone,
    # and oneDNN, which convolves there, in others.
    full = "can't allocate memory" in str(error) or str(error) == "could not create a primitive"
    return full or isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__


def _close(engine: Any) -> None:
    close = getattr(engine, "close", None)
    if close is not None:
        try:
            close()
        except Exception:  # noqa: BLE001 - it is leaving anyway; the log keeps why it could not leave in order
            traceback.print_exc()


def leave(code: int) -> NoReturn:
    """End at once: threads of native code may never return."""
    sys.stderr.flush()
    os._exit(code)


def end_with_parent() -> NoReturn:
    """The parent is gone: end, and take along what the engine started."""
    if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():  # a group of our own
        os.killpg(0, signal.SIGKILL)
    leave(5)
