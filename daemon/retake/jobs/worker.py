"""A worker: the process that renders. It takes one job after another from the queue and stays warm in between.

Started by `jobs.supervisor` as ``python -m retake.jobs.worker``, with a line of JSON on stdin (`WorkerSetup`) that also holds what must not be seen
in a list of processes. It lives as long as its parent: the end of stdin is the end of the worker.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from pydantic import JsonValue

from retake.domain.errors import Cancelled, ErrorKind, RetakeError
from retake.domain.job import Job, JobError
from retake.jobs import logs, records, running, steps
from retake.jobs.database import APPLICATION, QUEUE, STEPS_VERSION, WORKFLOW, Database
from retake.media.strays import remove_dead

BEAT_SECONDS = 2.0
# How long the worker of the same name before us may take to die; then something is wrong with it.
LOCK_SECONDS = 20.0
# A job that brings down the whole machine each time is given up after so many starts.
MOST_RECOVERIES = 20


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker is told when it starts."""

    home: str
    database: str
    worker: str  # its name in the database; the same for every process that takes this place
    device: str  # "cpu" or "cuda:0"
    artefacts: str = ""  # where machines share speakers and takes; may hold a password too
    threads: int = 0  # to compute with; 0 = as the settings say

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


class Runner:
    """Runs the jobs that DBOS hands to this process."""

    def __init__(self, setup: WorkerSetup, database: Database, roots: Sequence[Path]) -> None:
        from retake.jobs.artefacts import Artefacts

        self._home = Path(setup.home)
        self._worker = setup.worker
        self._database = database
        self._roots = tuple(roots)
        self._artefacts = Artefacts(setup.artefacts, self._home)

    def run(self, job_id: str, generation: int) -> str:
        """Do one job; what came of it is in the job table. Returns a word for DBOS's own records."""
        try:
            job = running.claim(self._database, job_id, generation, self._worker)
        except RetakeError as error:
            if error.code != "unreadable_job":
                raise
            running.unreadable(self._database, job_id, generation, error)
            return error.code
        if job is None:
            return "not wanted any more"
        with logs.logging_to(logs.job_log(self._home, job_id)):
            logs.say(f"{job.label}: attempt {job.attempt} by {self._worker}")
            return self._work(job)

    def _work(self, job: Job) -> str:
        from dbos import error as dbos_error

        from retake.jobs.reporter import Reporter

        reporter = Reporter(self._database, job, self._home, rounds=steps.rounds(job))
        work = steps.Work(job, self._home, self._artefacts, reporter, _durable, self._roots)
        try:
            with reporter.watching():
                result = steps.run(work)
        except Cancelled:
            self._clean_up(job)
            logs.say("Stopped on request.")
            if not reporter.stale:
                running.stopped(self._database, job.id, job.generation)
            return "stopped"
        except RetakeError as error:
            self._clean_up(job)
            return self._failed(job, JobError.of(error))
        except dbos_error.DBOSWorkflowCancelledError:
            return "given up"  # by whoever gave the job to somebody else
        except Exception:  # noqa: BLE001 - whatever it is, it belongs to this job, and the worker goes on with the next one
            self._clean_up(job)
            with contextlib.suppress(OSError):
                traceback.print_exc()
            return self._failed(job, _unforeseen(job, self._home))
        logs.say("Done.")
        return "done" if running.succeed(self._database, job.id, job.generation, result) else "not wanted any more"

    def _clean_up(self, job: Job) -> None:
        """Remove what the job has left, unless it was given to somebody else meanwhile, who works in the same folders."""
        with contextlib.suppress(RetakeError):  # forgotten, or the database is away: it is tidied later
            now = records.get(self._database, job.id)
            if now.generation == job.generation or now.state.over:
                steps.clean_up(self._home, job.id)

    def _failed(self, job: Job, error: JobError) -> str:
        logs.say(f"{error.cause} {error.remedy}")
        running.fail(self._database, job.id, job.generation, error)
        return error.code


