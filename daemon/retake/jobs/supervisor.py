"""Keeps the workers of this machine alive, and tells about those that died what they died of. Renders nothing itself."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from dbos import error as dbos_error
from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import JobState
from retake.jobs import fleet, records, running, steps
from retake.jobs.child import Child
from retake.jobs.database import POLL_SECONDS, QUEUE, Database
from retake.jobs.devices import devices
from retake.jobs.recovery import Recovery
from retake.jobs.tables import jobs
from retake.jobs.worker import WorkerSetup
from retake.settings import Settings, available_cores

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1  # how soon a dead worker is noticed
CANCEL_LOOK_SECONDS = 0.25
# A render that is asked to stop does so at its next safe point. One that has not after this long is ended by force.
PATIENCE_SECONDS = 1.3
BURY_SECONDS = 5.0
RECONCILE_SECONDS = 30.0
COMPLAINT_SECONDS = 60.0
_MOST_SUPERVISORS = 32


class Supervisor:
    """The workers of one machine.

    Args:
        home: Retake's folder; several supervisors may share one, each takes a place of its own in it.
        database: made (`Database.create`) by the caller.

    Raises RetakeError (no_database).
    """

    def __init__(self, home: Path, database: Database, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._home = home
        self._database = database
        self._settings = settings
        self._clock = clock
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock: FileLock | None = None
        self._children: list[Child] = []
        self._recovery = Recovery(database)
        self._complained = float("-inf")
        self._asked: dict[str, float] = {}  # jobs that are asked to stop, and since when

    def start(self) -> None:
        """Start the workers; returns at once, they need some seconds to be ready."""
        place = self._take_place()
        self._database.client.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=POLL_SECONDS)
        prefix = f"{machine_id(self._home)}-{place}"
        found = devices(self._settings.workers)
        # Workers that share the processor divide its cores: more threads than cores only get into each other's way.
        threads = max(1, available_cores() // len(found)) if len(found) > 1 else 0
        for number, device in enumerate(found):
            setup = WorkerSetup(str(self._home), self._database.url, f"{prefix}-{number}", device, self._settings.artefacts, threads)
            self._children.append(Child(setup, clock=self._clock))
            self._recovery.own.add(setup.worker)
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the workers at once; what they worked on waits for the next start."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        for child in self._children:
            child.end()
            with contextlib.suppress(RetakeError):  # the database is away; the next start puts it right
                running.interrupted(self._database, child.worker)
                fleet.leave(self._database, child.worker)
        if self._lock is not None:
            self._lock.release()

    def status(self) -> list[fleet.WorkerStatus]:
        """The workers as they are now. Before `start` has found out how many there will be it is one that is starting, so that none seems missing."""
        if not self._children:
            return [fleet.WorkerStatus("first", "unknown", None, "starting")]
        ready = {member.pid: member.id for member in fleet.members(self._database)}
        with self._database.reading() as connection:
            query = sa.select(jobs.c.worker, jobs.c.id).where(jobs.c.state == JobState.RUNNING.value)
            busy = {row.worker: row.id for row in connection.execute(query)}
        out: list[fleet.WorkerStatus] = []
        for child in self._children:
            state = "restarting" if child.pid is None else "starting" if ready.get(child.pid) != child.worker else "ready"
            if state != "ready" and child.failing:
                state = "failing"
            job = busy.get(child.worker) if state == "ready" else None
            out.append(fleet.WorkerStatus(child.worker, child.device, child.pid, "busy" if job else state, job, child.restarts))
        return out

    def _take_place(self) -> int:
        """The first free place among the supervisors of this home; its number makes the workers' names, which a restart finds again."""
        folder = self._home / "run"
        folder.mkdir(parents=True, exist_ok=True)
        for place in range(_MOST_SUPERVISORS):
            lock = FileLock(folder / f"supervisor-{place}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            self._lock = lock
            return place
        raise RetakeError("Too many supervisors use this home folder.", "End some of them.", kind=ErrorKind.ENVIRONMENT, code="too_many_supervisors")

    def _run(self) -> None:
        due = dict.fromkeys((self._enforce_cancels, self._bury, self._reconcile), 0.0)
        every = {self._enforce_cancels: CANCEL_LOOK_SECONDS, self._bury: BURY_SECONDS, self._reconcile: RECONCILE_SECONDS}
        while not self._ended.wait(LOOK_SECONDS):
            try:
                for child in self._children:
                    self._look_after(child)
                for task, at in due.items():
                    if self._clock() >= at:
                        due[task] = self._clock() + every[task]
                        task()
            except Exception as error:  # noqa: BLE001 - if this thread ended, nobody would start workers or stop jobs, and nobody would notice
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        """Log what keeps the supervisor from its work, once a minute: a database that is away for a night must not fill the disk."""
        now = self._clock()
        if now - self._complained > COMPLAINT_SECONDS:
            self._complained = now
            # The database is away, a disk is full: workers wait for it too.
            foreseen = isinstance(error, RetakeError | OSError | SQLAlchemyError | dbos_error.DBOSException)
            log.warning("the supervisor goes on after: %s", error, exc_info=None if foreseen else error)

    def _bury(self) -> None:
        for message in self._recovery.bury():
            log.warning("%s", message)
        for child in self._children:
            if child.pid is not None and self._recovery.watch.silence(child.worker) > fleet.HUNG_SECONDS:
                log.warning("%s hangs: no sign of life for %.0f s; it is ended", child.worker, fleet.HUNG_SECONDS)
                child.kill()

    def _reconcile(self) -> None:
        for message in self._recovery.reconcile():
            log.warning("%s", message)

    def _look_after(self, child: Child) -> None:
        death = child.look()
        if death is None:
            return
        with self._database.reading() as connection:
            held = records.held_by(connection, child.worker)
        for job in held:
            child.sweep(job)
            after_crash = running.lost(self._database, job.id, job.generation, death.error(self._home, job))
            if after_crash is not None:
                if after_crash.state.over:
                    steps.clean_up(self._home, job.id)
                log.warning("%s died with job %s: %s; it is %s now", child.worker, job.id, death.words(), after_crash.state.value)
        child.sweep(None)
        fleet.leave(self._database, child.worker)
        if not held:
            self._recovery.own.discard(child.worker)  # it may never begin: what it had goes to another one
        child.start_again(had_work=bool(held))

    def _enforce_cancels(self) -> None:
        now = self._clock()
        mine = {child.worker: child for child in self._children}
        query = sa.select(jobs.c.id, jobs.c.worker).where(
            jobs.c.state == JobState.RUNNING.value, jobs.c.cancelling.is_(True), jobs.c.worker.in_(mine)
        )
        with self._database.reading() as connection:
            asked = {row.id: row.worker for row in connection.execute(query)}
        self._asked = {job: self._asked.get(job, now) for job in asked}
        for job, since in self._asked.items():
            if now - since > PATIENCE_SECONDS:
                log.warning("job %s did not stop by itself; its worker is ended", job)
                mine[asked[job]].kill()


def machine_id(home: Path) -> str:
    """Name of this home folder's workers: the same after a restart, another one on another machine."""
    from retake.media.files import atomic_text, host_mark

    path = home / "run" / "machine"
    try:
        known = path.read_text(encoding="utf-8").strip()
    except OSError:
        known = ""
    if not known:
        known = secrets.token_hex(4)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_text(path, known + "\n")
    return f"{known}-{host_mark()}"  # the home folder may be shared
