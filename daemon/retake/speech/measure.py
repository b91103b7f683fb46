"""What can be said about a recording or a take's voice in figures: whose voice, which phones, how clean."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from retake.domain.phones import VOWELS
from retake.domain.progress import Progress

from . import activity
from .loudness import loudness
from .phone_network import decode, expected_phones, posteriors
from .pronounce import pronounce, to_arpabet
from .text import Token, check, tokens
from .voiceprint import embed

__all__ = ["SoundQuality", "has_speech", "loudness", "phone_error_rate", "similarity_meaning", "similarity_to", "sound_quality", "voice_similarity"]

Samples = NDArray[np.float32]
# Cosines of the embedder between 2-9 s of speech, measured on 16 voices of LJ Speech, GRID and public addresses:
# one person 0.91 on average, at least 0.79; two people 0.31 on average, 0.66 at the 95th percentile, 0.82 at most.
SAME_VOICE = 0.80
ALIKE_VOICE = 0.65
# Vowels and consonants that speakers of English do not tell apart reliably; counted as one when errors are counted.
_MERGED = {"AO": "AA", "UH": "AH", "D": "T", "ZH": "SH"}


def voice_similarity(a: Samples, b: Samples, rate: int, progress: Progress | None = None) -> float | None:
    """Cosine in [-1, 1] between the voices of two recordings at the same rate, None where one holds too little speech.

    One person's recordings reach 0.79-0.95, different people 0.31 on average and rarely more than 0.66 (see `similarity_meaning`).
    """
    try:
        voice = embed(b, rate, progress)
    except ValueError:
        return None
    return similarity_to(voice, a, rate, progress)


def similarity_to(voice: NDArray[np.float32] | None, samples: Samples, rate: int, progress: Progress | None = None) -> float | None:
    """`voice_similarity` of a recording and a voice that was embedded before (`voiceprint.embed`; None: it held too little speech)."""
    if voice is None:
        return None
    try:
        return float(np.clip(embed(samples, rate, progress) @ voice, -1.0, 1.0))
    except ValueError:
        return None


def similarity_meaning(value: float | None) -> str:
    """One sentence for a report."""
    if value is None:
        return "There was too little speech to compare voices."
    if value >= SAME_VOICE:
        return "As alike as two recordings of one person (0.79-0.95)."
    if value >= ALIKE_VOICE:
        return "Alike: between two recordings of one person (0.79 and more) and the most similar of different people (0.66)."
    return "Within the range of different people (0.31 on average, 0.66 for similar ones)."


def phone_error_rate(samples: Samples, rate: int, text: str, progress: Progress | None = None) -> float:
    """Share of phones that a recogniser hears wrongly, misses or adds: edit distance over the number of phones of `text`.

    0.02-0.09 is what the recogniser makes of clear speech, natural or synthetic, 1 of something else. Raises RetakeError for text that cannot
    be spoken.
    """
    check(text)
    said = merge([phone for token in tokens(text) for phone in expected_of(token, progress)])
    words, _ = decode(posteriors(samples, rate, progress))
    heard = merge([symbol for word in words for symbol in word])
    return edit_distance(said, heard) / max(1, len(said))


def expected_of(token: Token, progress: Progress | None) -> list[str]:
    """The phones that the recogniser reports for a word that is said as asked (`phone_network.expected_phones`).

    A word whose sounds a hint gives is wrong where it is said otherwise, not where it is said as written. Letters that are spelled have the
    dictionary's names: the recogniser's own letter-to-sound model makes syllables of them.
    """
    if not token.sounds:
        return [symbol for word in token.spoken.split() for symbol in _expected_word(word, progress)]
    around = expected_phones(token.opening, progress), expected_phones(token.closing, progress)
    return [*around[0], *(symbol for symbol, _ in to_arpabet(token.sounds)), *around[1]]


def _expected_word(word: str, progress: Progress | None) -> list[str]:
    letter = word.strip(".,;:!?…\"'()—-")
    if len(letter) == 1 and letter.isalpha() and letter not in "aAI":
        return [symbol for one in pronounce(letter) for symbol, _ in one.phones]
    return expected_phones(word, progress)


def merge(phones: list[str]) -> list[str]:
    """Fold phones that are hard to tell apart, and a schwa with R into ER."""
    out: list[str] = []
    for phone in phones:
        symbol = _MERGED.get(phone, phone)
        if symbol == "R" and out and out[-1] in ("AH", "ER"):
            out[-1] = "ER"
        else:
            out.append(symbol)
    return out


def edit_distance(a: list[str], b: list[str]) -> int:
    """Levenshtein distance."""
    row = np.arange(len(b) + 1)
    other = np.array(b)
    for i, symbol in enumerate(a, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (other != symbol)) if len(b) else row[1:]
        # Insertions run along the row: subtracting the index turns them into a running minimum.
        joined = np.concatenate([[i], best]) - np.arange(len(b) + 1)
        row = np.minimum.accumulate(joined) + np.arange(len(b) + 1)
    return int(row[-1])


@dataclass(frozen=True)
class SoundQuality:
    """Levels in dB re full scale (loudness in LUFS), times in s.

    snr: speech level over noise floor, dB. clipped: share of samples at or next to full scale in runs. bandwidth: Hz up to which the
    speech has energy. pauses: share of the recording in which nobody speaks. humming: dB by which mains hum stands out (0: none).
    """

    duration: float
    loudness: float
    speech: float
    noise: float
    snr: float
    peak: float
    clipped: float
    bandwidth: float
    pauses: float
    humming: float
    offset: float
    has_speech: bool


def sound_quality(samples: Samples, rate: int) -> dict[str, Any]:
    """What is measured of a recording, as plain figures (keys: fields of `SoundQuality`)."""
    sound = np.asarray(samples, np.float32)
    level = activity.levels(sound, rate)
    noise, _ = activity.noise_and_speech(level)
    loud = activity.active(sound, rate)
    speech = float(10 * np.log10(np.mean(10 ** (level[loud] / 10)))) if loud.any() else float(level.max(initial=-100.0))
    quiet = level[~loud]
    if len(quiet) > 20:  # a fifth of a second of pauses: their mean is the noise that listeners hear
        noise = float(10 * np.log10(np.mean(10 ** (np.sort(quiet)[: max(1, len(quiet) * 3 // 4)] / 10))))
    peak = float(np.abs(sound).max(initial=0.0))
    quality = SoundQuality(
        duration=round(len(sound) / rate, 3),
        loudness=round(loudness(sound, rate), 1),
        speech=round(speech, 1),
        noise=round(noise, 1),
        snr=round(max(0.0, speech - noise), 1),
        peak=round(20 * float(np.log10(max(peak, 1e-5))), 1),
        clipped=round(_clipped(sound), 6),
        bandwidth=round(_bandwidth(sound, rate, loud)),
        pauses=round(float(1.0 - loud.mean()) if len(loud) else 1.0, 3),
        humming=round(_humming(sound, rate), 1),
        offset=round(float(sound.mean()) if len(sound) else 0.0, 5),
        has_speech=has_speech(sound, rate),
    )
    return asdict(quality)


def _clipped(sound: Samples) -> float:
    """Share of samples in runs of three or more that stay within 0.2 % of the recording's peak, if that peak is near full scale or flat."""
    if not len(sound):
        return 0.0
    peak = float(np.abs(sound).max())
    if peak < 0.05:
        return 0.0
    stuck = np.abs(sound) >= 0.998 * peak
    return sum(b - a for a, b in activity.runs(stuck) if b - a >= 3) / len(sound)


