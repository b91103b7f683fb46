"""`retake score`: what can be measured of a finished clip against the person it shows. Definitions: docs/quality.md.

Nothing here looks at how the clip was made, except that the times of its phones come from its report where that lies beside it: the
picture is tracked again, the sound is listened to again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.domain.timing import Timing
from retake.domain.track import FaceTrack
from retake.face.canonical import LIPS, MOUTH, make_template, to_canonical
from retake.face.sync import estimate_lag
from retake.media.audio import read_audio
from retake.media.files import sha256
from retake.media.probe import probe
from retake.media.reader import read_frames
from retake.media.reference import PICTURE_NAME, SOUND_NAME
from retake.speech.align import align
from retake.speech.cache import timing_from_json
from retake.speech.hygiene_record import clean_voice
from retake.speech.measure import loudness, phone_error_rate, similarity_meaning, similarity_to, voice_similarity
from retake.speech.recognise import recognise
from retake.takes.mouth import compare, measure_mouth

Array = NDArray[np.float32]

SOUND_RATE = 48000
# Side of the mouth crop whose sharpness is compared; as wide as the eyes are apart.
CROP = 96


@dataclass(frozen=True)
class Reference:
    """What a clip is compared with: the speaker's own footage."""

    folder: Path
    track: FaceTrack
    timing: Timing
    loudness_lufs: float | None


def measure_clip(clip: Path, reference: Reference, track: FaceTrack, *, text: str | None, progress: Progress) -> dict[str, Any]:
    """Measure `clip`.

    Args:
        reference: of the person it shows.
        track: face track of the clip.
        text: what is said in it; taken from the report beside the clip if None and there is one.

    Returns plain figures: mouth (closure, amplitude, jitter, silence: relative to the person's own), sharpness of the mouth relative to
    the reference, lag in ms with its confidence, voice similarity, phone error rate, loudness difference.
    """
    info = probe(clip, need_video=True)
    figures: dict[str, Any] = {"clip": str(clip), "seconds": round(info.seconds, 3), "faces": round(float(track.found.mean()), 3)}
    known = _report_beside(clip)
    words = text or (known or {}).get("request", {}).get("text") or None

    template = make_template(reference.track.landmarks)
    own, _ = to_canonical(reference.track.landmarks, template)
    shown, _ = to_canonical(track.landmarks, template)
    progress.report(0.2)
    sound = read_audio(clip, SOUND_RATE) if info.has_audio else None
    if sound is not None:
        timing = _timing(sound, words, known)
        real = measure_mouth(own[:, list(MOUTH)], reference.track.rate, reference.timing)
        taken = measure_mouth(shown[:, list(MOUTH)], track.rate, timing, open_gap=real.open_gap)
        figures["mouth"] = compare(taken, real)
        lag, confidence = estimate_lag(shown, track.rate, sound, SOUND_RATE, timing)
        figures["lag_ms"], figures["lag_confidence"] = round(lag * 1000), round(confidence, 2)
        progress.report(0.4)
        figures["voice"] = _voice(Speech(sound, SOUND_RATE, timing), words, reference)
    progress.report(0.6)
    theirs = _sharpness(reference.folder / PICTURE_NAME, reference.track)
    figures["sharpness"] = round(_sharpness(clip, track) / theirs, 3) if theirs > 0 else None
    return figures


def _report_beside(clip: Path) -> dict[str, Any] | None:
    """The report of this very clip, if it lies beside it."""
    path = clip.with_suffix(".json")
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text("utf-8"))
        return record if record["clip"]["sha256"] == sha256(clip) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _timing(sound: Array, words: str | None, known: dict[str, Any] | None) -> Timing:
    if known is not None:
        try:
            return timing_from_json(known["timing"])
        except (KeyError, TypeError, ValueError):
            pass
    return align(sound, SOUND_RATE, words) if words else recognise(sound, SOUND_RATE).timing


def _voice(speech: Speech, words: str | None, reference: Reference) -> dict[str, Any]:
    learnt, own = clean_voice(reference.folder), read_audio(reference.folder / SOUND_NAME, SOUND_RATE)
    similarity = voice_similarity(speech.samples, own, SOUND_RATE) if learnt is None else similarity_to(learnt, speech.samples, SOUND_RATE)
    level = loudness(speech.samples, SOUND_RATE)
    return {
        "similarity": None if similarity is None else round(similarity, 3),
        "similarity_means": similarity_meaning(similarity),
        "phone_error_rate": round(phone_error_rate(speech.samples, SOUND_RATE, words), 3) if words else None,
        "loudness_difference_lu": None if reference.loudness_lufs is None else round(level - reference.loudness_lufs, 2),
    }


def _sharpness(video: Path, track: FaceTrack, most: int = 120) -> float:
    """Median variance of the Laplacian over upright mouth crops of equal size, of at most `most` frames spread over the clip."""
    found = np.flatnonzero(track.found)
    wanted = set(found[np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int))].tolist()) if len(found) else set()
    values: list[float] = []
    for number, picture in enumerate(read_frames(video)):
        if number in wanted:
            grey = cv2.cvtColor(_mouth_crop(picture, track.landmarks[number]), cv2.COLOR_RGB2GRAY)
            values.append(float(cv2.Laplacian(grey, cv2.CV_64F).var()))
    return float(np.median(values)) if values else 0.0


def _mouth_crop(picture: NDArray[np.uint8], points: Array) -> NDArray[np.uint8]:
    eyes = points[263, :2] - points[33, :2]
    distance = float(np.linalg.norm(eyes))
    cosine, sine = eyes / distance * (CROP / distance)
    turn = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0]])
    turn[:, 2] = CROP / 2 - turn[:, :2] @ points[list(LIPS), :2].mean(0)
    return np.asarray(cv2.warpAffine(picture, turn, (CROP, CROP), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE), np.uint8)
