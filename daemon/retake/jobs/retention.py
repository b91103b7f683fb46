"""What is removed by itself, and when (settings.RetentionSettings): old jobs, events, uploads, takes, caches and what killed processes left."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from retake.domain.errors import RetakeError
from retake.domain.job import JobState
from retake.jobs import artefact_tidy, retention_files
from retake.jobs.artefacts import Artefacts
from retake.jobs.database import WORKFLOW, Database, now_ms
from retake.jobs.events import announce, tell
from retake.jobs.queue import ACTIVE
from retake.jobs.retention_files import DAY, Remover
from retake.jobs.tables import events, jobs
from retake.settings import Settings
from retake.takes import store as takes

log = logging.getLogger(__name__)

FIRST_SECONDS = 60.0  # not while everything starts
HOUR_SECONDS = 3600.0
# Nobody who follows a job needs its progress once it is over for so long.
PROGRESS_MS = 3600 * 1000
# DBOS's own record of a job's way through the queue; retrying a job makes a new one.
WORKFLOW_MS = 3600 * 1000
# Rows that are removed in one transaction: others can write in between.
BATCH = 500
OVER = tuple(state.value for state in JobState if state.over)
DONE = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


@dataclass
class Swept:
    """What was removed, or would be.

    Attributes:
        shared: keys that were removed from the shared artefacts.
        dropped: what was deleted on another machine, and now here ("speakers/anna").
        bytes: space of the files of this home folder.
        problems: what could not be done, one sentence each.
    """

    jobs: int = 0
    events: int = 0
    workflows: int = 0
    uploads: int = 0
    inputs: int = 0
    takes: int = 0
    cached_lines: int = 0
    strays: int = 0
    shared: int = 0
    dropped: list[str] = field(default_factory=list)
    bytes: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        counts = (self.jobs, self.events, self.workflows, self.uploads, self.inputs, self.takes, self.cached_lines, self.strays, self.shared)
        return any(counts) or bool(self.dropped)


class Keeper:
    """Tidies now and then.

    Args:
        database: None: only files are tidied (`retake prune` where there never was a daemon).
        serves: False on machines that only render: they tidy their own folder and leave history and shared artefacts to the one that serves.
    """

    def __init__(self, home: Path, database: Database | None, settings: Settings, *, serves: bool = True) -> None:
        self._home = home
        self._database = database
        self._settings = settings
        self._serves = serves
        self._artefacts = Artefacts(settings.artefacts, home)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Tidy after a minute, then every hour, until `stop`."""
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a sweep that is under way ends after the part that it is at."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def sweep(self, *, dry_run: bool = False) -> Swept:
        """Remove what the settings say, and nothing that a waiting or running job names. What fails is in `problems`; the rest is done all the same.

        Args:
            dry_run: only find out what would be removed.
        """
        swept, remover = Swept(), Remover(dry_run)
        active = self._active(swept)
        if active is None:
            return swept
        parts: list[Callable[[], None]] = []
        if self._serves and self._database is not None:
            parts += [lambda: self._jobs(self._need(), swept, remover), lambda: self._events(self._need(), swept, dry_run)]
            parts += [lambda: self._workflows(self._need(), swept, dry_run)]
        parts += [
            lambda: self._drop_deleted(swept, dry_run),
            lambda: self._uploads(active, swept, remover),
            lambda: self._takes(active, swept, remover),
            lambda: self._caches(swept, remover),
            lambda: self._strays(active, swept, remover),
            lambda: self._orphans(swept, remover),
            lambda: self._shared(active, swept, dry_run),
        ]
        for part in parts:
            if self._ended.is_set():
                break
            try:
                part()
            except Exception as error:  # noqa: BLE001 - what nobody foresaw in one part must not keep the others from being done, for weeks
                _log_unforeseen(error)
                swept.problems.append(error.cause if isinstance(error, RetakeError) else f"{type(error).__name__}: {error}")
        swept.bytes = remover.bytes
        swept.problems += remover.problems
        return swept

    def _run(self) -> None:
        pause = FIRST_SECONDS
        while not self._ended.wait(pause):
            pause = HOUR_SECONDS
            swept = self.sweep()
            for problem in swept.problems:
                log.warning("tidying: %s", problem)
            if swept.anything:
                log.info("tidied: %s", swept)

    def _need(self) -> Database:
        assert self._database is not None
        return self._database

    def _active(self, swept: Swept) -> _Active | None:
        """The jobs that wait or run; None if nobody can tell, and so nothing may be removed."""
        if self._database is None:
            return _Active(frozenset(), "", None)
        query = sa.select(jobs.c.id, sa.cast(jobs.c.spec, sa.Text).label("spec"), jobs.c.started_ms).where(jobs.c.state.in_(ACTIVE))
        try:
            with self._database.reading() as connection:
                rows = connection.execute(query).all()
        except RetakeError as error:
            swept.problems.append(error.cause)
            return None
        begun = [row.started_ms for row in rows if row.started_ms is not None]
        return _Active(frozenset(row.id for row in rows), "\n".join(row.spec for row in rows), min(begun) / 1000 if begun else None)

    def _jobs(self, database: Database, swept: Swept, remover: Remover) -> None:
        days = self._settings.retention.jobs_days
        if not days:
            return
        old = (jobs.c.state.in_(OVER), jobs.c.finished_ms < now_ms() - int(days * DAY * 1000))
        while not self._ended.is_set():
            with database.writing() as connection:
                ids = list(
                    connection.execute(sa.select(jobs.c.id).where(*old).order_by(jobs.c.number).limit(None if remover.dry_run else BATCH)).scalars()
                )
                if not remover.dry_run:
                    gone = jobs.delete().where(jobs.c.id.in_(ids), *old).returning(jobs.c.id)  # without one that was retried just now
                    ids = list(connection.execute(gone).scalars())
                    for job_id in ids:
                        tell(database, connection, "job.forgotten", job_id=job_id, data={"id": job_id})
            swept.jobs += len(ids)
            for job_id in ids:
                retention_files.job_files(self._home, job_id, remover)
            for job_id in () if remover.dry_run else ids:
                self._artefacts.delete_results(job_id)
            if remover.dry_run or not ids:
                return

    def _events(self, database: Database, swept: Swept, dry_run: bool) -> None:
        """Old events. The newest one always stays: it says up to where clients have seen everything."""
        days = self._settings.retention.events_days
        active = sa.select(jobs.c.id).where(jobs.c.state.in_(ACTIVE))
        old = (events.c.type == "job.progress") & (events.c.at_ms < now_ms() - PROGRESS_MS) & events.c.job_id.not_in(active)
        if days:
            old |= events.c.at_ms < now_ms() - int(days * DAY * 1000)
        with database.reading() as connection:
            newest = connection.execute(sa.select(sa.func.max(events.c.id))).scalar() or 0
            found = list(connection.execute(sa.select(events.c.id).where(old, events.c.id < newest).order_by(events.c.id)).scalars())
        swept.events += len(found)
        for start in range(0, 0 if dry_run else len(found), BATCH):
            with database.writing() as connection:
                connection.execute(events.delete().where(events.c.id.in_(found[start : start + BATCH])))

    def _workflows(self, database: Database, swept: Swept, dry_run: bool) -> None:
        """DBOS's records of jobs that are over or forgotten, and of places in the queue that were given up (a job that was moved or retried)."""
        before, offset = now_ms() - WORKFLOW_MS, 0
        while not self._ended.is_set():
            page = database.client.list_workflows(name=WORKFLOW, status=DONE, limit=BATCH, offset=offset, load_input=False, load_output=False)
            done = [status.workflow_id for status in page if (status.updated_at or 0) < before]
            wanted = {identifier.rpartition(".")[0] for identifier in done}
            query = sa.select(jobs.c.id, jobs.c.generation).where(jobs.c.id.in_(wanted), jobs.c.state.in_(ACTIVE))
            with database.reading() as connection:
                current = {f"{row.id}.{row.generation}" for row in connection.execute(query)}
            gone = [identifier for identifier in done if identifier not in current]
            if gone and not dry_run:
                database.client.delete_workflows(gone)
            swept.workflows += len(gone)
            offset += len(page) if dry_run else len(page) - len(gone)
            if len(page) < BATCH:
                return

    def _uploads(self, active: _Active, swept: Swept, remover: Remover) -> None:
        days = self._settings.retention.uploads_days
        if days:
            swept.uploads += retention_files.uploads(self._home, days, active.specs, remover)
            swept.inputs += retention_files.inputs(self._home, days, active.specs, remover)

    def _takes(self, active: _Active, swept: Swept, remover: Remover) -> None:
        limits = self._settings.retention
        if not limits.takes_days and not limits.takes_bytes:
            return
        for identifier in retention_files.old_takes(self._home, limits.takes_days, limits.takes_bytes, active.since):
            speaker = _speaker_of(self._home, identifier)
            if remover.folder(takes.take_folder(self._home, identifier)):
                swept.takes += 1
                if self._serves and not remover.dry_run:
                    self._artefacts.delete_take(identifier)
                    if self._database is not None:
                        announce(self._database, "take.deleted", {"id": identifier, "speaker": speaker})

    def _caches(self, swept: Swept, remover: Remover) -> None:
        swept.cached_lines += retention_files.caches(self._home, self._settings.retention.cache_bytes, remover)

    def _strays(self, active: _Active, swept: Swept, remover: Remover) -> None:
        swept.strays += retention_files.strays(self._home, active.ids, remover)

    def _orphans(self, swept: Swept, remover: Remover) -> None:
        """Logs and results that no job in the database belongs to. Several machines see the same jobs, so each can tidy its own."""
        days = self._settings.retention.jobs_days
        if days and self._database is not None:
            with self._database.reading() as connection:
                known = frozenset(connection.execute(sa.select(jobs.c.id)).scalars())
            swept.strays += retention_files.orphans(self._home, days, known, remover)

    def _drop_deleted(self, swept: Swept, dry_run: bool) -> None:
        if not dry_run:
            swept.dropped += artefact_tidy.drop_deleted(self._artefacts)

    def _shared(self, active: _Active, swept: Swept, dry_run: bool) -> None:
        if self._serves and self._artefacts.shared:
            limits = self._settings.retention
            gone = artefact_tidy.sweep(
                self._artefacts, inputs_days=limits.uploads_days, named=active.specs, takes_days=limits.takes_days, dry_run=dry_run
            )
            swept.shared += len(gone)


@dataclass(frozen=True)
class _Active:
    """The jobs that wait or run: their ids, all their specs as text, and when the first of them began (seconds since 1970)."""

    ids: frozenset[str]
    specs: str
    since: float | None


def _log_unforeseen(error: Exception) -> None:
    if not isinstance(error, RetakeError | OSError | SQLAlchemyError | dbos_error.DBOSException):
        log.error("tidying failed in a way that nobody foresaw", exc_info=error)


def _speaker_of(home: Path, identifier: str) -> str:
    """Whom a take shows; empty for a damaged one."""
    try:
        return takes.load(home, identifier).take.request.speaker
    except RetakeError:
        return ""
