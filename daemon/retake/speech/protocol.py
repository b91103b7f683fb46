"""What the pipeline needs from an engine that speaks."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from retake.domain.progress import Progress
from retake.domain.speech import Speech


class VoiceEngine(Protocol):
    """Speaks a text in the voice of an enrolled speaker."""

    @property
    def name(self) -> str:
        """For example "embedded"."""
        ...

    @property
    def version(self) -> str:
        """Part of cache keys: it changes whenever the sound does."""
        ...

    @property
    def languages(self) -> tuple[str, ...]:
        """BCP 47 tags of what it speaks, for example ("en",)."""
        ...

    def speak(self, speaker: Path, text: str, *, seed: int, style: str, pace: float, progress: Progress) -> Speech:
        """Speak `text`.

        Args:
            speaker: the speaker's folder, holding what this engine stored at enrolment.
            text: as the user wrote it, with hints (docs/pronunciation.md); the engine normalises numbers and so on. Raises RetakeError for text
                that it cannot speak.
            seed: another seed gives another reading; the same seed the same samples.
            style: of `speech.style.STYLES`; an engine that has no styles refuses all but "neutral".
            pace: 1 is the speaker's own rate; 1.1 is 10 % faster.
        """
        ...
