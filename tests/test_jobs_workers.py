"""Real workers on a real queue: jobs are done, workers that die are reported, nothing is lost and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from enrolled import EnrolledHome

from retake.domain.job import Job, JobState, LineSpec, ScriptSpec
from retake.domain.take import TakeRequest
from retake.jobs import events, queue, records
from retake.jobs.database import Database, default_url
from retake.jobs.logs import job_log, tail
from retake.jobs.supervisor import Supervisor
from retake.settings import Settings
from retake.takes import store

LONG = "This is a rather long sentence, which takes its time to be said, and after it come some more words, so that there is time to stop it. " * 2
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends processes by signals")


@pytest.fixture(scope="module")
def home(presenter_home: EnrolledHome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("daemon") / "home"
    shutil.copytree(presenter_home.path, target)
    shutil.rmtree(target / "takes", ignore_errors=True)
    return target


@pytest.fixture(scope="module")
def database(home: Path) -> Iterator[Database]:
    made = Database(default_url(home))
    made.create()
    yield made
    made.close()


@pytest.fixture(scope="module")
def supervisor(home: Path, database: Database) -> Iterator[Supervisor]:
    made = Supervisor(home, database, Settings(workers=1))
    made.start()
    until(lambda: made.status()[0].state == "ready", seconds=60)
    yield made
    made.stop()


def until(condition: Callable[[], object], *, seconds: float = 60.0) -> float:
    """Wait for something; returns how long that took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - start


def line(database: Database, text: str) -> Job:
    request = TakeRequest(speaker="presenter", text=text, width=128, height=128)
    return queue.submit(database, queue.Submission(LineSpec(request=request)))[0]


def state(database: Database, job: Job) -> JobState:
    return records.get(database, job.id).state


def over(database: Database, job: Job, *, seconds: float = 60.0) -> Job:
    until(lambda: state(database, job).over, seconds=seconds)
    return records.get(database, job.id)


def rendering(database: Database, job: Job) -> bool:
    now = records.get(database, job.id)
    return now.state is JobState.RUNNING and now.progress.stage == "Rendering"


def strays(home: Path) -> list[str]:
    return [str(path.relative_to(home)) for path in home.rglob("*") if ".building-" in path.name or ".retake-part" in path.name]


def test_lines_are_rendered_by_one_warm_process(home: Path, database: Database, supervisor: Supervisor) -> None:
    pid = supervisor.status()[0].pid
    first, second = line(database, "One more time."), line(database, "And another one.")
    for job in (over(database, first), over(database, second)):
        assert job.state is JobState.SUCCEEDED, job.error
        assert job.attempt == 1
        assert job.result is not None
        take = store.load(home, job.result.takes[0]).take
        assert take.width == 128
        assert Path(take.files.clip).stat().st_size > 1000
    assert supervisor.status()[0].pid == pid
    assert any("Rendering" in text for text in tail(job_log(home, first.id)))


def test_the_same_line_again_costs_next_to_nothing(database: Database, supervisor: Supervisor) -> None:
    over(database, line(database, "Say it twice."))
    again = over(database, line(database, "Say it twice."))
    assert again.state is JobState.SUCCEEDED
    assert "Rendering" not in {event.data.get("progress", {}).get("stage") for event in events.since(database, 0, job_id=again.id)}  # type: ignore[union-attr]


def test_a_killed_worker_is_told_and_the_job_done_again(home: Path, database: Database, supervisor: Supervisor) -> None:
    job = line(database, LONG + "Killed once.")
    until(lambda: rendering(database, job))
    pid = supervisor.status()[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: records.get(database, job.id).crashes == 1, seconds=5)
    waiting = records.get(database, job.id)
    assert waiting.state is JobState.QUEUED
    assert waiting.not_before is not None
    assert waiting.error is not None
    assert waiting.error.exit_code == -9
    assert "SIGKILL" in waiting.error.cause
    assert any("Rendering" in text for text in waiting.error.log_tail)
    assert not strays(home)
    done = over(database, job)
    assert done.state is JobState.SUCCEEDED
    assert (done.attempt, done.crashes) == (2, 1)
    assert supervisor.status()[0].restarts >= 1


