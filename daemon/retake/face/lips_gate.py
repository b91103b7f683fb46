"""How much of a lips engine's mouth is shown in each frame: all of it while words are said, none in the pauses between them.

Networks that draw lips from sound move them in room tone too, and moving lips in silence is what viewers mind most. When nothing is said is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retake.domain.rate import FrameRate
from retake.domain.timing import Timing

PAUSE = 0.3  # s from which a silence is a pause
CLOSING = 0.12  # s within which lips come to rest behind the last sound
OPENING = 0.12  # s in which they leave it
LEAD = 0.06  # s before the first sound at which they are the engine's altogether: lips move ahead of what is heard


def shown(timing: Timing, frames: int, rate: FrameRate) -> NDArray[np.float32]:
    """(frames,) weights from 0 (at rest) to 1 (the engine's mouth), smooth; frame i counts at its middle.

    What lies before the first and behind the last sound of `timing` is a pause too.
    """
    at = (np.arange(frames) + 0.5) / float(rate)
    out = np.ones(frames, np.float32)
    end = timing.phones[-1].end if timing.phones else 0.0
    for start, stop in _pauses(timing, end, frames / float(rate)):
        away = np.ones(frames) if start <= 0 else _smooth((at - start) / CLOSING)
        back = np.ones(frames) if stop >= end else _smooth((stop - LEAD - at) / OPENING)
        out = np.minimum(out, 1 - np.minimum(away, back)).astype(np.float32)
    return out


def _pauses(timing: Timing, end: float, until: float) -> list[tuple[float, float]]:
    """Pauses of PAUSE and more; the one at the end, however short, together with what follows the sound."""
    found = timing.pauses(PAUSE)
    if until > end:
        if found and abs(found[-1][1] - end) < 1e-4:
            found[-1] = (found[-1][0], until)
        else:
            found.append((end, until))
    return found


def _smooth(x: NDArray[np.floating]) -> NDArray[np.floating]:
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3 - 2 * x)
