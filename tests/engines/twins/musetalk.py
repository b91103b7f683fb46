"""Writes a twin of MuseTalk: the blocks of its networks, narrow, with numbers drawn at random, laid out as the published files are.

Channels in and out, blocks, the width of the sound and its five layers are the true ones. Runs with the engine's own Python.
"""
# pyright: reportMissingImports=false

import json
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

WIDTHS = [32, 32, 64, 64]
HEARD = 384
# The published codec was written before diffusers renamed these.
OLD = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def main(folder: Path) -> None:
    for name in ("musetalkV15", "sd-vae", "whisper"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    config = {
        "_class_name": "UNet2DConditionModel",
        "_diffusers_version": "0.6.0.dev0",
        "act_fn": "silu",
        "attention_head_dim": 8,
        "block_out_channels": WIDTHS,
        "center_input_sample": False,
        "cross_attention_dim": HEARD,
        "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        "downsample_padding": 1,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "in_channels": 8,
        "layers_per_block": 2,
        "mid_block_scale_factor": 1,
        "norm_eps": 1e-05,
        "norm_num_groups": 32,
        "out_channels": 4,
        "sample_size": 64,
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    }
    (folder / "musetalkV15" / "musetalk.json").write_text(json.dumps(config), encoding="utf-8")
    unet = UNet2DConditionModel.from_config(config)
    torch.save(unet.state_dict(), folder / "musetalkV15" / "unet.pth")

    codec = {
        "_class_name": "AutoencoderKL",
        "block_out_channels": [32, 32, 32, 32],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "in_channels": 3,
        "latent_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 32,
        "out_channels": 3,
        "sample_size": 256,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
    }
    (folder / "sd-vae" / "config.json").write_text(json.dumps(codec), encoding="utf-8")
    vae = AutoencoderKL.from_config(codec)
    save_file(
        {_old(name): tensor.contiguous() for name, tensor in vae.state_dict().items()}, folder / "sd-vae" / "diffusion_pytorch_model.safetensors"
    )

    sizes = {"encoder_layers": 4, "decoder_layers": 1, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": 64}
    tokens = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}
    whisper = WhisperModel(WhisperConfig(d_model=HEARD, encoder_attention_heads=6, decoder_attention_heads=6, **sizes, **tokens))
    whisper.save_pretrained(folder / "whisper")
    WhisperFeatureExtractor().save_pretrained(folder / "whisper")
    for name, network in (("unet", unet), ("codec", vae), ("ears", whisper.get_encoder())):
        print(f"{name}: {sum(parameter.numel() for parameter in network.parameters()) / 1e6:.1f} million parameters")


def _old(name: str) -> str:
    if ".attentions." in name:
        for new, old in OLD.items():
            name = name.replace(f".{new}.", f".{old}.")
    return name


if __name__ == "__main__":
    main(Path(sys.argv[1]))
