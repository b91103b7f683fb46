"""The embedded voice: hibari's network adapted to a person. Needs no download and no GPU, and speaks English.

How it is learnt and how well it does is in docs/voice.md; heavier engines sound closer to the person and live in their own
environments behind the same protocol.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.phones import SILENCE
from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.domain.timing import Phone, Timing, Word

from .hibari_net import RATE
from .mastering import master
from .perform import Spoken, perform, room_tone
from .plan import BETWEEN_PARAGRAPHS, BETWEEN_PIECES, OWN_PAUSE, Utterance, plan
from .style import style_named
from .synthesis import Synthesiser
from .voice_store import ENGINE, ENGINE_VERSION, Voice, load_profile, load_voice

PARAGRAPH, PIECE = 1.8, 0.35  # times that
_AFTER = {BETWEEN_PARAGRAPHS: PARAGRAPH, BETWEEN_PIECES: PIECE}
_KEPT = 4  # voices in memory, 17 MB each


class EmbeddedVoice:
    """VoiceEngine. One instance may serve several threads."""

    name = ENGINE
    version = ENGINE_VERSION
    languages = ("en",)

    def __init__(self) -> None:
        self._lock = Lock()
        self._base: Synthesiser | None = None
        self._voices: OrderedDict[tuple[str, str], Voice] = OrderedDict()

    def speak(
        self, speaker: Path, text: str, *, seed: int = 0, pace: float = 1.0, style: str = "neutral", progress: Progress | None = None
    ) -> Speech:
        """Speak `text` in the voice stored in the folder `speaker`; see VoiceEngine.speak. 24 kHz, loudness as in the reference."""
        progress = progress or Progress()
        if not 0.25 <= pace <= 4.0:
            raise RetakeError(f"A pace of {pace:g} cannot be spoken.", "Use a pace between 0.25 and 4.", code="bad_pace")
        manner = style_named(style)
        utterances = plan(text)
        base, voice = self._load(speaker)
        usual = voice.profile.pause * manner.pause / pace
        spoken: list[Spoken] = []
        pauses = [0.0]  # before the first piece, between pieces, after the last
        asked = 0.0  # of the last of them: what a hint asks for takes the place of the usual one
        for place, utterance in enumerate(utterances):
            progress.report(place / len(utterances))
            lead, inner, trail = _breaks(utterance, usual)
            spoken += perform(base.net, voice, utterance, seed=seed, place=place, pace=pace * manner.rate, spread=manner.spread)
            if lead is not None:
                pauses[-1] = asked + lead
            pauses += inner
            last = place == len(utterances) - 1
            asked = trail or 0.0
            pauses.append(trail if trail is not None else 0.0 if last else usual * _AFTER.get(utterance.after, 1.0))
        samples, timing = _join(spoken, pauses, voice.room, seed=seed, progress=progress)
        samples = master(samples, RATE, voice.profile.loudness_lufs)
        progress.report(1.0)
        return Speech(samples, RATE, timing, f"{self.name} {self.version}")

    def _load(self, speaker: Path) -> tuple[Synthesiser, Voice]:
        """The base network and the speaker's voice; the last few voices stay in memory for as long as their files do not change."""
        key = (str(speaker.resolve()), load_profile(speaker).weights_sha256)
        with self._lock:
            if self._base is None:
                self._base = Synthesiser()
            if key not in self._voices:
                self._voices[key] = load_voice(speaker)
                while len(self._voices) > _KEPT:
                    self._voices.popitem(last=False)
            self._voices.move_to_end(key)
            return self._base, self._voices[key]


def _breaks(utterance: Utterance, usual: float) -> tuple[float | None, list[float], float | None]:
    """Seconds of silence asked for before, within and after an utterance; None: nothing is asked for."""
    lead: float | None = None
    trail: float | None = None
    inner: dict[int, float] = {}
    for place, asked in utterance.breaks:
        seconds = usual if asked == OWN_PAUSE else asked
        if place == 0:
            lead = (lead or 0.0) + seconds
        elif place >= len(utterance.phonemes):
            trail = (trail or 0.0) + seconds
        else:
            inner[place] = inner.get(place, 0.0) + seconds
    return lead, [inner[place] for place in sorted(inner)], trail


def _join(
    spoken: Sequence[Spoken], pauses: Sequence[float], room: torch.Tensor, *, seed: int, progress: Progress
) -> tuple[NDArray[np.float32], Timing]:
    """Put pieces one after another, the person's room under everything.

    Args:
        pauses: s of silence before the first piece, between the pieces, and after the last.
    """
    parts: list[NDArray[np.float32]] = []
    phones: list[Phone] = []
    words: list[Word] = []
    at = 0
    for place, pause in enumerate(pauses):
        around = [*([spoken[place - 1].phones[-1]] if place else []), *([spoken[place].phones[0]] if place < len(spoken) else [])]
        gap = max(0, round((pause - sum(phone.end - phone.start for phone in around if phone.symbol == SILENCE)) * RATE))
        if gap:
            phones.append(Phone(SILENCE, at / RATE, (at + gap) / RATE))
            parts.append(np.zeros(gap, np.float32))
            at += gap
        if place == len(spoken):
            break
        moved = Timing(spoken[place].phones, spoken[place].words).shifted(at / RATE)
        phones += moved.phones
        words += moved.words
        parts.append(spoken[place].samples)
        at += len(spoken[place].samples)
    samples = np.concatenate(parts)
    progress.check()
    tone = room_tone(room, len(samples), seed)
    progress.check()
    tone *= _presence(parts)
    progress.check()
    samples += tone
    return samples, Timing(_tile(phones, at / RATE), tuple(words))


def _presence(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Gain of the room: full where nothing is spoken, none where the voice brings its own noise, over 10 ms."""
    ramp = round(0.01 * RATE)
    padded = np.pad(np.concatenate([np.full(len(part), float(not part.any()), np.float32) for part in parts]), ramp // 2, mode="edge")
    out = np.empty(len(padded) - ramp, np.float32)
    for start in range(0, len(out), 1 << 18):  # sums need double precision, which a long text has no room for
        sums = np.cumsum(np.concatenate([[0.0], padded[start : start + (1 << 18) + ramp]], dtype=np.float64))
        out[start : start + (1 << 18)] = ((sums[ramp:] - sums[:-ramp]) / ramp)[: len(out) - start][: 1 << 18]
    return out


def _tile(phones: Sequence[Phone], total: float) -> tuple[Phone, ...]:
    """Join neighbouring silences and make every phone start where the one before it ends."""
    out: list[Phone] = []
    for phone in phones:
        start = out[-1].end if out else 0.0
        if out and phone.symbol == SILENCE and out[-1].symbol == SILENCE:
            out[-1] = Phone(SILENCE, out[-1].start, phone.end)
        else:
            out.append(Phone(phone.symbol, start, phone.end, phone.stress))
    last = out[-1]
    out[-1] = Phone(last.symbol, last.start, total, last.stress)
    return tuple(out)
