"""Looks at a take's lips while its frames pass by on their way to the encoder, for the take's report.

Only the frames around P, B and M are looked at, in a thread of their own: whether the lips met is what viewers notice first, and
detecting faces in every frame would cost a third of the render. `takes.score` looks at all frames.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.phones import CLOSED
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.timing import Timing
from retake.engines.landmarks import FaceDetector
from retake.face.canonical import MOUTH, to_canonical
from retake.media.prefetch import Worker, close_source

from .mouth import AROUND, measure_mouth
from .standard import OwnMouth

Image = NDArray[np.uint8]
Array = NDArray[np.float32]

MOST = 150  # frames looked at; those of a long take's closures are a sample spread over it
WAITING = 4  # frames that may wait for the detector


class LipWatch:
    """Lets frames through and measures some of them.

    Args:
        timing: of the take's phones.
        rate, frames: of the take.
        own: mouth of the speaker's reference, which is the measure.
        progress: only asked whether to stop.
    """

    def __init__(self, timing: Timing, rate: FrameRate, frames: int, *, own: OwnMouth, progress: Progress | None = None) -> None:
        self._timing, self._rate = timing, rate
        self._own = own
        self._progress = progress or Progress()
        self._frames = frames
        self._seen: dict[int, Array] = {}  # landmarks by frame
        self._detector: FaceDetector | None = None
        self._missing = False
        self.wanted = _around_closures(timing, rate, frames)

    def through(self, frames: Iterator[Image]) -> Generator[Image, None, None]:
        """The frames as they come. A detector that cannot be had costs the figures, not the take."""
        worker = Worker(self._look, WAITING, "lip watch", self._progress.check) if self.wanted else None
        try:
            for i, frame in enumerate(frames):
                if worker is not None and i in self.wanted:
                    worker.put((i, frame.copy()))
                yield frame
            if worker is not None:
                worker.finish()
        finally:
            if worker is not None:
                worker.abandon()
            if self._detector is not None:
                self._detector.close()
            close_source(frames)

    def _look(self, item: tuple[int, Image]) -> None:
        """In the worker's thread: detect the largest face of a frame and keep its landmarks. The detector takes a second to load."""
        number, picture = item
        if self._missing:
            return
        if self._detector is None:
            try:
                self._detector = FaceDetector(2)
            except RetakeError:
                self._missing = True
                return
        found = self._detector.detect(picture, max(number, round(self._rate.seconds(number) * 1000)))
        if len(found):
            sizes = np.ptp(found.landmarks[:, :, 1], axis=1)
            self._seen[number] = found.landmarks[int(sizes.argmax())]

    def figures(self) -> dict[str, float | int | None]:
        """`lips_closed`: share of the P, B and M looked at in which the lips met, and `closures_seen`, how many those were."""
        if not self._seen:
            return {"lips_closed": None, "closures_seen": 0}
        numbers = sorted(self._seen)
        shown, _ = to_canonical(np.stack([self._seen[number] for number in numbers]), self._own.template)
        shapes = np.full((self._frames, len(MOUTH), 3), np.nan, np.float32)
        shapes[numbers] = shown[:, list(MOUTH)]
        measured = measure_mouth(shapes, self._rate, self._timing, open_gap=self._own.open_gap)
        return {"lips_closed": round(measured.closure, 3) if measured.closures else None, "closures_seen": measured.closures}


def _around_closures(timing: Timing, rate: FrameRate, frames: int) -> frozenset[int]:
    """Frames that may show a closure; of many closures, as many evenly spread ones as MOST frames allow."""
    spans: list[range] = []
    for phone in timing.phones:
        if phone.symbol in CLOSED:
            first, last = rate.frames(phone.start - AROUND - 0.5 / float(rate)), rate.frames(phone.end + AROUND - 0.5 / float(rate))
            spans.append(range(max(0, first), min(frames, last + 1)))
    total = sum(len(span) for span in spans)
    if total > MOST:
        keep = max(1, len(spans) * MOST // total)
        spans = [spans[i] for i in np.unique(np.linspace(0, len(spans) - 1, keep).round().astype(int))]
    return frozenset(i for span in spans for i in span)
