"""One utterance spoken in a learnt voice, with the times of its phones and words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from retake.domain.phones import FROM_MISAKI, SILENCE, VOWELS
from retake.domain.timing import Phone, Word

from . import features
from .hibari_net import HOP, RATE, STEP_SECONDS, HibariNet, expand
from .material import FRAMES_PER_STEP, PITCHED
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
# A stressed word: longer, higher and louder, as people do it (durations, ln pitch, ln energy), rising and falling over some 50 ms.
STRONG_LENGTH, STRONG_PITCH, STRONG_ENERGY, STRONG_EDGE = 1.25, 0.12, 0.60, 4.0
HIGHEST = 0.55  # ln units above the middle of the base voice; its own sentences stay below, and beyond it sounds strained
_STRESS = {"ˈ": 1, "ˌ": 2}
_LENGTH = "ː"


@dataclass(frozen=True)
class Spoken:
    """Sound of one utterance, silence trimmed at its edges, and what is heard when (seconds from its first sample)."""

    samples: NDArray[np.float32]
    phones: tuple[Phone, ...]
    words: tuple[Word, ...]


@torch.no_grad()
def perform(base: HibariNet, voice: Voice, utterance: Utterance, *, seed: int, place: int, pace: float, spread: float = 1.0) -> list[Spoken]:
    """Speak. The same seed and place give the same samples; seed 0 is the plain reading. An utterance with pauses comes in pieces.

    Args:
        place: number of the utterance in its text, so that no two share their noise.
        pace: relative to the person's own.
        spread: of the pitch, relative to the person's own.
    """
    random = np.random.default_rng([seed, place])
    strength = 0.0 if seed == 0 else 1.0
    ids = torch.tensor([utterance.ids])
    encoded = base.prosody.text(ids)
    steps = base.prosody.steps(encoded).numpy() / (pace * voice.profile.pace)
    tempo = TEMPO_SHIFT * random.standard_normal() + TEMPO_WANDER * random.standard_normal(len(steps)).clip(-2, 2)
    stressed = np.array([0.0, *[float(owner in utterance.strong) for owner in utterance.owner], 0.0])
    steps = steps * np.exp(strength * tempo)
    durations = torch.from_numpy(_lengthened(steps, stressed > 0))
    index = expand(durations)
    pitch, energy = base.prosody.contours(encoded, index)
    told = pitch[0].numpy()
    voiced = told > PITCHED
    wander = gaussian_filter1d(random.standard_normal(len(told)), 24.0) * np.sqrt(2 * 24.0 * np.sqrt(np.pi))
    centre = float(np.median(np.log(told[voiced]))) if voiced.any() else 0.0
    spread *= 1.0 + strength * PITCH_SPREAD * float(np.clip(random.standard_normal(), -1.5, 1.5))
    moved = (np.log(np.maximum(told, PITCHED)) - centre) * spread + centre
    moved += strength * (PITCH_SHIFT * float(np.clip(random.standard_normal(), -1.5, 1.5)) + PITCH_WANDER * wander.clip(-2, 2))
    if utterance.strong:
        raised = gaussian_filter1d(np.repeat(stressed, durations.numpy()).repeat(FRAMES_PER_STEP)[: len(told)], STRONG_EDGE)
        ceiling = voice.profile.pitch_base + HIGHEST
        moved = np.where(moved < ceiling, np.minimum(moved + STRONG_PITCH * raised, ceiling), moved)
        energy = energy + torch.from_numpy((STRONG_ENERGY * raised).astype(np.float32))[None]
    told = np.where(voiced, np.exp(moved), told).astype(np.float32)
    spectra = voice.net(base.voice.text(ids), index, torch.from_numpy(told)[None], energy)
    pulses = pulse_spectrum(voice.profile.pitch_map.to_person(told))
    noise = torch.Generator().manual_seed(int(random.integers(2**62)))
    samples = render(spectra, pulses[None], noise)[0].numpy()
    spans = _times(utterance, durations.numpy(), samples)
    return [_trim(part, own, utterance.words) for part, own in _at_breaks(samples, spans)]


def _lengthened(steps: NDArray[np.floating], stressed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Whole steps for every id, at least one. Stressed ones are longer; what rounding takes from one goes to the next, or nothing would remain."""
    out = np.maximum(1, np.round(steps)).astype(np.int64)
    owed = 0.0
    for place in np.flatnonzero(stressed):
        wanted = float(steps[place]) * STRONG_LENGTH + owed
        out[place] = max(1, round(wanted))
        owed = wanted - float(out[place])
    return out


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
    broken: bool = False  # a gap that a pause is put into


def _times(utterance: Utterance, durations: NDArray[np.int64], samples: NDArray[np.float32]) -> list[_Span]:
    """Spans that tile the samples without gaps."""
    breaks = {place for place, _ in utterance.breaks if 0 < place < len(utterance.phonemes)}
    ends = np.cumsum(durations) * STEP_SECONDS - GRID_LATE
    total = len(samples) / RATE
    spans = [_Span(SILENCE, 0.0, max(0.0, float(ends[0])))]
    stress, begin = 0, spans[0].end
    for place, symbol in enumerate(utterance.phonemes):
        if place in breaks:
            _add_gap(spans, begin, begin)
            spans[-1].broken = True
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
    return _settle(_fit_silence(spans, samples))


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
        if span.broken:
            out.append(span)
        elif span.symbol == SILENCE and inside and span.end - span.start < SHORTEST_PAUSE:
            middle = (span.start + span.end) / 2
            out[-1].end = middle
            spans[place + 1].start = middle
        elif span.end - span.start > 1e-6:
            out.append(span)
    return out


def _at_breaks(samples: NDArray[np.float32], spans: list[_Span]) -> list[tuple[NDArray[np.float32], list[_Span]]]:
    """Cut in the middle of the gaps that pauses are put into; times count from each piece's first sample."""
    out: list[tuple[NDArray[np.float32], list[_Span]]] = []
    own: list[_Span] = []
    begin = 0
    for span in spans:
        if not span.broken:
            own.append(span)
            continue
        cut = min(len(samples), round((span.start + span.end) / 2 * RATE))
        out.append((samples[begin:cut], [*own, replace(span, end=cut / RATE)]))
        own, begin = [replace(span, start=cut / RATE)], cut
    out.append((samples[begin:], own))
    starts = np.cumsum([0, *[len(part) for part, _ in out[:-1]]]) / RATE
    return [
        (part, [replace(span, start=span.start - start, end=span.end - start) for span in group])
        for (part, group), start in zip(out, starts, strict=True)
    ]


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
