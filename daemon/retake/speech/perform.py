"""One utterance spoken in a learnt voice, with the times of its phones and words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from retake.domain.phones import FROM_MISAKI, SILENCE, VOWELS
from retake.domain.timing import Phone, Word

from . import features
from .hibari_net import HOP, RATE, STEP_SECONDS, HibariNet, expand
from .material import PITCHED
from .plan import Utterance
from .synthesis import pulse_spectrum, render
from .voice_store import Voice

# s by which the duration grid trails the sound. Measured on fricatives and closures of the base voice (docs/voice.md).
GRID_LATE = 0.050
SHORTEST_PAUSE = 0.08  # s; shorter gaps belong to the phones beside them
SHORTEST_PHONE = 0.04  # s that a phone keeps when the silence beside it is measured
EDGE_BEFORE, EDGE_AFTER = 0.05, 0.08  # s of silence kept around an utterance
FADE = 0.01  # s
ROOM_PIECE, ROOM_FADE = 60 * RATE, RATE // 20  # samples of room made at a time, and over which two of them are joined
# How far another reading strays from the plain one: within what a person does when asked to say it again.
PITCH_SHIFT, PITCH_WANDER, PITCH_SPREAD = 0.03, 0.035, 0.10  # ln units, ln units, share of the range
TEMPO_SHIFT, TEMPO_WANDER = 0.025, 0.08  # ln units a sentence, ln units a phoneme
_STRESS = {"ˈ": 1, "ˌ": 2}
_LENGTH = "ː"


@dataclass(frozen=True)
class Spoken:
    """Sound of one utterance, silence trimmed at its edges, and what is heard when (seconds from its first sample)."""

    samples: NDArray[np.float32]
    phones: tuple[Phone, ...]
    words: tuple[Word, ...]


@torch.no_grad()
def perform(base: HibariNet, voice: Voice, utterance: Utterance, *, seed: int, place: int, pace: float) -> Spoken:
    """Speak. The same seed and place give the same samples; seed 0 is the plain reading.

    Args:
        place: number of the utterance in its text, so that no two share their noise.
        pace: relative to the person's own.
    """
    random = np.random.default_rng([seed, place])
    strength = 0.0 if seed == 0 else 1.0
    ids = torch.tensor([utterance.ids])
    encoded = base.prosody.text(ids)
    steps = base.prosody.steps(encoded).numpy() / (pace * voice.profile.pace)
    tempo = TEMPO_SHIFT * random.standard_normal() + TEMPO_WANDER * random.standard_normal(len(steps)).clip(-2, 2)
    durations = torch.from_numpy(np.maximum(1, np.round(steps * np.exp(strength * tempo))).astype(np.int64))
    index = expand(durations)
    pitch, energy = base.prosody.contours(encoded, index)
    told = pitch[0].numpy()
    voiced = told > PITCHED
    wander = gaussian_filter1d(random.standard_normal(len(told)), 24.0) * np.sqrt(2 * 24.0 * np.sqrt(np.pi))
    centre = float(np.median(np.log(told[voiced]))) if voiced.any() else 0.0
    spread = 1.0 + strength * PITCH_SPREAD * float(np.clip(random.standard_normal(), -1.5, 1.5))
    moved = (np.log(np.maximum(told, PITCHED)) - centre) * spread + centre
    moved += strength * (PITCH_SHIFT * float(np.clip(random.standard_normal(), -1.5, 1.5)) + PITCH_WANDER * wander.clip(-2, 2))
    told = np.where(voiced, np.exp(moved), told).astype(np.float32)
    spectra = voice.net(base.voice.text(ids), index, torch.from_numpy(told)[None], energy)
    pulses = pulse_spectrum(voice.profile.pitch_map.to_person(told))
    noise = torch.Generator().manual_seed(int(random.integers(2**62)))
    samples = render(spectra, pulses[None], noise)[0].numpy()
    return _trim(samples, *_times(utterance, durations.numpy(), samples))


def room_tone(room: torch.Tensor, count: int, seed: int) -> NDArray[np.float32]:
    """`count` samples of the person's silence, at the network's level, from its log magnitudes (BINS,)."""
    generator = torch.Generator().manual_seed(seed)
    out = np.zeros(count, np.float32)
    # A minute at a time: a spectrum takes a hundred times the memory of its sound.
    for begin in range(0, count, ROOM_PIECE):
        piece = _room_piece(room, min(ROOM_PIECE + ROOM_FADE, count - begin), generator)
        if begin:
            fade = min(ROOM_FADE, len(piece))
            ramp = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
            piece[:fade] = piece[:fade] * np.sin(ramp) + out[begin : begin + fade] * np.cos(ramp)
        out[begin : begin + len(piece)] = piece
    return out


def _room_piece(room: torch.Tensor, count: int, generator: torch.Generator) -> NDArray[np.float32]:
    frames = count // HOP + 2
    shape = (len(room), frames)
    spectrum = torch.complex(torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)) * torch.exp(room)[:, None]
    window = torch.hann_window(1200)
    return torch.istft(torch.nn.functional.pad(spectrum, (0, 1)), 1200, HOP, window=window, center=True, length=frames * HOP).numpy()[:count]


@dataclass
class _Span:
    """A phone (or a gap, symbol SIL) on the way to its final times."""

    symbol: str
    start: float
    end: float
    stress: int = 0
    word: int = -1


def _times(utterance: Utterance, durations: NDArray[np.int64], samples: NDArray[np.float32]) -> tuple[list[_Span], tuple[str, ...]]:
    """Spans that tile the samples without gaps."""
    ends = np.cumsum(durations) * STEP_SECONDS - GRID_LATE
    total = len(samples) / RATE
    spans = [_Span(SILENCE, 0.0, max(0.0, float(ends[0])))]
    stress, begin = 0, spans[0].end
    for place, symbol in enumerate(utterance.phonemes):
        end = max(begin, float(ends[place + 1]))
        if symbol in _STRESS:
            stress = _STRESS[symbol]
            continue  # the mark's own time goes to the phone it stands before
        sounds = FROM_MISAKI.get(symbol, ())
        if sounds:
            edges = np.linspace(begin, end, len(sounds) + 1)
            for number, sound in enumerate(sounds):
                vowel = sound in VOWELS
                spans.append(_Span(sound, float(edges[number]), float(edges[number + 1]), stress if vowel else 0, utterance.owner[place]))
                stress = 0 if vowel else stress
        elif symbol.isalpha() or symbol == _LENGTH:
            spans[-1].end = end
        else:
            _add_gap(spans, begin, end)
        begin = end
    _add_gap(spans, begin, total)
    return _settle(_fit_silence(spans, samples)), utterance.words


def _add_gap(spans: list[_Span], begin: float, end: float) -> None:
    if spans[-1].symbol == SILENCE:
        spans[-1].end = end
    else:
        spans.append(_Span(SILENCE, begin, end))


def _fit_silence(spans: list[_Span], samples: NDArray[np.float32]) -> list[_Span]:
    """Move the edges of every gap to where the sound stops and starts: durations say it to within some 50 ms only, and the last
    phone before a pause carries part of the pause."""
    quiet = features.quiet(samples)
    frame = HOP / RATE
    for place, span in enumerate(spans):
        if span.symbol != SILENCE or not len(quiet):
            continue
        before = spans[place - 1] if place else None
        after = spans[place + 1] if place + 1 < len(spans) else None
        low = int(np.ceil((before.start + SHORTEST_PHONE) / frame)) if before else 0
        high = int((after.end - SHORTEST_PHONE) / frame) if after else len(quiet)
        low, high = max(0, low), min(len(quiet), high)
        run = _longest_run(quiet[low:high], int(span.start / frame) - low, int(span.end / frame) - low)
        if run is None:
            start = end = min(max((span.start + span.end) / 2, low * frame), max(low, high) * frame)
        else:
            start, end = (low + run[0]) * frame, (low + run[1]) * frame
        if before is None:
            start = 0.0
        if after is None:
            end = len(samples) / RATE
        span.start, span.end = start, max(start, end)
        if before:
            before.end = span.start
        if after:
            after.start = span.end
    return spans


def _longest_run(quiet: NDArray[np.bool_], start: int, end: int) -> tuple[int, int] | None:
    """The longest stretch of True that touches start..end, as (first, past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > start - 1 and a < end + 1]
    return max(runs, key=_length) if runs else None


