"""Whether an installed voice engine works: it says a line like the built-in presenter, and the line is listened to."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.engines import registry
from retake.engines.hosts import Hosts
from retake.engines.install import verify

from .align import align

LINE = "The quick brown fox jumps over the lazy dog, and nobody is surprised."
_PRESENTER = Path(__file__).parent.parent / "assets" / "presenter"
_REFERENCE_RATE = 48000


@dataclass(frozen=True)
class Trial:
    """How a trial went. `confidence` is that of the words in the sound (None: they are not in it, or not in a language that can be checked)."""

    device: str
    load_seconds: float
    speak_seconds: float
    seconds: float
    rate: int
    confidence: float | None

    @property
    def real_time_factor(self) -> float:
        return self.speak_seconds / max(self.seconds, 1e-6)


def try_voice(home: Path, name: str, progress: Progress) -> Trial:
    """Load an engine, let it say LINE, and unload it. Raises RetakeError for whatever fails."""
    from retake.media.audio import read_audio, write_wav

    engine = registry.ready_engine(home, name, "voice")
    verify(engine, progress)
    progress.stage("Loading the engine")
    pool = Hosts(home)
    try:
        with tempfile.TemporaryDirectory(prefix="retake-trial-") as folder:
            reference = Path(folder) / "reference.wav"
            write_wav(reference, read_audio(_PRESENTER / "presenter.mp4", _REFERENCE_RATE), _REFERENCE_RATE)
            order = {
                "text": LINE,
                "sentences": [LINE],
                "language": "en" if "en" in engine.manifest.languages or not engine.manifest.languages else engine.manifest.languages[0],
                "reference": str(reference),
                "reference_text": (_PRESENTER / "presenter.txt").read_text(encoding="utf-8").strip(),
                "voice_key": "presenter",
                "seed": 0,
                "pace": 1.0,
            }
            with pool.use(engine, progress) as host:
                progress.stage("Speaking")
                started = time.monotonic()
                parts = list(host.stream("speak", order, progress))
                spoken = time.monotonic() - started
                device, loaded = host.device, host.load_seconds
    finally:
        pool.close()
    if not parts:
        raise RetakeError(f"The engine '{name}' made no sound.", "Install it again.", code="engine_silent")
    rate = int(parts[0].fields["rate"])
    samples = np.concatenate([np.frombuffer(part.arrays["samples"].data, np.float32) for part in parts])
    progress.stage("Listening")
    return Trial(device, loaded, spoken, len(samples) / rate, rate, _confidence(samples, rate, progress))


def _confidence(samples: np.ndarray, rate: int, progress: Progress) -> float | None:
    try:
        return align(samples, rate, LINE, progress=progress).confidence
    except RetakeError as error:
        if error.code in {"no_speech", "transcript_mismatch"}:
            return None
        raise
