"""A line said by an engine, checked, and said again where it is bad."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from retake.domain.progress import Progress
from retake.domain.speech import Speech

from .protocol import VoiceEngine
from .retry import Checked, speak_checked
from .take_check import SpeechCheck, Voice, check_speech


@dataclass(frozen=True)
class SpokenLine:
    """What an engine is asked to say; see VoiceEngine.speak. language: BCP 47 tag of the text."""

    engine: VoiceEngine
    speaker: Path
    text: str
    seed: int
    style: str
    pace: float
    language: str = "en"

    def speak(self, voice: Voice, progress: Progress, *, first: Speech | None = None) -> Checked:
        """Say it until it is good (`speak_checked`). `voice`: whom it should sound like. Raises RetakeError as the engine does."""

        def say(seed: int) -> Speech:
            return self.engine.speak(self.speaker, self.text, seed=seed, style=self.style, pace=self.pace, progress=progress)

        def check(speech: Speech) -> SpeechCheck:
            return check_speech(speech, self.text, voice, language=self.language, pace=self.pace, progress=progress)

        return speak_checked(say, check, self.seed, progress, first=first)
