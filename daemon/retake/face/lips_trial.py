"""Whether an installed lips engine works: it draws some faces for a second of noise."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.speech import Speech
from retake.domain.timing import Timing
from retake.engines import registry
from retake.engines.hosts import Hosts
from retake.engines.install import verify

from .lips_host import Conversation

FACES = 4
_RATE = 16000


@dataclass(frozen=True)
class LipsTrial:
    """How a trial went: the device, seconds until the first face (loading included), faces drawn after it and how long they took."""

    device: str
    load_seconds: float
    faces: int
    seconds: float


def try_lips(home: Path, name: str, progress: Progress) -> LipsTrial:
    """Check an installed lips engine's weights, load it, let it draw faces, and unload it. Raises RetakeError for whatever fails."""
    engine = registry.ready_engine(home, name, "lips")
    verify(engine, progress)
    assert engine.manifest.lips is not None
    random = np.random.default_rng(0)
    size = engine.manifest.lips.size
    faces = random.integers(0, 256, (FACES, size, size, 3), np.uint8)
    speech = Speech(random.normal(0, 0.05, _RATE).astype(np.float32), _RATE, Timing((), ()))
    progress.stage("Loading the engine")
    pool = Hosts(home)
    try:
        with Conversation(pool, engine, speech, FrameRate(25), progress) as talk:
            started = time.monotonic()
            talk.ask(faces[:1], [0]).result()
            loaded = time.monotonic()
            progress.stage("Drawing")
            drawn = talk.ask(faces, list(range(FACES))).result()
            ended, device = time.monotonic(), talk.device
    finally:
        pool.close()
    if all((face == drawn[0]).all() for face in drawn):
        cause = f"The engine '{name}' draws the same for every face."
        raise RetakeError(cause, "Install it again.", kind=ErrorKind.ENVIRONMENT, code="engine_bad_frames")
    return LipsTrial(device, round(loaded - started, 3), FACES, round(ended - loaded, 3))
