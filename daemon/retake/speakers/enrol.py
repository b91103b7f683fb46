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
from pydantic import BaseModel, ConfigDict

from retake import __version__
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.fingerprint import fingerprint
from retake.domain.progress import Progress
from retake.domain.speaker import Consent, Finding, Speaker, check_name
from retake.domain.timing import Timing
from retake.domain.track import FaceTrack
from retake.face.canonical import make_template, to_canonical
from retake.face.embedded import FOLDER as FACE_FOLDER
from retake.face.embedded import EmbeddedLips
from retake.face.embedded import enrol as learn_face
from retake.face.sync import estimate_lag
from retake.media.audio import read_audio, resample
from retake.media.container import check_file
from retake.media.files import sha256
from retake.media.prefetch import close_source
from retake.media.reader import read_frames
from retake.media.reference import PICTURE_NAME, SOUND_NAME, ReferenceFrames, normalise, rewrite_sound
from retake.motion.features import thumbnails
from retake.motion.graph import FOLDER as MOTION_FOLDER
from retake.motion.graph import build as build_graph
from retake.motion.graph import load as load_graph
from retake.motion.plan import VERSION as MOTION_VERSION
from retake.speakers import store
from retake.speakers.channels import choose_channel
from retake.speakers.poster import write_poster
from retake.speakers.quality import LAG_CONFIDENT, LAG_SEEN, PictureMeasures, assess, measure_pictures, refuse_short, refuse_turned, sample_frames
from retake.speakers.report import console_lines, write_report
from retake.speakers.stages import Enrolled, Nothing, Stages, recall, remember
from retake.speakers.track import TRACK_FILE, load_track, save_track, track_faces
from retake.speech.align import align
from retake.speech.cache import TIMING_FILE, load_timing, save_timing
from retake.speech.embedded import EmbeddedVoice
from retake.speech.hygiene_record import clean_voice, load_record
from retake.speech.learn import enrol as learn_voice
from retake.speech.measure import has_speech, similarity_to, sound_quality, voice_similarity
from retake.speech.recognise import recognise
from retake.speech.text import check as check_text
from retake.speech.voice_store import FOLDER as VOICE_FOLDER
from retake.speech.voice_store import load_profile

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
    work: Path | None = None,
) -> EnrolResult:
    """Learn a speaker from `reference` and store it as `name`.

    Args:
        transcript: what is said in the reference; None lets the phone recogniser listen, which costs quality.
        consent: the statement by which the person agreed; without one nothing is learnt.
        max_seconds: use at most this much of the reference, from its beginning.
        recorded_by: who records the consent; the account of the operating system if empty.
        work: folder in which finished stages are kept, so that a second call with the same reference and words goes on behind the last one
            of them. It is emptied at the end, but for a note by which another such call knows that there is nothing left to do.

    Raises RetakeError for a reference that cannot work. The speaker appears complete or not at all.
    """
    check_name(name)
    agreed = check_consent(consent)
    words = (transcript or "").strip() or None
    if words:
        check_transcript(words)
    request = _Request(reference, name, words, agreed, max_seconds)
    key = "" if work is None else _key(request)
    done = recall(work, key)
    if done is not None and done.name == name and store.exists(home, name):
        speaker = store.load(home, name)
        if speaker.fingerprint == done.fingerprint:
            return EnrolResult(speaker, store.speaker_folder(home, name) / "report.html", done.lines)
    if not replace:
        store.refuse_existing(home, name)
    kept = Stages(work, key)
    with store.building(home, name, replace=replace) as folder:
        speaker, lines = _learn(request, folder, recorded_by or _account(), kept, progress)
        store.save(folder, speaker)
        remember(work, Enrolled(key=key, name=name, fingerprint=speaker.fingerprint, lines=lines))
    kept.clear()
    return EnrolResult(speaker, store.speaker_folder(home, name) / "report.html", lines)


def _key(request: _Request) -> str:
    """Hash of everything that the stages depend on."""
    versions = [__version__, EmbeddedVoice.version, EmbeddedLips.version, MOTION_VERSION]
    reference = sha256(check_file(request.reference))
    return fingerprint(reference, request.reference.name, request.transcript, request.max_seconds, versions)


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


