"""What is measured of a take as soon as it is made: cheap figures that its report shows. `takes.score` measures more, from the clip itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retake.domain.progress import Progress
from retake.domain.speaker import Speaker
from retake.domain.speech import Speech
from retake.domain.take import TakeRequest
from retake.media.audio import read_audio, resample
from retake.media.reference import SOUND_NAME
from retake.speech.measure import loudness, phone_error_rate, similarity_meaning, voice_similarity

# What voices are compared at; more bandwidth says nothing more about who speaks.
RATE = 16000
# Seconds of a take that its voice is judged by: more changes nothing but the time and memory it takes.
LISTEN = 60.0


def measure_speech(speech: Speech, request: TakeRequest, folder: Path, speaker: Speaker, progress: Progress) -> dict[str, Any]:
    """Who the speech sounds like, whether its words are there, and how loud it is.

    Args:
        folder: the speaker's, holding the reference's sound.
        progress: only asked whether to stop.

    Figures of a recorded voice-over are left out where they would say nothing about Retake.
    """
    measured: dict[str, Any] = {"loudness_lufs": round(loudness(speech.samples, speech.rate), 2), "loudness_reference_lufs": speaker.loudness_lufs}
    if request.audio is not None:
        return measured | {"alignment_confidence": round(speech.timing.confidence, 3)}
    samples = resample(speech.samples, speech.rate, RATE)
    similarity = voice_similarity(samples[: round(LISTEN * RATE)], read_audio(folder / SOUND_NAME, RATE), RATE, progress)
    return measured | {
        "voice_similarity": None if similarity is None else round(similarity, 3),
        "voice_similarity_means": similarity_meaning(similarity),
        "phone_error_rate": round(phone_error_rate(samples, RATE, request.text, progress), 3),
    }
