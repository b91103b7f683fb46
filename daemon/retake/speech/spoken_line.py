"""A line said by an engine, checked, and said again where it is bad."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from retake.domain.fingerprint import fingerprint as make_key
from retake.domain.progress import Progress
from retake.domain.speech import Speech

from .cache import SpeechCache
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

    def from_cache(self, cache: SpeechCache, fingerprint: str, voice: Voice, progress: Progress) -> tuple[Checked, str | None]:
        """What was said and found before, or is now. A line that an earlier version said is checked as the first of its attempts.

        Args:
            fingerprint: of the speaker.

        Returns it, and its key in the cache if the engine had to say something new from the beginning.
        """
        key = make_key(self.text, self.seed, round(self.pace, 4), self.style, fingerprint, self.engine.name, self.engine.version)
        found = cache.get_checked(key)
        if found is not None and found[1] is not None:
            return found[1], None
        checked = self.speak(voice, progress, first=None if found is None else found[0])
        cache.put(key, checked.speech, checked)
        return checked, key if found is None else None

    def speak(self, voice: Voice, progress: Progress, *, first: Speech | None = None) -> Checked:
        """Say it until it is good (`speak_checked`). `voice`: whom it should sound like. Raises RetakeError as the engine does."""

        def say(seed: int) -> Speech:
            return self.engine.speak(self.speaker, self.text, seed=seed, style=self.style, pace=self.pace, progress=progress)

        def check(speech: Speech) -> SpeechCheck:
            return check_speech(speech, self.text, voice, language=self.language, pace=self.pace, progress=progress)

        return speak_checked(say, check, self.seed, progress, first=first)
