"""What became of a job -> clips and timelines in `out`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import Job, JobState
from retake.jobs.artefacts import Artefacts
from retake.settings import Settings
from retake.takes import store as takes
from retake.watch import timelines
from retake.watch.explain import Failure
from retake.watch.layout import Layout
from retake.watch.names import safe_stem
from retake.watch.results import Catalogue, deliver
from retake.watch.work import Settled, Work

# How long a clip that cannot be written (disk full, drive gone) is tried again, and how often.
PATIENCE_SECONDS = 60.0
AGAIN_SECONDS = 5.0
# The timeline of the folder is written when nothing was added for so long, and at the latest after so long.
QUIET_SECONDS = 1.0
LATEST_SECONDS = 10.0


class Delivery:
    """Brings takes into `out` and keeps the timelines there.

    Args:
        clock: seconds.
    """

    def __init__(self, home: Path, settings: Settings, layout: Layout, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._home = home
        self._layout = layout
        self._artefacts = Artefacts(settings.artefacts, home)
        self._clock = clock
        self._catalogue = Catalogue(layout)
        self._changed: float | None = None  # when something was last added that the timeline of the folder lacks
        self._changed_first = 0.0
        self._next_try = 0.0

    def begin(self) -> None:
        """Look at what is there. A run that was killed may not have written the timeline any more. Raises OSError."""
        self._catalogue.refresh()
        if self._catalogue.all():
            self._note_change()

    def look(self) -> None:
        """Look at what is in `out` now, since others may put things there too. Raises OSError."""
        self._catalogue.refresh()

    @property
    def timelines_due(self) -> float | None:
        """When the timeline of the folder should be written, on the clock; None if it is up to date."""
        if self._changed is None:
            return None
        return min(self._changed + QUIET_SECONDS, self._changed_first + LATEST_SECONDS)

    @property
    def blocked(self) -> bool:
        """Whether the last clip could not be written, and it is not yet time to try again."""
        return self._clock() < self._next_try

    def settle(self, settled: Settled) -> tuple[Failure | None, Settled | None]:
        """Deliver what a job made.

        Returns why there is nothing (None: it is in `out`), and what to call this with again later, where the disk is at fault.
        """
        if settled.since is not None and self.blocked:
            return None, settled
        where = settled.work.where(settled.number)
        reason = _why_nothing(settled.job, where)
        if reason is not None:
            return reason, None
        try:
            self._bring(settled)
        except RetakeError as error:
            since = self._clock() if settled.since is None else settled.since
            if error.kind is not ErrorKind.ENVIRONMENT or self._clock() - since >= PATIENCE_SECONDS:
                return Failure.of(error, where), None
            self._next_try = self._clock() + AGAIN_SECONDS
            return None, Settled(settled.work, settled.number, settled.job, since)
        return None, None

    def write_own_timeline(self, work: Work) -> None:
        """The timeline of a file whose lines belong together."""
        if not work.drop.together or len(work.orders) < 2:
            return
        clips = [(work.orders[number].start_frame, work.made[number]) for number in sorted(work.made)]
        title = work.drop.title or Path(work.claimed.shown).stem
        stem = safe_stem(work.drop.options.output or Path(work.claimed.shown).stem)
        work.results.append(timelines.put_timeline(self._layout, stem, timelines.timeline_text(title, clips)))
        self._catalogue.refresh()  # no clip takes that name

    def write_timelines_if_due(self, *, idle: bool, now: bool = False) -> None:
        """Write the timeline of the folder if clips were added some time ago.

        Args:
            idle: nothing else is to be delivered just now.
            now: do not wait.
        """
        due, clock = self.timelines_due, self._clock()
        if due is None or (not now and clock < (due if idle else self._changed_first + LATEST_SECONDS)):
            return
        self._catalogue.refresh()
        timelines.write_folder_timelines(self._layout, self._catalogue.all())
        self._changed = None

    def _bring(self, settled: Settled) -> None:
        work, job = settled.work, settled.job
        assert job.result is not None
        if work.timeline is not None:
            if self._artefacts.shared:
                self._artefacts.ensure_results(job.id)
            self._bring_timeline(work, self._artefacts.local_result(job.result, job.id).timeline)
            work.lines = len(job.result.takes) + job.result.unfilled
            work.failures += [Failure("", note, "") for note in job.result.notes[: job.result.unfilled]]
            return
        order = work.orders[settled.number]
        identifier = job.result.takes[0]
        if self._artefacts.shared:
            self._artefacts.ensure_take(identifier)
        take = takes.load(self._home, identifier).take
        work.made[settled.number] = deliver(self._layout, self._catalogue, order, take, work.claimed.shown)
        self._note_change()

    def _bring_timeline(self, work: Work, timeline: str | None) -> None:
        try:
            text = Path(timeline or "").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RetakeError(
                "The filled timeline is no longer there.", "Put the file into the folder again.", kind=ErrorKind.NOT_FOUND, code="result_gone"
            ) from error
        work.results.append(timelines.put_timeline(self._layout, safe_stem(Path(work.claimed.shown).stem), text))
        self._catalogue.refresh()

    def _note_change(self) -> None:
        now = self._clock()
        if self._changed is None:
            self._changed_first = now
        self._changed = now


def _why_nothing(job: Job, where: str) -> Failure | None:
    """Why a job made nothing; None if it did."""
    if job.state is JobState.SUCCEEDED and job.result is not None and (job.result.takes or job.result.timeline):
        return None
    if job.state is JobState.CANCELLED:
        return Failure(where, "It was cancelled.", "Nothing was rendered.")
    if job.error is not None:
        return Failure(where, job.error.cause, job.error.remedy)
    return Failure(where, "The job ended without a take.", "See its log.")
