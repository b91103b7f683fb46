"""Learn a voice from recordings and let it speak: python bench/voice.py --out FOLDER RECORDING=WORDS ... --say "TEXT" [--say ...]

Each RECORDING is an audio or video file with the words said in it (text, or the name of a text file); several are joined with pauses, as
one reference. Writes FOLDER/reference.wav, FOLDER/NN.wav for every text and prints the product's own figures for each, so that any
other tool can judge the same files.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from retake.cli_options import text_or_file
from retake.domain.progress import Progress
from retake.media.audio import read_audio, write_wav
from retake.settings import prepare_process

RATE, WORKING = 48000, 24000
PAUSE = 0.4  # seconds between joined recordings


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("recordings", nargs="+")
    arguments.add_argument("--say", action="append", required=True)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--seeds", type=int, default=1, help="readings of every text; those behind the first are NN-SEED.wav")
    given = arguments.parse_intermixed_args()
    given.out.mkdir(parents=True, exist_ok=True)
    prepare_process(Path(os.environ.get("RETAKE_HOME") or given.out / "home").resolve())
    from retake.speech.embedded import EmbeddedVoice
    from retake.speech.learn import enrol
    from retake.speech.measure import loudness, phone_error_rate, voice_similarity

    parts: list[np.ndarray] = []
    words: list[str] = []
    for recording in given.recordings:
        path, _, text = recording.partition("=")
        parts += [read_audio(Path(path), RATE), np.zeros(round(PAUSE * RATE), np.float32)]
        words.append(text_or_file(text, "transcript"))
    reference = np.concatenate(parts[:-1])
    write_wav(given.out / "reference.wav", reference, RATE)
    start = time.perf_counter()
    profile = enrol(given.out, reference, RATE, " ".join(words), Progress())
    took = round(time.perf_counter() - start, 1)
    seconds = round(len(reference) / RATE, 1)
    print(json.dumps({"reference_seconds": seconds, "learnt_in": took} | _manner(_at(reference, RATE, WORKING), " ".join(words))), flush=True)
    voice = EmbeddedVoice()
    for number, text in enumerate(given.say, 1):
        for seed in range(given.seeds):
            start = time.perf_counter()
            speech = voice.speak(given.out, text, seed=seed, pace=1.0, progress=Progress())
            took = time.perf_counter() - start
            write_wav(given.out / (f"{number:02d}-{seed}.wav" if seed else f"{number:02d}.wav"), speech.samples, speech.rate)
            own = {
                "text": text[:50],
                "seed": seed,
                "seconds": round(speech.duration, 2),
                "real_time_factor": round(took / speech.duration, 3),
                "similarity": voice_similarity(_at(speech.samples, speech.rate), _at(reference, RATE), 16000),
                "phone_error_rate": round(phone_error_rate(speech.samples, speech.rate, text), 3),
                "loudness_difference": round(loudness(speech.samples, speech.rate) - (profile.loudness_lufs or loudness(reference, RATE)), 2),
            }
            print(json.dumps(own | _manner(_at(speech.samples, speech.rate, WORKING), text)), flush=True)


def _manner(samples: np.ndarray, text: str) -> dict[str, float]:
    """Pitch (median, Hz; range, semitones between the 5th and the 95th percentile) and phones a second of speech at 24 kHz, pauses left out."""
    from retake.speech import features
    from retake.speech.plan import plan

    pitch = features.pitch(samples)
    quiet = features.quiet(samples)[: len(pitch)]
    voiced = pitch[: len(quiet)][(pitch[: len(quiet)] > 50.0) & ~quiet]
    low, high = np.percentile(voiced, (5, 95)) if len(voiced) else (1.0, 1.0)
    spoken = max(1e-6, float((~quiet).sum()) * 300 / WORKING)
    phones = sum(symbol.isalpha() and symbol not in "ˈˌː" for utterance in plan(text) for symbol in utterance.phonemes) if text.strip() else 0
    return {
        "f0": round(float(np.median(voiced)) if len(voiced) else 0.0, 1),
        "f0_range": round(12 * float(np.log2(high / low)), 2),
        "phones_per_second": round(phones / spoken, 2),
    }


def _at(samples: np.ndarray, rate: int, wanted: int = 16000) -> np.ndarray:
    from retake.media.audio import resample

    return resample(samples, rate, wanted)


if __name__ == "__main__":
    main()
