"""One worker process as its parent sees it: started, looked after, ended, and what it died of."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from retake.domain.job import Job, JobError
from retake.jobs import devices, logs, steps
from retake.jobs.worker import WorkerSetup
from retake.media.strays import remove_of

log = logging.getLogger(__name__)

# A worker that dies without having had a job is broken (a missing library, a full disk): it is started ever more rarely.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
SETTLED_SECONDS = 60.0  # one that lived so long was not broken
# The first such death may be an accident: the worker before it was slow to end, somebody killed it. While the next one starts, nothing is missing.
FAILING_DEATHS = 2
TAIL_LINES = 20


@dataclass(frozen=True)
class Death:
    """How a process ended. `code` is negative for a signal."""

    pid: int
    code: int

    def words(self) -> str:
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            name = signal.Signals(-self.code).name
        except ValueError:
            name = "unknown"
        return f"signal {-self.code} ({name})"

    def error(self, home: Path, job: Job) -> JobError:
        """What to tell about the job that it worked on."""
        killed = self.code == -9
        remedy = (
            "It was killed from outside; the system does that when memory runs out. Free some memory, or render smaller."
            if killed
            else "See the last lines of its log. If it happens again, the material may be damaged: convert it and try once more."
        )
        return JobError(
            code="worker_crashed",
            kind="crash",
            cause=f"The worker died while rendering: {self.words()}.",
            remedy=remedy,
            exit_code=self.code,
            log_tail=logs.tail(logs.job_log(home, job.id), TAIL_LINES),
        )


class Child:
    """A place for a worker, and the process that fills it now.

    Args:
        setup: what each process that fills it is told; the worker's name is the same for all of them.
    """

    def __init__(self, setup: WorkerSetup, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._home = Path(setup.home)
        self._setup = setup
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._dead_pid: int | None = None
        self._death: Death | None = None
        self._started = 0.0
        self._pause = FIRST_PAUSE
        self._start_at = 0.0
        self.restarts = 0
        self._early_deaths = 0  # in a row: soon, and without having had a job

    @property
    def worker(self) -> str:
        return self._setup.worker

    @property
    def device(self) -> str:
        return self._setup.device

    @property
    def failing(self) -> bool:
        """Whether process after process dies before it can work."""
        return self._early_deaths >= FAILING_DEATHS

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    def look(self) -> Death | None:
        """Start the process if it is time to; tell if it has died, until `start_again` is called."""
        if self._death is not None:
            return self._death
        if self._process is None:
            if self._clock() >= self._start_at:
                self._start()
            return None
        code = self._process.poll()
        if code is None:
            return None
        self._death = Death(self._process.pid, code)
        self._let_go()
        return self._death

    def start_again(self, *, had_work: bool) -> None:
        """After a death that was told to all who must know: start anew, soon if it died of its job, later if it seems broken."""
        self._death = None
        lived = self._clock() - self._started
        self._pause = FIRST_PAUSE if had_work or lived > SETTLED_SECONDS else min(LONGEST_PAUSE, 2 * self._pause)
        self._start_at = self._clock() + (0.0 if had_work else self._pause)
        self.restarts += 1
        self._early_deaths = self._early_deaths + 1 if not had_work and lived <= SETTLED_SECONDS else 0
        if not had_work:
            last = logs.tail(logs.worker_log(self._home, self.worker), 1)
            log.warning("%s died without a job and starts again in %.1f s: %s", self.worker, self._pause, *(last or ["it said nothing"]))

    def kill(self) -> None:
        """End the process there and then; the next look tells of it."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """End the process for good and remove what it had begun to write."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._let_go()
        self.sweep(None)

    def sweep(self, job: Job | None) -> None:
        """Remove what the dead process was writing: in the home folder, and where its job was to be delivered."""
        if self._dead_pid is None:
            return
        folders = steps.building_places(self._home)
        if job is not None:
            folders += [Path(name).parent if name.lower().endswith((".mp4", ".otio")) else Path(name) for name in _outputs(job)]
        for path in remove_of(self._dead_pid, folders):
            log.info("removed %s, which a worker that died had begun", path)

    def _start(self) -> None:
        path = logs.worker_log(self._home, self.worker)
        logs.trim(path)
        temporary = self._home / "run" / f"tmp-{self.worker}"
        steps.empty(temporary)
        descriptor = logs.open_log(path)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "retake.jobs.worker"],
                stdin=subprocess.PIPE,
                stdout=descriptor,
                stderr=descriptor,
                env={**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1", **devices.environment(self.device, self._setup.threads)},
                start_new_session=sys.platform != "win32",  # Ctrl-C in the daemon's terminal is the daemon's affair
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        finally:
            os.close(descriptor)
        self._started = self._clock()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died at once; the next look tells
            self._process.stdin.write(self._setup.line())
            self._process.stdin.flush()

    def _let_go(self) -> None:
        assert self._process is not None
        self._dead_pid = self._process.pid
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process = None


def _outputs(job: Job) -> list[str]:
    values = (getattr(job.spec, name, None) for name in ("output", "output_folder"))
    return [value for value in values if value]