class _Read(BaseModel):
    """What reading the reference found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: str
    frames: int
    width: int
    height: int
    seconds: float
    channels: int
    source_seconds: float
    notes: tuple[Finding, ...]
    sound: dict[str, float | None]


class _Words(BaseModel):
    """What comparing mouth and words found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lag: float
    confidence: float


@dataclass(frozen=True)
class _Learning:
    """The stages of an enrolment. Each reads what it needs from the speaker's folder, where those before it have left it."""

    request: _Request
    folder: Path
    progress: Progress

    @property
    def samples(self) -> NDArray[np.float32]:
        return read_audio(self.folder / SOUND_NAME, SOUND_RATE)

    def read(self) -> _Read:
        """Normalise the reference and follow the face."""
        request, progress = self.request, self.progress
        progress.stage("Reading the reference")
        choice = choose_channel(request.reference, request.max_seconds, progress)
        normal = normalise(request.reference, self.folder, progress, max_seconds=request.max_seconds, channel=choice.channel)
        refuse_short(normal.seconds, request.reference.name)
        samples = self.samples
        progress.check()
        sound = sound_quality(samples, SOUND_RATE)
        progress.check()
        if not has_speech(samples, SOUND_RATE, progress):
            raise RetakeError(
                f"No speech was found in the sound of {request.reference.name}.",
                "Use a clip in which one person talks, close to the microphone and without music.",
                code="no_speech",
            )
        progress.stage("Finding the face")
        track = track_faces(self.folder / PICTURE_NAME, normal.rate, progress, frames=normal.frames, name=request.reference.name)
        refuse_turned(track, request.reference.name)
        save_track(self.folder, track)
        return _Read(
            rate=str(normal.rate),
            frames=normal.frames,
            width=normal.width,
            height=normal.height,
            seconds=normal.seconds,
            channels=min(2, normal.source.audio_channels),
            source_seconds=normal.source.seconds,
            notes=(*normal.notes, *((choice.note,) if choice.note is not None else ())),
            sound=sound,
        )

    def words(self) -> _Words:
        """Find when each word is said, and mend a lag between sound and picture."""
        self.progress.stage("Listening to the words")
        samples, track = self.samples, load_track(self.folder)
        timing = _listen(samples, self.request.transcript, self.progress)
        self.progress.check()
        lag, confidence = _lag(track, samples, timing, self.progress)
        if lag:
            rewrite_sound(self.folder, lag)
            timing = timing.shifted(lag)
        save_timing(self.folder, timing)
        return _Words(lag=lag, confidence=confidence)

    def voice(self) -> Nothing:
        self.progress.stage("Learning the voice")
        learn_voice(self.folder, self.samples, SOUND_RATE, self.request.transcript, self.progress)
        return Nothing()

    def mouth(self) -> Nothing:
        self.progress.stage("Learning the mouth")
        learn_face(self.folder, load_track(self.folder), load_timing(self.folder), self.progress)
        return Nothing()

    def motion(self) -> Nothing:
        self.progress.stage("Learning the movement")
        track = load_track(self.folder)
        small = thumbnails(_watched(read_frames(self.folder / PICTURE_NAME), len(track), self.progress))
        build_graph(track, small, load_timing(self.folder)).save(self.folder)
        return Nothing()


