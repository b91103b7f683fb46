"""How long a text takes in a person's voice, without speaking it: the durations that the voice would use, and its pauses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .hibari_net import STEP_SECONDS
from .material import gap_ids
from .plan import BETWEEN_PARAGRAPHS, BETWEEN_PIECES, OWN_PAUSE, plan
from .synthesis import Synthesiser
from .voice_store import load_profile

# s; the last phone before a pause carries part of the pause in the base voice's durations (median of 18 lines in the voice of the presenter).
LAST = 0.08
_AFTER = {BETWEEN_PARAGRAPHS: 1.8, BETWEEN_PIECES: 0.35}  # of a usual pause, as embedded.py speaks them


class Estimate:
    """Estimates for one speaker. Loads the base voice once (half a second)."""

    def __init__(self, speaker: Path) -> None:
        self._profile = load_profile(speaker)
        self._base = Synthesiser()

    def seconds(self, lines: Sequence[str]) -> float:
        """How long the lines take, spoken one after another with a sentence's pause between them; within some 5 %."""
        total = 0.0
        for text in lines:
            utterances = plan(text)
            for place, utterance in enumerate(utterances, 1):
                steps = self._base.durations(utterance.phonemes, self._profile.pace).numpy()
                sounding = np.flatnonzero(~np.isin(utterance.ids, gap_ids()))  # silence at both ends is cut off, and pauses take its place
                steps = steps[sounding[0] : sounding[-1] + 1] if len(sounding) else steps[:0]
                asked = sum(self._profile.pause if seconds == OWN_PAUSE else seconds for _, seconds in utterance.breaks)
                total += float(steps.sum()) * STEP_SECONDS + asked - LAST
                total += self._profile.pause * (1.0 if place == len(utterances) else _AFTER.get(utterance.after, 1.0))
        return max(0.0, total - self._profile.pause)
