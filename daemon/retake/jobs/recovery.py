"""Puts right what nobody else can: jobs of workers that have vanished, and jobs that the table and the queue disagree about."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import sqlalchemy as sa

from retake.domain.errors import RetakeError
from retake.domain.job import Job, JobError, JobEvent, JobState, after
from retake.jobs import fleet, records, running
from retake.jobs.database import Database, now_ms
from retake.jobs.events import tell_state
from retake.jobs.queue import ACTIVE, enqueue_again, workflow_id
from retake.jobs.tables import jobs

log = logging.getLogger(__name__)

WAITING = {"ENQUEUED", "DELAYED"}
_CHUNK = 500
_EXHAUSTED = "begun too often"


@dataclass
class Recovery:
    """Looked at now and then by every supervisor. What looks wrong must look wrong twice in a row: between two reads, jobs move on.

    Args:
        own: workers whose processes the supervisor itself sees live and die. They are not given up for being silent: one that is just
            starting, from a slow disk, goes on with what it had begun.
    """

    database: Database
    watch: fleet.Watch = field(default_factory=fleet.Watch)
    own: set[str] = field(default_factory=set[str])
    _suspects: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])

    def bury(self) -> list[str]:
        """Give away the jobs of workers that have fallen silent; returns what was done, in words. Raises RetakeError (no_database)."""
        return [self._bury(worker) for worker in sorted(self.watch.look(fleet.members(self.database)) - self.own)]

    def _bury(self, worker: str) -> str:
        error = JobError(
            code="worker_lost",
            kind="crash",
            cause=f"The worker {worker} has given no sign of life for {fleet.SILENT_SECONDS:.0f} s.",
            remedy="Its job is given to another one. See whether its machine runs.",
        )
        with self.database.reading() as connection:
            held = records.held_by(connection, worker)
        for job in held:
            running.lost(self.database, job.id, job.generation, error)
        fleet.leave(self.database, worker)
        return f"{worker} is silent: gave up on it, with {len(held)} jobs"

    def reconcile(self) -> list[str]:
        """Queue again what the queue has lost; returns what was done, in words. Raises RetakeError (no_database)."""
        members = {member.id for member in fleet.members(self.database)} | self.own
        with self.database.reading() as connection:
            query = sa.select(jobs.c.id, jobs.c.generation).where(jobs.c.state.in_(ACTIVE))
            active = [(row.id, row.generation) for row in connection.execute(query)]
        suspects = self._doubtful(active, members)
        confirmed = {key: why for key, why in suspects.items() if key in self._suspects}
        self._suspects = set(suspects)
        done: list[str] = []
        for (job_id, generation), why in confirmed.items():
            try:
                message = self._mend(job_id, generation, why)
            except RetakeError as error:
                if error.code != "unreadable_job":
                    raise
                running.unreadable(self.database, job_id, generation, error)
                message = error.cause
            done += [message] if message else []
        return done

    def _doubtful(self, active: list[tuple[str, int]], members: set[str]) -> dict[tuple[str, int], str]:
        """Jobs (id and generation) that the queue knows otherwise than the table, and how."""
        out: dict[tuple[str, int], str] = {}
        for start in range(0, len(active), _CHUNK):
            chunk = {workflow_id(*key): key for key in active[start : start + _CHUNK]}
            found = self.database.client.list_workflows(workflow_ids=list(chunk), load_input=False, load_output=False)
            statuses = {status.workflow_id: status for status in found}
            for name, key in chunk.items():
                status = statuses.get(name)
                if status is None:
                    out[key] = "it is missing from the queue"
                elif status.status == "PENDING" and status.executor_id not in members:
                    out[key] = f"its worker {status.executor_id} is gone"
                elif status.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
                    out[key] = _EXHAUSTED
                elif status.status not in {*WAITING, "PENDING"}:
                    out[key] = f"the queue calls it {status.status}"
        return out

    def _mend(self, job_id: str, generation: int, why: str) -> str | None:
        with self.database.writing() as connection:
            row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id, jobs.c.generation == generation).with_for_update()).first()
            if row is None:
                return None
            job = records.job_of(row)
            if job.state.over:
                return None
            if why == _EXHAUSTED:
                self._give_up(connection, job)
                return f"{job.id}: given up, begun too often"
            if job.cancelling:
                state = after(job.state, JobEvent.CANCELLED).value
                connection.execute(jobs.update().where(jobs.c.id == job_id).values(state=state, cancelling=False, finished_ms=now_ms()))
                tell_state(self.database, connection, records.fetch(connection, job_id))
                return f"{job.id}: cancelled"
            enqueue_again(self.database, connection, job, state=JobState.QUEUED)
        log.warning("%s was put into the queue again: %s", job_id, why)
        return f"{job_id}: queued again, {why}"

    def _give_up(self, connection: sa.Connection, job: Job) -> None:
        error = JobError(
            code="worker_crashed",
            kind="crash",
            cause="The machine or the daemon went down each time the job ran.",
            remedy="See the job's log, and whether there is enough memory; then retry it.",
        )
        state = after(job.state, JobEvent.WORKERS_LOST).value
        values = {"state": state, "cancelling": False, "finished_ms": now_ms(), "error": error.model_dump(mode="json")}
        connection.execute(jobs.update().where(jobs.c.id == job.id).values(**values))
        tell_state(self.database, connection, records.fetch(connection, job.id))
