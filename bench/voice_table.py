"""The voices of several people, learnt and judged: python bench/voice_table.py DATA --out FOLDER --referee "COMMAND" [--code CHECKOUT]

DATA holds ljspeech, wda, presenter, grid and grid_s1. Every person is learnt from a reference and says everyday sentences (and held-out ones
of their own); `bench/voice.py` of this or another checkout does that, so that two versions can be compared in one run. COMMAND judges a file:
it is called as COMMAND GENERATED --reference REFERENCE --text WORDS and prints JSON with `sim` and `per`.
Prints a Markdown table: the mean over the lines, and `sim` of all lines joined.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

EVERYDAY = (
    "We moved the meeting to Thursday, because the new office opens a week later than planned.",
    "Could you please check the figures again before they go to the whole team?",
    "Thank you for watching; the next video shows how to set up your own garden.",
    "Nobody expected the young engineer to solve such a huge problem in five minutes.",
)
PAUSE = 0.4  # seconds between joined lines


DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SEX = {"brbk7n": "woman", "pwij3p": "man", "swiz3n": "man"}


@dataclass(frozen=True)
class Person:
    """A reference (files with the words in them, '' where they are not known), and sentences of theirs that are not in it."""

    name: str
    recordings: tuple[tuple[Path, str], ...]
    own: tuple[str, ...] = field(default=())


def people(data: Path) -> list[Person]:
    """Whom DATA holds."""
    lines = [line.split("|") for line in (data / "ljspeech" / "metadata.csv").read_text(encoding="utf-8").splitlines()]
    said = {name: text for name, _, text in lines}
    part = [data / "ljspeech" / f"LJ001-{number:04d}.wav" for number in range(11)]
    reference = tuple((part[number], said[part[number].stem]) for number in (1, 3, 4, 5))
    found = [Person("LJ Speech (woman, 34 s)", reference, tuple(said[part[number].stem] for number in (2, 6, 7, 8)))]
    found += [Person(f"{name} (8 s, no transcript)", ((data / "wda" / f"{name}.mp4", ""),)) for name in ("wda_aoc", "wda_kh")]
    presenter = data / "presenter"
    found.append(Person("presenter (23 s)", ((presenter / "presenter.mp4", (presenter / "presenter.txt").read_text(encoding="utf-8")),)))
    speaker = data / "grid_s1"
    found.append(Person("GRID speaker 1 (man, 21 s)", ((speaker / "reference.mp4", (speaker / "reference.txt").read_text(encoding="utf-8")),)))
    for clip in ("brbk7n", "pwij3p", "swiz3n"):  # three other speakers; one sentence of 3 s each is less than can be learnt from, so it comes twice
        found.append(Person(f"GRID {clip} ({SEX[clip]}, 3 s, twice)", ((data / "grid" / f"{clip}.mpg", grid_words(clip)),) * 2))
    return found


def grid_words(name: str) -> str:
    """The words that the name of a GRID clip spells."""
    command, colour, preposition, letter, digit, adverb = name
    return " ".join((
        {"b": "Bin", "l": "Lay", "p": "Place", "s": "Set"}[command], {"b": "blue", "g": "green", "r": "red", "w": "white"}[colour],
        {"a": "at", "b": "by", "i": "in", "w": "with"}[preposition], letter,
        DIGITS[0 if digit == "z" else int(digit)],
        {"a": "again", "n": "now", "p": "please", "s": "soon"}[adverb] + ".",
    ))  # fmt: skip


def learn_and_say(person: Person, folder: Path, code: Path, seeds: int) -> list[dict[str, Any]]:
    """What `bench/voice.py` of the checkout `code` prints; its files are in `folder`."""
    command = [sys.executable, str(code / "bench" / "voice.py"), "--out", str(folder)]
    command += [f"{path}={words}" for path, words in person.recordings]
    command += [word for text in lines_of(person) for word in ("--say", text)]
    command += ["--seeds", str(seeds)] if seeds > 1 else []
    environment = {**os.environ, "PYTHONPATH": str(code / "daemon")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{person.name}: {done.stderr.strip().splitlines()[-1:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def lines_of(person: Person) -> tuple[str, ...]:
    return (*EVERYDAY, *person.own)


def judge(referee: str, made: Path, reference: Path, text: str) -> dict[str, Any]:
    """The referee's opinion."""
    command = [*shlex.split(referee), str(made), "--reference", str(reference), "--text", text]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def join(files: list[Path], target: Path) -> Path:
    """One WAV file of several of the same rate, pauses between them."""
    parts: list[np.ndarray] = []
    rate = 0
    for file in files:
        with wave.open(str(file)) as sound:
            rate = sound.getframerate()
            parts += [np.frombuffer(sound.readframes(sound.getnframes()), np.int16), np.zeros(round(PAUSE * rate), np.int16)]
    with wave.open(str(target), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(np.concatenate(parts[:-1]).tobytes())
    return target


def row(person: Person, folder: Path, referee: str, code: Path, seeds: int) -> str:
    """Learn, speak and judge; a row of the table."""
    said = learn_and_say(person, folder, code, seeds)
    texts = lines_of(person)
    files = [folder / f"{number:02d}.wav" for number in range(1, len(texts) + 1)]
    reference = folder / "reference.wav"
    verdicts = [judge(referee, file, reference, text) for file, text in zip(files, texts, strict=True)]
    whole = judge(referee, join(files, folder / "joined.wav"), reference, " ".join(texts))
    own = [figures for figures in said if figures.get("seed", 0) == 0 and "text" in figures]
    spread = max(abs(figures["loudness_difference"]) for figures in own)
    cells = [
        person.name,
        f"{np.mean([v['sim'] for v in verdicts]):.3f} ({min(v['sim'] for v in verdicts):.2f}-{max(v['sim'] for v in verdicts):.2f})",
        f"{whole['sim']:.3f}",
        f"{np.mean([v['per'] for v in verdicts]):.3f}",
        f"{said[0]['f0_range']:.1f} / {np.mean([figures['f0_range'] for figures in own]):.1f}",
        f"{said[0]['phones_per_second']:.1f} / {np.mean([figures['phones_per_second'] for figures in own]):.1f}",
        f"{spread:.1f}",
        f"{said[0]['learnt_in']:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--referee", required=True)
    arguments.add_argument("--code", type=Path, default=Path(__file__).resolve().parent.parent, help="the checkout that learns and speaks")
    arguments.add_argument("--only", nargs="*", help="people whose names begin like that")
    arguments.add_argument("--seeds", type=int, default=1, help="readings of each line; the table is that of the first")
    given = arguments.parse_args()
    heads = ("reference", "sim, a line", "sim, joined", "PER", "F0 range, semitones: person / voice", "phones a second: person / voice")
    print("| " + " | ".join((*heads, "loudness, LU at most", "learnt in, s")) + " |")
    print("|---" * 8 + "|", flush=True)
    for place, person in enumerate(people(given.data)):
        if given.only and not person.name.startswith(tuple(given.only)):
            continue
        folder = given.out / f"{place:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        print(row(person, folder, given.referee, given.code, given.seeds), flush=True)


if __name__ == "__main__":
    main()
