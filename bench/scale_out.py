"""Two machines on one PostgreSQL, one of them killed in the middle of a job and never started again: every job is done, and done once.

    python bench/scale_out.py [--home ENROLLED_HOME] [--jobs 20] [--timeout 900]

A PostgreSQL is started for this run (tests/postgres.py). Two `retake worker` processes with empty home folders of their own stand for the machines;
speakers and takes go through a shared folder. --home is a folder with an enrolled speaker (it is copied, not changed); without it the presenter is
enrolled first, which takes a minute. Prints who did what, when, and what was killed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from postgres import running  # noqa: E402 - what the tests use too  # pyright: ignore[reportMissingImports]

from retake.cli_output import table  # noqa: E402
from retake.domain.job import Job, JobState, LineSpec, Priority  # noqa: E402
from retake.domain.take import TakeRequest  # noqa: E402
from retake.jobs import events, queue, records  # noqa: E402
from retake.jobs.artefacts import Artefacts  # noqa: E402
from retake.jobs.database import Database  # noqa: E402
from retake.jobs.queue import Submission  # noqa: E402
from retake.media.files import sha256  # noqa: E402
from retake.media.reader import read_frames  # noqa: E402
from retake.settings import Settings, save_settings  # noqa: E402
from retake.speakers import store as speakers  # noqa: E402
from retake.takes import store as takes  # noqa: E402

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass
class Machine:
    """A `retake worker` with a home of its own. Its process group is everything that runs on that machine."""

    name: str
    home: Path
    process: subprocess.Popen[bytes] | None = None
    killed: list[int] = field(default_factory=list)

    def start(self, database: str, artefacts: Path) -> None:
        save_settings(self.home, Settings(threads=1))  # two machines in one: each its own core
        environment = {**os.environ, "RETAKE_HOME": str(self.home), "RETAKE_DATABASE": database}
        command = [sys.executable, "-m", "retake", "worker", "--artefacts", str(artefacts), "--workers", "1"]
        with (self.home / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_of(self, worker: str | None) -> bool:
        """Whether `worker` (as the database calls it) is one of this machine's."""
        mark = self.home / "run" / "machine"
        return worker is not None and mark.is_file() and worker.startswith(mark.read_text(encoding="utf-8").strip())

    def kill(self) -> list[int]:
        """Kill -9 everything on this machine at once; returns the process numbers."""
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        family = [parent, *parent.children(recursive=True)]
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGSTOP)  # so that the parent cannot react to the child's death
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.wait(20)
        self.killed = [one.pid for one in family]
        return self.killed

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


@dataclass(frozen=True)
class Outcome:
    """What happened. Times are seconds since the jobs were submitted."""

    jobs: list[Job]
    machines: dict[str, str]  # id of a job -> name of the machine that did it
    finished: dict[str, float]
    begun_twice: list[str]
    victim_job: str
    killed_at: float
    noticed_at: float
    problems: list[str]

    @property
    def good(self) -> bool:
        return not self.problems


def scale_out(home: Path, folder: Path, *, count: int, after: int, timeout: float) -> Outcome:
    """Do it. `home` holds a speaker; `folder` is empty; a machine is killed once `after` jobs are done and it is rendering."""
    shared = folder / "shared"
    shared.mkdir()
    [speaker, *_] = speakers.names(home)
    artefacts = Artefacts(str(shared), home)
    machines = [Machine(name, folder / name) for name in ("first", "second")]
    for machine in machines:
        machine.home.mkdir()
    with running() as server, contextlib.ExitStack() as stack:
        url = server.create()
        database = Database(url)
        stack.callback(database.close)
        database.create()
        specs = [LineSpec(request=TakeRequest(speaker=speaker, text=f"Number {_words(number)}.")) for number in range(count)]
        submissions = [Submission(artefacts.share(spec), priority=Priority.BATCH) for spec in specs]
        ids = [job.id for job, _ in queue.submit_all(database, submissions)]
        start = time.monotonic()
        for machine in machines:
            stack.callback(machine.stop)
            machine.start(url, shared)
        victim = machines[0]
        job = _rendering_on(database, victim, after, start + timeout)
        victim.kill()
        killed = time.monotonic() - start
        noticed = 0.0
        for _ in _until(start + timeout):
            now = [records.get(database, id_) for id_ in ids]
            current = next(one for one in now if one.id == job.id)
            if not noticed and (current.generation > job.generation or current.state.over):
                noticed = time.monotonic() - start
            if all(one.state.over for one in now):
                break
        return _outcome(database, artefacts, machines, ids, _Kill(job.id, killed, noticed))


@dataclass(frozen=True)
class _Kill:
    job: str
    at: float
    noticed: float


def _rendering_on(database: Database, machine: Machine, after: int, end: float) -> Job:
    """The job that the machine is in the middle of, once `after` jobs are done."""
    for _ in _until(end):
        page = records.find(database, records.Filter(), limit=500)
        if page.counts[JobState.SUCCEEDED] < after:
            continue
        for job in page.jobs:
            if job.state is JobState.RUNNING and machine.is_of(job.worker) and job.progress.stage == "Rendering":
                return job
    raise TimeoutError("no job was being rendered")


