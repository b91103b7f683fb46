"""Measure the mouth shape model without rendering: python bench/shape.py [--landmarks FOLDER] [--timings FOLDER] [--leave-out] [--speakers].

Rows: GRID speaker 1 (fitted on his 20 s reference, 49 other sentences), the same with a prior that has never seen him (--leave-out,
trained on the spot), the synthetic presenter (first 12.6 s, then the tail), wda clips (first 5.6 s, then the tail; no transcript, phones as
recognised, lag corrected), and each other GRID speaker with a prior that has not seen that speaker (--speakers, 3 s of each: mean mouth
only). Columns: docs/lips.md. Nothing in this folder is part of the product.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from shape_data import RATE, ROOT, Clip, align_words, grid_others, grid_speaker_1, held_out, load_landmarks, presenter, shared_data, speaker_canonical
from shape_data import training_clips as load_training_clips
from shape_metrics import figures, open_gap, summary
from shape_training import train
from train_shape_prior import STEPS, training_set

from retake.domain.timing import Phone, Timing
from retake.face.canonical import MOUTH, make_template, to_canonical
from retake.face.prior import ShapePrior, load_prior
from retake.face.shape import ShapeModel
from retake.face.sync import estimate_lag
from retake.media.audio import read_audio
from retake.speech.recognise import recognise

Row = dict[str, float]
COLUMNS = ("ratio", "ratio_sp", "lmd", "r", "rhp", "r_sp", "amp", "jit", "lag", "closure", "silence")
PRESENTER_SECONDS, WDA_SECONDS = 12.6, 5.6
# Seconds by which the picture is late, negative here: the sound comes after it. Sizes as shared/data/README.md gives them (80 to 120 ms);
# the second table of this bench finds 160 and 120 ms on the whole clips.
WDA_LAGS = {"wda_kh": -0.12, "wda_aoc": -0.12}
SMALL_TRAINING = 300  # steps for a prior from ten sentences


def from_second(timing: Timing, seconds: float) -> Timing:
    """What is said from `seconds` on, counted from there."""
    return Timing(tuple(Phone(p.symbol, max(0.0, p.start - seconds), p.end - seconds, p.stress) for p in timing.phones if p.end > seconds + 1e-4), ())


def mouths(clip: Clip) -> np.ndarray:
    assert clip.canonical is not None
    return clip.canonical[:, list(MOUTH)]


def on_tail(clip: Clip, seconds: float, prior: ShapePrior) -> Row:
    """Fit on the first `seconds` of a clip, predict the rest."""
    assert clip.canonical is not None
    first = RATE.frames(seconds)
    model = ShapeModel.fit(clip.canonical[:first], RATE, clip.timing, prior=prior)
    truth, timing = mouths(clip)[first:], from_second(clip.timing, seconds)
    mean = np.nanmean(mouths(clip)[:first], 0)
    return figures(
        model.predict(timing, len(truth), RATE), truth, timing, float(RATE), mean=mean, gap=open_gap(mouths(clip), clip.timing, float(RATE))
    )


def on_sentences(reference: Clip, clips: Iterable[Clip], prior: ShapePrior) -> list[Row]:
    """Fit on a reference, predict other clips of the same person."""
    assert reference.canonical is not None
    model = ShapeModel.fit(reference.canonical, RATE, reference.timing, prior=prior)
    mean, gap = np.nanmean(mouths(reference), 0), open_gap(mouths(reference), reference.timing, float(RATE))
    return [figures(model.predict(c.timing, len(mouths(c)), RATE), mouths(c), c.timing, float(RATE), mean=mean, gap=gap) for c in clips]


def show(name: str, row: Row) -> None:
    print(f"| {name} | " + " | ".join(f"{row[column]:.0f}" if column == "lag" else f"{row[column]:.2f}" for column in COLUMNS) + " |", flush=True)


def speaker_1(landmarks: Path | None, timings: Path | None) -> tuple[Clip, list[Clip]]:
    """His reference and the held-out sentences, in one canonical space."""
    path = shared_data() / "grid_s1" / "reference.mp4"
    text = path.with_suffix(".txt").read_text("utf-8")
    reference = Clip("reference", "s1", path, load_landmarks(path, landmarks), align_words(path, text, timings))
    held = [clip for clip in grid_speaker_1(landmarks, timings) if clip.name in held_out()]
    template = make_template(reference.landmarks)
    for clip in [reference, *held]:
        clip.canonical = to_canonical(clip.landmarks, template)[0]
    return reference, held


def wda(name: str, landmarks: Path | None) -> Clip:
    path = shared_data() / "wda" / f"{name}.mp4"
    clip = Clip(name, name, path, load_landmarks(path, landmarks), recognise(read_audio(path, 16000), 16000).timing)
    speaker_canonical([clip])
    return clip


def leave_out(name: str | None, landmarks: Path | None, timings: Path | None) -> ShapePrior:
    """A prior that has not seen the speaker `name`."""
    examples, rigid = training_set(load_training_clips(landmarks, timings), name)
    return train(examples, rigid, seed=0, steps=STEPS if name != "s1" else SMALL_TRAINING)


def other_speakers(prior_without: Callable[[str], ShapePrior], landmarks: Path | None, timings: Path | None) -> list[Row]:
    """Three seconds of each: their own mean, no more."""
    rows = []
    for clip in grid_others(landmarks, timings):
        speaker_canonical([clip])
        rows += on_sentences(clip, [clip], prior_without(clip.speaker))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--landmarks", type=Path, help="folder that keeps landmarks between runs")
    parser.add_argument("--timings", type=Path, help="folder that keeps alignments between runs")
    parser.add_argument("--leave-out", action="store_true", help="also with a prior without GRID speaker 1 (trained here, a minute)")
    parser.add_argument("--speakers", action="store_true", help="also the other GRID speakers, each with a prior without them (minutes)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    places = options.landmarks, options.timings
    print(f"| {ROOT.name}: fitted on -> predicted | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    reference, held = speaker_1(*places)
    show("GRID speaker 1, 20 s -> 49 sentences", summary(on_sentences(reference, held, load_prior())))
    if options.leave_out:
        show("the same, prior without him", summary(on_sentences(reference, held, leave_out("s1", *places))))
    actor = presenter(options.landmarks)
    speaker_canonical([actor])
    show("presenter, 12.6 s -> tail", summary([on_tail(actor, PRESENTER_SECONDS, load_prior())]))
    synced = [("GRID speaker 1, reference", reference), ("presenter", actor)]
    for name, lag in WDA_LAGS.items():
        clip = wda(name, options.landmarks)
        synced.append((name, Clip(name, name, clip.path, clip.landmarks, clip.timing, clip.canonical)))
        clip.timing = clip.timing.shifted(lag)
        show(f"{name}, 5.6 s -> tail, no transcript", summary([on_tail(clip, WDA_SECONDS, load_prior())]))
    if options.speakers:
        rows = other_speakers(lambda name: leave_out(name, *places), *places)
        show("10 other GRID speakers, prior without each, mean of the clip", summary(rows))
    print("\n| picture late by | ms | confidence | with the next clip's sound |\n|---|---|---|---|")
    sounds = [(read_audio(clip.path, 16000), clip.timing) for _, clip in synced]
    for (name, clip), own, strange in zip(synced, sounds, [*sounds[1:], sounds[0]], strict=True):
        assert clip.canonical is not None
        lag, sure = estimate_lag(clip.canonical, RATE, own[0], 16000, own[1])
        doubt = estimate_lag(clip.canonical, RATE, strange[0], 16000, strange[1])[1]
        print(f"| {name} | {1000 * lag:.0f} | {sure:.2f} | {doubt:.2f} |")


if __name__ == "__main__":
    main()
