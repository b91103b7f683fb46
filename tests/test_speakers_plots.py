from __future__ import annotations

import numpy as np

from retake.domain.timing import Timing, Word
from retake.speakers.plots import waveform


def test_words_with_signs_of_formulae_are_drawn_as_words() -> None:
    """Two dollar signs would begin and end a formula, and one that is malformed would end the enrolment."""
    timing = Timing((), (Word("$5_^-$6", 0.0, 0.5), Word("$\\x$", 0.5, 1.0)))
    assert waveform(np.ones(800, np.float32), 800, timing).startswith(b"\x89PNG")
