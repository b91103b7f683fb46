"""One request becomes one take: speak, move, draw, finish, measure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from retake import __version__
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.script import Script
from retake.domain.speaker import Speaker
from retake.domain.speech import Speech
from retake.domain.take import Take, TakeRequest
from retake.face.engines import lips_engine
from retake.face.protocol import LipsEngine
from retake.media.files import sha256
from retake.media.probe import probe
from retake.media.writer import write_clip
from retake.motion import graph
from retake.motion.plan import VERSION as MOTION_VERSION
from retake.motion.plan import plan
from retake.speakers import store as speakers
from retake.speakers.track import load_track, track_faces
from retake.speech.cache import SpeechCache, load_timing
from retake.speech.engines import voice_engine
from retake.speech.languages import check_line, chosen, in_language
from retake.speech.protocol import VoiceEngine
from retake.speech.retry import Checked
from retake.speech.retry import notes as speech_notes
from retake.speech.slot import Slotted, handles_needed, in_slot
from retake.speech.spoken_line import SpokenLine
from retake.speech.style import style_named
from retake.speech.words import load_words
from retake.takes import delivery, finish
from retake.takes import store as takes
from retake.takes.lip_watch import LipWatch
from retake.takes.measure import measure_speech
from retake.takes.score import Reference, measure_clip
from retake.takes.standard import OwnMouth, OwnSound
from retake.takes.syncnet import Judge


@dataclass
class Stopwatch:
    """Seconds spent in each stage of a take, for its report."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.perf_counter() - start, 3)


@dataclass(frozen=True)
class ScriptResult:
    """Takes in the order of the script's lines, and the timeline that holds them one after another."""

    takes: list[Take]
    timeline: Path


def warm_up() -> None:
    """Load what every take needs into this process (a few seconds), so that the first line is nearly as quick as the others."""
    from retake.takes.warm import load_networks

    voice_engine("embedded")
    lips_engine("embedded")
    load_networks()


@dataclass(frozen=True)
class _Work:
    """One request and everything it is made with."""

    request: TakeRequest
    speaker: Speaker
    voice: VoiceEngine
    lips: LipsEngine
    home: Path
    progress: Progress
    spoken: list[str] = field(default_factory=list)  # keys of what the engine had to say, because the cache did not hold it
    checked: list[Checked] = field(default_factory=list)  # of everything that was said, in order: what is heard is the last

    @property
    def text(self) -> str:
        """What is said: the text with the user's words as hints (speech.words). What a recording says, it says as it does."""
        return self.request.text if self.request.audio is not None else load_words(self.home).mark(self.request.text)

    @property
    def folder(self) -> Path:
        return speakers.speaker_folder(self.home, self.speaker.name)

    @property
    def language(self) -> str:
        """The tag of the language that is spoken."""
        return chosen(self.text, tuple(self.voice.languages), asked=self.request.language, own=self.speaker.language) or self.speaker.language

    @property
    def rate(self) -> FrameRate:
        return FrameRate.parse(self.request.fps or self.speaker.rate)

    @property
    def size(self) -> tuple[int, int]:
        return self.request.width or self.speaker.width, self.request.height or self.speaker.height


def render(request: TakeRequest, *, home: Path, output: Path | None, progress: Progress) -> Take:
    """Make the take that `request` asks for, or find it if it was made before.

    Args:
        home: Retake's folder.
        output: where the clip is wanted besides the store; timeline, captions, report and poster go beside it.

    Raises RetakeError for everything a user can cause; then nothing is left behind.
    """
    work = _work_on(request, home, progress)
    if output is not None:
        delivery.check_target(output, home, audio=request.audio)
    key = _key(work)
    take = takes.find(home, key)
    if take is None:
        take = _make(work, key)
    # The same words for another line are the same take, but the timeline must name the line that was asked for.
    take = take.model_copy(update={"request": request})
    return take if output is None else delivery.deliver(take, output)


