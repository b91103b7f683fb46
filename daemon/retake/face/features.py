"""What a mouth shape depends on: the phones around an instant, as visemes and articulatory features.

A phone is described twice: by its viseme (which phones look alike) and by what its articulators do. The second lets a phone
that was never seen borrow from phones that share its parts. Diphthongs carry the mean of their two ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retake.domain.phones import PHONES, SILENCE, VISEME_OF, VISEMES
from retake.domain.timing import Timing

Array = NDArray[np.float32]

GRID_RATE = 100  # features per second
TAP_STEP = 4  # grid steps between the taps of a context: 40 ms, one frame of the material the prior was trained on
TAPS = 13  # taps at -240 ... +240 ms
WINDOW = 0.04  # seconds that one feature averages over

ARTICULATION = (
    "silence", "labial", "labiodental", "dental", "alveolar", "lateral", "sibilant", "postalveolar", "velar", "rhotic",
    "round", "spread", "open", "mid", "close", "front", "back", "vowel", "nasal", "glottal",
)  # fmt: skip

_GESTURES: dict[str, dict[str, float]] = {
    SILENCE: {"silence": 1},
    "P": {"labial": 1}, "B": {"labial": 1}, "M": {"labial": 1, "nasal": 1},
    "F": {"labiodental": 1}, "V": {"labiodental": 1},
    "TH": {"dental": 1}, "DH": {"dental": 1},
    "T": {"alveolar": 1}, "D": {"alveolar": 1}, "N": {"alveolar": 1, "nasal": 1}, "L": {"alveolar": 0.5, "lateral": 1},
    "S": {"alveolar": 0.5, "sibilant": 1}, "Z": {"alveolar": 0.5, "sibilant": 1},
    "SH": {"sibilant": 1, "postalveolar": 1, "round": 0.6}, "ZH": {"sibilant": 1, "postalveolar": 1, "round": 0.6},
    "CH": {"sibilant": 1, "postalveolar": 1, "round": 0.6}, "JH": {"sibilant": 1, "postalveolar": 1, "round": 0.6},
    "K": {"velar": 1}, "G": {"velar": 1}, "NG": {"velar": 1, "nasal": 1}, "HH": {"glottal": 1},
    "R": {"rhotic": 1, "round": 0.6}, "W": {"round": 1, "close": 0.8, "back": 0.5}, "Y": {"close": 1, "spread": 0.5, "front": 1},
    "AA": {"vowel": 1, "open": 1, "back": 0.7}, "AE": {"vowel": 1, "open": 0.9, "front": 0.7}, "AH": {"vowel": 1, "mid": 0.8, "open": 0.3},
    "AY": {"vowel": 1, "open": 0.7, "close": 0.3, "front": 0.5}, "AW": {"vowel": 1, "open": 0.6, "round": 0.5, "back": 0.4},
    "EH": {"vowel": 1, "mid": 1, "front": 0.8}, "EY": {"vowel": 1, "mid": 0.6, "close": 0.4, "front": 1, "spread": 0.5},
    "ER": {"vowel": 1, "mid": 0.8, "rhotic": 1, "round": 0.3},
    "IH": {"vowel": 1, "close": 0.7, "front": 0.8, "spread": 0.3}, "IY": {"vowel": 1, "close": 1, "front": 1, "spread": 1},
    "AO": {"vowel": 1, "open": 0.5, "mid": 0.5, "round": 0.8, "back": 1}, "OW": {"vowel": 1, "mid": 0.6, "round": 1, "back": 0.8},
    "OY": {"vowel": 1, "mid": 0.5, "round": 0.6, "close": 0.3},
    "UH": {"vowel": 1, "close": 0.6, "round": 0.7, "back": 0.8}, "UW": {"vowel": 1, "close": 1, "round": 1, "back": 0.8},
}  # fmt: skip

FEATURES: tuple[str, ...] = tuple(f"viseme {name}" for name in VISEMES) + ARTICULATION


def _phone_codes() -> dict[str, Array]:
    visemes = list(VISEMES)
    codes = {}
    for phone in PHONES:
        code = np.zeros(len(FEATURES), np.float32)
        code[visemes.index(VISEME_OF[phone])] = 1
        for gesture, amount in _GESTURES[phone].items():
            code[len(visemes) + ARTICULATION.index(gesture)] = amount
        codes[phone] = code
    return codes


PHONE_CODES = _phone_codes()

# Diphthongs glide: their parts as (first, second); the first lasts this share of the phone.
GLIDES = {"AY": ("AA", "IY"), "AW": ("AA", "UW"), "EY": ("EH", "IY"), "OW": ("AO", "UW"), "OY": ("AO", "IY")}
GLIDE_AT = 0.55


def _glide_codes() -> dict[str, tuple[Array, Array]]:
    """Half of each part's own code and half of the diphthong's: it neither starts nor ends at the full vowels."""
    out: dict[str, tuple[Array, Array]] = {}
    for phone, (first, second) in GLIDES.items():
        start, end = (PHONE_CODES[phone] + PHONE_CODES[first]) / 2, (PHONE_CODES[phone] + PHONE_CODES[second]) / 2
        out[phone] = start.astype(np.float32), end.astype(np.float32)
    return out


GLIDE_CODES = _glide_codes()


def phone_features(timing: Timing, times: NDArray[np.floating], window: float = WINDOW) -> Array:
    """(n, len(FEATURES)) mean code of the phones heard within `window` seconds around each of `times` (n,); silence outside the speech.

    Exact for any window: the running integral of a code is piecewise linear, with its corners at the phones' borders. Where phones
    leave a gap it counts as silence.
    """
    silence = PHONE_CODES[SILENCE]
    corners = [min(0.0, float(np.min(times, initial=0.0))) - 10.0]
    integral = [np.zeros(len(FEATURES))]

    def extend(until: float, code: Array) -> None:
        if until > corners[-1]:
            integral.append(integral[-1] + (until - corners[-1]) * code)
            corners.append(until)

    for phone in timing.phones:
        extend(phone.start, silence)
        if phone.symbol in GLIDE_CODES:
            first, second = GLIDE_CODES[phone.symbol]
            extend(phone.start + GLIDE_AT * (phone.end - phone.start), first)
            extend(phone.end, second)
        else:
            extend(phone.end, PHONE_CODES.get(phone.symbol, silence))
    extend(max(corners[-1], float(np.max(times, initial=0.0))) + 10.0, silence)
    points, values = np.array(corners), np.array(integral)
    late, early = times + window / 2, times - window / 2
    columns = [np.interp(late, points, column) - np.interp(early, points, column) for column in values.T]
    return (np.stack(columns, 1) / window).astype(np.float32)


def dilated(rows: Array, weight: Array, step: int) -> Array:
    """Convolve without padding: rows (n, a), weight (taps, a, b) -> (n - (taps - 1) * step, b); tap k meets row i + k * step.

    Run at the grid's rate with `step` grid steps between taps, a network trained on frames 40 ms apart answers for every instant.
    """
    length = len(rows) - (len(weight) - 1) * step
    out = rows[:length] @ weight[0]
    for tap in range(1, len(weight)):
        out += rows[tap * step : tap * step + length] @ weight[tap]
    return out


def context(rows: Array, taps: int = TAPS, step: int = TAP_STEP) -> Array:
    """(n, a) rows -> (n - (taps - 1) * step, taps * a): every row beside its neighbours, earliest first."""
    length = len(rows) - (taps - 1) * step
    return np.concatenate([rows[tap * step : tap * step + length] for tap in range(taps)], 1)
