"""How often the check of takes finds faults, and raises false alarms: python bench/take_check.py SPEAKER_FOLDER [--other RECORDING] [--lines N]

SPEAKER_FOLDER holds a learnt voice and its reference.wav. N lines are spoken; each must pass, and each is spoilt in every way below and must not.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from retake.domain.speech import Speech
from retake.media.audio import read_audio, resample
from retake.settings import prepare_process

LINES = (
    "Yes.", "Not now.", "The URL is wrong.", "Call me at 555-0142.", "It costs $9.99.", "Doctor Smith paid twenty percent.",
    "Anna Kowalski lives in Gdansk.", "The year was 1984.", "Good morning, everybody.", "Could you say that again?", "Please bring your own cup.",
    "The quick brown fox jumps over the lazy dog.", "Read the instructions before you begin.", "Our office will be closed on Friday.",
    "Take the second door on the left.", "We hold these truths to be self-evident.", "Every take is checked before anyone sees it.",
    "One, two, three, four, five, six.", "Version 2.0 is out now.", "Thank you for watching, and see you next week.",
    "If you like it, keep it; if not, send it back.", "Let me show you how it works.",
)  # fmt: skip

Sound = np.ndarray
Fault = Callable[[Speech, np.random.Generator], Sound | None]


def _word(speech: Speech, random: np.random.Generator, least: float) -> tuple[int, int] | None:
    words = [word for word in speech.timing.words if word.end - word.start >= least]
    if len(speech.timing.words) < 3 or not words:
        return None
    word = words[int(random.integers(len(words)))]
    return round(word.start * speech.rate), round(word.end * speech.rate)


def _dropped(least: float) -> Fault:
    def make(speech: Speech, random: np.random.Generator) -> Sound | None:
        found = _word(speech, random, least)
        return None if found is None else np.concatenate([speech.samples[: found[0]], speech.samples[found[1] :]])

    return make


def _repeated(speech: Speech, random: np.random.Generator) -> Sound | None:
    found = _word(speech, random, 0.25)
    return None if found is None else np.concatenate([speech.samples[: found[1]], speech.samples[found[0] :]])


def _babble(speech: Speech, random: np.random.Generator) -> Sound | None:
    if speech.duration < 1.5:
        return None
    piece = speech.samples[round(0.2 * speech.rate) : round(1.2 * speech.rate)]
    return np.concatenate([speech.samples, piece[: round(0.5 * speech.rate)], piece[round(0.3 * speech.rate) :]])


def _cut(speech: Speech, random: np.random.Generator) -> Sound:
    return speech.samples[: round(0.7 * len(speech.samples))]


def _half(speech: Speech, random: np.random.Generator) -> Sound | None:
    return None if speech.duration < 1.0 else speech.samples[: len(speech.samples) // 2]


def _loud_place(speech: Speech, random: np.random.Generator) -> int:
    sound = np.abs(speech.samples)
    places = np.flatnonzero(sound > 0.2 * sound.max())
    return int(random.choice(places[(places > 1000) & (places < len(sound) - 1000)]))


def _impulse(speech: Speech, random: np.random.Generator) -> Sound:
    out = speech.samples.copy()
    out[_loud_place(speech, random)] += 0.4 * float(np.abs(out).max())
    return out


def _step(speech: Speech, random: np.random.Generator) -> Sound:
    out = speech.samples.copy()
    at = _loud_place(speech, random)
    tail = np.exp(-np.arange(len(out) - at) / 300.0).astype(np.float32)
    out[at:] += 0.4 * float(np.abs(out).max()) * tail
    return out


def _clipped(speech: Speech, random: np.random.Generator) -> Sound:
    peak = float(np.abs(speech.samples).max())
    return np.clip(speech.samples, -0.4 * peak, 0.4 * peak)


def _silent(speech: Speech, random: np.random.Generator) -> Sound:
    at = len(speech.samples) // 2
    return np.concatenate([speech.samples[:at], np.zeros(3 * speech.rate, np.float32), speech.samples[at:]])


def _noisy(speech: Speech, random: np.random.Generator) -> Sound:
    power = float(np.sqrt(np.mean(speech.samples**2)))
    return (speech.samples + random.standard_normal(len(speech.samples)) * power * 0.3).astype(np.float32)


def _offset(speech: Speech, random: np.random.Generator) -> Sound:
    return speech.samples + np.float32(0.05)


def _reversed(speech: Speech, random: np.random.Generator) -> Sound:
    return np.ascontiguousarray(speech.samples[::-1])


FAULTS: dict[str, Fault] = {
    "a long word (0.3 s and more) left out": _dropped(0.3),
    "any word left out": _dropped(0.0),
    "a word said twice": _repeated,
    "0.5 s and more of the line once more at the end": _babble,
    "the last 30 % cut off": _cut,
    "the second half missing": _half,
    "an impulse of 0.4 of the peak": _impulse,
    "a step of 0.4 of the peak": _step,
    "clipped at 0.4 of the peak": _clipped,
    "3 s of silence in the middle": _silent,
    "noise 10 dB below the speech": _noisy,
    "an offset of 0.05": _offset,
    "played backwards": _reversed,
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("speaker", type=Path)
    arguments.add_argument("--other", type=Path, help="a recording of somebody else, who speaks instead")
    arguments.add_argument("--lines", type=int, default=len(LINES))
    given = arguments.parse_args()
    prepare_process(Path(os.environ.get("RETAKE_HOME") or given.speaker).resolve())
    from retake.speech.embedded import EmbeddedVoice
    from retake.speech.take_check import check_speech, reference_voice
    from retake.speech.voiceprint import embed

    engine = EmbeddedVoice()
    sound = read_audio(given.speaker / "reference.wav", 16000)
    voice = reference_voice(sound, 16000, embed(sound, 16000))
    lines = LINES[: given.lines]
    said = [engine.speak(given.speaker, text) for text in lines]
    alarms = [text for text, speech in zip(lines, said, strict=True) if not check_speech(speech, text, voice).ok]
    print(f"| good lines flagged | {len(alarms)} of {len(said)} |")
    random = np.random.default_rng(0)
    for name, make in FAULTS.items():
        found: list[bool] = []
        for text, speech in zip(lines, said, strict=True):
            spoilt = make(speech, random)
            if spoilt is not None:
                found.append(not check_speech(replace(speech, samples=spoilt.astype(np.float32)), text, voice).ok)
        print(f"| {name} | {sum(found)} of {len(found)} |", flush=True)
    if given.other is not None:
        stranger = read_audio(given.other, 16000)
        strange = reference_voice(stranger, 16000, embed(stranger, 16000))
        long = [(text, speech) for text, speech in zip(lines, said, strict=True) if speech.duration > 2.0]
        found = ["other_voice" in {problem.code for problem in check_speech(speech, text, strange).problems} for text, speech in long]
        print(f"| somebody else's voice | {sum(found)} of {len(found)} |")
    own = [resample(speech.samples, speech.rate, 16000) for speech in said]
    print(f"({sum(len(one) for one in own) / 16000:.0f} s of speech)")


if __name__ == "__main__":
    main()