def test_a_job_that_kills_every_worker_is_given_up(home: Path, database: Database, supervisor: Supervisor) -> None:
    job = line(database, LONG + "Killed each time.")
    for crashes in (1, 2, 3):
        until(lambda: rendering(database, job))
        pid = supervisor.status()[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGSEGV)
        until(lambda wanted=crashes: records.get(database, job.id).crashes == wanted, seconds=5)
    failed = over(database, job)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert failed.error.exit_code == -11
    assert any("Fatal Python error: Segmentation fault" in text for text in failed.error.log_tail), failed.error.log_tail
    after = over(database, line(database, "The daemon lives on."))
    assert after.state is JobState.SUCCEEDED


def test_a_running_render_stops_within_two_seconds(home: Path, database: Database, supervisor: Supervisor) -> None:
    takes = set((home / "takes").iterdir())
    job = line(database, LONG + "Cancelled.")
    until(lambda: rendering(database, job))
    queue.cancel(database, job.id)
    assert until(lambda: state(database, job).over, seconds=10) < 2.0
    assert state(database, job) is JobState.CANCELLED
    assert set((home / "takes").iterdir()) == takes
    assert not strays(home)


def test_a_render_that_does_not_listen_is_ended(home: Path, database: Database, supervisor: Supervisor) -> None:
    job = line(database, LONG + "Deaf.")
    until(lambda: rendering(database, job))
    pid = supervisor.status()[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # as a library would do that is stuck in native code
    queue.cancel(database, job.id)
    assert until(lambda: state(database, job).over) < 20  # and not when the render would be over
    assert state(database, job) is JobState.CANCELLED
    assert not strays(home)


def test_bad_input_is_not_tried_again(database: Database, supervisor: Supervisor) -> None:
    job = over(database, line(database, "日本語"))
    assert job.state is JobState.FAILED
    assert (job.attempt, job.crashes) == (1, 0)
    assert job.error is not None
    assert job.error.code == "text_language"


def test_interactive_jobs_go_before_batches(database: Database, supervisor: Supervisor) -> None:
    blocker = line(database, "Wait for me, please.")
    request = TakeRequest(speaker="presenter", text="A batch line.", width=128, height=128)
    from retake.domain.job import Priority

    batch = queue.submit(database, queue.Submission(LineSpec(request=request), priority=Priority.BATCH))[0]
    quick = line(database, "An urgent line.")
    over(database, blocker)
    started = [over(database, job).started_at for job in (quick, batch)]
    assert started[0] is not None
    assert started[1] is not None
    assert started[0] < started[1]


DAEMON = """
import sys, time
from pathlib import Path
from retake.jobs.database import Database, default_url
from retake.jobs.supervisor import Supervisor
from retake.settings import Settings
home = Path(sys.argv[1])
database = Database(default_url(home))
database.create()
Supervisor(home, database, Settings(workers=1)).start()
print("up", flush=True)
time.sleep(300)
"""


def test_a_daemon_that_was_killed_goes_on_behind_the_last_finished_step(presenter_home: EnrolledHome, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(presenter_home.path, home)
    shutil.rmtree(home / "takes", ignore_errors=True)
    database = Database(default_url(home))
    database.create()
    requests = [TakeRequest(speaker="presenter", text=f"This is line number {word}.", width=128, height=128) for word in ("one", "two", "three")]
    job = queue.submit(database, queue.Submission(ScriptSpec(title="Resumed", requests=requests)))[0]
    first = subprocess.Popen([sys.executable, "-c", DAEMON, str(home)], stdout=subprocess.DEVNULL)
    try:
        until(lambda: records.get(database, job.id).progress.step == 2)
        children = psutil.Process(first.pid).children()
        first.kill()
        first.wait()
        until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children), seconds=5)
    finally:
        first.kill()
    finished = {path: path.stat().st_mtime_ns for path in (home / "takes").glob("*/take.mp4")}
    assert finished, "the first line was done before the kill"
    second = subprocess.Popen([sys.executable, "-c", DAEMON, str(home)], stdout=subprocess.DEVNULL)
    try:
        done = over(database, job)
    finally:
        second.kill()
        second.wait()
    assert done.state is JobState.SUCCEEDED, done.error
    assert done.result is not None
    assert len(done.result.takes) == len(set(done.result.takes)) == 3
    assert done.crashes == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, "what was finished is not made again"
    assert len(list((home / "takes").glob("*/take.mp4"))) == 3
    steps = [text for text in tail(job_log(home, job.id), 200) if text.endswith("Speaking")]
    assert len(steps) <= 4, "each line is spoken once, but for the one that was interrupted"
    database.close()
