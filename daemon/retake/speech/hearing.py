"""Phonemes of a reference whose words are not known, as the phone recogniser hears them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retake.domain.phones import VOWELS
from retake.domain.progress import Progress

from . import features, phone_network
from .hibari_net import HOP, RATE

# The sound that hibari's alphabet has for each of ours.
_TO_MISAKI = {
    "AA": "ɑ", "AE": "æ", "AH": "ə", "AO": "ɔ", "AW": "W", "AY": "I", "EH": "ɛ", "ER": "ɜɹ", "EY": "A", "IH": "ɪ", "IY": "i", "OW": "O", "OY": "Y",
    "UH": "ʊ", "UW": "u", "B": "b", "CH": "ʧ", "D": "d", "DH": "ð", "F": "f", "G": "ɡ", "HH": "h", "JH": "ʤ", "K": "k", "L": "l", "M": "m", "N": "n",
    "NG": "ŋ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
_PAUSE = 0.25  # s of silence that ends a stretch
_SHORTEST = 0.25  # s of speech worth recognising


def heard_phonemes(samples: NDArray[np.float32], progress: Progress) -> list[str]:
    """One string of misaki phonemes for each stretch of speech between pauses (24 kHz). About one phone in five is wrong."""
    out: list[str] = []
    for start, end in _stretches(features.quiet(samples)):
        words, _ = phone_network.decode(phone_network.posteriors(samples[start * HOP : end * HOP], RATE, progress))
        if words:
            out.append(" ".join(_misaki(word) for word in words) + ".")
    return out


def _misaki(word: list[str]) -> str:
    """One word; its first vowel carries the stress, since a word without would be spoken as if it were a function word."""
    stressed = next((place for place, phone in enumerate(word) if phone in VOWELS), -1)
    return "".join(("ˈ" if place == stressed else "") + _TO_MISAKI[phone] for place, phone in enumerate(word))


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