def _learn(request: _Request, folder: Path, recorded_by: str, kept: Stages, progress: Progress) -> tuple[Speaker, list[str]]:
    """Fill `folder` with everything learnt from the reference; returns the record and the lines of the report."""
    learning = _Learning(request, folder, progress)
    read = kept.do("read", folder, (PICTURE_NAME, SOUND_NAME, TRACK_FILE), _Read, learning.read)
    words = kept.do("words", folder, (SOUND_NAME, TIMING_FILE), _Words, learning.words)
    kept.do("voice", folder, (VOICE_FOLDER,), Nothing, learning.voice)
    kept.do("mouth", folder, (FACE_FOLDER,), Nothing, learning.mouth)
    kept.do("motion", folder, (MOTION_FOLDER,), Nothing, learning.motion)

    progress.stage("Checking the result")
    consent = Consent(statement=request.consent, recorded_by=recorded_by, recorded_at=datetime.now(UTC), reference_sha256=sha256(request.reference))
    samples, track, timing = learning.samples, load_track(folder), load_timing(folder)
    voice, graph = load_profile(folder), load_graph(folder)
    similarity = _similarity(folder, samples, progress)
    progress.check()
    pictures = _pictures(folder, track, progress)
    sound = read.sound
    quality = assess(
        track,
        pictures,
        {"snr_db": sound["snr"], "noise_floor_db": sound["noise"], "clipped": sound["clipped"], "loudness_lufs": sound["loudness"]},
        timing,
        lag_seconds=words.lag,
        lag_confidence=words.confidence,
        cuts=graph.cuts,
        widened=graph.relax,
        voice_similarity=similarity,
        source_seconds=read.source_seconds,
        hygiene=load_record(folder),
    )
    warnings = tuple({finding.code: finding for finding in (*read.notes, *voice.warnings, *quality.warnings)}.values())
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
    progress.check()
    speaker = Speaker(
        name=request.name,
        consent=consent,
        created_at=datetime.now(UTC),
        product_version=__version__,
        transcript=request.transcript or "",
        transcript_source="given" if request.transcript else "recognised",
        rate=read.rate,
        frames=read.frames,
        width=read.width,
        height=read.height,
        seconds=read.seconds,
        channels=read.channels,
        voice_engine=f"{voice.engine} {voice.engine_version}",
        voice_similarity=similarity,
        loudness_lufs=voice.loudness_lufs,
        lag_seconds=words.lag,
        lag_confidence=words.confidence,
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


def _listen(samples: NDArray[np.float32], transcript: str | None, progress: Progress) -> Timing:
    """When each phone of the reference is heard: aligned where the words are known, recognised otherwise."""
    return align(samples, SOUND_RATE, transcript, progress=progress) if transcript else recognise(samples, SOUND_RATE, progress).timing


def _lag(track: FaceTrack, samples: NDArray[np.float32], timing: Timing, progress: Progress) -> tuple[float, float]:
    """Seconds by which the picture is late and should be mended (0 where it is in time, or nobody can tell), and how sure that is."""
    canonical, _ = to_canonical(track.landmarks, make_template(track.landmarks))
    lag, confidence = estimate_lag(canonical, track.rate, samples, SOUND_RATE, timing, progress=progress)
    worth = confidence >= LAG_CONFIDENT and abs(lag) > LAG_SEEN
    return (round(float(lag), 4) if worth else 0.0), round(float(confidence), 3)


def _similarity(folder: Path, samples: NDArray[np.float32], progress: Progress) -> float | None:
    """How alike the learnt voice is to the reference, on a sentence that the reference does not hold."""
    trial = EmbeddedVoice().speak(folder, TRIAL, seed=0, pace=1.0, progress=progress)
    said, learnt = resample(trial.samples, trial.rate, SOUND_RATE), clean_voice(folder)
    value = similarity_to(learnt, said, SOUND_RATE, progress) if learnt is not None else voice_similarity(said, samples, SOUND_RATE, progress)
    return None if value is None else round(value, 3)


def _pictures(folder: Path, track: FaceTrack, progress: Progress) -> PictureMeasures:
    indices = sample_frames(track)
    with ReferenceFrames(folder / PICTURE_NAME) as frames:
        write_poster(folder, track, frames)
        return measure_pictures(track, indices, _stoppable(frames.read(int(i) for i in indices), progress))


def _stoppable(pictures: Iterator[NDArray[np.uint8]], progress: Progress) -> Iterator[NDArray[np.uint8]]:
    """The same pictures; their reader ends with this, also where the work is stopped."""
    try:
        for picture in pictures:
            progress.check()
            yield picture
    finally:
        close_source(pictures)


def _fingerprint(folder: Path) -> str:
    """Hash of everything learnt. The report page is left out: it is for people."""
    learnt = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".html")
    return fingerprint([(path.relative_to(folder).as_posix(), sha256(path)) for path in learnt])[:32]