def _unforeseen(job: Job, home: Path) -> JobError:
    return JobError(
        code="internal",
        kind="environment",
        cause="Something went wrong that nobody foresaw.",
        remedy=f"Please report it with the job's log ({logs.job_log(home, job.id)}).",
        log_tail=logs.tail(logs.job_log(home, job.id)),
    )


def _durable(name: str, function: Callable[[], JsonValue]) -> JsonValue:
    from dbos import DBOS

    return DBOS.run_step({"name": name}, function)


def main() -> None:
    """Entry point of the process."""
    faulthandler.enable(all_threads=False)  # a crash in native code tells where, in the job's log
    for number in (signal.SIGINT, signal.SIGHUP) if sys.platform != "win32" else (signal.SIGINT,):
        signal.signal(number, signal.SIG_IGN)  # the parent decides
    setup = WorkerSetup(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    try:
        work(setup)
    except RetakeError as error:
        with contextlib.suppress(OSError):
            print(f"Error: {error}", file=sys.stderr, flush=True)
        os._exit(error.kind.value)
    except Exception:  # noqa: BLE001 - DBOS's threads would keep a process alive that takes no jobs, and nobody would start another one
        with contextlib.suppress(OSError):
            traceback.print_exc()
        os._exit(1)


def work(setup: WorkerSetup) -> NoReturn:
    """Take jobs until the parent ends. Raises RetakeError where that cannot begin."""
    from filelock import FileLock, Timeout

    from retake import pipeline
    from retake.settings import prepare_process

    home = Path(setup.home)
    settings = prepare_process(home, threads=setup.threads)
    lock = FileLock(home / "run" / f"{setup.worker}.lock")
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout as error:
        raise RetakeError(
            f"Another process works as {setup.worker}.", "End it, or restart the daemon.", kind=ErrorKind.ENVIRONMENT, code="worker_exists"
        ) from error
    remove_dead(steps.building_places(home))  # what workers left that were killed together with their daemon
    database = Database(setup.database)
    pipeline.warm_up()  # before the first job waits for it
    running.interrupted(database, setup.worker)
    _launch(setup, Runner(setup, database, [Path(root) for root in settings.server.roots]))
    _beat(database, setup)


def _launch(setup: WorkerSetup, runner: Runner) -> None:
    """Start DBOS: it goes on with what this worker had begun, then takes from the queue, one job at a time."""
    from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
    from dbos import error as dbos_error

    config = DBOSConfig(
        name=APPLICATION,
        system_database_url=setup.database,
        executor_id=setup.worker,
        application_version=STEPS_VERSION,
        serializer=DBOSPortableJSONSerializer(),
        log_level="WARNING",
        enable_otlp=False,
        run_migrations=False,
        sys_db_pool_size=4,
        notification_listener_polling_interval_sec=60.0,  # nothing of ours sends DBOS messages
    )
    DBOS(config=config)

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MOST_RECOVERIES)
    def run_job(job_id: str, generation: int) -> str:  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        return runner.run(job_id, generation)

    DBOS.listen_queues([QUEUE])
    logging.getLogger("dbos").addFilter(logs.Calm(usual=(dbos_error.DBOSAwaitedWorkflowCancelledError, dbos_error.DBOSWorkflowCancelledError)))
    DBOS.launch()


def _beat(database: Database, setup: WorkerSetup) -> NoReturn:
    """Tell for ever that this worker lives."""
    from retake.jobs import fleet

    fleet.enter(database, setup.worker, setup.device)
    while True:
        threading.Event().wait(BEAT_SECONDS)
        with contextlib.suppress(RetakeError):  # the database is away: DBOS waits for it too
            fleet.beat(database, setup.worker, setup.device)


def _end_with_parent() -> None:
    """Die when the parent closes our stdin, however it ended. Nothing is half-written: files appear complete, and the job is taken up again."""
    while sys.stdin.buffer.read(1):
        continue
    os._exit(0)


if __name__ == "__main__":
    main()
