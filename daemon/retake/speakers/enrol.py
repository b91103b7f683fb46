"""A reference video becomes a speaker: read, find the face, align the words, learn voice, mouth and motion, judge, store."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retake import __version__
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.fingerprint import fingerprint
from retake.domain.progress import Progress
from retake.domain.speaker import Consent, Speaker, check_name
from retake.domain.timing import Timing
from retake.domain.track import FaceTrack
from retake.face.canonical import make_template, to_canonical
from retake.face.embedded import enrol as learn_face
from retake.face.sync import estimate_lag
from retake.media.audio import read_audio, resample
from retake.media.files import sha256
from retake.media.reader import read_frames
from retake.media.reference import PICTURE_NAME, SOUND_NAME, ReferenceFrames, normalise, rewrite_sound
from retake.motion.features import thumbnails
from retake.motion.graph import build as build_graph
from retake.speakers import store
from retake.speakers.quality import LAG_CONFIDENT, LAG_SEEN, PictureMeasures, assess, measure_pictures, refuse_short, refuse_turned, sample_frames
from retake.speakers.report import console_lines, write_report
from retake.speakers.track import save_track, track_faces
from retake.speech.align import align
from retake.speech.cache import save_timing
from retake.speech.embedded import EmbeddedVoice
from retake.speech.embedded import enrol as learn_voice
from retake.speech.measure import has_speech, sound_quality, voice_similarity
from retake.speech.recognise import recognise
from retake.speech.text import check as check_text

SOUND_RATE = 48000
# A sentence or two: anything longer is not a statement of consent but a mistaken file.
LONGEST_CONSENT = 4000
# Spoken with the new voice to hear how alike it is; phonetically rich, and in nobody's reference.
TRIAL = "The quick brown fox jumped over a lazy dog, while five wizards watched the evening show with great joy."


@dataclass(frozen=True)
class EnrolResult:
    """The stored speaker, its report page, and the report in lines for a console."""

    speaker: Speaker
    report: Path
    lines: list[str]


@dataclass(frozen=True)
class _Request:
    reference: Path
    name: str
    transcript: str | None
    consent: str
    max_seconds: float


def enrol(
    reference: Path,
    *,
    name: str,
    transcript: str | None,
    consent: str,
    home: Path,
    progress: Progress,
    replace: bool = False,
    max_seconds: float = 60.0,
    recorded_by: str = "",
) -> EnrolResult:
    """Learn a speaker from `reference` and store it as `name`.

    Args:
        transcript: what is said in the reference; None lets the phone recogniser listen, which costs quality.
        consent: the statement by which the person agreed; without one nothing is learnt.
        max_seconds: use at most this much of the reference, from its beginning.
        recorded_by: who records the consent; the account of the operating system if empty.

    Raises RetakeError for a reference that cannot work. The speaker appears complete or not at all.
    """
    check_name(name)
    agreed = check_consent(consent)
    if not replace:
        store.refuse_existing(home, name)
    words = (transcript or "").strip() or None
    if words:
        check_transcript(words)
    request = _Request(reference, name, words, agreed, max_seconds)
    with store.building(home, name, replace=replace) as folder:
        speaker, lines = _learn(request, folder, recorded_by or _account(), progress)
        store.save(folder, speaker)
    return EnrolResult(speaker, store.speaker_folder(home, name) / "report.html", lines)


def _account() -> str:
    """The account of the operating system; a container's may have no name."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def check_consent(statement: str) -> str:
    """The statement without surrounding space; raises RetakeError (REFUSED) when there is none."""
    text = " ".join(statement.split())
    if len(text) < 10 or not any(c.isalpha() for c in text):
        raise RetakeError(
            "A person is only enrolled with a statement of their consent.",
            'Give it in their words, for example --consent "I, Anna K., agree that Retake may speak in my voice for our training videos."',
            kind=ErrorKind.REFUSED,
            code="consent_missing",
        )
    if len(text) > LONGEST_CONSENT:
        raise RetakeError("The consent statement is too long.", f"Use at most {LONGEST_CONSENT} characters.", code="consent_too_long")
    return text


def check_transcript(text: str) -> None:
    """Raise RetakeError for a transcript that holds no words, too many, or words of a language that the engine does not speak."""
    try:
        check_text(text)
    except RetakeError as error:
        remedy = (
            f"{error.remedy} Without a transcript the sounds are recognised." if error.code == "text_language" else "Give the words that are said."
        )
        raise RetakeError(f"The transcript cannot be used. {error.cause}", remedy, code=error.code) from error


