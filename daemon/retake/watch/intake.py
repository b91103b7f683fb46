"""Claimed files -> jobs in the queue, a few hundred at a time."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import Job, JobState
from retake.jobs import queue
from retake.jobs.artefacts import Artefacts
from retake.jobs.database import Database
from retake.jobs.queue import Submission
from retake.media.files import atomic_bytes
from retake.settings import Settings
from retake.speakers import store as speakers
from retake.takes import store as takes
from retake.watch.claims import Claimed
from retake.watch.layout import Layout
from retake.watch.orders import People, line_submission, orders_for, timeline_submission
from retake.watch.reader import TIMELINE, read_bytes, read_drop
from retake.watch.work import Work

log = logging.getLogger(__name__)

# Jobs written in one transaction. Others who write to the database (workers that take a job or tell how far they are) wait for its end.
JOBS_AT_ONCE = 50
_MOST_ATTEMPTS = 100
_OWN_TIMELINE = ".retake-"


@dataclass(frozen=True)
class Place:
    """What a clip's job is submitted for."""

    work: Work
    number: int


class Intake:
    """Reads claimed files and puts what they ask for into the queue.

    Args:
        default: speaker for files that name none.
        client: whose turns its jobs take.
    """

    def __init__(self, home: Path, database: Database, settings: Settings, layout: Layout, *, default: str, client: str) -> None:
        self._home = home
        self._database = database
        self._settings = settings
        self._layout = layout
        self._people = People(home, default)
        self._client = client
        self._artefacts = Artefacts(settings.artefacts, home)

    def read(self, claimed: Claimed) -> Work:
        """What a file asks for. Raises RetakeError for a file that cannot be rendered."""
        content = read_bytes(claimed.path)
        drop = read_drop(content, claimed.name)
        if Path(claimed.name).suffix.lower() == TIMELINE:
            if self._people.default:
                speakers.load(self._home, self._people.default)  # an unknown one is told before anything begins
            digest = hashlib.sha256(content).hexdigest()
            # The copy lies where the file was dropped: recordings that the timeline names by relative paths are found from there.
            copy = self._layout.root / f"{_OWN_TIMELINE}{digest[:16]}{TIMELINE}"
            return Work(claimed, drop, {}, timeline=copy, content=content)
        orders = orders_for(drop, claimed.shown, self._people, self._settings)
        return Work(claimed, drop, {order.number: order for order in orders})

    def submit(self, places: Sequence[Place]) -> list[tuple[Place, Job]]:
        """Put the clips into the queue, or find the jobs that were put there before.

        A job that failed before its file was dropped is tried again, since whoever drops a file again wants that. One whose takes have been
        deleted since gets a successor.

        Raises RetakeError.
        """
        out: list[tuple[Place, Job]] = []
        left = [(place, 0) for place in places]
        while left:
            now, left = left[:JOBS_AT_ONCE], left[JOBS_AT_ONCE:]
            answers = queue.submit_all(self._database, [self._submission(place, attempt) for place, attempt in now])
            for (place, attempt), (job, fresh) in zip(now, answers, strict=True):
                if not fresh and job.state is JobState.SUCCEEDED and not self._still_there(job) and attempt < _MOST_ATTEMPTS:
                    left.append((place, attempt + 1))
                    continue
                out.append((place, job if fresh else self._again(job, place.work.claimed)))
        return out

    def tidy(self, work: Work, others: Sequence[Work]) -> None:
        """Remove the copy of a timeline unless another file needs it."""
        if work.timeline is None or any(other.timeline == work.timeline for other in others):
            return
        try:
            work.timeline.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s stays behind (%s)", work.timeline, error)

    def sweep(self, claimed: Sequence[Claimed]) -> None:
        """Remove copies of timelines that a run left which was killed, unless one of its files may still need them."""
        if any(Path(one.name).suffix.lower() == TIMELINE for one in claimed):
            return
        for copy in self._layout.root.glob(f"{_OWN_TIMELINE}{'[0-9a-f]' * 16}{TIMELINE}"):
            with contextlib.suppress(OSError):
                copy.unlink()

    def _submission(self, place: Place, attempt: int) -> Submission:
        work = place.work
        if work.timeline is None:
            submission = line_submission(work.orders[place.number], self._home, self._client, attempt)
        else:
            atomic_bytes(work.timeline, work.content)
            label = f"Fill {work.claimed.shown}"
            submission = timeline_submission(
                work.timeline, work.content, speaker=self._people.default, client=self._client, label=label, attempt=attempt
            )
        if not self._artefacts.shared:
            return submission
        # Shared files have other names, so it is another request than the same one before there was a shared place.
        return replace(submission, spec=self._artefacts.share(submission.spec), idempotency_key=f"{submission.idempotency_key}:shared")

    def _again(self, job: Job, claimed: Claimed) -> Job:
        """A job that was over without a result when its file was dropped is put into the queue again."""
        if job.state not in {JobState.FAILED, JobState.CANCELLED} or job.finished_at is None:
            return job
        if job.finished_at.timestamp() * 1e6 >= claimed.since_us:
            return job
        try:
            return queue.retry(self._database, job.id)
        except RetakeError as error:
            if error.code != "wrong_state":  # somebody else was quicker
                raise
            return job

    def _still_there(self, job: Job) -> bool:
        """Whether what the job made can still be had."""
        if job.result is None:
            return False
        if self._artefacts.shared:
            return True  # it is fetched when it is delivered
        try:
            for identifier in job.result.takes:
                takes.load(self._home, identifier)
        except RetakeError:
            return False
        return job.result.timeline is None or Path(job.result.timeline).is_file()


def unforeseen(error: Exception) -> RetakeError:
    """What to tell about a file on which Retake itself failed; the details are in its log."""
    return RetakeError(
        f"Retake failed on this file unexpectedly ({type(error).__name__}).",
        "Please report it, with the file and Retake's log.",
        kind=ErrorKind.ENVIRONMENT,
        code="watch_unforeseen",
    )
