"""What workers write about jobs: only the one that was given the job last may."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from job_samples import CRASH, REFUSAL, claimed, places, submit

from retake.domain.job import JobProgress, JobResult, JobState
from retake.jobs import events, queue, records, running
from retake.jobs.database import WORKFLOW, Database
from retake.jobs.running import Orders

PROGRESS = JobProgress(stage="Rendering", fraction=0.5, detail="12 of 25", step=2, steps=2, fps=20.0, seconds_left=3.0)
WRITES: dict[str, Callable[[Database, str, int], object]] = {
    "succeed": lambda database, job, generation: running.succeed(database, job, generation, JobResult(takes=["1" * 16])),
    "fail": lambda database, job, generation: running.fail(database, job, generation, REFUSAL),
    "stopped": running.stopped,
    "lost": lambda database, job, generation: running.lost(database, job, generation, CRASH),
    "claim": lambda database, job, generation: running.claim(database, job, generation, "late"),
}


def test_a_job_from_the_queue_to_its_end(database: Database) -> None:
    job = claimed(database, submit(database), "w1")
    assert (job.state, job.worker, job.attempt) == (JobState.RUNNING, "w1", 1)
    assert job.started_at is not None
    assert running.report(database, job.id, 1, PROGRESS) == Orders(stop=False, stale=False)
    assert records.get(database, job.id).progress == PROGRESS
    assert running.succeed(database, job.id, 1, JobResult(takes=["0" * 16], notes=["Fine."]))
    done = records.get(database, job.id)
    assert (done.state, done.result) == (JobState.SUCCEEDED, JobResult(takes=["0" * 16], notes=["Fine."]))
    assert done.finished_at is not None and done.finished_at >= job.started_at


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("given_up", ["lost", "cancelled and retried"])
def test_a_worker_that_was_given_up_may_not_write(database: Database, write: str, given_up: str) -> None:
    job = claimed(database, submit(database))
    if given_up == "lost":
        running.lost(database, job.id, 1, CRASH)
    else:
        queue.cancel(database, job.id)
        running.stopped(database, job.id, 1)
        queue.retry(database, job.id)
    before, last = records.get(database, job.id), events.newest(database)
    assert before.generation == 2
    assert not WRITES[write](database, job.id, 1)
    assert running.report(database, job.id, 1, PROGRESS) == running.orders(database, job.id, 1) == Orders(stop=True, stale=True)
    assert records.get(database, job.id) == before
    assert events.newest(database) == last


@pytest.mark.parametrize("write", WRITES)
def test_nobody_writes_to_a_job_that_is_over(database: Database, write: str) -> None:
    job = claimed(database, submit(database))
    running.succeed(database, job.id, 1, JobResult(takes=["0" * 16]))
    before = records.get(database, job.id)
    assert not WRITES[write](database, job.id, 1)
    assert records.get(database, job.id) == before


def test_a_lost_job_waits_longer_each_time(database: Database) -> None:
    job = submit(database)
    for pause in running.BACK_OFF:
        job = claimed(database, job)
        lost = running.lost(database, job.id, job.generation, CRASH)
        assert lost is not None and lost.not_before is not None
        assert (lost.worker, lost.started_at, lost.progress) == (None, None, JobProgress())
        assert lost.generation == job.generation + 1
        delayed = database.client.list_workflows(name=WORKFLOW, status="DELAYED")
        assert [one.workflow_id for one in delayed] == [f"{lost.id}.{lost.generation}"]
        assert delayed[0].delay_until_epoch_ms is not None
        assert abs(delayed[0].delay_until_epoch_ms / 1000 - lost.not_before.timestamp()) < 1.0
        assert abs((lost.not_before - events.since(database, 0)[-1].at).total_seconds() - pause) < 1.0
        job = lost


def test_a_lost_job_that_was_being_cancelled_is_cancelled(database: Database) -> None:
    job = claimed(database, submit(database))
    queue.cancel(database, job.id)
    done = running.lost(database, job.id, 1, CRASH)
    assert done is not None
    assert (done.state, done.error) == (JobState.CANCELLED, None)


def test_what_a_daemon_that_ended_left_waits_again_in_its_place(database: Database) -> None:
    mine, asked, others = (submit(database, text) for text in ("Mine.", "Asked to stop.", "Another's."))
    for job, worker in ((mine, "w1"), (asked, "w1"), (others, "w2")):
        claimed(database, job, worker)
    queue.cancel(database, asked.id)
    done = {job.id: job.state for job in running.interrupted(database, "w1")}
    assert done == {mine.id: JobState.QUEUED, asked.id: JobState.CANCELLED}
    again = records.get(database, mine.id)
    assert (again.generation, again.worker, again.crashes) == (1, None, 0)  # nothing was wrong with it, and its finished steps count
    assert records.get(database, others.id).state is JobState.RUNNING
    assert claimed(database, again).attempt == 2


def test_one_of_many_ends_wins(database: Database) -> None:
    job = claimed(database, submit(database))
    gate = threading.Barrier(6)

    def end(write: str) -> bool:
        gate.wait(600)
        return bool(WRITES[write](database, job.id, 1))

    with ThreadPoolExecutor(6) as pool:
        ends = [pool.submit(end, write) for write in ("succeed", "fail", "stopped") * 2]
        assert sum(future.result(600) for future in ends) == 1
    told = [event.type for event in events.since(database, 0, job_id=job.id)]
    assert told[:2] == ["job.queued", "job.running"] and len(told) == 3


def test_a_lost_job_leaves_no_old_place_behind(database: Database) -> None:
    job = claimed(database, submit(database))
    running.lost(database, job.id, 1, CRASH)
    assert f"{job.id}.1" not in places(database)
