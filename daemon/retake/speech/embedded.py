"""The embedded voice: hibari's network adapted to a person. Needs no download and no GPU, and speaks English.

How it is learnt and how well it does is in docs/voice.md; heavier engines sound closer to the person and live in their own
environments behind the same protocol.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.phones import SILENCE
from retake.domain.progress import Progress
from retake.domain.speaker import Finding
from retake.domain.speech import Speech
from retake.domain.timing import Phone, Timing, Word

from . import features
from .adapt import Settings, adapt
from .hearing import heard_phonemes
from .hibari_net import BINS, HOP, RATE
from .loudness import SILENT, loudness
from .mastering import master
from .material import Material, prepare
from .perform import Spoken, perform, room_tone
from .plan import BETWEEN_PARAGRAPHS, BETWEEN_PIECES, OWN_PAUSE, Utterance, plan
from .style import style_named
from .synthesis import Synthesiser
from .voice_store import Voice, VoiceProfile, load_profile, load_voice, pack, save_voice

NAME, VERSION = "embedded", "2"
SHORTEST_SPEECH, LONGEST = 3.0, 120.0  # s of reference
NARROW = 7200.0  # Hz; below, consonants sound dull
NOISY = -30.0  # dB of the pauses against the speech
DOUBTFUL = 2.35  # alignment cost; 0.6-2.1 where the words are right, 2.4-3.0 with another text or a missing sentence
PAUSE, PAUSES = 0.45, (0.28, 0.75)  # s between sentences: where the reference tells nothing, and the range it may choose from
PARAGRAPH, PIECE = 1.8, 0.35  # times that
_AFTER = {BETWEEN_PARAGRAPHS: PARAGRAPH, BETWEEN_PIECES: PIECE}
ROOM_AT_MOST = -42.0  # dB against the speech; louder rooms are reproduced quieter
_KEPT = 4  # voices in memory, 17 MB each


class EmbeddedVoice:
    """VoiceEngine. One instance may serve several threads."""

    name = NAME
    version = VERSION
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


def enrol(
    folder: Path, samples: NDArray[np.float32], rate: int, text: str | None, progress: Progress, *, settings: Settings | None = None
) -> VoiceProfile:
    """Learn a voice and store it in `folder`/voice. 40 s of processor time for 20 s of reference.

    Args:
        folder: the speaker's folder; must exist.
        samples: (n,) mono float32, at least 3 s of speech.
        text: what is said in it; None or empty where unknown: phones are recognised instead, which teaches less well.

    Raises:
        RetakeError: too little speech (no_speech), too long (too_long), text that cannot be spoken, no space. Cancelled leaves no files.
    """
    settings = settings or Settings()
    clean = _to_working_rate(samples, rate)
    base = Synthesiser()
    text = (text or "").strip()
    if text:
        sentences: Sequence[str] = [utterance.phonemes for utterance in plan(text)]
    else:
        sentences = heard_phonemes(clean, progress)
    if not sentences:
        raise _no_speech()
    progress.check()
    material = prepare(base, clean, sentences, progress)
    progress.check()
    cost = material.cost  # with the base voice; aligning with the adapted one would flatter a wrong text
    adapted = adapt(base, material, _phonemise, settings, progress)
    room, noise = _room(material)
    weights = pack(adapted.net, room)
    level = loudness(clean, RATE)
    profile = VoiceProfile(
        engine=NAME,
        engine_version=VERSION,
        seconds=len(samples) / rate,
        transcript="given" if text else "recognised",
        pitch_base=adapted.pitch.base,
        pitch_person=adapted.pitch.person,
        pitch_spread=adapted.pitch.spread,
        pace=adapted.pace,
        pause=_sentence_pause(material),
        warp=adapted.warp,
        alignment_cost=cost,
        steps=settings.steps,
        first_loss=adapted.first_loss,
        last_loss=adapted.last_loss,
        loudness_lufs=level if level > SILENT else None,
        bandwidth_hz=features.bandwidth(samples, rate),
        noise_db=noise,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
    )
    profile = profile.model_copy(update={"warnings": tuple(_findings(profile))})
    progress.check()
    save_voice(folder, profile, weights)
    return profile


def _phonemise(sentence: str) -> str:
    return " ".join(utterance.phonemes for utterance in plan(sentence))


def _to_working_rate(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """24 kHz, silence at both ends trimmed to a fifth of a second. Raises RetakeError for what cannot be learnt from."""
    if len(samples) > LONGEST * rate:
        raise RetakeError(f"The reference is longer than {LONGEST:.0f} s.", "Use its best 20 to 60 seconds.", code="too_long")
    if len(samples) < SHORTEST_SPEECH * rate or float(np.abs(samples).max(initial=0.0)) < 1e-4:
        raise _no_speech()
    clean = np.ascontiguousarray(soxr.resample(samples, rate, RATE), np.float32) if rate != RATE else np.ascontiguousarray(samples, np.float32)
    spoken = np.flatnonzero(~features.quiet(clean))
    if len(spoken) * HOP / RATE < SHORTEST_SPEECH * 0.6:
        raise _no_speech()
    margin = round(0.2 * RATE)
    return clean[max(0, int(spoken[0]) * HOP - margin) : int(spoken[-1]) * HOP + margin]


def _no_speech() -> RetakeError:
    cause = f"The reference holds less than {SHORTEST_SPEECH:.0f} s of speech."
    return RetakeError(cause, "Use a clip in which the person talks, best for 20 s, without music.", code="no_speech")


def _room(material: Material) -> tuple[torch.Tensor, float]:
    """Log magnitudes (BINS,) of the reference's pauses at the network's level, capped, and how loud they are against the speech in dB."""
    decibels = features.level(material.samples)
    speech = 10 * np.log10(np.mean(10 ** (decibels[~material.quiet] / 10)) + 1e-12)
    if material.quiet.sum() < 8:
        return torch.full((BINS,), -12.0), -80.0
    # The quieter half: breaths and the edges of words are no room.
    still = material.quiet & (decibels <= np.median(decibels[material.quiet]))
    noise = float(10 * np.log10(np.mean(10 ** (decibels[still] / 10)) + 1e-12) - speech)
    spectrum = features.magnitudes(material.samples, 1200, 1200)[:, : len(still)][:, still]
    # Magnitude of complex Gaussian noise of unit parts is 1.25 on average.
    room = np.log(spectrum.mean(1) / 1.25 + 1e-7) + min(0.0, ROOM_AT_MOST - noise) * np.log(10) / 20
    return torch.from_numpy(np.maximum(room, -16.0).astype(np.float32)), noise


def _sentence_pause(material: Material) -> float:
    """Median pause of the reference between the sentences of its script, in seconds."""
    owner = np.repeat(np.searchsorted(material.script.starts, material.index, side="right"), 2)[: len(material.quiet)]
    lengths = []
    for boundary in np.flatnonzero(np.diff(owner)):
        low = high = int(boundary)
        while low > 0 and material.quiet[low]:
            low -= 1
        while high < len(owner) - 1 and (material.quiet[high] or high == low):
            high += 1
        lengths.append((high - low) * HOP / RATE)
    return float(np.clip(np.median(lengths), *PAUSES)) if lengths else PAUSE


def _findings(profile: VoiceProfile) -> list[Finding]:
    out: list[Finding] = []
    if profile.transcript == "recognised":
        message = "No transcript was given; the phones were guessed from the sound, so words may come out less clear."
        out.append(Finding(code="voice_no_transcript", message=message, remedy="Enrol again with the exact words that are said."))
    elif profile.alignment_cost > DOUBTFUL:
        message = "The transcript does not seem to match what is said."
        out.append(Finding(code="voice_transcript_mismatch", message=message, remedy="Check that it has every word of the reference, and no others."))
    if profile.bandwidth_hz < NARROW:
        message = f"The sound of the reference ends at {profile.bandwidth_hz / 1000:.1f} kHz, and so will the voice."
        out.append(Finding(code="voice_narrow_band", message=message, remedy="Use the camera's original sound instead of a call or a low-rate copy."))
    if profile.noise_db > NOISY:
        message = f"The pauses are only {-profile.noise_db:.0f} dB quieter than the speech; the voice learns the noise too."
        out.append(Finding(code="voice_noisy", message=message, remedy="Record in a quieter room or closer to the microphone."))
    return out


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
