"""Adapter of XTTS v2 (coqui-tts 0.28): 17 languages, a GPU or a patient processor."""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RATE = 24000
KEPT = 8  # voices in memory, less than a megabyte each
LONGEST_REFERENCE = 60  # s that are learnt from; the package would use 6 of them
REFERENCE_CHUNK = 6  # s, as the package does
TEMPERATURE = 0.65
PAUSE = 0.2  # s between the pieces of a text
SMALL = 100  # characters of a piece when memory is short


def load(setup: Any) -> Xtts:
    import torch
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models import xtts

    class Model(xtts.Xtts):
        """The package's own, but for this: it rewrites the makers' checkpoint in place when it first reads it. Here weights stay as they came."""

        def _load_checkpoint(self, model_path: Path) -> dict[str, Any]:
            with xtts._legacy_safe_globals():  # the configuration in that file names classes at their old place
                return torch.load(model_path, map_location="cpu", weights_only=True)["model"]

    if setup.threads:
        torch.set_num_threads(setup.threads)
    config = XttsConfig()
    config.load_json(str(setup.weights / "config.json"))
    model = Model(config)
    setup.report(0.1, "reading weights")
    model.load_checkpoint(config, checkpoint_dir=str(setup.weights), eval=True)
    device = "cuda" if setup.device == "cuda" and torch.cuda.is_available() else "cpu"
    return Xtts(model.to(device))


class Xtts:
    paces = True

    def __init__(self, model: Any) -> None:
        self.model = model
        self.languages = sorted({str(tag).split("-")[0] for tag in model.config.languages})
        self.voices: OrderedDict[str, tuple[Any, Any]] = OrderedDict()

    def speak(self, order: Any) -> Iterator[tuple[Any, int]]:
        import numpy as np
        import torch

        if order.language.split("-")[0] not in self.languages:
            raise order.refuse(f"XTTS does not speak '{order.language}'.", f"It speaks {', '.join(self.languages)}.")
        latent, embedding = self._voice(order)
        torch.manual_seed(order.seed)
        pieces = self._pieces(order)
        for number, piece in enumerate(pieces):
            order.report(number / len(pieces))
            if number:
                yield np.zeros(round(PAUSE / order.pace * RATE), np.float32), RATE
            stream = self.model.inference_stream(
                piece, order.language, latent, embedding, temperature=TEMPERATURE, speed=order.pace, enable_text_splitting=False
            )
            for chunk in stream:
                order.report((number + 0.5) / len(pieces))
                yield chunk.detach().to(torch.float32).cpu().contiguous().numpy().reshape(-1), RATE

    def _voice(self, order: Any) -> tuple[Any, Any]:
        if order.voice_key not in self.voices:
            order.report(0.0, "learning the voice")
            self.voices[order.voice_key] = self.model.get_conditioning_latents(
                audio_path=[str(order.reference)],
                max_ref_length=LONGEST_REFERENCE,
                gpt_cond_len=LONGEST_REFERENCE,
                gpt_cond_chunk_len=REFERENCE_CHUNK,
            )
            while len(self.voices) > KEPT:
                self.voices.popitem(last=False)
        self.voices.move_to_end(order.voice_key)
        return self.voices[order.voice_key]

    def _pieces(self, order: Any) -> list[str]:
        """Pieces as long as the language's network can say in one go: in characters as its makers found, in tokens as it is built."""
        tokenizer = self.model.tokenizer
        language = order.language.split("-")[0]
        limit = tokenizer.char_limits.get(language, 250)
        most = int(self.model.args.gpt_max_text_tokens)

        def fits(piece: str) -> bool:
            return len(tokenizer.encode(piece, language)) < most

        return order.pieces(min(limit, SMALL) if order.smaller else limit, fits=fits)