def _until(end: float, pause: float = 0.05) -> Iterator[None]:
    while time.monotonic() < end:
        yield
        time.sleep(pause)


def _outcome(database: Database, artefacts: Artefacts, machines: Sequence[Machine], ids: list[str], kill: _Kill) -> Outcome:
    log = events.since(database, 0, limit=100_000)
    submitted = min(event.at for event in log)
    finished = {event.job_id: (event.at - submitted).total_seconds() for event in log if event.type == "job.succeeded" and event.job_id}
    successes = Counter(event.job_id for event in log if event.type == "job.succeeded")
    claims = Counter(event.job_id for event in log if event.type == "job.running")
    jobs = [records.get(database, id_) for id_ in ids]
    problems = [f"{job.label} is {job.state.value}: {job.error.cause if job.error else ''}" for job in jobs if job.state is not JobState.SUCCEEDED]
    problems += [f"{id_} succeeded {successes[id_]} times" for id_ in ids if successes[id_] != 1]
    names = {job.id: next((machine.name for machine in machines if machine.is_of(job.worker)), "?") for job in jobs}
    problems += [f"{job.label} is said to be done by the dead machine after its death" for job in jobs if _after_death(job, names, finished, kill.at)]
    made = [job.result.takes[0] for job in jobs if job.result]
    if len(set(made)) != len(ids):
        problems.append(f"{len(set(made))} different takes for {len(ids)} jobs")
    problems += [problem for identifier in made if (problem := _unplayable(artefacts, identifier))]
    return Outcome(jobs, names, finished, [id_ for id_ in ids if claims[id_] > 1], kill.job, kill.at, kill.noticed, problems)


def _after_death(job: Job, names: dict[str, str], finished: dict[str, float], killed: float) -> bool:
    return names[job.id] == "first" and finished.get(job.id, 0.0) > killed + 1.0


def _unplayable(artefacts: Artefacts, identifier: str) -> str | None:
    """What is wrong with a take as any machine would fetch it; None if it plays."""
    artefacts.ensure_take(identifier)
    take = takes.load(artefacts.home, identifier).take
    frames = sum(1 for _ in read_frames(take.files.clip))
    if frames != take.frames or sha256(take.files.clip) != take.sha256:
        return f"take {identifier} has {frames} of {take.frames} frames, or another content"
    return None


def _words(number: int) -> str:
    return " ".join(WORDS[int(digit)] for digit in f"{number:02d}")


def report(outcome: Outcome, seconds: float) -> list[str]:
    """The table."""
    rows = []
    for job in sorted(outcome.jobs, key=lambda one: outcome.finished.get(one.id, 1e9)):
        note = "its machine was killed; done by the other" if job.id == outcome.victim_job else ""
        at = outcome.finished.get(job.id)
        rows.append((job.label, job.state.value, outcome.machines[job.id], "-" if at is None else f"{at:.1f}", str(job.crashes), note))
    lines = table(("job", "state", "machine", "done at (s)", "deaths", ""), rows)
    counts = Counter(outcome.machines.values())
    shares = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    lines += [
        "",
        f"killed -9 at {outcome.killed_at:.1f} s: supervisor and worker of the first machine, rendering",
        f"its job was given to the other at {outcome.noticed_at:.1f} s",
        f"done: {len(outcome.finished)} of {len(outcome.jobs)} ({shares}), begun more than once: {len(outcome.begun_twice)}; {seconds:.0f} s in all",
        f"takes fetched from the shared folder and played to the last frame: {'all' if outcome.good else 'see below'}",
        *[f"PROBLEM: {problem}" for problem in outcome.problems],
    ]
    return lines


def enrol(home: Path) -> None:
    """Enrol the presenter, as a user would."""
    assets = ROOT / "daemon" / "retake" / "assets" / "presenter"
    command = [sys.executable, "-m", "retake", "enrol", str(assets / "presenter.mp4"), "--name", "presenter", "--quiet"]
    command += ["--transcript", str(assets / "presenter.txt"), "--consent", "Synthetic presenter, nobody's likeness."]
    subprocess.run(command, env={**os.environ, "RETAKE_HOME": str(home)}, check=True, timeout=1200)


def main() -> int:
    parser = argparse.ArgumentParser(description="Two workers on PostgreSQL, one killed in the middle of a job.")
    parser.add_argument("--home", type=Path, help="folder with an enrolled speaker")
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--after", type=int, default=4, help="jobs that are done before the kill")
    parser.add_argument("--timeout", type=float, default=900.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="retake-scale-", ignore_cleanup_errors=True) as name:
        home = Path(name) / "home"
        if options.home:
            shutil.copytree(options.home / "speakers", home / "speakers")
        else:
            enrol(home)
        start = time.monotonic()
        outcome = scale_out(home, Path(name), count=options.jobs, after=options.after, timeout=options.timeout)
        print("\n".join(report(outcome, time.monotonic() - start)))
        return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
