"""Self-reenactment: enrol on one part of a person's real footage, drive with the real sound of another part, compare.

    python bench/reenact.py REFERENCE --transcript TEXT|FILE --out FOLDER [--seconds S] CLIP [CLIP ...]
    python bench/reenact.py VIDEO --out FOLDER --seconds 12.6 --tail [--lag 0.08]

Each CLIP may be written as `path=words that are said in it`; without words the phone recogniser listens. With --tail the rest of
VIDEO itself, after --seconds, is the truth. --lag says by how many seconds the picture of that tail is late against its sound.
Writes FOLDER/NAME.mp4 for each clip and prints a line for each. The generated clips start where the truth starts, so any tool can compare
them frame by frame.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from retake import pipeline
from retake.cli_options import text_or_file
from retake.domain.progress import Progress
from retake.domain.take import TakeRequest
from retake.media.audio import read_audio, write_wav
from retake.settings import prepare_process
from retake.speakers.enrol import enrol

RATE = 48000
CONSENT = "Measurement only: this person's own footage is compared with a reproduction of what they really said in it."


def cut_sound(video: Path, start: float, target: Path) -> Path:
    """The sound of `video` from `start` seconds to its end, as a WAV file."""
    samples = read_audio(video, RATE, start=max(0.0, start))
    write_wav(target, samples, RATE)
    return target


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("reference", type=Path)
    arguments.add_argument("clips", nargs="*")
    arguments.add_argument("--transcript", help="of the reference (with --seconds: of its beginning)")
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--seconds", type=float, default=60.0, help="use this much of the reference")
    arguments.add_argument("--tail", action="store_true")
    arguments.add_argument("--tail-transcript")
    arguments.add_argument("--lag", type=float, default=0.0)
    given = arguments.parse_intermixed_args()
    given.out.mkdir(parents=True, exist_ok=True)
    home = Path(os.environ.get("RETAKE_HOME", given.out / "home")).resolve()
    home.mkdir(parents=True, exist_ok=True)
    prepare_process(home)

    start = time.perf_counter()
    enrol(
        given.reference,
        name="bench",
        transcript=given.transcript and text_or_file(given.transcript, "transcript"),
        consent=CONSENT,
        home=home,
        progress=Progress(),
        replace=True,
        max_seconds=given.seconds,
    )
    print(json.dumps({"enrolled": str(given.reference), "seconds": round(time.perf_counter() - start, 1)}), flush=True)

    jobs: list[tuple[str, Path, str | None]] = []
    for clip in given.clips:
        path, _, words = clip.partition("=")
        jobs.append((Path(path).stem, Path(path), words or None))
    if given.tail:
        sound = cut_sound(given.reference, given.seconds - given.lag, given.out / "tail.wav")
        jobs.append(("tail", sound, given.tail_transcript and text_or_file(given.tail_transcript, "transcript")))
    for name, sound, words in jobs:
        begun = time.perf_counter()
        request = TakeRequest(speaker="bench", audio=str(sound.resolve()), text=words or "")
        take = pipeline.render(request, home=home, output=given.out / f"{name}.mp4", progress=Progress())
        print(json.dumps({"clip": name, "frames": take.frames, "seconds": round(time.perf_counter() - begun, 2)}), flush=True)


if __name__ == "__main__":
    main()
