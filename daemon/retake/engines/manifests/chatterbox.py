"""Adapter of Chatterbox (chatterbox-tts 0.1): English, with its makers' watermark in everything it says."""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEPT = 4  # voices in memory
PAUSE = 0.25  # s between sentences
SMALL = 120  # characters of a piece when memory is short
CALM = 0.5  # how expressive; the package's own figure


def load(setup: Any) -> Chatterbox:
    import perth
    import torch

    if perth.PerthImplicitWatermarker is None:  # it hides that its own import failed, and the package would then crash without a word
        raise setup.refuse("Chatterbox' watermark cannot be loaded.", "Install the engine again: it needs setuptools before version 81.")
    from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS
    from chatterbox.tts import ChatterboxTTS

    LLAMA_CONFIGS["Llama_520M"].update(_sizes(setup.weights / "t3_cfg.safetensors"))
    if setup.threads:
        torch.set_num_threads(setup.threads)
    device = "cuda" if setup.device == "cuda" and torch.cuda.is_available() else "cpu"
    return Chatterbox(ChatterboxTTS.from_local(setup.weights, device))


class Chatterbox:
    paces = False

    def __init__(self, model: Any) -> None:
        self.model = model
        self.voices: OrderedDict[str, Any] = OrderedDict()

    def speak(self, order: Any) -> Iterator[tuple[Any, int]]:
        import numpy as np
        import torch

        self.model.conds = self._voice(order)
        torch.manual_seed(order.seed)
        rate = int(self.model.sr)
        pieces = [piece for sentence in order.sentences for piece in _cut(sentence, SMALL if order.smaller else 300)]
        for number, piece in enumerate(pieces):
            order.report(number / len(pieces))
            if number:
                yield np.zeros(round(PAUSE * rate), np.float32), rate
            sound = self.model.generate(piece, exaggeration=CALM)
            yield sound.detach().to(torch.float32).cpu().contiguous().numpy().reshape(-1), rate

    def _voice(self, order: Any) -> Any:
        if order.voice_key not in self.voices:
            order.report(0.0, "learning the voice")
            self.model.prepare_conditionals(str(order.reference), exaggeration=CALM)
            self.voices[order.voice_key] = self.model.conds
            while len(self.voices) > KEPT:
                self.voices.popitem(last=False)
        self.voices.move_to_end(order.voice_key)
        return self.voices[order.voice_key]


def _sizes(path: Path) -> dict[str, int]:
    """Depth and inner width of the language model in a file. The package knows only those of its own weights; for them this changes nothing."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        layers = {name.split(".")[2] for name in file.keys() if name.startswith("tfmr.layers.")}  # noqa: SIM118 - it is no dictionary
        inner = file.get_slice("tfmr.layers.0.mlp.gate_proj.weight").get_shape()[0]
    return {"num_hidden_layers": len(layers), "intermediate_size": int(inner)}


def _cut(sentence: str, limit: int) -> list[str]:
    out: list[str] = []
    rest = sentence.strip()
    while len(rest) > limit:
        cut = rest.rfind(" ", 0, limit)
        cut = cut if cut > 0 else limit
        out.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [*out, rest] if rest else out
