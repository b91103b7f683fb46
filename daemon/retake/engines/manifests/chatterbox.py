"""Adapter of Chatterbox (chatterbox-tts 0.1), English or multilingual by its weights, with its makers' watermark in everything it says."""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEPT = 4  # voices in memory
PAUSE = 0.25  # s between sentences
LONGEST, SMALL = 300, 120  # characters of a piece, and where memory is short
ATTEMPTS = 3  # to say a piece
SHORTEST = 0.01  # s a letter; people need five times that
MULTILINGUAL = "t3_mtl23ls_v2.safetensors"
WITHOUT = {"he", "ja", "ru", "zh"}  # of the multilingual one: their further packages and tables are not part of the environment
CALM = 0.5  # how expressive; the package's own figure


def load(setup: Any) -> Chatterbox:
    import perth
    import torch

    if perth.PerthImplicitWatermarker is None:  # it hides that its own import failed, and the package would then crash without a word
        raise setup.refuse("Chatterbox' watermark cannot be loaded.", "Install the engine again: it needs setuptools before version 81.")
    from chatterbox import mtl_tts, tts
    from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS
    from chatterbox.models.tokenizers import tokenizer

    # It would fetch its tables for Chinese as soon as it is made, whatever it is to speak; only Chinese, which is refused, would call it.
    tokenizer.ChineseCangjieConverter = lambda folder: None
    several = (setup.weights / MULTILINGUAL).is_file()
    LLAMA_CONFIGS["Llama_520M"].update(_sizes(setup.weights / (MULTILINGUAL if several else "t3_cfg.safetensors")))
    if setup.threads:
        torch.set_num_threads(setup.threads)
    device = "cuda" if setup.device == "cuda" and torch.cuda.is_available() else "cpu"
    made = (mtl_tts.ChatterboxMultilingualTTS if several else tts.ChatterboxTTS).from_local(setup.weights, device)
    return Chatterbox(made, sorted(set(mtl_tts.SUPPORTED_LANGUAGES) - WITHOUT) if several else None)


class Chatterbox:
    paces = False

    def __init__(self, model: Any, languages: list[str] | None) -> None:
        self.model = model
        self.languages = languages  # None: the model of English alone, which takes no language
        self.voices: OrderedDict[str, Any] = OrderedDict()

    def speak(self, order: Any) -> Iterator[tuple[Any, int]]:
        import numpy as np
        import torch

        language = order.language.split("-")[0]
        if language not in (self.languages or ["en"]):
            raise order.refuse(f"Chatterbox does not speak '{order.language}'.", f"It speaks {', '.join(self.languages or ['en'])}.")
        self.model.conds = self._voice(order)
        torch.manual_seed(order.seed)
        rate = int(self.model.sr)
        pieces = order.pieces(SMALL if order.smaller else LONGEST)
        for number, piece in enumerate(pieces):
            order.report(number / len(pieces))
            if number:
                yield np.zeros(round(PAUSE * rate), np.float32), rate
            yield self._said(order, piece, language, rate), rate

    def _said(self, order: Any, piece: str, language: str, rate: int) -> Any:
        """A piece as sound, once more where the language model ended after a few tokens, of which the vocoder makes too little or nothing."""
        import torch

        where = {} if self.languages is None else {"language_id": language}
        least = SHORTEST * sum(character.isalnum() for character in piece) * rate
        for attempt in range(ATTEMPTS):
            order.check()
            try:
                sound = self.model.generate(piece, exaggeration=CALM, **where).detach().to(torch.float32).cpu().contiguous().numpy().reshape(-1)
            except (RuntimeError, IndexError, ValueError) as error:
                if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error) or attempt == ATTEMPTS - 1:
                    raise
                print(f"attempt {attempt + 1}: {type(error).__name__}: {error}", flush=True)
                continue
            if len(sound) >= least and sound.any():
                return sound
            print(f"attempt {attempt + 1}: {len(sound) / rate:.2f} s for {len(piece)} characters", flush=True)
        raise order.refuse(
            f"Chatterbox ended '{piece[:40]}' before it was said, {ATTEMPTS} times.", "Try another seed, or write the line differently."
        )

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
