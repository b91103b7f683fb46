"""A person's voice learnt from a reference, for `embedded.EmbeddedVoice` to speak in. What is learnt, and how, is in docs/voice.md."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.speaker import Finding

from . import features
from .adapt import Settings, adapt
from .hearing import heard_phonemes
from .hibari_net import BINS, HOP, RATE
from .hygiene import clean_reference
from .hygiene_record import save_record
from .hygiene_words import kept_words
from .loudness import SILENT, loudness
from .material import Material, prepare
from .plan import plan
from .synthesis import Synthesiser
from .voice_store import ENGINE, ENGINE_VERSION, VoiceProfile, pack, save_voice

SHORTEST_SPEECH, LONGEST = 3.0, 120.0  # s of reference
NARROW = 7200.0  # Hz; below, consonants sound dull
NOISY = -30.0  # dB of the pauses against the speech
DOUBTFUL = 2.35  # alignment cost; 0.6-2.1 where the words are right, 2.4-3.0 with another text or a missing sentence
PAUSE, PAUSES = 0.45, (0.28, 0.75)  # s between sentences: where the reference tells nothing, and the range it may choose from
ROOM_AT_MOST = -42.0  # dB against the speech; louder rooms are reproduced quieter


def enrol(
    folder: Path, samples: NDArray[np.float32], rate: int, text: str | None, progress: Progress, *, settings: Settings | None = None
) -> VoiceProfile:
    """Learn a voice and store it in `folder`/voice. 55 s of processor time for 20 s of reference.

    Args:
        folder: the speaker's folder; must exist.
        samples: (n,) mono float32, at least 3 s of speech.
        text: what is said in it; None or empty where unknown: phones are recognised instead, which teaches less well.

    Raises:
        RetakeError: too little speech (no_speech), too long (too_long), text that cannot be spoken, no space. Cancelled leaves no files.
    """
    settings = settings or Settings()
    clean = _to_working_rate(samples, rate)
    reference = clean_reference(samples, rate, progress)
    if reference.samples is not samples:
        clean = _to_working_rate(reference.samples, rate)
    base = Synthesiser()
    text = kept_words((text or "").strip(), reference.left_out, folder)
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
        engine=ENGINE,
        engine_version=ENGINE_VERSION,
        seconds=len(samples) / rate,
        transcript="given" if text else "recognised",
        pitch_base=adapted.pitch.base,
        pitch_person=adapted.pitch.person,
        pitch_spread=adapted.pitch.spread,
        pace=adapted.pace,
        pause=_sentence_pause(material),
        warp=adapted.warp,
        base=adapted.base,
        alignment_cost=cost,
        steps=settings.steps,
        first_loss=adapted.first_loss,
        last_loss=adapted.last_loss,
        loudness_lufs=level if level > SILENT else None,
        bandwidth_hz=features.bandwidth(reference.samples, rate),
        noise_db=noise,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
    )
    profile = profile.model_copy(update={"warnings": (*_findings(profile), *reference.findings)})
    progress.check()
    save_record(folder, reference.record)
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
