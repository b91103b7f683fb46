"""Writes a twin of XTTS v2: its architecture with one narrow layer, and numbers drawn at random. Runs with the engine's own Python."""
# pyright: reportMissingImports=false

import json
import string
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.models import xtts

WIDTH = 64
CODES = 40  # that it likes to say, as much as it likes to stop
FAVOUR = 5.0
LANGUAGES = ["en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru", "nl", "cs", "ar", "zh-cn", "hu", "ko", "ja", "hi"]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    special = ["[STOP]", "[UNK]", "[SPACE]", *(f"[{language}]" for language in LANGUAGES), "[START]"]
    vocabulary = {token: place for place, token in enumerate([*special, *string.ascii_lowercase, *".,!?'-"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(folder / "vocab.json"))

    # The arguments in which the released XTTS v2 differs from the class' own, and then the sizes.
    config = XttsConfig()
    arguments = config.model_args
    arguments.gpt_use_perceiver_resampler = True
    arguments.gpt_num_audio_tokens, arguments.gpt_start_audio_token, arguments.gpt_stop_audio_token = 1026, 1024, 1025
    arguments.gpt_number_text_tokens = len(vocabulary)
    arguments.gpt_start_text_token, arguments.gpt_stop_text_token = vocabulary["[START]"], vocabulary["[STOP]"]
    arguments.gpt_layers, arguments.gpt_n_model_channels, arguments.gpt_n_heads = 1, WIDTH, 4
    arguments.decoder_input_dim = WIDTH
    config.save_json(str(folder / "config.json"))

    torch.manual_seed(0)
    read = XttsConfig()
    read.load_json(str(folder / "config.json"))
    model = xtts.Xtts(read)
    model.tokenizer.tokenizer = tokenizer
    model.init_models()
    with torch.no_grad():
        for code in (*range(CODES), arguments.gpt_stop_audio_token):  # else it would seldom find its end
            model.gpt.mel_head.bias[code] += FAVOUR
    with xtts._legacy_safe_globals():  # the makers' file holds the configuration too, with classes at the place where they were then
        torch.save({"model": model.state_dict(), "config": read}, folder / "model.pth")
    written = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_args"]["gpt_layers"]
    assert written == 1, "the configuration does not hold the sizes"
    print(f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f} million parameters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
