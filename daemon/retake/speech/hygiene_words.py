"""The words of a transcript that are left when stretches of its recording are left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .cache import TIMING_FILE, load_timing
from .hygiene_record import LeftOut

_MOSTLY = 0.6  # share of a word that lies in what is left out
_LONGEST = 1.5  # s; what lasts longer was drawn over sounds that are not in the transcript, and says nothing


def kept_words(text: str, left_out: Sequence[LeftOut], folder: Path) -> str:
    """`text` without the words that are heard where the recording is left out, by the word times in the speaker's `folder`.

    Unchanged where nothing is left out, and where there are no times of these very words.
    """
    if not left_out or not (folder / TIMING_FILE).is_file():
        return text
    words = load_timing(folder).words
    written = text.split()
    if len(written) != len(words):
        return text
    kept: list[str] = []
    for word, heard in zip(written, words, strict=True):
        length = heard.end - heard.start
        hidden = sum(max(0.0, min(heard.end, part.end) - max(heard.start, part.start)) for part in left_out)
        if length <= 0 or length > _LONGEST or hidden < _MOSTLY * length:
            kept.append(word)
        elif kept and word[-1] in ".!?" and kept[-1][-1] not in ".!?":
            kept[-1] = kept[-1].rstrip(",;:") + word[-1]  # the sentence ends all the same
    return " ".join(kept)
