"""Jobs while the daemon and its workers are killed: is everything done, once, and playable?

    python bench/chaos.py HOME [--jobs 200] [--daemon-kills 20] [--worker-kills 20] [--seed 1] [--keep FOLDER]

HOME is a home folder with an enrolled speaker (it is copied). A real `retake serve` is killed with signal 9 and started again, and so are its
workers, at random moments, while a client goes on submitting short lines over HTTP. Then every job, take and frame is counted. Minutes long; Linux
and macOS.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from retake.jobs import events, records
from retake.jobs.database import Database, default_url
from retake.media.reader import read_frames
from retake.takes import store
from retake_client import Client
from retake_client.errors import ClientError

WORDS = ("apple", "bridge", "candle", "dolphin", "engine", "forest", "garden", "harbour", "island", "jacket")
LONGEST_SECONDS = 3600.0


@dataclass
class Kill:
    """One kill: when, of what, and which job it hit."""

    at: float
    what: str
    job: str
    stage: str


@dataclass
class Run:
    """The daemon under test and what was done to it."""

    home: Path
    started: float = field(default_factory=time.monotonic)
    kills: list[Kill] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        began = time.monotonic()
        with (self.home / "serve.out").open("ab") as out:
            environment = {**os.environ, "RETAKE_HOME": str(self.home)}
            command = [sys.executable, "-m", "retake", "serve", "--port", "0"]
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
        while True:
            try:
                client(self.home).health()
                break
            except (ClientError, OSError) as error:
                if self.process.poll() is not None or time.monotonic() - began > 60:
                    raise SystemExit(f"the daemon does not start: {error}\n{(self.home / 'serve.out').read_text()[-2000:]}") from error
                time.sleep(0.05)
        self.starts.append(time.monotonic() - began)

    def workers(self) -> list[psutil.Process]:
        assert self.process is not None
        try:
            return psutil.Process(self.process.pid).children()
        except psutil.NoSuchProcess:
            return []

    def kill(self, database: Database, what: str) -> None:
        """Kill the daemon or one of its workers."""
        busy = records.find(database, records.Filter(states=(records.JobState.RUNNING,)), limit=1).jobs
        label, stage = (busy[0].label, busy[0].progress.stage or "starting") if busy else ("-", "-")
        if what == "daemon":
            assert self.process is not None
            self.process.kill()
            self.process.wait()
        else:
            for worker in self.workers()[:1]:
                worker.send_signal(signal.SIGKILL)
        self.kills.append(Kill(time.monotonic() - self.started, what, label, stage))
        if what == "daemon":
            self.start()


def client(home: Path) -> Client:
    return Client.local(home, name="chaos", timeout=5.0)


def submit(home: Path, speaker: str, count: int, seed: int, failures: list[str]) -> None:
    """Submit the jobs in small batches, again and again with the same key until the daemon has answered."""
    random_ = random.Random(seed)
    for start in range(0, count, 10):
        specs = [line(speaker, number) for number in range(start, min(count, start + 10))]
        for attempt in range(200):
            try:
                client(home).submit_all(specs, key=f"chaos-{start}")
                break
            except (ClientError, OSError) as error:
                if attempt == 199:
                    failures.append(f"batch {start}: {error}")
                time.sleep(0.1 + 0.2 * random_.random())
        time.sleep(random_.random())


def line(speaker: str, number: int) -> dict[str, object]:
    hundreds, tens, ones = number // 100, number // 10 % 10, number % 10
    text = f"{WORDS[hundreds]} {WORDS[tens]} {WORDS[ones]}.".capitalize()
    return {"kind": "line", "request": {"speaker": speaker, "text": text, "width": 128, "height": 128}}


def unfinished(database: Database) -> int:
    counts = records.find(database, records.Filter(), limit=1).counts
    return sum(count for state, count in counts.items() if not state.over)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--speaker", default="presenter")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--daemon-kills", type=int, default=20)
    parser.add_argument("--worker-kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="leave the home folder of the run here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        shutil.copytree(options.home / "speakers", home / "speakers")
        sys.exit(0 if chaos(home, options) else 1)


def chaos(home: Path, options: argparse.Namespace) -> bool:
    random_ = random.Random(options.seed)
    database = Database(default_url(home))
    database.create()
    run = Run(home)
    run.start()
    failures: list[str] = []
    asking = threading.Thread(target=submit, args=(home, options.speaker, options.jobs, options.seed, failures), daemon=True)
    asking.start()
    plan = ["daemon"] * options.daemon_kills + ["worker"] * options.worker_kills
    random_.shuffle(plan)
    for what in plan:
        time.sleep(random_.uniform(0.3, 9.0))
        run.kill(database, what)
    asking.join()
    while unfinished(database) and time.monotonic() - run.started < LONGEST_SECONDS:
        time.sleep(0.2)
    seconds = time.monotonic() - run.started
    assert run.process is not None
    run.process.terminate()
    run.process.wait(timeout=30)
    good = report(run, database, options, seconds, failures)
    database.close()
    if options.keep is not None:
        shutil.copytree(home, options.keep)
    return good


def report(run: Run, database: Database, options: argparse.Namespace, seconds: float, failures: list[str]) -> bool:
    """Print what was killed when, and what became of the jobs; False if anything is wrong."""
    print("| s | killed | while doing | stage |\n|---|---|---|---|")
    for kill in run.kills:
        print(f"| {kill.at:.1f} | {kill.what} | {kill.job} | {kill.stage} |")
    jobs = [job for page in pages(database) for job in page]
    states = collections.Counter(job.state.value for job in jobs)
    takes = collections.Counter(take for job in jobs if job.result for take in job.result.takes)
    stored = store.history(run.home)
    bad = [take.take.id for take in stored if not plays(take)]
    finished = collections.Counter(event.job_id for event in everything(database) if event.type == "job.succeeded")
    twice = [job for job, count in finished.items() if count > 1]
    strays = [path for path in run.home.rglob("*") if ".building-" in path.name or ".retake-part" in path.name]
    checks = {
        f"jobs submitted: {len(jobs)} of {options.jobs}": len(jobs) == options.jobs and not failures,
        f"states: {dict(states)}": states["succeeded"] == options.jobs,
        f"takes: {len(stored)} in the store, {len(takes)} named by jobs": len(stored) == len(takes) == options.jobs,
        f"jobs finished twice: {len(twice)}": not twice,
        f"clips that do not play to the last frame: {len(bad)}": not bad,
        f"half-written files left: {len(strays)}": not strays,
    }
    again = sum(job.attempt > 1 for job in jobs)
    crashes = sum(job.crashes for job in jobs)
    starts = sorted(run.starts)
    print(f"\n{len(run.kills)} kills in {seconds:.0f} s; {again} jobs were begun more than once, {crashes} crashes were told;")
    print(f"the daemon answered {starts[len(starts) // 2]:.2f} s after it was started (median, {starts[-1]:.2f} s at most)\n")
    for text, good in checks.items():
        print(f"{'ok  ' if good else 'BAD '} {text}")
    for job in jobs:
        if job.state.value != "succeeded":
            print(json.dumps(job.model_dump(mode="json", include={"id", "label", "state", "attempt", "crashes", "error"})))
    for text in [*failures, *map(str, strays), *bad]:
        print(text)
    return all(checks.values())


def pages(database: Database) -> list[list[records.Job]]:
    out: list[list[records.Job]] = []
    before: int | None = None
    while True:
        page = records.find(database, records.Filter(), limit=500, before=before)
        out.append(page.jobs)
        if page.next is None:
            return out
        before = page.next


def everything(database: Database) -> list[events.Event]:
    out: list[events.Event] = []
    while found := events.since(database, out[-1].id if out else 0):
        out += found
    return out


def plays(stored: store.StoredTake) -> bool:
    with closing(read_frames(Path(stored.take.files.clip))) as frames:
        return sum(1 for _ in frames) == stored.take.frames


if __name__ == "__main__":
    main()
