"""Train the mouth shape prior that ships with the product: python bench/train_shape_prior.py [--landmarks FOLDER] [--seed 0].

Writes daemon/retake/assets/shape_prior.safetensors and shape_prior.json (sources, licences, command, seed, held-out material). Needs
shared/data (GRID) beside the repository or at RETAKE_SHARED_DATA; takes a few minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save
from shape_data import ROOT, Clip, held_out, training_clips
from shape_training import COMPONENTS, Example, average_template, common_space, symmetric, tensors_of, train

from retake.face.space import MouthSpace

ASSETS = ROOT / "daemon/retake/assets"
# One speaker has 150 sentences, the others one each: without weights the prior would be a portrait of him.
OTHERS_WEIGHT = 6
STEPS = 500


def examples_of(clips: list[Clip], rigid: np.ndarray) -> list[Example]:
    """Mouth offsets from the speaker's mean, in the common space, for the clips of one speaker."""
    canonical = [clip.canonical for clip in clips if clip.canonical is not None]
    space = MouthSpace.of(np.concatenate(canonical), rigid)
    mouths = [space.to_common(rows) for rows in canonical]
    mean = np.nanmean(np.concatenate(mouths), 0)
    weight = 1 if clips[0].speaker == "s1" else OTHERS_WEIGHT
    return [Example(clip.speaker, clip.timing, symmetric(rows - mean), weight) for clip, rows in zip(clips, mouths, strict=True)]


def training_set(speakers: dict[str, list[Clip]], leave_out: str | None = None) -> tuple[list[Example], np.ndarray]:
    """Examples of every speaker but `leave_out`, and the stable points of the common space."""
    kept = {name: clips for name, clips in speakers.items() if name != leave_out}
    rigid = common_space([average_template(clips) for clips in kept.values()])
    return [example for clips in kept.values() for example in examples_of(clips, rigid)], rigid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--landmarks", type=Path, help="folder that keeps landmarks between runs")
    parser.add_argument("--timings", type=Path, help="folder that keeps alignments between runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    speakers = training_clips(options.landmarks, options.timings)
    examples, rigid = training_set(speakers)
    prior = train(examples, rigid, seed=options.seed, steps=options.steps)
    stored = {name: value.astype(np.float32 if name == "rigid" else np.float16) for name, value in tensors_of(prior).items()}
    (ASSETS / "shape_prior.safetensors").write_bytes(save(stored))
    record = {
        "what": "Movement of lips and jaw for phones in context, about a person's mean mouth (retake.face.prior)",
        "sources": [
            {
                "name": "GRID audiovisual sentence corpus",
                "by": "M. Cooke, J. Barker, S. Cunningham, X. Shao: An audio-visual corpus for speech perception and "
                "automatic speech recognition, JASA 120(5), 2006",
                "licence": "CC BY 4.0",
                "changes": "facial landmarks and phone times were derived from the recordings and a network trained on them; "
                "no picture or sound is contained",
                "used": {name: sorted(clip.name for clip in clips) for name, clips in speakers.items()},
            },
        ],
        "held_out": {"grid speaker 1": held_out(), "presenter": "all", "wda": "all"},
        "command": f"python bench/train_shape_prior.py --seed {options.seed} --steps {options.steps}",
        "seed": options.seed,
        "components": COMPONENTS,
        "parameters": int(sum(value.size for value in stored.values())),
        "figures": "docs/lips.md",
    }
    (ASSETS / "shape_prior.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