def prepare_line(request: TakeRequest, *, home: Path, progress: Progress) -> bool:
    """Do the first stage of `render` alone: speak the line into the cache, where `render` finds it.

    Somebody who goes on after an interruption has that stage behind them. There is nothing to do for a recording, for a line that was spoken
    before, or for a take that exists.

    Returns True if something was spoken. Raises RetakeError as `render` does for everything that is wrong with the words or the speaker.
    """
    work = _work_on(request, home, progress)
    if request.audio is not None or takes.find(home, _key(work)) is not None:
        return False
    progress.stage("Speaking")
    _speech(work)
    return bool(work.spoken)


def words_need_handles(request: TakeRequest, *, home: Path, progress: Progress) -> int:
    """The fewest handles with which the words of `request`, at their own pace, end within the handle behind their slot; 0 without a slot.

    The words are spoken for that (into the cache, where `render` finds them). Raises RetakeError as `render` does.
    """
    work = _work_on(request, home, progress)
    if request.fit is None:
        return 0
    seconds = _spoken(work, 1.0).duration if request.audio is None else probe(request.audio).seconds
    return handles_needed(seconds, request, work.rate)


def take_key(request: TakeRequest, *, home: Path) -> str:
    """Key of the take that `request` asks for, made or not. Raises RetakeError as `render`."""
    return _key(_work_on(request, home, Progress()))


def _work_on(request: TakeRequest, home: Path, progress: Progress) -> _Work:
    speaker = speakers.load(home, request.speaker)
    style_named(request.style)
    voice = voice_engine(request.voice_engine, folder=home)
    if request.audio is None:
        voice = in_language(voice, request.language, home)
    return _Work(request, speaker, voice, lips_engine(request.lips_engine, folder=home), home, progress)


def render_script(script: Script, requests: list[TakeRequest], *, home: Path, output_folder: Path, progress: Progress) -> ScriptResult:
    """Render the lines of a script (one request each, in order) and one timeline of them, all in `output_folder`.

    Lines that were rendered before come from the store, so that changing one line costs one line. What can be wrong with any line is looked at
    before the first one is rendered. A timeline has one frame rate: where none is asked for and speakers differ, it is the first line's.

    Raises RetakeError as `render`, naming the line; those before it are kept, and the next run goes on from there.
    """
    requests = prepare_script(requests, home=home, output_folder=output_folder)
    done: list[Take] = []
    for number, request in enumerate(requests, 1):
        with of_line(number, request):
            done.append(render(request, home=home, output=line_output(output_folder, number, request), progress=progress))
    timeline = delivery.script_timeline(output_folder)
    finish.write_script_timeline(timeline, script.title, done)
    return ScriptResult(done, timeline)


def prepare_script(requests: list[TakeRequest], *, home: Path, output_folder: Path) -> list[TakeRequest]:
    """The requests at one frame rate, after everything that can be known to be wrong with any of them was looked at; `output_folder` is made."""
    for number, request in enumerate(requests, 1):
        if request.audio is None:
            with of_line(number, request):
                check_line(request.text, request.voice_engine, home, asked=request.language)
    requests = _at_one_rate(requests, home)
    delivery.prepare_folder(output_folder, home)
    return requests


def line_output(folder: Path, number: int, request: TakeRequest) -> Path:
    """Where the clip of a script's line goes."""
    return folder / f"{number:03d}-{request.line_id}.mp4"


@contextmanager
def of_line(number: int, request: TakeRequest) -> Iterator[None]:
    """Errors about one line of a script say which."""
    try:
        yield
    except RetakeError as error:
        if error.kind is ErrorKind.CANCELLED:
            raise
        start = " ".join(request.text.split())[:40]
        raise RetakeError(f"Line {number} ('{start}'): {error.cause}", error.remedy, kind=error.kind, code=error.code) from error


