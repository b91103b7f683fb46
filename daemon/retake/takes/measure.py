"""What is measured of a take as soon as it is made: cheap figures that its report shows. `takes.score` measures more, from the clip itself."""

from __future__ import annotations

from typing import Any

from retake.domain.progress import Progress
from retake.domain.speaker import Speaker
from retake.domain.speech import Speech
from retake.domain.take import TakeRequest
from retake.media.audio import resample
from retake.speech.measure import loudness, phone_error_rate, similarity_meaning, similarity_to

from .standard import VOICE_RATE as RATE
from .standard import Standard

# Seconds of a take that its voice is judged by: more changes nothing but the time and memory it takes.
LISTEN = 60.0


def measure_speech(speech: Speech, request: TakeRequest, standard: Standard, speaker: Speaker, progress: Progress) -> dict[str, Any]:
    """Who the speech sounds like, whether its words are there, and how loud it is.

    Args:
        standard: what the speaker's reference says.
        progress: only asked whether to stop.

    Figures of a recorded voice-over are left out where they would say nothing about Retake.
    """
    measured: dict[str, Any] = {"loudness_lufs": round(loudness(speech.samples, speech.rate), 2), "loudness_reference_lufs": speaker.loudness_lufs}
    if request.audio is not None:
        return measured | {"alignment_confidence": round(speech.timing.confidence, 3)}
    samples = resample(speech.samples, speech.rate, RATE)
    similarity = similarity_to(standard.voice, samples[: round(LISTEN * RATE)], RATE, progress)
    return measured | {
        "voice_similarity": None if similarity is None else round(similarity, 3),
        "voice_similarity_means": similarity_meaning(similarity),
        "phone_error_rate": round(phone_error_rate(samples, RATE, request.text, progress), 3),
    }