def _learn(request: _Request, folder: Path, recorded_by: str, progress: Progress) -> tuple[Speaker, list[str]]:
    """Fill `folder` with everything learnt from the reference; returns the record and the lines of the report."""
    progress.stage("Reading the reference")
    normal = normalise(request.reference, folder, progress, max_seconds=request.max_seconds)
    refuse_short(normal.seconds, request.reference.name)
    consent = Consent(statement=request.consent, recorded_by=recorded_by, recorded_at=datetime.now(UTC), reference_sha256=sha256(request.reference))
    samples = read_audio(folder / SOUND_NAME, SOUND_RATE)
    sound = sound_quality(samples, SOUND_RATE)
    if not has_speech(samples, SOUND_RATE):
        raise RetakeError(
            f"No speech was found in the sound of {request.reference.name}.",
            "Use a clip in which one person talks, close to the microphone and without music.",
            code="no_speech",
        )

    progress.stage("Finding the face")
    track = track_faces(folder / PICTURE_NAME, normal.rate, progress, frames=normal.frames, name=request.reference.name)
    refuse_turned(track, request.reference.name)
    save_track(folder, track)

    progress.stage("Listening to the words")
    timing = _listen(samples, request.transcript)
    lag, confidence = _lag(track, samples, timing)
    if lag:
        rewrite_sound(folder, lag)
        samples, timing = read_audio(folder / SOUND_NAME, SOUND_RATE), timing.shifted(lag)
    save_timing(folder, timing)

    progress.stage("Learning the voice")
    voice = learn_voice(folder, samples, SOUND_RATE, request.transcript, progress)
    progress.stage("Learning the mouth")
    learn_face(folder, track, timing, progress)
    progress.stage("Learning the movement")
    graph = build_graph(track, thumbnails(_watched(read_frames(folder / PICTURE_NAME), normal.frames, progress)), timing)
    graph.save(folder)

    progress.stage("Checking the result")
    similarity = _similarity(folder, samples, progress)
    pictures = _pictures(folder, track)
    quality = assess(
        track,
        pictures,
        {"snr_db": sound["snr"], "noise_floor_db": sound["noise"], "clipped": sound["clipped"], "loudness_lufs": sound["loudness"]},
        timing,
        lag_seconds=lag,
        lag_confidence=confidence,
        cuts=graph.cuts,
        widened=graph.relax,
        voice_similarity=similarity,
        source_seconds=normal.source.seconds,
    )
    warnings = tuple({finding.code: finding for finding in (*normal.notes, *voice.warnings, *quality.warnings)}.values())
    quality = quality.model_copy(update={"warnings": warnings})
    write_report(
        folder,
        quality,
        track,
        samples=samples,
        sample_rate=SOUND_RATE,
        timing=timing,
        pictures=pictures,
        progress=progress,
        name=request.name,
    )
    speaker = Speaker(
        name=request.name,
        consent=consent,
        created_at=datetime.now(UTC),
        product_version=__version__,
        transcript=request.transcript or "",
        transcript_source="given" if request.transcript else "recognised",
        rate=str(normal.rate),
        frames=normal.frames,
        width=normal.width,
        height=normal.height,
        seconds=normal.seconds,
        channels=min(2, normal.source.audio_channels),
        voice_engine=f"{voice.engine} {voice.engine_version}",
        voice_similarity=similarity,
        loudness_lufs=voice.loudness_lufs,
        lag_seconds=lag,
        lag_confidence=confidence,
        quality=quality.model_dump(mode="json", exclude={"warnings"}),
        warnings=warnings,
        fingerprint=_fingerprint(folder),
    )
    return speaker, console_lines(quality)


def _watched(frames: Iterable[NDArray[np.uint8]], total: int, progress: Progress) -> Iterator[NDArray[np.uint8]]:
    """The same frames; every one is reported, so that the work on them can be stopped."""
    for number, frame in enumerate(frames):
        progress.frames(number, total)
        yield frame
    progress.check()


def _listen(samples: NDArray[np.float32], transcript: str | None) -> Timing:
    """When each phone of the reference is heard: aligned where the words are known, recognised otherwise."""
    return align(samples, SOUND_RATE, transcript) if transcript else recognise(samples, SOUND_RATE).timing


def _lag(track: FaceTrack, samples: NDArray[np.float32], timing: Timing) -> tuple[float, float]:
    """Seconds by which the picture is late and should be mended (0 where it is in time, or nobody can tell), and how sure that is."""
    canonical, _ = to_canonical(track.landmarks, make_template(track.landmarks))
    lag, confidence = estimate_lag(canonical, track.rate, samples, SOUND_RATE, timing)
    worth = confidence >= LAG_CONFIDENT and abs(lag) > LAG_SEEN
    return (round(float(lag), 4) if worth else 0.0), round(float(confidence), 3)


def _similarity(folder: Path, samples: NDArray[np.float32], progress: Progress) -> float | None:
    """How alike the learnt voice is to the reference, on a sentence that the reference does not hold."""
    trial = EmbeddedVoice().speak(folder, TRIAL, seed=0, pace=1.0, progress=progress)
    value = voice_similarity(resample(trial.samples, trial.rate, SOUND_RATE), samples, SOUND_RATE)
    return None if value is None else round(value, 3)


def _pictures(folder: Path, track: FaceTrack) -> PictureMeasures:
    indices = sample_frames(track)
    with ReferenceFrames(folder / PICTURE_NAME) as frames:
        return measure_pictures(track, indices, frames.read(int(i) for i in indices))


def _fingerprint(folder: Path) -> str:
    """Hash of everything learnt. The report page is left out: it is for people."""
    learnt = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".html")
    return fingerprint([(path.relative_to(folder).as_posix(), sha256(path)) for path in learnt])[:32]
