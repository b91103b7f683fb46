"""Edits of recordings, judged: python bench/splice.py --out FOLDER [--speaker FOLDER] [--set lj|lj-new|grid|presenter]

`lj` are the 20 edits that splicing was made with, `lj-new` 10 others that it was not, `grid` and `presenter` 6 each of the references themselves.
The folder named by RETAKE_SHARED_DATA (else ../shared/data) holds ljspeech/*.wav, grid_s1/ and presenter/. Without --speaker, the speaker is learnt
from four clips of LJ Speech. Prints one line an edit: whether all samples outside the spans are the recording's, the phone error rate before and
after, and for each join how much pitch, level and spectrum change, with the percentile of that change among the natural word boundaries of the
recordings.
Pictures of the joins: FOLDER/NN.png.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.media.audio import read_audio, write_wav
from retake.settings import prepare_process

RATE = 22050
PADDING = RATE // 2  # silence around what the recogniser hears: it drops clips of a second
LEARNT = {
    "LJ001-0001": "Printing, in the only sense with which we are at present concerned, differs from most if not from all the arts and crafts "
    "represented in the Exhibition",
    "LJ001-0003": "For although the Chinese took impressions from wood blocks engraved in relief for centuries before the woodcutters of the "
    "Netherlands, by a similar process",
    "LJ001-0004": "produced the block books, which were the immediate predecessors of the true printed book,",
    "LJ001-0005": "the invention of movable metal letters in the middle of the fifteenth century may justly be considered as the invention of the "
    "art of printing.",
}
EDITED = {
    "LJ001-0002": "in being comparatively modern.",
    "LJ001-0006": "And it is worth mention in passing that, as an example of fine typography,",
    "LJ001-0007": 'the earliest book printed with movable types, the Gutenberg, or "forty-two line Bible" of about 1455,',
    "LJ001-0008": "has never been surpassed.",
    "LJ001-0009": "Printing, then, for our purpose, may be considered as the art of making books by means of movable types.",
}
EDITS = (
    ("LJ001-0002", "comparatively", "surprisingly"),
    ("LJ001-0002", "comparatively ", ""),
    ("LJ001-0006", "fine", "modern"),
    ("LJ001-0006", "worth mention", "good to remember"),
    ("LJ001-0006", "in passing ", ""),
    ("LJ001-0006", "as an example", "as an early and beautiful example"),
    ("LJ001-0006", "And it", "And today it"),
    ("LJ001-0006", "typography,", "printing,"),
    ("LJ001-0007", "earliest", "largest"),
    ("LJ001-0007", "printed with movable types", "made by a machine"),
    ("LJ001-0007", "movable ", ""),
    ("LJ001-0007", "about 1455", "the year 1460"),
    ("LJ001-0007", "book", "and most famous book"),
    ("LJ001-0008", "surpassed", "forgotten"),
    ("LJ001-0008", "has never", "has almost never"),
    ("LJ001-0009", "our purpose", "the present discussion"),
    ("LJ001-0009", "then, ", ""),
    ("LJ001-0009", "making books", "making good and cheap books"),
    ("LJ001-0009", "by means of movable types", "on paper"),
    ("LJ001-0009", "considered as", "called"),
)
MORE = {
    "LJ001-0010": "Now, as all books not primarily intended as picture-books consist principally of types composed to form letterpress,",
}
NEW_EDITS = (
    ("LJ001-0010", "books", "journals"),
    ("LJ001-0010", "primarily ", ""),
    ("LJ001-0010", "consist principally of", "are made from"),
    ("LJ001-0010", "letterpress,", "long lines of words,"),
    ("LJ001-0009", "for our purpose", "in this chapter"),
    ("LJ001-0009", "may be", "should always be"),
    ("LJ001-0006", "that, ", ""),
    ("LJ001-0006", "mention", "a short remark"),
    ("LJ001-0007", "movable types", "wooden letters"),
    ("LJ001-0007", "the earliest", "perhaps the second"),
)
GRID_EDITS = (
    ("grid", "red with a three soon", "red with a seven soon"),
    ("grid", "Lay green", "Place green"),
    ("grid", "white with", "blue with"),
    ("grid", "nine again", "nine now"),
    ("grid", "Set blue at n five", "Set blue at five"),
    ("grid", "red in n seven again", "red in n two or three again"),
)
PRESENTER_EDITS = (
    ("presenter", "synthetic presenter", "digital speaker"),
    ("presenter", "measured, friendly", "friendly"),
    ("presenter", "the weather", "the price of bread"),
    ("presenter", "pick a picture", "pick a place"),
    ("presenter", "Nobody real", "No real person"),
    ("presenter", "Thank you very much", "Thank you"),
)
SETS = {"lj": EDITS, "lj-new": NEW_EDITS, "grid": GRID_EDITS, "presenter": PRESENTER_EDITS}


def recorded(name: str, data: Path) -> tuple[np.ndarray, str]:
    """A recording and its transcript."""
    if name == "grid":
        return read_audio(data / "grid_s1" / "reference.mp4", RATE), " ".join((data / "grid_s1" / "reference.txt").read_text("utf-8").split())
    if name == "presenter":
        return read_audio(data / "presenter" / "presenter.mp4", RATE), " ".join((data / "presenter" / "presenter.txt").read_text("utf-8").split())
    return read_audio(data / "ljspeech" / f"{name}.wav", RATE), (EDITED | MORE)[name]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--speaker", type=Path, help="a speaker's folder with the voice learnt before")
    arguments.add_argument("--set", choices=sorted(SETS), default="lj")
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    home = os.environ.get("RETAKE_HOME")
    prepare_process((Path(home) if home else given.out / "home").resolve())
    data = Path(os.environ.get("RETAKE_SHARED_DATA", "../shared/data"))
    clips = data / "ljspeech"
    from retake.speech.align import align
    from retake.speech.embedded import EmbeddedVoice
    from retake.speech.learn import enrol
    from retake.speech.measure import phone_error_rate
    from retake.speech.splice import splice
    from retake.speech.splice_join import JoinFigures, frames_of, join_figures, pitch_of

    speaker = given.speaker or given.out
    if given.speaker is None:
        silence = np.zeros(round(0.4 * RATE), np.float32)
        reference = np.concatenate([part for name in LEARNT for part in (read_audio(clips / f"{name}.wav", RATE), silence)])
        enrol(speaker, reference, RATE, " ".join(LEARNT.values()), Progress())
    originals: dict[str, Speech] = {}
    natural: list[JoinFigures] = []
    texts: dict[str, str] = {}
    for name in dict.fromkeys(edit[0] for edit in SETS[given.set]):
        samples, text = recorded(name, data)
        texts[name] = text
        originals[name] = Speech(samples, RATE, align(samples, RATE, text), "recording")
        frames = frames_of(samples, RATE, pitch_of(samples, RATE))
        words = originals[name].timing.words
        natural += [join_figures(frames, place) for word in words[1:] for place in (word.start,)]
    scales = {
        "pitch": np.sort([abs(one.pitch) for one in natural if one.pitch is not None]),
        "level": np.sort([abs(one.level) for one in natural]),
        "spectrum": np.sort([one.spectrum for one in natural]),
    }
    print(f"natural word boundaries: {len(natural)}; " + ", ".join(f"median {key} {np.median(values):.1f}" for key, values in scales.items()))
    print("| edit | same outside | PER before | after | joins: pitch (st), level (dB), spectrum (dB), each with its percentile |")
    print("|---|---|---|---|---|")
    voice = EmbeddedVoice()
    ranks: dict[str, list[float]] = {key: [] for key in scales}
    before_all, after_all = [], []
    spent = made = 0.0
    for number, (name, old, new) in enumerate(SETS[given.set], 1):
        original, text = originals[name], texts[name].replace(old, new, 1)
        started = time.process_time()
        done = splice(original, text, voice=voice, speaker=speaker)
        spent += time.process_time() - started
        made += sum(span.end - span.start for span in done.spans) / RATE
        before = phone_error_rate(np.pad(original.samples, PADDING), RATE, texts[name])
        after = phone_error_rate(np.pad(done.speech.samples, PADDING), RATE, text)
        before_all.append(before)
        after_all.append(after)
        cells = []
        for join in (join for span in done.spans for join in span.joins):
            figures = join.figures
            parts = []
            for key, value in (("pitch", figures.pitch), ("level", figures.level), ("spectrum", figures.spectrum)):
                if value is None:
                    parts.append("-")
                    continue
                rank = 100.0 * float(np.searchsorted(scales[key], abs(value))) / len(scales[key])
                ranks[key].append(rank)
                parts.append(f"{value:.1f} ({rank:.0f})")
            cells.append(f"{join.kind}: {', '.join(parts)}")
        what = f"{old.strip()} -> {new.strip() or '(nothing)'}"
        print(f"| {what} | {'yes' if same(original, done) else 'NO'} | {before:.3f} | {after:.3f} | {'; '.join(cells)} |", flush=True)
        write_wav(given.out / f"{number:02d}.wav", done.speech.samples, RATE)
        draw(given.out / f"{number:02d}.png", done, what)
    print(f"PER: {np.mean(before_all):.3f} before, {np.mean(after_all):.3f} after; {spent / max(1e-6, made):.1f} s of processor a new second")
    for key, values in ranks.items():
        print(f"{key}: median percentile {np.median(values):.0f}, {np.mean(np.array(values) > 95):.0%} of {len(values)} beyond the 95th")


def same(original: Speech, done) -> bool:
    """Whether every sample outside the spans is the recording's."""
    at = old = 0
    for span in done.spans:
        if not np.array_equal(done.speech.samples[at : span.start], original.samples[old : span.old_start]):
            return False
        at, old = span.end, span.old_end
    return np.array_equal(done.speech.samples[at:], original.samples[old:])


def draw(path: Path, done, title: str) -> None:
    """Spectrogram around the first span, joins as lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    span = done.spans[0]
    low, high = max(0, span.start - RATE), min(len(done.speech.samples), span.end + RATE)
    figure = Figure(figsize=(12, 4))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.specgram(done.speech.samples[low:high] + 1e-6, NFFT=512, Fs=RATE, noverlap=384, xextent=(low / RATE, high / RATE), vmin=-140, vmax=-40)
    for join in span.joins:
        axes.axvline(join.time, color="white", linewidth=0.8)
    for word in done.speech.timing.words:
        if low / RATE <= word.start < high / RATE:
            axes.text(word.start, 9800, word.text, color="white", fontsize=8)
    axes.set_title(title)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
