"""Voices of engines that live in their own process: what they say is checked, timed, paced and brought to the speaker's loudness here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.hints import shown
from retake.domain.language import primary
from retake.domain.progress import Progress
from retake.domain.speaker import Speaker
from retake.domain.speech import Speech
from retake.domain.timing import Timing
from retake.engines import registry
from retake.engines.failures import OutOfMemory
from retake.engines.hosts import Hosts, hosts
from retake.engines.process import HostProcess
from retake.media.files import sha256

from . import activity, languages
from .align import align
from .mastering import master
from .pieces import pieces_of
from .recognise import recognise
from .stretch import stretch
from .text import normalise, sentences

Samples = NDArray[np.float32]
_EDGE = 0.05  # s of quiet that is left at both ends
_ALIGNED = "en"  # the language whose words can be found in the sound


@dataclass(frozen=True)
class _Reading:
    samples: Samples
    rate: int
    timing: Timing


class HostedVoice:
    """VoiceEngine. Installed engines are looked up anew for every line, so that one that is renewed or removed is noticed.

    Args:
        home: Retake's folder.
        name: of an installed voice engine.
        language: the engine's tag of what it is to speak; None: the text's, where it is noticed, else the speaker's (`languages.chosen`).
    """

    def __init__(self, home: Path, name: str, *, pool: Hosts | None = None, language: str | None = None) -> None:
        self.name = name
        self._language = language
        self._home = home
        self._pool = pool
        self._engine()

    @property
    def version(self) -> str:
        return self._engine().sound_version + (f"-{self._language}" if self._language else "")

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self._engine().manifest.languages)

    def speaking(self, language: str) -> HostedVoice:
        """This voice, speaking the language that the engine calls so."""
        return HostedVoice(self._home, self.name, pool=self._pool, language=language)

    def speak(
        self, speaker: Path, text: str, *, seed: int = 0, style: str = "neutral", pace: float = 1.0, progress: Progress | None = None
    ) -> Speech:
        """Speak `text` like the reference in the folder `speaker`; see VoiceEngine.speak.

        Words are found in what the engine made by forced alignment (the timing has a confidence and is not exact). Engines of this kind sometimes
        leave words out or repeat them; whoever asks tries another seed then (`retry.speak_checked`).

        Raises:
            RetakeError: engine_not_installed, engine_language, engine_style, engine_wrong_words, engine_out_of_memory, or the engine's own failure.
        """
        if style != "neutral":
            raise RetakeError(f"The engine '{self.name}' has no styles.", "Leave 'style' out, or use the embedded engine.", code="engine_style")
        progress = progress or Progress()
        engine = self._engine()
        person = _person(speaker)
        language = self._language or languages.chosen(text, self.languages, asked=None, own=person.language)
        if language is None:
            raise languages.refused(self.name, self.languages, person.language, self._home)
        aligned = primary(language) == _ALIGNED
        spoken = [normalise(sentence) for sentence in sentences(text)] if aligned else pieces_of(shown(text))
        reference = speaker / "reference.wav"
        order: dict[str, object] = {
            "text": " ".join(spoken),
            "sentences": spoken,
            "language": language,
            "reference": str(reference.resolve()),
            "reference_text": person.transcript,
            "voice_key": sha256(reference),
            "seed": seed % 2**31,
        }
        samples, rate = self._made(engine, order, pace, progress)
        reading = _timed(samples, rate, text if aligned else None, progress)
        if reading is None:
            raise RetakeError(
                f"The engine '{self.name}' did not say these words.",
                "Split the line, write it differently, try another seed, or use another engine.",
                code="engine_wrong_words",
            )
        samples = master(reading.samples, reading.rate, person.loudness_lufs)
        progress.report(1.0)
        return Speech(samples, reading.rate, reading.timing, f"{self.name} {self.version}")

    def _engine(self) -> registry.Engine:
        return registry.ready_engine(self._home, self.name, "voice")

    def _made(self, engine: registry.Engine, order: dict[str, object], pace: float, progress: Progress) -> tuple[Samples, int]:
        """What the engine says, at `pace`. When memory runs out, everything else is let go and the engine tries once more with less."""
        pool = self._pool or hosts(self._home)
        try:
            with pool.use(engine, progress, voice=Path(str(order["reference"]))) as host:
                return _spoken(host, order, pace, progress)
        except OutOfMemory:
            pool.make_room()
            with pool.use(engine, progress, voice=Path(str(order["reference"]))) as host:
                return _spoken(host, order | {"smaller": True}, pace, progress)


def _spoken(host: HostProcess, order: dict[str, object], pace: float, progress: Progress) -> tuple[Samples, int]:
    name = host.engine.name
    parts: list[Samples] = []
    rate = 0
    for piece, piece_rate in _pieces(host, order | {"pace": pace if host.paces else 1.0}, progress):
        if piece_rate != (rate or piece_rate) or not 8000 <= piece_rate <= 192_000:
            raise _bad_sound(name, f"a sampling rate of {piece_rate} Hz")
        rate = piece_rate
        if not np.isfinite(piece).all():
            raise _bad_sound(name, "numbers that are no sound")
        parts.append(piece)
    if not parts or not sum(len(part) for part in parts):
        raise _bad_sound(name, "no sound")
    samples = np.concatenate(parts)
    peak = float(np.abs(samples).max())
    if peak > 1.0:
        samples /= peak
    return (samples if host.paces else stretch(samples, rate, pace)), rate


def _pieces(host: HostProcess, order: dict[str, object], progress: Progress) -> Iterator[tuple[Samples, int]]:
    for message in host.stream("speak", order, progress):
        array = message.arrays.get("samples")
        if array is None or array.dtype != "float32":
            raise _bad_sound(host.engine.name, "something else than sound")
        yield np.frombuffer(array.data, np.float32).copy(), int(message.fields["rate"])


def _timed(samples: Samples, rate: int, text: str | None, progress: Progress) -> _Reading | None:
    """The sound without the silence around it, and when its words are said (without `text`: its phones); None if it says something else."""
    samples = _trimmed(samples, rate)
    try:
        timing = recognise(samples, rate, progress).timing if text is None else align(samples, rate, text, progress=progress)
    except RetakeError as error:
        if error.code in {"no_speech", "transcript_mismatch"}:
            return None
        raise
    return _Reading(samples, rate, timing)


def _trimmed(samples: Samples, rate: int) -> Samples:
    heard = np.flatnonzero(activity.active(samples, rate))
    if not len(heard):
        return samples
    start = max(0, round((heard[0] * activity.STEP - _EDGE) * rate))
    end = min(len(samples), round(((heard[-1] + 1) * activity.STEP + _EDGE) * rate))
    return samples[start:end]


def _person(folder: Path) -> Speaker:
    try:
        return Speaker.model_validate_json((folder / "speaker.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise RetakeError(
            f"The record of the speaker '{folder.name}' cannot be read.", "Enrol the speaker again.", kind=ErrorKind.ENVIRONMENT, code="bad_speaker"
        ) from error


def _bad_sound(engine: str, what: str) -> RetakeError:
    return RetakeError(
        f"The engine '{engine}' made {what}.", "Try another seed or another engine.", kind=ErrorKind.ENVIRONMENT, code="engine_bad_sound"
    )
