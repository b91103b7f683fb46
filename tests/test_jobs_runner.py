"""What a worker does with a job's leavings when the job ends, or was taken from it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from job_samples import submit

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.job import JobError, JobState
from retake.jobs import queue, records, reporter, running, steps
from retake.jobs.database import Database, unreachable
from retake.jobs.worker import Runner, WorkerSetup

CRASH = JobError(code="worker_lost", kind="crash", cause="It was silent.", remedy="See its machine.")


@pytest.mark.parametrize("end", [Cancelled(), RetakeError("It cannot be.", "Change it.", code="bad_input"), KeyError("unforeseen")])
@pytest.mark.parametrize("taken", [False, True])
def test_a_worker_that_was_given_up_leaves_the_next_ones_files_alone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Exception, taken: bool
) -> None:
    job = submit(database)
    results = steps.results_folder(tmp_path, job.id)

    def work(work: steps.Work) -> None:
        if isinstance(end, Cancelled) and not taken:
            queue.cancel(database, job.id)
        if taken:
            running.lost(database, job.id, job.generation, CRASH)
            assert running.claim(database, job.id, job.generation + 1, "another") is not None
            work.reporter.stale = True  # as its thread learns
        results.mkdir(parents=True)
        (results / "take.mp4").touch()
        raise end

    monkeypatch.setattr(steps, "run", work)
    Runner(WorkerSetup(str(tmp_path), database.url, "w1", "cpu"), database, []).run(job.id, job.generation)
    now = records.get(database, job.id)
    if taken:
        assert (now.state, now.worker) == (JobState.RUNNING, "another")
        assert (results / "take.mp4").exists()
    else:
        assert now.state is (JobState.CANCELLED if isinstance(end, Cancelled) else JobState.FAILED)
        assert not results.exists()


def test_a_database_that_is_away_is_told_once_in_the_log(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    said: list[str] = []

    def away(*arguments: object) -> None:
        tried.append("")
        raise unreachable(database.url, OSError("gone"))

    for name in ("report", "orders"):
        monkeypatch.setattr(running, name, away)
    monkeypatch.setattr(reporter, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(reporter.logs, "say", said.append)
    with reporter.Reporter(database, submit(database), tmp_path).watching():
        deadline = time.monotonic() + 10
        while len(tried) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(tried) >= 20
    assert len(said) == 1
    assert "progress is not reported" in said[0]
