"""Writes a twin of Wav2Lip: its generator in its true size with numbers drawn at random, laid out as the published file is.

Runs with the engine's own Python.
"""
# pyright: reportMissingImports=false

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "daemon" / "retake" / "engines" / "manifests"))
import wav2lip


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = wav2lip.Generator()
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"state_dict": state, "optimizer": None, "global_step": 1, "global_epoch": 1}, folder / "wav2lip_gan.pth")
    print(f"{sum(parameter.numel() for parameter in network.parameters()) / 1e6:.1f} million parameters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
