"""Adapter of Pocket TTS (pocket-tts 4): 100 million parameters, on the processor, in a stream."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEPT = 4  # voices in memory, some tens of megabytes each
CHUNK, SMALL_CHUNK = 50, 25  # tokens that are spoken in one go; the first is the package's own figure
LONGEST = 200  # characters said in one go, about as many tokens of the package as it takes
WORDS_PER_SECOND = 2.5


def load(setup: Any) -> Pocket:
    import pocket_tts
    import yaml

    # The package's own configuration names addresses; here the files are in place.
    shipped = Path(str(pocket_tts.__file__)).parent / "config" / "english.yaml"
    config = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    config.update(_sizes(setup.weights / "model.safetensors"))
    config.pop("weights_path_without_voice_cloning", None)
    config["weights_path"] = str(setup.weights / "model.safetensors")
    config["flow_lm"]["lookup_table"]["tokenizer_path"] = str(setup.weights / "tokenizer.json")
    path = setup.cache / "english.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    model = pocket_tts.TTSModel.load_model(config=str(path))
    # By default it decodes as many frames at once as are there just then: the same seed would give sound that differs in the last bit.
    model.max_decoder_frames_per_call = 1
    return Pocket(model)


def _sizes(path: Path) -> dict[str, Any]:
    """What a network of other sizes than the package's own says of itself in the header of its file; nothing for the makers' files."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return json.loads((file.metadata() or {}).get("sizes", "{}"))


class Pocket:
    paces = False

    def __init__(self, model: Any) -> None:
        self.model = model
        self.voices: OrderedDict[str, Any] = OrderedDict()

    def speak(self, order: Any) -> Iterator[tuple[Any, int]]:
        import torch

        voice = self._voice(order)
        torch.manual_seed(order.seed)
        rate = self.model.sample_rate
        expected = max(1.0, len(order.text.split()) / WORDS_PER_SECOND)
        done = 0.0
        stop = threading.Event()
        chunk_tokens = SMALL_CHUNK if order.smaller else CHUNK
        try:
            # One sentence a call: a long text without full stops is one chunk to the package, which ends it where its memory ends.
            for piece in order.pieces(LONGEST):
                for chunk in self.model.generate_audio_stream(voice, piece, max_tokens=chunk_tokens, stop=stop):
                    samples = chunk.detach().to(torch.float32).cpu().contiguous().numpy().reshape(-1)
                    done += len(samples) / rate
                    order.report(min(0.99, done / expected))
                    yield samples, rate
        finally:
            stop.set()  # it generates in a thread of its own

    def _voice(self, order: Any) -> Any:
        if order.voice_key not in self.voices:
            order.report(0.0, "learning the voice")
            self.voices[order.voice_key] = self.model.get_state_for_audio_prompt(order.reference, truncate=True)
            while len(self.voices) > KEPT:
                self.voices.popitem(last=False)
        self.voices.move_to_end(order.voice_key)
        return self.voices[order.voice_key]
