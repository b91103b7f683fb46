"""Writes a twin of Pocket TTS: its architecture with few and narrow layers, and numbers drawn at random. Runs with the engine's own Python.

The network's sizes lie in the header of the file, where the adapter looks for them.
"""
# pyright: reportMissingImports=false

import json
import string
import sys
from pathlib import Path

import pocket_tts
import torch
import yaml
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

WIDTH = 64


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    letters = ["<unk>", "▁", *string.ascii_letters, *".,!?'- "]
    tokenizer = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(letters)}, merges=[], unk_token="<unk>"))
    tokenizer.save(str(folder / "tokenizer.json"))

    config = yaml.safe_load((Path(pocket_tts.__file__).parent / "config" / "english.yaml").read_text(encoding="utf-8"))
    config["flow_lm"]["transformer"].update(d_model=WIDTH, num_heads=4, num_layers=1)
    config["flow_lm"]["flow"].update(dim=WIDTH, depth=1)
    config["flow_lm"]["lookup_table"].update(dim=WIDTH, n_bins=len(letters))
    config["mimi"]["seanet"].update(n_filters=8)
    config["mimi"]["transformer"].update(num_layers=1)
    sizes = json.dumps({"flow_lm": config["flow_lm"], "mimi": config["mimi"]})

    # Without weights the package makes the network with its own first numbers.
    config.pop("weights_path_without_voice_cloning", None)
    config["weights_path"] = None
    config["flow_lm"]["lookup_table"]["tokenizer_path"] = str(folder / "tokenizer.json")
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    torch.manual_seed(0)
    model = pocket_tts.TTSModel.load_model(config=str(path))
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    path.unlink()
    save_file({name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}, folder / "model.safetensors", {"sizes": sizes})
    print(f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f} million parameters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
