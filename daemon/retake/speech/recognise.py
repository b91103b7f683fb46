"""Which phones are heard, and when, in a recording whose words nobody knows.

The network (`phone_network`) says well *what* is heard and poorly *when*, so the times come from aligning the phones it found (`align`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retake.domain.phones import VOWELS
from retake.domain.progress import Progress
from retake.domain.timing import Timing

from .align import align_phones, no_speech
from .phone_network import decode, posteriors


@dataclass(frozen=True)
class Recognised:
    """What was heard. `timing` has phones but no words; its confidence says how sure the recogniser was.

    About 0.9 for clear speech; below 0.6 the phones cannot be relied on.
    """

    timing: Timing

    @property
    def confidence(self) -> float:
        return self.timing.confidence


def recognise(samples: NDArray[np.float32], rate: int, progress: Progress | None = None) -> Recognised:
    """Hear phones and when they are said. Phone error rate about 0.16 on clear speech; words are not known.

    Args:
        samples: (n,) mono in [-1, 1].
        progress: only asked whether to stop.

    Raises:
        RetakeError: no speech was found (code no_speech).
    """
    words, sure = decode(posteriors(samples, rate, progress))
    if not words or not any(symbol in VOWELS for word in words for symbol in word):
        raise no_speech()
    timing = align_phones(samples, rate, words, progress=progress)
    return Recognised(Timing(timing.phones, (), exact=False, confidence=round(float(sure.mean()), 3)))
