"""Which phones are heard in a recording whose words nobody knows: hama's phone recogniser (Apache-2.0, its weights come with the package).

The recogniser is a CTC network (Graves et al. 2006): every 20 ms it gives probabilities of IPA symbols or of "nothing new". It says
well *what* is heard and poorly *when*, so the times come from aligning the phones it found (`speech.align`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retake.domain.phones import PHONES, SILENCE
from retake.domain.progress import Progress

from . import activity

if TYPE_CHECKING:
    import onnxruntime

RATE = 16000
FRAME = 0.02  # s
_CHUNK, _CONTEXT = 20.0, 1.0  # s: long recordings are heard in pieces, with some sound around each
_GAP, _MARGIN = 1.0, 0.6  # s of silence that part two stretches, and that are heard around each
_SHORT, _QUIET = 3.0, 0.8  # s below which a sound is heard with quiet around it, and how much of it
_BLANK_BIAS = 0.9  # factor on the probability of "nothing new", as hama's own decoder uses it
SYMBOLS: tuple[str, ...] = tuple(phone for phone in PHONES if phone != SILENCE)
INDEX = {symbol: i for i, symbol in enumerate(SYMBOLS)}
BLANK = len(SYMBOLS)
WORD_BREAK = BLANK + 1

# hama's IPA -> ARPAbet. Symbols of other languages that it knows too stand for their nearest English sound.
_FROM_IPA = {
    "aɪ": "AY", "aʊ": "AW", "b": "B", "d": "D", "d͡ʒ": "JH", "eɪ": "EY", "e": "EY", "f": "F", "g": "G", "h": "HH", "i": "IY", "j": "Y", "ju":
    "UW", "k": "K",
    "l": "L", "m": "M", "n": "N", "oʊ": "OW", "o": "OW", "p": "P", "r": "R", "s": "S", "t": "T", "t͡ʃ": "CH", "u": "UW", "v": "V", "w": "W", "z":
    "Z", "æ": "AE",
    "ð": "DH", "ŋ": "NG", "ɐ": "AH", "ɑ": "AA", "ɒ": "AA", "ɔ": "AO", "ɔɪ": "OY", "ə": "AH", "ᵊ": "AH", "ɚ": "ER", "ɛ": "EH", "ɜ": "ER", "ɝ":
    "ER", "ɡ": "G",
    "ɪ": "IH", "ɨ": "IH", "ɫ": "L", "ɹ": "R", "ɾ": "D", "ʃ": "SH", "ʊ": "UH", "ʌ": "AH", "ʒ": "ZH", "θ": "TH", "a": "AE", "eə": "EH", "ɪə": "IY",
    "x": "K",
    "kʰ": "K", "k͈": "K", "pʰ": "P", "p͈": "B", "tʰ": "T", "t͈": "T", "s͈": "S", "t͡ɕ": "CH", "t͡ɕʰ": "CH", "t͡ɕ͈": "JH", "ɯ": "UH", "ɦ": "HH",
    "ʔ": "T", "y": "UW",
    "ja": "AA", "je": "EH", "jo": "OW", "jʌ": "AH", "wa": "AA", "we": "EH", "wi": "IY", "wʌ": "AH", "ɯi": "IY", "ɲ": "N", "ɱ": "M", "ɸ": "F", "β":
    "V", "ɻ": "R", "ʁ": "R",
}  # fmt: skip


@lru_cache(maxsize=1)
def _network() -> tuple[onnxruntime.InferenceSession, NDArray[np.float32]]:
    """hama's network, and the matrix (its symbols, ours + blank + word break) that folds its alphabet into ours."""
    from importlib import resources

    import onnxruntime
    from hama.vocab import Vocabulary

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    model = resources.files("hama.assets").joinpath("asr_waveform_fp16.onnx").read_bytes()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    symbols = [*Vocabulary.load(None).decoder, "<wb>", "<blank>"]
    fold = np.zeros((len(symbols), len(SYMBOLS) + 2), np.float32)
    for row, symbol in enumerate(symbols):
        if symbol == "<blank>":
            fold[row, BLANK] = 1.0
        elif symbol == "<wb>":
            fold[row, WORD_BREAK] = 1.0
        elif symbol in _FROM_IPA:
            fold[row, INDEX[_FROM_IPA[symbol]]] = 1.0
    return session, fold


