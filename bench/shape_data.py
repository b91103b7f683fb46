"""Clips with landmarks and phone times for training and measuring the mouth shape model.

Landmarks come from a folder of `<folder>__<clip>.npz` files (array L) when one is given, else they are computed and, if the
folder is given, kept there. The media is described in shared/data/README.md.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retake.domain.phones import FROM_MISAKI, SILENCE
from retake.domain.rate import FrameRate
from retake.domain.timing import Phone, Timing, Word
from retake.face.canonical import make_template, to_canonical

ROOT = Path(__file__).resolve().parent.parent
RATE = FrameRate(25)

COMMANDS = {"b": "bin", "l": "lay", "p": "place", "s": "set"}
COLOURS = {"b": "blue", "g": "green", "r": "red", "w": "white"}
PREPOSITIONS = {"a": "at", "b": "by", "i": "in", "w": "with"}
DIGITS = dict(zip("z123456789", ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"), strict=True))
ADVERBS = {"a": "again", "n": "now", "p": "please", "s": "soon"}

REFERENCE = ("bbas3a", "brwa3s", "lgiz3s", "lwws7a", "prac9a", "sban5a", "srin7a")  # the seven clips that grid_s1/reference.mp4 joins


@dataclass
class Clip:
    """One clip: landmarks (n, 478, 3) in pixels, phone times, and the same landmarks in the speaker's canonical space."""

    name: str
    speaker: str
    path: Path
    landmarks: NDArray[np.float32]
    timing: Timing
    canonical: NDArray[np.float32] | None = None
    rate: FrameRate = RATE


def shared_data() -> Path:
    return Path(os.environ.get("RETAKE_SHARED_DATA", ROOT.parent / "shared" / "data"))


def grid_sentence(name: str) -> list[str]:
    """Words spelled by a GRID clip's name (Cooke et al. 2006, table I)."""
    c, k, p, letter, digit, adverb = name[-6:]
    return [COMMANDS[c], COLOURS[k], PREPOSITIONS[p], letter, DIGITS[digit], ADVERBS[adverb]]


def held_out() -> list[str]:
    """GRID speaker 1 sentences that no training sees: every fourth that is not part of the reference (48)."""
    names = sorted(p.stem for p in (shared_data() / "grid_s1").glob("*.align"))
    return [name for name in names if name not in REFERENCE][::4]


def speaker_canonical(clips: list[Clip]) -> None:
    """Give every clip of one speaker its canonical landmarks, in the space of all of them together."""
    template = make_template(np.concatenate([clip.landmarks for clip in clips]))
    for clip in clips:
        clip.canonical = to_canonical(clip.landmarks, template)[0]


def load_landmarks(path: Path, cache: Path | None) -> NDArray[np.float32]:
    stored = cache / f"{path.parent.name}__{path.stem}.npz" if cache else None
    if stored is not None and stored.exists():
        with np.load(stored) as data:
            return data["L"]
    from retake.domain.progress import Progress
    from retake.speakers.track import track_faces

    # As enrolment tracks: another way of detecting is up to half a frame later, and the prior would learn that.
    landmarks = track_faces(path, RATE, Progress()).landmarks
    if stored is not None:
        np.savez_compressed(stored, L=landmarks)
    return landmarks


def presenter_timing() -> Timing:
    record = json.loads((ROOT / "daemon/retake/assets/presenter/phones.json").read_text("utf-8"))
    phones: list[Phone] = []
    for entry in record["phones"]:
        symbols = FROM_MISAKI.get(entry["phone"], (SILENCE,))
        span = (entry["end"] - entry["start"]) / len(symbols)
        phones += [Phone(s, entry["start"] + k * span, entry["start"] + (k + 1) * span, entry["stress"]) for k, s in enumerate(symbols)]
    return Timing(tuple(phones), ())


def align_words(path: Path, text: str, cache: Path | None) -> Timing:
    """Forced alignment as the product does it at enrolment."""
    stored = cache / f"{path.parent.name}__{path.stem}.json" if cache else None
    if stored is not None and stored.exists():
        record = json.loads(stored.read_text("utf-8"))
        return Timing(tuple(Phone(*p) for p in record["phones"]), tuple(Word(*w) for w in record["words"]), False, record["confidence"])
    from retake.media.audio import read_audio
    from retake.speech.align import align

    timing = align(read_audio(path, 16000), 16000, text)
    if stored is not None:
        phones = [(p.symbol, p.start, p.end, p.stress) for p in timing.phones]
        words = [(w.text, w.start, w.end) for w in timing.words]
        stored.write_text(json.dumps({"phones": phones, "words": words, "confidence": timing.confidence}), "utf-8")
    return timing


def spoken(name: str) -> str:
    """A GRID clip's sentence as a person would type it."""
    command, *rest = grid_sentence(name)
    return " ".join([command.capitalize(), *(word.upper() if len(word) == 1 else word for word in rest)]) + "."


def grid_speaker_1(landmarks: Path | None, timings: Path | None) -> list[Clip]:
    """Every sentence of GRID speaker 1."""
    paths = sorted((shared_data() / "grid_s1").glob("*.mpg"))
    return [Clip(p.stem, "s1", p, load_landmarks(p, landmarks), align_words(p, spoken(p.stem), timings)) for p in paths]


def grid_others(landmarks: Path | None, timings: Path | None) -> list[Clip]:
    """One sentence each of ten other speakers (the eleventh file is speaker 1 again)."""
    paths = [p for p in sorted((shared_data() / "grid").glob("*.mpg")) if p.stem != "bbaf2n"]
    return [Clip(p.stem, p.stem, p, load_landmarks(p, landmarks), align_words(p, spoken(p.stem), timings)) for p in paths]


def presenter(landmarks: Path | None) -> Clip:
    """The synthetic presenter with the synthesiser's exact times."""
    path = shared_data() / "presenter" / "presenter.mp4"
    return Clip("presenter", "presenter", path, load_landmarks(path, landmarks), presenter_timing())


def training_clips(landmarks: Path | None, timings: Path | None) -> dict[str, list[Clip]]:
    """Clips by speaker, each with canonical landmarks: GRID speaker 1 without the held-out sentences, and the other speakers."""
    out = {"s1": [clip for clip in grid_speaker_1(landmarks, timings) if clip.name not in held_out()]}
    out.update({clip.speaker: [clip] for clip in grid_others(landmarks, timings)})
    for clips in out.values():
        speaker_canonical(clips)
    return out
