"""How long a render takes against the length of its clip, beside decode + x264 of the same frames alone, and how much memory it needs.

    python bench/speed.py --speaker presenter [--big SPEAKER_1080P] [--memory] [--out FOLDER]

Every figure is a whole `retake say` process: start-up, imports, speech, motion, picture, sound, sidecars. Timings on shared machines
move: read the ratios. --big names a speaker enrolled from a 1080p reference (`bench/upscale.py` makes one from any video).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import codec_baseline as codec

SENTENCES = (
    "Welcome back to the second part of our course on making bread at home.",
    "Today we look at flour, water, salt and time, and at what each of them does.",
    "A wet dough is harder to shape, but it gives a lighter crumb.",
    "Fold it every half hour, and keep it covered while it rests.",
    "When the surface looks smooth and full of small bubbles, it is ready to bake.",
    "Please write to us if yours did not rise; most often the kitchen was too cold.",
)


@dataclass(frozen=True)
class Run:
    """One measured process."""

    wall: float  # seconds
    peak: float  # MB
    output: str


def timed(command: list[str]) -> Run:
    """Run a command to its end; wall time and peak resident memory of its largest process."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        out.seek(0)
        text = out.read()
    if status:
        raise SystemExit(f"{' '.join(command[:6])} ... failed with status {os.waitstatus_to_exitcode(status)}:\n{text}")
    scale = 1024 if sys.platform != "darwin" else 1024 * 1024
    return Run(wall, usage.ru_maxrss / scale, text)


def words_for(seconds: float) -> str:
    """Sentences that last about `seconds` when spoken (4.4 s each on average)."""
    count = max(1, int(seconds / 4.7))
    return " ".join(SENTENCES[i % len(SENTENCES)] for i in range(count))


def say(speaker: str, seconds: float, seed: int, target: Path) -> tuple[Run, float]:
    """Render a fresh take of about `seconds`; returns the run and the exact length of the clip."""
    command = [
        sys.executable,
        "-m",
        "retake",
        "say",
        words_for(seconds),
        "--speaker",
        speaker,
        "--seed",
        str(seed),
        "-o",
        str(target),
        "--json",
        "--quiet",
    ]
    run = timed(command)
    take = json.loads(run.output)
    return run, float(take["measured"]["seconds"])


def baseline(clip: Path) -> float:
    """Seconds that decode + x264 of the same frames take alone."""
    return codec.measure(clip, "decode + x264").seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--speaker", default="presenter")
    arguments.add_argument("--big", help="speaker with a 1080p reference")
    arguments.add_argument("--lengths", type=float, nargs="+", default=[10.0, 60.0])
    arguments.add_argument("--memory", action="store_true", help="also 30 s against 10 min")
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    # Seeds nobody used before: a take that exists is not rendered again.
    seed = int(time.time()) % 2**30
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{'picture':>9} {'clip s':>7} {'wall s':>7} {'wall/clip':>9} {'codec/clip':>10} {'ratio':>6} {'peak MB':>8}")
        for label, speaker in (("reference", given.speaker), ("1080p", given.big)):
            if speaker is None:
                continue
            for number, seconds in enumerate(given.lengths):
                target = folder / f"{label}-{seconds:.0f}.mp4"
                run, length = say(speaker, seconds, seed + number, target)
                codec = baseline(target)
                row = (label, length, run.wall, run.wall / length, codec / length, run.wall / codec, run.peak)
                print("{:>9} {:7.1f} {:7.1f} {:9.2f} {:10.2f} {:6.2f} {:8.0f}".format(*row), flush=True)
        if given.memory:
            peaks: list[float] = []
            for number, seconds in enumerate((30.0, 600.0)):
                run, length = say(given.speaker, seconds, seed + 100 + number, folder / f"memory-{seconds:.0f}.mp4")
                peaks.append(run.peak)
                print(f"memory: {length:6.1f} s clip, peak {run.peak:.0f} MB, wall/clip {run.wall / length:.2f}", flush=True)
            print(f"memory: 10 min against 30 s: {peaks[1] / peaks[0]:.2f} x")


if __name__ == "__main__":
    main()
