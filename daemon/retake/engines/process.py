"""One engine in its own process: started, asked, watched, ended. The other side is host/retake_host/main.py."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, cast

from retake.domain.errors import Cancelled
from retake.domain.progress import Progress
from retake.settings import QUIET_ENVIRONMENT, THREAD_VARIABLES, WAITING

from . import failures
from .environment import python_of
from .host.retake_host import wire
from .registry import Engine
from .room import Device

CANCEL_SECONDS = 1.0  # within which an engine may stop in order; then it is ended
UNLOAD_SECONDS = 3.0
EXIT_SECONDS = 10.0  # from the end of its output to its exit code: a system that writes a memory image, or is busy, takes its time
HELLO_SECONDS = 60.0  # until the program has started; engines are loaded after that, in the manifest's time
LARGEST_LOG = 2_000_000  # bytes, of which the newer half is kept
_TICK = 0.05
_WAITING_PARTS = 8  # in memory: frames are large, and an engine waits for who takes them
_RUN = Path(__file__).parent / "host" / "run.py"

# What a host sees of the environment: enough for native libraries and GPUs, and none of the tokens and keys that lie about in environments.
_KEPT = frozenset(
    [
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "WINDIR", "SYSTEMDRIVE", "COMSPEC",
        "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
        "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    ]
)  # fmt: skip
_KEPT_STARTS = ("LC_", "CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_", "PYTORCH_")
# Beside retake.settings.QUIET_ENVIRONMENT, for what engines bring along.
_QUIET = {
    "HF_DATASETS_OFFLINE": "1",
    "DISABLE_TELEMETRY": "YES",
    "ANONYMIZED_TELEMETRY": "False",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "WANDB_MODE": "disabled",
    "TRAINER_TELEMETRY": "0",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "YOLO_OFFLINE": "true",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUTF8": "1",
}

State = Literal["new", "ready", "ended"]


class HostProcess:
    """An engine's process. For one thread at a time; `end` may be called by any.

    Args:
        engine: an installed one.
        device: where its network goes.
        log: file that everything it prints is added to.
    """

    def __init__(self, engine: Engine, device: Device, *, log: Path, threads: int = 0) -> None:
        self.engine = engine
        self.device: Device = device
        self.log = log
        self.paces = False  # whether it can speak faster and slower by itself; known once it is ready
        self.load_seconds = 0.0
        self._threads = threads
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._heard: queue.Queue[wire.Message | wire.WireError | None] = queue.Queue(_WAITING_PARTS)
        self._over = threading.Event()
        self._name = engine.name

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None and not self._over.is_set()

    def start(self, progress: Progress) -> None:
        """Start the process and wait until the engine is loaded. Raises what `failures` makes, or Cancelled; then it is ended."""
        environment = _environment(self.engine, self.device, self._threads)
        descriptor = _open_log(self.log)
        try:
            self._process = subprocess.Popen(
                [str(python_of(self.engine.folder)), "-I", "-u", str(_RUN)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=descriptor,
                env=environment,
                cwd=self.engine.folder / "cache",
                start_new_session=sys.platform != "win32",  # Ctrl-C is the parent's affair, and ending the group ends what it started
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise failures.cannot_start(self._name, error) from error
        finally:
            os.close(descriptor)
        threading.Thread(target=self._listen, args=(cast(IO[bytes], self._process.stdout),), name=f"host {self._name}", daemon=True).start()
        ready = False
        try:
            self._greet(progress)
            ready = True
        finally:
            if not ready:
                self.end()

    def stream(
        self, call: str, fields: Mapping[str, Any], progress: Progress, *, arrays: Mapping[str, wire.Array] | None = None
    ) -> Generator[wire.Message, None, None]:
        """Give an order and yield what comes, piece by piece. An iterator that is closed before its end cancels the order.

        Raises:
            RetakeError: the engine refuses, fails, runs out of memory, ends or hangs; in the last two cases the process is gone.
            Cancelled: within two seconds, whether the engine stops by itself or has to be ended.
        """
        self._number += 1
        number = self._number
        self._say({"type": "call", "id": number, "call": call, **fields}, arrays)
        finished = False
        try:
            while True:
                message = self._next(self.engine.manifest.limits.silence_seconds, "working", progress)
                if message.fields.get("id") != number:
                    continue  # late words about an order that was cancelled
                if message.type == "part":
                    yield message
                elif message.type == "progress":
                    progress.report(float(message.fields["fraction"]), str(message.fields["detail"]))
                elif message.type in {"done", "failed"}:
                    finished = True
                    if message.type == "failed":
                        self._raise(message)
                    return
        finally:
            if not finished and self.alive:
                self._cancel(number)

    def unload(self) -> None:
        """Let the engine go in order, or end it."""
        with contextlib.suppress(failures.HostFailure):
            self._say({"type": "unload"}, None)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(UNLOAD_SECONDS)
        self.end()

    def end(self) -> int | None:
        """End the process there and then; returns its exit code."""
        self._over.set()
        process = self._process
        if process is None:
            return None
        _kill(process)
        code = process.wait()
        with contextlib.suppress(OSError, ValueError):
            if process.stdin is not None:  # the listening thread closes what it reads
                process.stdin.close()
        return code

    def _greet(self, progress: Progress) -> None:
        folder = self.engine.folder
        hello = {
            "type": "hello",
            "protocol": wire.PROTOCOL,
            "adapter": str(self.engine.adapter),
            "weights": str(self.engine.weights),
            "cache": str(folder / "cache"),
            "device": self.device,
            "threads": self._threads,
        }
        self._say(hello, None)
        answer = self._next(HELLO_SECONDS, "starting", progress)
        if answer.type != "hello" or answer.fields.get("protocol") != wire.PROTOCOL:
            raise failures.other_version(self._name, self.log)
        while True:
            message = self._next(self.engine.manifest.limits.start_seconds, "loading", progress)
            if message.type == "failed":
                self._raise(message)
            if message.type == "ready":
                self.paces, self.load_seconds = bool(message.fields["paces"]), float(message.fields["seconds"])
                return

    def _say(self, fields: Mapping[str, Any], arrays: Mapping[str, wire.Array] | None) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            wire.write(cast(Any, self._process.stdin), fields, arrays)
        except (OSError, ValueError):  # ValueError: closed by `end`
            self._ended()

    def _next(self, patience: float, doing: str, progress: Progress) -> wire.Message:
        """The next message; raises for cancellation, silence, nonsense and the process's end."""
        until = time.monotonic() + patience
        while True:
            progress.check()
            try:
                heard = self._heard.get(timeout=_TICK)
            except queue.Empty:
                if time.monotonic() > until:
                    self.end()
                    raise failures.hung(self._name, patience, doing, self.log) from None
                continue
            if isinstance(heard, wire.WireError):
                self.end()
                raise failures.garbled(self._name, str(heard), self.log)
            if heard is None:
                self._ended()
            return heard

    def _ended(self) -> NoReturn:
        """The other side closed its end: say how it died."""
        assert self._process is not None
        ended_by_us = self._over.is_set()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_SECONDS)
        code = self._process.poll()
        self.end()
        if ended_by_us:
            raise failures.hung(self._name, 0.0, "being unloaded", self.log)
        raise failures.crashed(self._name, -9 if code is None else code, self.log)

    def _raise(self, message: wire.Message) -> NoReturn:
        fields = message.fields
        if fields["kind"] == "cancelled":
            raise Cancelled()
        raise failures.told(self._name, str(fields["kind"]), str(fields["cause"]), str(fields["remedy"]), self.log)

    def _cancel(self, number: int) -> None:
        """Ask the engine to stop; end it if it does not within a second."""
        until = time.monotonic() + CANCEL_SECONDS
        with contextlib.suppress(failures.HostFailure):
            self._say({"type": "cancel", "id": number}, None)
            while time.monotonic() < until:
                try:
                    heard = self._heard.get(timeout=_TICK)
                except queue.Empty:
                    continue
                if heard is None or isinstance(heard, wire.WireError):
                    break
                if heard.fields.get("id") == number and heard.type in {"done", "failed"}:
                    return
        self.end()

    def _listen(self, stream: IO[bytes]) -> None:
        """In a thread: pipes cannot be read with a time limit on every system."""
        noise = wire.MOST_NOISE  # a Python may print before any code of ours runs
        with stream:
            while not self._over.is_set():
                try:
                    message: wire.Message | wire.WireError | None = wire.read(cast(Any, stream), noise=noise)
                except wire.WireError as error:
                    message = error
                except (OSError, ValueError):
                    message = None
                noise = 0
                self._hand(message)
                if not isinstance(message, wire.Message):
                    return

    def _hand(self, message: wire.Message | wire.WireError | None) -> None:
        while not self._over.is_set():
            with contextlib.suppress(queue.Full):
                self._heard.put(message, timeout=_TICK)
                return


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None and sys.platform == "win32":
        return
    if sys.platform == "win32":
        process.kill()
        return
    # Also when it has ended: what it started may be there still. Its number is not given to others before we have waited for it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


def _environment(engine: Engine, device: Device, threads: int) -> dict[str, str]:
    out = {name: value for name, value in os.environ.items() if name.upper() in _KEPT or name.startswith(_KEPT_STARTS)}
    out |= QUIET_ENVIRONMENT | _QUIET | WAITING
    cache = engine.folder / "cache"
    for name in ("HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "TTS_HOME"):
        out[name] = str(cache)
    if device == "cpu":
        out["CUDA_VISIBLE_DEVICES"] = ""
    if threads:
        out |= {name: str(threads) for name in THREAD_VARIABLES}
    return out


def _open_log(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        if path.stat().st_size > LARGEST_LOG:
            data = path.read_bytes()
            path.write_bytes(data[-LARGEST_LOG // 2 :])
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