def _spectrum(sound: Samples, points: int) -> NDArray[np.float64]:
    """Mean power spectrum over half-overlapping Hann windows."""
    if len(sound) < points:
        sound = np.pad(sound, (0, points - len(sound)))
    views = np.lib.stride_tricks.sliding_window_view(sound, points)[:: points // 2]
    window = np.hanning(points).astype(np.float32)
    total = np.zeros(points // 2 + 1)
    for low in range(0, len(views), 256):
        total += (np.abs(np.fft.rfft(views[low : low + 256] * window, axis=1)) ** 2).sum(0)
    return total / len(views)


def _bandwidth(sound: Samples, rate: int, loud: NDArray[np.bool_]) -> float:
    """Highest frequency at which speech stands 6 dB over its pauses and within 60 dB of its strongest band."""
    step = round(activity.STEP * rate)
    keep = np.repeat(loud, step)[: len(sound)]
    speech = sound[: len(keep)][keep]
    pauses = sound[: len(keep)][~keep]
    if len(speech) < rate // 5:
        return 0.0
    points = 1024 if rate > 20000 else 512
    power = gaussian_filter1d(_spectrum(speech, points), 2) + 1e-12
    noise = gaussian_filter1d(_spectrum(pauses, points), 2) if len(pauses) > rate // 5 else np.zeros_like(power)
    good = np.flatnonzero((power > power.max() * 1e-6) & (power > 4 * noise))
    return float(good[-1] * rate / points) if len(good) else 0.0


def _humming(sound: Samples, rate: int) -> float:
    """dB by which the strongest of 50, 60, 100 and 120 Hz stands out from its surroundings in the quieter half of the recording."""
    block = rate  # 1 s: 1 Hz resolution
    if len(sound) < 2 * block:
        return 0.0
    views = np.lib.stride_tricks.sliding_window_view(sound, block)[:: block // 2]
    energy = (views[:, :: max(1, rate // 8000)] ** 2).mean(1)
    quiet = views[np.argsort(energy)[: max(1, len(views) // 2)]]
    power = np.zeros(block // 2 + 1)
    window = np.hanning(block).astype(np.float32)
    for view in quiet[:60]:
        power += np.abs(np.fft.rfft(view * window)) ** 2
    stands = 0.0
    for hum in (50, 60, 100, 120):
        around = np.median(np.concatenate([power[hum - 9 : hum - 3], power[hum + 4 : hum + 10]]))
        stands = max(stands, 10 * float(np.log10((power[hum - 1 : hum + 2].max() + 1e-12) / (around + 1e-12))))
    return stands if stands > 12.0 else 0.0


def has_speech(samples: Samples, rate: int, progress: Progress | None = None) -> bool:
    """Whether somebody talks in a recording; no for silence, tones, noise and music without voice.

    Speech is what a phone recogniser hears as a quick succession of sure phones, vowels and consonants, while the level goes up and down.
    """
    sound = np.asarray(samples, np.float32)
    if len(sound) < 0.2 * rate:
        return False
    loud = activity.active(sound, rate)
    seconds = float(loud.sum()) * activity.STEP
    if seconds < 0.15:
        return False
    words, sure = decode(posteriors(sound, rate, progress))
    phones = [symbol for word in words for symbol in word]
    certain = [symbol for symbol, probability in zip(phones, sure, strict=True) if probability >= 0.5]
    if len(certain) < 3 or len(set(certain)) < 3:
        return False
    vowels = sum(symbol in VOWELS for symbol in certain) / len(certain)
    density = len(certain) / max(seconds, len(loud) * activity.STEP * 0.05)
    return density >= 3.0 and 0.1 <= vowels <= 0.9