def _at_one_rate(requests: list[TakeRequest], home: Path) -> list[TakeRequest]:
    rates = [str(FrameRate.parse(request.fps or speakers.load(home, request.speaker).rate)) for request in requests]
    if len(set(rates)) <= 1:
        return requests
    return [request.model_copy(update={"fps": rates[0]}) for request in requests]


def _make(work: _Work, key: str) -> Take:
    request, speaker, rate, progress = work.request, work.speaker, work.rate, work.progress
    watch = Stopwatch()
    progress.stage("Speaking")
    with watch.time("speech"):
        slotted = _speech(work)
        speech, frames = slotted.speech, slotted.frames
        if request.audio is None:
            speech = _sound(work.folder, speaker.fingerprint).under(speech, request.seed, progress)
    progress.stage("Planning the movement")
    with watch.time("motion"):
        path = plan(graph.load(work.folder), speech, frames, rate, request.seed)

    mouth = _mouth(work.folder, speaker.fingerprint)
    identifier = takes.take_id(key)
    with takes.building(work.home, key) as building:
        files = finish.files_in(building)
        width, height = work.size
        poster = finish.PosterTap(request.handles + (frames - 2 * request.handles) // 3)
        progress.stage("Rendering")
        lips = LipWatch(speech.timing, rate, frames, own=mouth, progress=progress)
        drawn = poster.through(lips.through(work.lips.render(work.folder, path, speech, rate, progress)))
        with watch.time("picture"), closing(drawn):
            write_clip(
                Path(files.clip),
                drawn,
                rate=rate,
                width=width,
                height=height,
                samples=speech.samples,
                sample_rate=speech.rate,
                channels=speaker.channels,
                metadata=finish.clip_metadata(request, speaker, identifier, __version__),
                progress=progress,
                total=frames,
            )
        poster.write(Path(files.poster), width, height)
        _check_same_speaker(work)
        progress.stage("Measuring")
        with watch.time("measure"):
            measured = {"frames": frames, "seconds": rate.seconds(frames), "sound_seconds": speech.duration, "seams": len(path.seams)}
            measured |= {"overhang_seconds": round(slotted.overhang, 3)} if slotted.overhang else {}
            said = request.model_copy(update={"text": work.text})
            checked = work.checked[-1] if work.checked else None
            measured |= measure_speech(speech, said, speaker, checked) | lips.figures()
            spoken_notes = [] if checked is None else speech_notes(checked)
            measured |= {"notes": [*_notes(said, speech, work.home), *spoken_notes, *_overhang_notes(slotted.overhang, rate)]}
        take = Take(
            id=identifier,
            request=request,
            files=finish.files_in(takes.take_folder(work.home, identifier)),
            frames=frames,
            rate=str(rate),
            width=width,
            height=height,
            sha256=sha256(files.clip),
            measured=measured,
        )
        finish.write_sidecars(files, take, speaker, speech, finish.Making(watch.seconds, _versions(work)))
        takes.save(building, take, key, home=work.home)
    stored = takes.find(work.home, key)  # another process may have been quicker with the same take, whose files then stay
    return take if stored is None else stored.model_copy(update={"cached": False})


@lru_cache(maxsize=4)  # speakers; a quarter of a second each, which every further line of a speaker saves
def _mouth(folder: Path, fingerprint: str) -> OwnMouth:
    """What mouths of the speaker in `folder` are measured by; the fingerprint tells a speaker from one who was enrolled in its place."""
    return OwnMouth.of(load_track(folder), load_timing(folder))


@lru_cache(maxsize=4)
def _sound(folder: Path, fingerprint: str) -> OwnSound:
    """What speeches of the speaker in `folder` are checked by, and the room that lies under them."""
    return OwnSound.of(folder)


def _check_same_speaker(work: _Work) -> None:
    """A speaker that was replaced meanwhile may have lent the take half of each of its references."""
    if speakers.load(work.home, work.speaker.name).fingerprint != work.speaker.fingerprint:
        _mouth.cache_clear()
        _sound.cache_clear()  # they may have read the new reference under the old one's name
        raise RetakeError(
            f"The speaker '{work.speaker.name}' was replaced while the take was made.",
            "Run it again.",
            kind=ErrorKind.ENVIRONMENT,
            code="speaker_changed",
        )


def _notes(request: TakeRequest, speech: Speech, home: Path) -> list[str]:
    """What the user should know about the words: what is not spoken, or how sure the times of a recording are."""
    if request.audio is None:
        return list(check_line(request.text, request.voice_engine, home, asked=request.language))
    from retake.speech.recording import problems

    return [problem.message for problem in problems(speech.timing)]


def _speech(work: _Work) -> Slotted:
    """What is heard, lasting exactly as long as the take."""
    return in_slot(work.request, work.rate, lambda pace: _spoken(work, pace), work.progress)


def _overhang_notes(overhang: float, rate: FrameRate) -> list[str]:
    if not overhang:
        return []
    return [f"The words end {overhang:.2f} s ({rate.frames_covering(overhang)} frames) behind the slot, in the handle."]


def _spoken(work: _Work, pace: float) -> Speech:
    """The words as the engine says them, from the cache where they were said before."""
    request = work.request
    line = SpokenLine(work.voice, work.folder, work.text, request.seed, request.style, pace, language=work.language)
    cache = SpeechCache(speakers.speech_folder(work.home, work.speaker.name))
    checked, new = line.from_cache(cache, work.speaker.fingerprint, _sound(work.folder, work.speaker.fingerprint).voice, work.progress)
    work.spoken.extend([new] if new else [])
    work.checked.append(checked)
    return checked.speech


def _key(work: _Work) -> str:
    parts = {"speaker": work.speaker.fingerprint, **_versions(work)}
    if work.text != work.request.text:
        parts["said"] = work.text
    if work.request.audio is not None:
        probe(work.request.audio)  # names what is wrong with a missing or unreadable file
        parts["audio"] = sha256(work.request.audio)
    # Asking for what the reference has anyway is asking for the same take.
    width, height = work.size
    exact = work.request.model_copy(
        update={"fps": str(work.rate), "width": width, "height": height, "language": None}
    )  # the engine's version tells it
    if exact.fit is None:  # without a slot every line has its own pace
        exact = exact.model_copy(update={"pace": "fit"})
    return takes.request_key(exact, parts)


def _versions(work: _Work) -> dict[str, str]:
    voice, lips = work.voice, work.lips
    return {"retake": __version__, "voice": f"{voice.name} {voice.version}", "lips": f"{lips.name} {lips.version}", "motion": MOTION_VERSION}


def score(clip: Path, speaker: str, *, home: Path, text: str | None, progress: Progress, syncnet: Path | None = None) -> dict[str, Any]:
    """Measure a finished clip against the speaker it shows (see `takes.score`).

    Args:
        text: what is said in it, where no report lies beside it.
        syncnet: file of SyncNet's weights; with it LSE-D and LSE-C are measured too (see `takes.syncnet`).

    Raises RetakeError for a clip without a face or that cannot be read, an unknown speaker, or a file that does not hold SyncNet's weights.
    """
    person = speakers.load(home, speaker)
    folder = speakers.speaker_folder(home, speaker)
    info = probe(clip, need_video=True)
    rate = info.rate or FrameRate.parse(person.rate)
    judge = None if syncnet is None else Judge(syncnet)  # a wrong file is told before minutes of work
    progress.stage("Finding the face")
    track = track_faces(clip, rate, progress, frames=rate.frames(info.seconds))
    progress.stage("Measuring")
    reference = Reference(folder, load_track(folder), load_timing(folder), person.loudness_lufs)
    figures = measure_clip(clip, reference, track, text=text, progress=progress)
    if judge is not None:
        progress.stage("Comparing lips and sound")
        figures["syncnet"] = judge.figures(clip, track, progress)
    return figures