def posteriors(samples: NDArray[np.float32], rate: int, progress: Progress | None = None) -> NDArray[np.float32]:
    """(n, len(SYMBOLS) + 2) probabilities of each of our symbols, of "nothing new" (BLANK) and of a word break, every 20 ms.

    `progress` is only asked whether to stop.
    """
    import soxr

    sound = np.asarray(samples, np.float32)
    if rate != RATE:
        sound = soxr.resample(sound, rate, RATE).astype(np.float32)
    hop = round(FRAME * RATE)
    count = int(np.ceil(len(sound) / hop))
    out = np.zeros((count, len(SYMBOLS) + 2), np.float32)
    out[:, BLANK] = 1.0
    # Long silences upset the network, which has seen utterances only: each stretch of sound is heard by itself.
    for low, high in activity.stretches(activity.active(sound, RATE), _GAP, _MARGIN):
        first, last = int(low / FRAME), min(count, int(np.ceil(high / FRAME)))
        piece = sound[first * hop : last * hop]
        out[first:last] = _hear_short(piece * (0.7 / max(1e-6, float(np.abs(piece).max(initial=0.0)))), last - first, progress or Progress())
    return out


def _hear_short(sound: NDArray[np.float32], count: int, progress: Progress) -> NDArray[np.float32]:
    """`_hear`; a short sound gets quiet around it, without which the network hears next to nothing ("Yes." as nothing at all)."""
    if count * FRAME >= _SHORT:
        return _hear(sound, count, progress)
    lead = round(_QUIET / FRAME)
    padding = lead * round(FRAME * RATE)
    around = np.random.default_rng(0).normal(0.0, 1e-4, (2, padding)).astype(np.float32)  # digital silence is no sound that it knows
    return _hear(np.concatenate([around[0], sound, around[1]]), count + 2 * lead, progress)[lead : lead + count]


def _hear(sound: NDArray[np.float32], count: int, progress: Progress) -> NDArray[np.float32]:
    """(count, symbols) of one stretch of sound, in pieces with context."""
    session, fold = _network()
    hop = round(FRAME * RATE)
    chunk, context = round(_CHUNK / FRAME), round(_CONTEXT / FRAME)
    parts: list[NDArray[np.float32]] = []
    for start in range(0, count, chunk):
        progress.check()
        stop = min(count, start + chunk)
        low, high = max(0, start - context), min(count, stop + context)
        piece = sound[low * hop : high * hop]
        if len(piece) < 4 * hop:  # too short for the network's front end
            piece = np.pad(piece, (0, 4 * hop - len(piece)))
        raw = session.run(None, {"waveform": piece[None], "waveform_lengths": np.array([len(piece)], np.int64)})[0]
        folded = np.exp(np.asarray(raw, np.float32)[0]) @ fold
        missing = max(0, stop - low - len(folded))
        parts.append(np.pad(folded, ((0, missing), (0, 0)), mode="edge")[start - low : stop - low])
    return np.concatenate(parts)


def decode(probabilities: NDArray[np.float32]) -> tuple[list[list[str]], NDArray[np.float32]]:
    """Best path through posteriors: phones grouped into words, and (phones,) the probability of each at its peak."""
    weighted = probabilities.copy()
    weighted[:, BLANK] *= _BLANK_BIAS
    best = weighted.argmax(1)
    words: list[list[str]] = [[]]
    sure: list[float] = []
    before = -1
    for frame, symbol in enumerate(best):
        if symbol == WORD_BREAK:
            if words[-1]:
                words.append([])
        elif symbol != BLANK:
            probability = float(probabilities[frame, symbol])
            if symbol == before:
                sure[-1] = max(sure[-1], probability)
            else:
                words[-1].append(SYMBOLS[symbol])
                sure.append(probability)
        before = int(symbol)
    return [word for word in words if word], np.array(sure, np.float32)


@lru_cache(maxsize=1)
def _spelling() -> Any:
    import hama

    return hama.G2PModel()


def expected_phones(spoken: str, progress: Progress | None = None) -> list[str]:
    """The phones that the recogniser reports where `spoken` (words, numbers written out) is said clearly.

    It was taught with the labels of hama's own letter-to-sound model, which differ from a dictionary's: hearing "I" it reports IY, and
    vowels are never reduced. Counting errors against a dictionary would count those habits (0.09 to 0.16 for flawless speech).
    """
    words = "".join(c if c.isalnum() or c in "'-" else " " for c in spoken).split()
    progress = progress or Progress()
    out: list[str] = []
    for word in words:
        progress.check()
        out += _expected(word)
    return out


@lru_cache(maxsize=20_000)  # a few milliseconds each, and most words come again
def _expected(word: str) -> tuple[str, ...]:
    return tuple(_FROM_IPA[part.phoneme] for part in _spelling().predict(word).alignments if part.phoneme in _FROM_IPA)
