"""Writes a twin of Chatterbox, or of the multilingual one. Runs with the engine's own Python.

Its architecture with one layer of the language model, and numbers drawn at random. The package fixes the widths, and all sizes of the parts that
make sound of speech tokens: those have their true sizes here.
"""
# pyright: reportMissingImports=false

import string
import sys
from pathlib import Path

import torch
from chatterbox.models.s3gen import S3Gen
from chatterbox.models.t3 import T3
from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS
from chatterbox.models.t3.modules.t3_config import T3Config
from chatterbox.models.voice_encoder import VoiceEncoder
from chatterbox.mtl_tts import SUPPORTED_LANGUAGES
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

CODES = 40  # that it likes to say, as much as it likes to stop
FAVOUR = 8.0
LOUD = 32.0  # of the channel that carries what it likes
SHORTEST = 8  # tokens


def main(folder: Path, several: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    special = ["[STOP]", "[UNK]", "[SPACE]", "[START]", *(f"[{tag}]" for tag in SUPPORTED_LANGUAGES if several)]
    vocabulary = {token: place for place, token in enumerate([*special, *string.ascii_letters, *".,!?'-"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(folder / ("grapheme_mtl_merged_expanded_v1.json" if several else "tokenizer.json")))

    torch.manual_seed(0)
    # The package watches heads of layers 9 to 13 of the multilingual one, to notice its end.
    LLAMA_CONFIGS["Llama_520M"].update(num_hidden_layers=14 if several else 1, intermediate_size=256)
    language = T3(T3Config.multilingual()) if several else T3()
    with torch.no_grad():
        # Random numbers like all tokens alike and would seldom find an end: one channel is always on, and makes some tokens likelier.
        language.speech_emb.weight[:, 0] = LOUD
        head = language.speech_head.weight
        head[:, 0] = 0.0
        for code in (*range(CODES), language.hp.stop_speech_token):
            head[code, 0] = FAVOUR * 1.4 / LOUD
        # Another is on at the first places and forbids the end there: the vocoder cannot take less than some tokens.
        language.speech_pos_emb.emb.weight[:SHORTEST, 1] = -LOUD
        head[language.hp.stop_speech_token, 1] = FAVOUR * 1.4 / LOUD
    for name, part in (("t3_cfg", language), ("s3gen", S3Gen()), ("ve", VoiceEncoder())):
        numbers = {key: tensor.contiguous().clone() for key, tensor in part.state_dict().items()}
        if several and name != "t3_cfg":
            torch.save(numbers, folder / f"{name}.pt")
        else:
            save_file(numbers, folder / f"{'t3_mtl23ls_v2' if several else name}.safetensors")
        print(f"{name}: {sum(parameter.numel() for parameter in part.parameters()) / 1e6:.1f} million parameters")


if __name__ == "__main__":
    main(Path(sys.argv[1]), several=sys.argv[2:] == ["chatterbox-many"])
