"""Talking to a lips engine in its own process: faces go there chunk by chunk, drawn ones come back, while other frames are decoded and encoded."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.speech import Speech
from retake.engines.failures import OutOfMemory
from retake.engines.host.retake_host.wire import Array as Wire
from retake.engines.hosts import Hosts
from retake.engines.manifest import Lips
from retake.engines.process import HostProcess
from retake.engines.registry import Engine

from .lips_sound import at_16_khz, mel_spectrogram, windows
from .warp import Image


class Conversation:
    """One take's orders to one engine, which is loaded for them and stays this take's until the end. One order is worked on at a time.

    Orders and answers are plain arrays in messages of a pipe (docs/lips-engines.md): a chunk of crops is a few megabytes at most. When memory runs
    out, everything else is unloaded and the engine is started anew and told to take less; when that does not help, the error says so.

    Args:
        speech: what is heard in the whole take.
        rate: the take's frame rate.
        progress: asked whether to stop.
    """

    def __init__(self, pool: Hosts, engine: Engine, speech: Speech, rate: FrameRate, progress: Progress) -> None:
        assert engine.manifest.lips is not None
        self._pool, self._engine, self._rate = pool, engine, rate
        self._wants: Lips = engine.manifest.lips
        self._progress = _Linked(progress)
        self._use: AbstractContextManager[HostProcess] | None = None
        self._host: HostProcess | None = None
        self._smaller = False
        sound = at_16_khz(speech.samples, speech.rate)
        self._mel = mel_spectrogram(sound) if self._wants.sound == "mel" else None
        self._samples = sound
        self._worker = ThreadPoolExecutor(1, "lips engine")

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop what is at work and let the engine go."""
        self._progress.cancel()
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._release(None)

    @property
    def device(self) -> str:
        """Where the engine works; empty before the first answer."""
        return "" if self._host is None else self._host.device

    def ask(self, crops: NDArray[np.uint8], frames: list[int]) -> Future[list[Image]]:
        """Have (k, size, size, 3) faces drawn, which belong to those frames of the take. The answer has k faces of the same size.

        The future raises RetakeError for what the engine refuses, or how it failed; engine_bad_frames for an answer that is none; Cancelled.
        """
        return self._worker.submit(self._draw, crops, frames)

    def _draw(self, crops: NDArray[np.uint8], frames: list[int]) -> list[Image]:
        try:
            return self._once(crops, frames)
        except OutOfMemory as error:
            self._release(error)
            if self._smaller:
                raise
        self._smaller = True
        self._pool.make_room()
        return self._once(crops, frames)

    def _once(self, crops: NDArray[np.uint8], frames: list[int]) -> list[Image]:
        arrays = {"crops": _wire("uint8", crops)}
        if self._host is None:
            self._use = self._pool.use(self._engine, self._progress)
            self._host = self._use.__enter__()
            if self._mel is None:
                arrays["samples"] = _wire("float32", self._samples)
        if self._mel is not None:
            arrays["sound"] = _wire("float32", windows(self._mel, np.array(frames), self._rate))
        order = {"frames": frames, "rate": [self._rate.numerator, self._rate.denominator], "smaller": self._smaller}
        out = [self._picture(message.arrays) for message in self._host.stream("render", order, self._progress, arrays=arrays)]
        if len(out) != len(crops):
            raise _bad_frames(self._engine.name, f"{len(out)} pictures of {len(crops)} faces")
        return out

    def _picture(self, arrays: Mapping[str, Wire]) -> Image:
        found, size = arrays.get("frame"), self._wants.size
        if found is None or found.dtype != "uint8" or found.shape != (size, size, 3):
            shape = "no picture" if found is None else f"a picture of {found.shape}"
            raise _bad_frames(self._engine.name, f"{shape} where {size} x {size} pixels are wanted")
        return np.frombuffer(found.data, np.uint8).reshape(found.shape)

    def _release(self, error: BaseException | None) -> None:
        use, self._use, self._host = self._use, None, None
        if use is not None:
            use.__exit__(None if error is None else type(error), error, None if error is None else error.__traceback__)


class _Linked(Progress):
    """Stops with another one and by itself, and tells nobody how far it is: that is told where frames leave."""

    def __init__(self, other: Progress) -> None:
        super().__init__()
        self._other = other

    def check(self) -> None:
        self._other.check()
        super().check()


def _wire(dtype: str, values: NDArray[Any]) -> Wire:
    values = np.ascontiguousarray(values)
    return Wire(dtype, values.shape, values.tobytes())


def _bad_frames(engine: str, what: str) -> RetakeError:
    return RetakeError(
        f"The engine '{engine}' made {what}.", f"Run 'retake engines test {engine}'.", kind=ErrorKind.ENVIRONMENT, code="engine_bad_frames"
    )
