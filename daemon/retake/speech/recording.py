"""A recorded voice-over as `Speech`: its sound, and when its phones and words are heard."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.domain.timing import Timing, TimingProblem

from .align import align, no_speech
from .measure import has_speech
from .recognise import recognise

RATE = 48000  # Hz of the speech
LONGEST = 3600.0  # s
_SHORTEST = 0.2  # s
DOUBTFUL = 0.55  # confidence of an alignment below which its words should be checked
_UNCERTAIN = 0.6  # the same for recognised phones


def from_recording(path: str | os.PathLike[str], text: str | None, progress: Progress) -> Speech:
    """Read a voice-over and find out when its sounds are heard.

    Args:
        path: any file with sound; of a video, time zero is its first picture.
        text: its transcript, None or blank where it is not known: then phones are recognised, which is less sure, and there are no words.
        progress: reports once reading, once aligning is done.

    Returns:
        Speech at 48 kHz, engine "recording". Its timing has exact=False and a confidence (see `problems`).

    Raises:
        RetakeError: no file, no sound track, silence, sound without speech (no_speech), shorter than 0.2 s (sound_too_short), longer than an
            hour (sound_too_long), or a transcript of something else (transcript_mismatch).
    """
    from retake.media.audio import read_audio

    name = Path(path).name
    samples = read_audio(path, RATE, seconds=LONGEST + 1.0, progress=progress)
    progress.report(0.2)
    seconds = len(samples) / RATE
    if seconds < _SHORTEST:
        raise RetakeError(f"{name} lasts {seconds:.2f} s only.", "Use a recording of at least one spoken word.", code="sound_too_short")
    if seconds > LONGEST:
        raise RetakeError(f"{name} is longer than an hour.", "Cut it into several lines.", code="sound_too_long")
    if not has_speech(samples, RATE, progress):
        raise RetakeError(f"No speech was found in {name}.", no_speech().remedy, code="no_speech")
    progress.report(0.4)
    known = text is not None and bool(text.strip())
    timing = align(samples, RATE, text or "", progress=progress) if known else recognise(samples, RATE, progress).timing
    progress.report(1.0)
    return Speech(samples, RATE, replace(timing, exact=False), "recording")


def problems(timing: Timing) -> list[TimingProblem]:
    """What a user should know about the timing of a recording."""
    out: list[TimingProblem] = []
    if timing.exact:
        return out
    if not timing.words:
        out.append(
            TimingProblem(
                "Without a transcript the sounds were recognised by ear: the lips are less sure, and there are no captions. Give a transcript."
            )
        )
        if timing.confidence < _UNCERTAIN:
            out.append(TimingProblem("The recording is hard to understand; its sounds may be wrong. Use a cleaner one or give a transcript."))
    elif timing.confidence < DOUBTFUL:
        out.append(
            TimingProblem(
                "The transcript fits the recording poorly; check it for missing, added or changed words.", tuple(word.text for word in timing.words)
            )
        )
    return out
