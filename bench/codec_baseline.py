"""What decoding and encoding alone cost: the floor under the time of a render.

    python bench/codec_baseline.py CLIP [--seconds N]

prints, for `decode + x264` of the clip's own frames through PyAV (the settings of a take's clip, no sound, no colour conversion) and for the same
through `read_frames` and `write_clip` (RGB in between, sound, metadata): frames, seconds, frames a second, share of real time, peak memory.
Each is measured in a process of its own, so that the peaks are theirs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from retake.domain.progress import Progress
from retake.media.audio import read_audio
from retake.media.encode import CLIP
from retake.media.probe import probe
from retake.media.reader import read_frames
from retake.media.writer import write_clip


@dataclass(frozen=True)
class Measured:
    """frames, wall seconds, frames a second, wall time over clip length, and peak resident memory in MB (0 where the system does not tell)."""

    frames: int
    seconds: float
    fps: float
    of_real_time: float
    peak_mb: float


def decode_and_encode(clip: Path, target: Path, seconds: float | None = None) -> Measured:
    """Decode `clip` and encode the frames as they are with x264: the baseline."""
    began = time.perf_counter()
    count = 0
    with av.open(str(clip)) as source, av.open(str(target), "w") as sink:
        video = source.streams.video[0]
        video.thread_type = "AUTO"
        rate = Fraction(video.average_rate or 25)
        out = sink.add_stream("libx264", rate=rate, options={"crf": str(CLIP.crf), "preset": CLIP.preset, "profile": "high"})
        out.width, out.height, out.pix_fmt = video.width, video.height, "yuv420p"
        out.codec_context.time_base = 1 / rate
        for frame in source.decode(video):
            if seconds is not None and count >= seconds * rate:
                break
            frame.pts, frame.time_base = count, 1 / rate
            sink.mux(out.encode(frame))
            count += 1
        sink.mux(out.encode(None))
    return _measured(count, time.perf_counter() - began, float(rate))


def read_and_write(clip: Path, target: Path, seconds: float | None = None) -> Measured:
    """The same through the product's reader and writer."""
    began = time.perf_counter()
    info = probe(clip, need_video=True)
    reader = read_frames(clip, seconds=seconds)
    total = reader.rate.frames(info.seconds if seconds is None else min(seconds, info.seconds))
    sound = read_audio(clip, 48000, seconds=seconds) if info.has_audio else np.zeros(1, np.float32)
    width, height = reader.width // 2 * 2, reader.height // 2 * 2
    write_clip(
        target, reader, rate=reader.rate, width=width, height=height, samples=sound, sample_rate=48000, metadata={}, progress=Progress(), total=total
    )
    return _measured(total, time.perf_counter() - began, float(reader.rate))


def peak_memory_mb() -> float:
    """Peak resident memory of this process, 0 on systems that do not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def _measured(frames: int, seconds: float, rate: float) -> Measured:
    return Measured(frames, seconds, frames / seconds, seconds * rate / max(1, frames), peak_memory_mb())


WAYS = {"decode + x264": decode_and_encode, "read_frames + write_clip": read_and_write}


def measure(clip: Path, way: str, seconds: float | None = None) -> Measured:
    """Measure one of WAYS in a fresh process."""
    command = [sys.executable, __file__, str(clip), "--only", way]
    if seconds is not None:
        command += ["--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Measured(**json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of decoding and encoding alone.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, help="only the first seconds of the clip")
    parser.add_argument("--only", choices=list(WAYS), help="measure one way here and print JSON")
    arguments = parser.parse_args()
    if arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            result = WAYS[arguments.only](arguments.clip, Path(folder) / "out.mp4", arguments.seconds)
        print(json.dumps(asdict(result)))
        return
    print(f"{'':26} {'frames':>7} {'seconds':>8} {'fps':>7} {'x real time':>12} {'peak MB':>8}")
    for way in WAYS:
        m = measure(arguments.clip, way, arguments.seconds)
        print(f"{way:26} {m.frames:7d} {m.seconds:8.2f} {m.fps:7.1f} {m.of_real_time:12.3f} {m.peak_mb:8.0f}")


if __name__ == "__main__":
    main()