def _length(run: tuple[int, int]) -> int:
    return run[1] - run[0]


def _settle(spans: list[_Span]) -> list[_Span]:
    """Drop gaps too short to be pauses (the phones beside them share the time) and phones squeezed to nothing."""
    out: list[_Span] = []
    for place, span in enumerate(spans):
        inside = 0 < place < len(spans) - 1
        if span.symbol == SILENCE and inside and span.end - span.start < SHORTEST_PAUSE:
            middle = (span.start + span.end) / 2
            out[-1].end = middle
            spans[place + 1].start = middle
        elif span.end - span.start > 1e-6:
            out.append(span)
    return out


def _trim(samples: NDArray[np.float32], spans: list[_Span], words: tuple[str, ...]) -> Spoken:
    """Cut the silence at both ends to a little, fade the cuts, and count times from the new first sample."""
    first = spans[0].end if spans[0].symbol == SILENCE else 0.0
    last = spans[-1].start if spans[-1].symbol == SILENCE else len(samples) / RATE
    begin, end = round(max(0.0, first - EDGE_BEFORE) * RATE), min(len(samples), round((last + EDGE_AFTER) * RATE))
    cut = samples[begin:end].copy()
    fade = min(round(FADE * RATE), len(cut) // 2)
    ramp = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2
    cut[:fade] *= ramp
    cut[len(cut) - fade :] *= ramp[::-1]
    shift, total = begin / RATE, len(cut) / RATE
    phones = []
    for span in spans:
        start, stop = max(0.0, span.start - shift), min(total, span.end - shift)
        if stop > start:
            phones.append(Phone(span.symbol, start, stop, span.stress))
    heard = []
    for number, text in enumerate(words):
        own = [span for span in spans if span.word == number]
        if own:
            heard.append(Word(text, max(0.0, own[0].start - shift), min(total, own[-1].end - shift)))
    return Spoken(cut, tuple(phones), tuple(heard))
