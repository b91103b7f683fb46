"""One watched folder: from a dropped file to clips in `out` and the file in `done` or `failed`."""

from __future__ import annotations

import logging
import time
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path

from retake.domain.errors import RetakeError
from retake.domain.job import Job
from retake.jobs.database import Database
from retake.settings import Settings, WatchSettings
from retake.watch import claims, results
from retake.watch.arrivals import Arrivals
from retake.watch.claims import Claimed
from retake.watch.delivery import Delivery
from retake.watch.explain import Failure, explanation
from retake.watch.follow import Follower
from retake.watch.intake import JOBS_AT_ONCE, Intake, Place, unforeseen
from retake.watch.layout import Ownership, layout_of
from retake.watch.notify import Bell, must_poll
from retake.watch.work import Note, Settled, Work

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0  # between two looks into a folder that tells nothing
SOON_SECONDS = 0.25  # while files are arriving
FOLLOW_SECONDS = 0.5  # while jobs are waited for
IDLE_SECONDS = 10.0  # a look now and then even where the system tells: its queue of changes may overflow
STANDBY_SECONDS = 2.0
_DELIVERIES_AT_ONCE = 20  # then new files are looked at again


class FolderWatcher:
    """Everything about one folder, in the thread that calls `tick`.

    All it knows is on the disk and in the database, so that it can be thrown away at any moment and begun anew.

    Args:
        tell: called with what people want to know.
        ring: called, from another thread, when something happens in the folder.
        clock: seconds.
    """

    def __init__(
        self,
        home: Path,
        database: Database,
        settings: Settings,
        watch: WatchSettings,
        *,
        tell: Callable[[Note], None],
        ring: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.layout = layout_of(watch.folder, home)
        self._database = database
        self._watch = watch
        self._tell_outside = tell
        self._clock = clock
        self._ownership = Ownership(self.layout)
        self._owner = False
        self._standing_by = False
        self._arrivals = Arrivals(self.layout.root, clock=clock)
        self._ring = ring
        self._bell: Bell | None = None
        self._follower: Follower | None = None
        self._intake = Intake(home, database, settings, self.layout, default=watch.speaker, client=f"watch:{self.layout.root.name}")
        self._delivery = Delivery(home, settings, self.layout, clock=clock)
        self._claimed: deque[Claimed] = deque()
        self._unsubmitted: deque[Place] = deque()
        self._works: dict[Path, Work] = {}
        self._places: dict[str, list[Place]] = {}  # by the job they wait for
        self._settled: deque[Settled] = deque()
        self._told: set[str] = set()

    @property
    def owner(self) -> bool:
        """Whether this watcher works in the folder; False while another one does."""
        return self._owner

    @property
    def busy(self) -> bool:
        """Whether there are files that arrive or are worked on."""
        return bool(self._claimed or self._works or self._arrivals.waiting or self._delivery.timelines_due is not None)

    def tick(self) -> float:
        """Do what can be done now; returns after how many seconds to come again.

        Raises RetakeError (for a database, a drive or a folder that cannot be used) and OSError; then call `leave` and begin again later.
        """
        if not self._owner and not self._enter():
            return STANDBY_SECONDS
        for name in self._arrivals.scan():
            claimed = claims.claim(self.layout, name)
            if claimed is not None:
                self._arrivals.forget(name)
                self._claimed.append(claimed)
        self._tell_strangers()
        self._read_some()
        self._submit_some()
        self._follow()
        if self._settled:
            self._delivery.look()
        for _ in range(min(_DELIVERIES_AT_ONCE, len(self._settled))):
            self._deliver(self._settled.popleft())
        self._delivery.write_timelines_if_due(idle=not self._settled)
        return self._pause()

    def leave(self) -> None:
        """Let go of the folder. What is in `processing` stays there for the next one who enters."""
        if self._owner:
            try:
                self._delivery.write_timelines_if_due(idle=True, now=True)
            except (RetakeError, OSError) as error:
                log.warning("%s: the timeline was not written (%s)", self.layout.root, error)
        if self._bell is not None:
            self._bell.stop()
            self._bell = None
        self._owner = False
        self._ownership.release()
        for container in (self._claimed, self._unsubmitted, self._works, self._places, self._settled):
            container.clear()

    def _enter(self) -> bool:
        self.layout.prepare()
        if not self._ownership.take():
            if not self._standing_by:
                self._standing_by = True
                self._tell("problem", "", f"The folder is watched by {self._ownership.owner()} already; this one waits until that has ended.")
            return False
        self._owner, self._standing_by = True, False
        results.sweep(self.layout)
        self._follower = Follower(self._database, clock=self._clock)
        self._delivery.begin()
        self._arrivals = Arrivals(self.layout.root, clock=self._clock)
        self._claimed.extend(claims.claimed_before(self.layout))
        self._intake.sweep(list(self._claimed))
        polling = must_poll(self.layout.root) if self._watch.polling is None else self._watch.polling
        if not polling:
            bell = Bell(self.layout.root, self._arrivals, self._ring)
            self._bell = bell if bell.start() else None
        self._tell("watching", "", "looking every second" if self._bell is None else "told by the system")
        return True

    def _read_some(self) -> None:
        """Read claimed files until there is a transaction's worth of jobs."""
        while self._claimed and len(self._unsubmitted) < JOBS_AT_ONCE:
            claimed = self._claimed.popleft()
            try:
                work = self._intake.read(claimed)
            except RetakeError as error:
                self._fail(claimed, [Failure.of(error)], 0)
                continue
            except Exception as error:  # noqa: BLE001 - a file that nobody foresaw must not stop the others
                log.error("reading %s\n%s", claimed.path, traceback.format_exc())
                self._fail(claimed, [Failure.of(unforeseen(error))], 0)
                continue
            self._works[claimed.path] = work
            work.waiting = dict.fromkeys(work.numbers, "")
            self._unsubmitted.extend(Place(work, number) for number in work.numbers)
            self._tell(
                "claimed", claimed.shown, f"{len(work.numbers)} {'clip' if len(work.numbers) == 1 else 'clips'}" if work.orders else "timeline"
            )

    def _submit_some(self) -> None:
        if not self._unsubmitted:
            return
        if not self._places and self._follower is not None:
            self._follower.skip()
        places = [self._unsubmitted.popleft() for _ in range(min(JOBS_AT_ONCE, len(self._unsubmitted)))]
        try:
            answers = self._intake.submit(places)
        except RetakeError as error:
            if error.code == "no_database":
                raise
            answers = self._submit_each(places)
        for place, job in answers:
            self._attach(place, job)

    def _submit_each(self, places: list[Place]) -> list[tuple[Place, Job]]:
        """One after another, so that what is wrong with one clip does not stop the others."""
        out: list[tuple[Place, Job]] = []
        for place in places:
            try:
                out.extend(self._intake.submit([place]))
            except RetakeError as error:
                if error.code == "no_database":
                    raise
                self._failed(place, Failure.of(error, place.work.where(place.number)))
        return out

    def _attach(self, place: Place, job: Job) -> None:
        place.work.waiting[place.number] = job.id
        if job.state.over:
            self._settled.append(Settled(place.work, place.number, job))
        else:
            self._places.setdefault(job.id, []).append(place)

    def _follow(self) -> None:
        if not self._places or self._follower is None:
            return
        news = self._follower.news(set(self._places))
        for job in news.over:
            self._settled.extend(Settled(place.work, place.number, job) for place in self._places.pop(job.id, []))
        for job_id in news.gone:  # removed from the history: asked for anew
            self._unsubmitted.extend(self._places.pop(job_id, []))

    def _deliver(self, settled: Settled) -> None:
        """Bring what a job made into `out`, or note why there is nothing."""
        work, number = settled.work, settled.number
        try:
            failure, again = self._delivery.settle(settled)
        except Exception as error:  # noqa: BLE001 - a take that nobody foresaw must not stop the others
            log.error("delivering %s\n%s", work.claimed.path, traceback.format_exc())
            failure, again = Failure.of(unforeseen(error), work.where(number)), None
        if again is not None:
            self._settled.append(again)
            return
        if failure is not None:
            work.failures.append(failure)
        work.waiting.pop(number, None)
        if not work.waiting:
            self._finish(work)

    def _failed(self, place: Place, failure: Failure) -> None:
        place.work.failures.append(failure)
        place.work.waiting.pop(place.number, None)
        if not place.work.waiting:
            self._finish(place.work)

    def _finish(self, work: Work) -> None:
        """All of a file's clips are settled: put it away."""
        if not work.failures:
            try:
                self._delivery.write_own_timeline(work)
            except ValueError as error:  # a speaker was replaced by one of another frame rate while the file was worked on
                work.failures.append(Failure("", f"The timeline cannot be made: {error}.", "Give the file one frame rate ('fps: 25')."))
        self._works.pop(work.claimed.path, None)
        self._intake.tidy(work, list(self._works.values()))
        if work.failures:
            self._fail(work.claimed, work.failures, work.lines or len(work.numbers), filled=work.lines > 0)
        elif claims.put_into_done(self.layout, work.claimed) is not None:
            clips = ", ".join(work.made[number].clip.name for number in sorted(work.made)[:3]) + (", ..." if len(work.made) > 3 else "")
            self._tell("done", work.claimed.shown, clips or ", ".join(path.name for path in work.results))

    def _fail(self, claimed: Claimed, failures: list[Failure], clips: int, *, filled: bool = False) -> None:
        if claims.put_into_failed(self.layout, claimed, explanation(claimed.shown, failures, clips, filled=filled)) is not None:
            more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
            self._tell("failed", claimed.shown, f"{failures[0].cause} {failures[0].remedy}{more}")

    def _pause(self) -> float:
        if self._claimed or self._unsubmitted or (self._settled and not self._delivery.blocked):
            return 0.0
        if self._bell is not None and self._arrivals.waiting:
            return SOON_SECONDS
        if self._bell is None:
            return FOLLOW_SECONDS if self._places or self._arrivals.waiting else POLL_SECONDS
        return FOLLOW_SECONDS if self._places or self._settled or self._delivery.timelines_due is not None else IDLE_SECONDS

    def _tell_strangers(self) -> None:
        for name in self._arrivals.strangers:
            if name not in self._told:
                self._told.add(name)
                self._tell("left", name, "left alone: Retake reads .txt, .md, .json, .yaml, .srt, .csv and .otio")

    def _tell(self, kind: str, name: str, text: str) -> None:
        self._tell_outside(Note(str(self.layout.root), kind, name, text))
