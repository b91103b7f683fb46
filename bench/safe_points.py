"""How long a job may go on after it was asked to stop: the longest time between two safe points, over a whole enrolment and renders.

    python bench/safe_points.py REFERENCE [--transcript FILE] [--audio RECORDING] [--home FOLDER] [--worst 12]

Prints one row for each of the longest gaps: seconds, stage, and where the main thread was for most of it. With --home, whose speaker `gaps` is used
if it is there, nothing is enrolled.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from retake import pipeline, settings
from retake.domain.progress import Progress
from retake.domain.take import TakeRequest

SAMPLE_SECONDS = 0.02
LINE = "The meeting starts at nine, and the numbers from last week look better than anybody had expected."


@dataclass(order=True)
class Gap:
    seconds: float
    stage: str = field(compare=False)
    where: str = field(compare=False)


class Watched(Progress):
    """Notes the time of every safe point in the thread that works, and what that thread did in between."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[Gap] = []
        self._named = ""
        self._thread = threading.get_ident()
        self._seen: list[tuple[float, str]] = []
        self._last = time.perf_counter()
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    def stage(self, name: str) -> None:
        self.check()
        self._named = name
        super().stage(name)

    def check(self) -> None:
        super().check()
        if threading.get_ident() == self._thread:
            self.note()

    def note(self) -> None:
        now = time.perf_counter()
        seen, self._seen = self._seen, []
        places = Counter(place for _, place in seen)
        self.gaps.append(
            Gap(now - self._last, self._named, "; ".join(f"{place} {count * SAMPLE_SECONDS:.1f}" for place, count in places.most_common(3)))
        )
        self._last = time.perf_counter()

    def close(self) -> None:
        self.note()
        self._over.set()
        self._sampler.join()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            frame = sys._current_frames().get(self._thread)
            self._seen.append((time.perf_counter(), _place(frame)))


def _place(frame: FrameType | None) -> str:
    """The innermost function of ours, and the one that called it."""
    out: list[str] = []
    while frame is not None and len(out) < 3:
        name = frame.f_code.co_filename
        if "retake" in name and "site-packages" not in name and "safe_points" not in name:
            out.append(f"{Path(name).stem}.{frame.f_code.co_name}:{frame.f_lineno}")
        frame = frame.f_back
    return "<".join(out) or "elsewhere"


def show(title: str, progress: Watched, worst: int) -> None:
    progress.close()
    total = sum(gap.seconds for gap in progress.gaps)
    print(f"\n{title}: {len(progress.gaps)} safe points in {total:.1f} s")
    for gap in sorted(progress.gaps, reverse=True)[:worst]:
        print(f"  {gap.seconds:6.2f} s  {gap.stage:24} {gap.where}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--transcript", type=Path)
    parser.add_argument("--audio", type=Path)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--worst", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder)
        settings.prepare_process(home)
        from retake.speakers import store
        from retake.speakers.enrol import enrol

        if not store.exists(home, "gaps"):
            words = options.transcript.read_text("utf-8") if options.transcript else None
            progress = Watched()
            enrol(options.reference, name="gaps", transcript=words, consent="Measured by its owner, who agrees.", home=home, progress=progress)
            show("enrol", progress, options.worst)
        lines = [
            ("cold line", {"text": LINE}),
            ("warm line", {"text": f"{LINE} So we go on."}),
            ("fitted line", {"text": LINE, "fit": 7.0}),
            ("two minutes", {"text": " ".join([LINE] * 20)}),
        ]
        if options.audio is not None:
            lines.append(("recording", {"audio": str(options.audio)}))
        for title, asked in lines:
            progress = Watched()
            pipeline.render(TakeRequest(speaker="gaps", seed=int(time.time()) % 1000, **asked), home=home, output=None, progress=progress)
            show(title, progress, options.worst)


if __name__ == "__main__":
    main()
