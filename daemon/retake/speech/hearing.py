"""Phonemes of a reference whose words are not known, as the phone recogniser hears them."""

from __future__ import annotations

import re

import numpy as np
import soxr
from numpy.typing import NDArray

from . import features
from .hibari_net import HOP, RATE, vocabulary

# The recogniser writes IPA; hibari one character a sound. Longer spellings first.
_TO_MISAKI = (
    ("t͡ʃ", "ʧ"), ("tʃ", "ʧ"), ("d͡ʒ", "ʤ"), ("dʒ", "ʤ"), ("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("oʊ", "O"), ("əʊ", "O"), ("ɔɪ", "Y"),
    ("ɝ", "ɜɹ"), ("ɚ", "əɹ"), ("hw", "w"), ("g", "ɡ"), ("ɫ", "l"), ("ɾ", "T"), ("ɨ", "ɪ"), ("r", "ɹ"), ("e", "A"), ("o", "O"),
    ("a", "ɑ"), ("y", "u"), ("ø", "ɜɹ"), ("œ", "ʌ"), ("ʁ", "ɹ"),
)  # fmt: skip
_VOWEL = re.compile("[ɑæəʌɔWIɛɜAɪiOYʊuᵊᵻ]")
_PAUSE = 0.25  # s of silence that ends a stretch
_SHORTEST = 0.25  # s of speech worth recognising


def heard_phonemes(samples: NDArray[np.float32]) -> list[str]:
    """One string of misaki phonemes for each stretch of speech between pauses (24 kHz). About one phone in five is wrong."""
    recogniser = features.phone_recogniser()
    out: list[str] = []
    for start, end in _stretches(features.quiet(samples)):
        low = soxr.resample(samples[start * HOP : end * HOP], RATE, features.RECOGNISER_RATE).astype(np.float32)
        heard = recogniser(low * (0.7 / max(1e-6, float(np.abs(low).max(initial=0.0)))), features.RECOGNISER_RATE)
        words = [_misaki(word) for word in heard.word_phoneme_text.split("|")]
        said = " ".join(word for word in words if word)
        if said:
            out.append(f"{said}.")
    return out


def _misaki(word: str) -> str:
    sound = "".join(word.split())
    for ipa, misaki in _TO_MISAKI:
        sound = sound.replace(ipa, misaki)
    known = vocabulary()
    sound = "".join(symbol for symbol in sound if symbol in known)
    vowel = _VOWEL.search(sound)  # a word without stress would be spoken as if it were a function word
    return f"{sound[: vowel.start()]}ˈ{sound[vowel.start() :]}" if vowel else sound


def _stretches(quiet: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Frames (first, past the last) of speech between pauses, with a tenth of a second around it."""
    frame = HOP / RATE
    out: list[tuple[int, int]] = []
    start, silent = None, 0
    for place, still in enumerate([*quiet.tolist(), *([True] * int(_PAUSE / frame + 2))]):
        if not still:
            start = place if start is None else start
            silent = 0
            continue
        silent += 1
        if start is not None and silent * frame > _PAUSE:
            end = place - silent + 1
            if (end - start) * frame >= _SHORTEST:
                out.append((max(0, start - 8), min(len(quiet), end + 8)))
            start = None
    return out
