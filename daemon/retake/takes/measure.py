"""What a take's report says about its speech: what was measured when it was checked. `takes.score` measures more, from the clip itself."""

from __future__ import annotations

from typing import Any

from retake.domain.speaker import Speaker
from retake.domain.speech import Speech
from retake.domain.take import TakeRequest
from retake.speech.loudness import loudness
from retake.speech.measure import similarity_meaning
from retake.speech.retry import Checked


def measure_speech(speech: Speech, request: TakeRequest, speaker: Speaker, checked: Checked | None) -> dict[str, Any]:
    """Who the speech sounds like, whether its words are there, how loud it is, and how often it was said until it was good.

    Args:
        checked: what was found before the speech went into its slot; None for a recorded voice-over, of which nothing is measured that would say
            nothing about Retake.
    """
    measured: dict[str, Any] = {"loudness_lufs": round(loudness(speech.samples, speech.rate), 2), "loudness_reference_lufs": speaker.loudness_lufs}
    if request.audio is not None or checked is None:
        return measured | {"alignment_confidence": round(speech.timing.confidence, 3)}
    check = checked.check
    similarity, errors = check.similarity, check.phone_error_rate
    return measured | {
        "voice_similarity": None if similarity is None else round(similarity, 3),
        "voice_similarity_means": similarity_meaning(similarity),
        "phone_error_rate": None if errors is None else round(errors, 3),
        "speech_check": _summary(checked),
    }


def _summary(checked: Checked) -> dict[str, Any]:
    """ok, which attempt was kept (from 1 on), what was wrong with each, and the figures of the one that was kept."""
    check = checked.check
    return {
        "ok": check.ok,
        "kept": checked.kept + 1,
        "attempts": [{"seed": one.seed, "problems": [vars(problem) for problem in one.problems]} for one in checked.attempts],
        "words_checked": check.words_checked,
        "words_missing": list(check.words_missing),
        "words_unclear": list(check.words_unclear),
        "words_repeated": list(check.words_repeated),
        "words_inserted": check.words_inserted,
        "clicks": check.clicks,
        "clipped": check.clipped,
        "longest_silence": check.longest_silence,
        "cut_off": check.cut_off,
    }
