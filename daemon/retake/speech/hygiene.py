"""A reference's sound made fit to learn a voice from: repaired where it needs it, and without what is not the person.

A clean reference passes through unchanged, sample by sample. Time never changes: what is left out becomes quiet room. What is looked for, what is
done about it and what that was measured to change is in docs/reference-hygiene.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_dilation

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.speaker import Finding

from . import activity
from . import hygiene_detect as detect
from .activity import STEP
from .hygiene_music import held_tones
from .hygiene_record import REASONS, HygieneRecord, LeftOut, SoundMeasures, without
from .hygiene_repair import remove_hum, remove_noise, remove_reverberation
from .hygiene_room import quiet_room
from .hygiene_voices import other_voices, voice_windows
from .voice_activity import speech_probability
from .voiceprint import embed

Samples = NDArray[np.float32]
Flags = NDArray[np.bool_]
LEAST_SPEECH = 3.0  # s; less teaches nothing
_NOISY = 27.0  # dB; quieter noise is not heard in the voice learnt, and rooms that people record in have 30-50
ECHOING = 0.28  # s; dry speech and treated rooms measure 0.14-0.25
_TONES, _TONES_IN_ROOM, _STILL_TONES = 1.0, 2.0, 0.4  # held tones at a time; speech has 0-0.5, in an echoing room up to 1.6
_NEAR, _NEAR_IN_ROOM = 10.0, 7.0  # dB of noise under speech that cannot be repaired; a room fills the gaps between syllables, too
_ENOUGH = 8.0  # s of speech without which overdriven and noisy stretches are rather kept
_MUSIC_BEARABLE = 15.0  # dB under the speech
_SHORTEST, _GAP, _MARGIN = 0.12, 0.35, 0.06  # s: shorter stretches are not left out, shorter gaps between two go with them, and what is added around


@dataclass(frozen=True)
class CleanReference:
    """`samples`: as long as the reference, at its rate. `kept`: (n,) in steps of 10 ms, False where the reference is left out."""

    samples: Samples
    kept: Flags
    left_out: tuple[LeftOut, ...]
    measures: SoundMeasures
    findings: tuple[Finding, ...]
    record: HygieneRecord


def clean_reference(samples: Samples, rate: int, progress: Progress | None = None) -> CleanReference:
    """Repair and clear a reference (mono). About 0.1 s of processor time a second of sound; 0.4 s where it echoes.

    Raises RetakeError (`too_little_clean`) where too little speech of one person remains; Cancelled.
    """
    progress = progress or Progress()
    progress.check()
    lines = detect.hum_lines(samples, rate)
    sound = remove_hum(samples, rate, lines) if lines else samples
    progress.check()
    speech = speech_probability(sound, rate, progress)
    level = activity.levels(sound, rate)
    progress.check()
    loud, noise = detect.speech_to_noise(level, speech)
    decay = detect.decay(sound, rate)
    echoing = decay is not None and decay > ECHOING
    share = detect.clipped(samples, rate)
    tones = held_tones(sound, rate, lines, progress)
    talking = speech > detect.TALKING
    found = {
        "clipped": detect.clipped_stretches(share) & bool(share.mean() > 5e-5),
        "music": _wider(tones > (_TONES_IN_ROOM if echoing else _TONES), tones > _STILL_TONES),
        "noise": _lasting(detect.drowned(sound, rate, speech, _NEAR_IN_ROOM if echoing else _NEAR), 0.2) | detect.loud_sounds(level, speech),
    }
    # Noise changes what a voice sounds like: where it is loud, nothing can be said about who speaks.
    clear = talking & ~found["noise"] & ~found["clipped"] if (talking & ~found["noise"] & ~found["clipped"]).sum() * STEP > LEAST_SPEECH else talking
    found["other_voice"] = other_voices(voice_windows(sound, rate, clear, progress), len(level))
    snr = loud - noise
    left_out, bearable = _decide(found, talking, snr)
    kept = ~_flags(left_out, len(level))
    used = float((talking & kept).sum()) * STEP
    if left_out and used < LEAST_SPEECH:
        raise _too_little(left_out, talking, used)
    progress.check()
    repairs, findings = _explain(left_out, bearable, lines, snr, decay if echoing else None)
    # Noise next: what predicts a room's tail from the sound before it must not learn the noise; and a room's tail is no noise.
    if echoing:
        sound = remove_reverberation(sound, rate, progress)
    if snr < _NOISY:
        sound = remove_noise(sound, rate, talking, _lowering(snr), progress)
    if left_out:
        sound = quiet_room(sound, rate, left_out, detect.pauses(speech, level) & kept)
    after = np.subtract(*detect.speech_to_noise(activity.levels(sound, rate), np.where(kept, speech, 0.0))) if sound is not samples else snr
    measures = SoundMeasures(
        snr=round(snr, 1),
        decay=None if decay is None else round(decay, 3),
        hum=tuple(lines),
        clipped=round(float(share.mean()), 6),
        tones=round(float(tones.max(initial=0.0)), 2),
        speech=round(float(talking.sum()) * STEP, 2),
        used=round(used, 2),
        snr_after=round(float(after), 1),
    )
    record = HygieneRecord(
        measures=measures,
        left_out=left_out,
        repairs=repairs,
        talking=tuple((round(a * STEP, 2), round(b * STEP, 2)) for a, b in activity.runs(np.asarray(binary_closing(talking, np.ones(15)), np.bool_))),
        snr_over_time=_over_time(level, loud),
        findings=findings,
        voice=() if sound is samples else _voice(without(sound, rate, left_out), rate, progress),
    )
    return CleanReference(sound, kept, left_out, measures, findings, record)


def _voice(samples: Samples, rate: int, progress: Progress) -> tuple[float, ...]:
    try:
        return tuple(round(float(value), 5) for value in embed(samples, rate, progress))
    except ValueError:
        return ()


def _lowering(snr: float) -> float:
    """dB by which noise is lowered: as little as makes it quiet, since every dB more takes some of the voice."""
    return float(np.clip(14.0 + (20.0 - snr), 8.0, 24.0))


def _wider(core: Flags, around: Flags) -> Flags:
    """Stretches of `around` that hold some of `core`, and half a second on both sides: tones are only held once they have begun."""
    out = np.zeros(len(core), np.bool_)
    for first, last in activity.runs(around | core):
        if core[first:last].any():
            out[max(0, first - round(0.5 / STEP)) : last + round(0.5 / STEP)] = True
    return out


def _lasting(flags: Flags, seconds: float) -> Flags:
    """What lasts; with the half window that noise over time looks ahead and back, since that much of it is hidden by its edges."""
    out = np.zeros(len(flags), np.bool_)
    for first, last in activity.runs(flags):
        if (last - first) * STEP >= seconds:
            out[max(0, first - round(0.5 / STEP)) : last + round(0.5 / STEP)] = True
    return out


def _decide(found: dict[str, Flags], talking: Flags, snr: float) -> tuple[tuple[LeftOut, ...], bool]:
    """What is left out, and whether music stays because it is soft and everywhere."""
    out: Flags = np.zeros(len(talking), np.bool_)
    reasons: dict[str, Flags] = {}
    bearable = False
    for reason in ("clipped", "music", "noise", "other_voice"):
        flags = _rounded(found[reason])
        remaining = float((talking & ~out & ~flags).sum()) * STEP
        if reason in ("noise", "clipped") and (talking & flags).any() and remaining < _ENOUGH:
            flags = flags & ~talking if reason == "noise" else np.zeros_like(flags)
        if reason == "music" and (talking & flags).any() and remaining < _ENOUGH and snr >= _MUSIC_BEARABLE:
            bearable, flags = True, np.zeros_like(flags)
        reasons[reason] = flags & ~out
        out = out | flags
    parts = [
        LeftOut(start=round(first * STEP, 2), end=round(last * STEP, 2), reason=reason)
        for reason, flags in reasons.items()
        for first, last in activity.runs(flags)
        if (last - first) * STEP >= _SHORTEST
    ]
    return tuple(sorted(parts, key=lambda part: part.start)), bearable


def _rounded(flags: Flags) -> Flags:
    if not flags.any():
        return flags
    pad = round(_GAP / STEP)
    wide = binary_dilation(np.pad(flags, pad), iterations=round(_MARGIN / STEP))
    return np.asarray(binary_closing(wide, np.ones(pad)), np.bool_)[pad:-pad]


def _flags(parts: tuple[LeftOut, ...], steps: int) -> Flags:
    out = np.zeros(steps, np.bool_)
    for part in parts:
        out[round(part.start / STEP) : round(part.end / STEP)] = True
    return out


def _over_time(level: NDArray[np.float32], loud: float) -> tuple[float, ...]:
    floor = detect.noise_over_time(level)[:: round(0.25 / STEP)]
    return tuple(round(float(value), 1) for value in np.clip(loud - floor, 0.0, 90.0))


_REMEDIES = {
    "music": "Record without music; it can be added afterwards.",
    "other_voice": "If it is the same person, use one microphone and one distance throughout; else cut the other person out.",
    "noise": "Close the window, switch machines off, and keep hands still.",
    "clipped": "Lower the recording level until its peaks stay below -6 dB.",
}


def _explain(
    left_out: tuple[LeftOut, ...], bearable: bool, lines: list[float], snr: float, decay: float | None
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    repairs: list[str] = []
    findings: list[Finding] = []
    for reason, name in REASONS.items():
        parts = [part for part in left_out if part.reason == reason]
        if parts:
            seconds = sum(part.end - part.start for part in parts)
            places = ", ".join(f"{part.start:.1f}-{part.end:.1f} s" for part in parts[:4]) + (" ..." if len(parts) > 4 else "")
            message = f"{seconds:.1f} s of the sound were not learnt from: {name} ({places})."
            findings.append(Finding(code=f"left_out_{reason}", message=message, remedy=_REMEDIES[reason]))
    if bearable:
        message = "There is soft music under most of the speech; it was learnt with it."
        findings.append(Finding(code="sound_music", message=message, remedy=_REMEDIES["music"]))
    if lines:
        repairs.append(f"mains hum taken out ({len(lines)} lines from {lines[0]:.0f} Hz)")
        message = "Mains hum was taken out of the sound."
        findings.append(Finding(code="sound_hum", message=message, remedy="Use a balanced cable, or keep it away from power supplies."))
    if decay is not None:
        repairs.append(f"echo of the room reduced (it lasts about {decay:.1f} s)")
        message = "The room can be heard in the voice; its echo was reduced a little, the rest is learnt with the voice."
        findings.append(Finding(code="sound_echo", message=message, remedy="Go nearer to the microphone, or into a room with carpets and curtains."))
    if snr < _NOISY:
        repairs.append(f"noise lowered by up to {_lowering(snr):.0f} dB (it was {snr:.0f} dB under the speech)")
        message = f"Noise only {snr:.0f} dB under the speech was lowered before learning; some of it stays in the voice."
        findings.append(Finding(code="sound_noise", message=message, remedy="Record in a quieter room or closer to the microphone."))
    return tuple(repairs), tuple(findings)


def _too_little(left_out: tuple[LeftOut, ...], talking: Flags, used: float) -> RetakeError:
    lost = dict.fromkeys(REASONS, 0.0)
    for part in left_out:
        lost[part.reason] += float(talking[round(part.start / STEP) : round(part.end / STEP)].sum()) * STEP
    worst = [reason for reason in sorted(REASONS, key=lambda reason: -lost[reason]) if lost[reason] > 0.2]
    what = " and ".join(f"{REASONS[reason]} ({lost[reason]:.0f} s)" for reason in worst)
    cause = f"Of {float(talking.sum()) * STEP:.0f} s of speech in the reference only {used:.1f} s are clean; the rest holds {what}."
    return RetakeError(cause, f"Use a clip with 10 s or more without. {_REMEDIES[worst[0]]}", code="too_little_clean")
