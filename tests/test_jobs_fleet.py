"""Who lives and who is silent, what each worker is bound to, and what a process died of."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from retake.domain.errors import RetakeError
from retake.domain.job import Job, JobError, JobState, LineSpec
from retake.domain.take import TakeRequest
from retake.jobs import devices, fleet, logs, queue, records, running
from retake.jobs.child import Death
from retake.jobs.database import Database
from retake.jobs.queue import workflow_id
from retake.jobs.recovery import Recovery
from retake.jobs.tables import jobs


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'jobs.sqlite3'}")
    made.create()
    return made


def line(database: Database, text: str = "Hello.") -> Job:
    return queue.submit(database, queue.Submission(LineSpec(request=TakeRequest(speaker="anna", text=text))))[0]


def member(name: str, beat: int) -> fleet.Member:
    return fleet.Member(name, "host", 1, "1", "cpu", beat)


def test_a_worker_is_silent_when_its_beat_stands_still_by_our_own_clock() -> None:
    clock = Clock()
    watch = fleet.Watch(clock)
    assert watch.look([member("a", 1), member("b", 7)]) == set()
    for beat in range(2, 8):
        clock.now += 5
        assert watch.look([member("a", beat), member("b", 7)]) == set()
    clock.now += 1
    assert watch.look([member("a", 8), member("b", 7)]) == {"b"}
    assert watch.look([member("a", 8), member("b", 8)]) == set()


def test_who_could_not_look_for_a_while_takes_nobody_for_dead() -> None:
    clock = Clock()
    watch = fleet.Watch(clock)
    assert watch.look([member("a", 1)]) == set()
    clock.now += 3600  # the database was restarted, or this machine slept: the worker's next beat comes behind our first look
    assert watch.look([member("a", 1)]) == set()
    for _ in range(6):
        clock.now += 5
        assert watch.look([member("a", 1)]) == set()
    clock.now += 1
    assert watch.look([member("a", 1)]) == {"a"}


def test_a_worker_that_was_given_up_and_lives_is_a_member_again(database: Database) -> None:
    fleet.enter(database, "far-0", "cuda:0")
    fleet.beat(database, "far-0", "cuda:0")
    fleet.leave(database, "far-0")
    fleet.beat(database, "far-0", "cuda:0")
    [again] = fleet.members(database)
    assert (again.id, again.device, again.pid) == ("far-0", "cuda:0", os.getpid())


def test_the_job_of_a_silent_worker_is_given_away(database: Database) -> None:
    clock = Clock()
    recovery = Recovery(database, fleet.Watch(clock))
    fleet.enter(database, "far-0", "cpu")
    job = line(database)
    assert running.claim(database, job.id, job.generation, "far-0") is not None
    assert recovery.bury() == []
    told: list[str] = []
    for _ in range(7):
        clock.now += 5
        told += recovery.bury()
    assert any("far-0 is silent" in text for text in told)
    given = records.get(database, job.id)
    assert given.state is JobState.QUEUED
    assert given.generation == job.generation + 1
    assert given.error is not None
    assert given.error.code == "worker_lost"
    assert fleet.members(database) == []
    assert running.claim(database, job.id, job.generation, "far-0") is None, "the lost worker may not go on"


def test_a_worker_that_its_own_supervisor_is_starting_is_waited_for(database: Database) -> None:
    clock = Clock()
    job = line(database)
    assert running.claim(database, job.id, job.generation, "here-0") is not None
    begun = {"status": "PENDING", "executor_id": "here-0"}
    with database.writing() as connection:  # as DBOS notes who works on it
        table = sa.table("workflow_status", *(sa.column(name) for name in ("workflow_uuid", *begun)))
        connection.execute(table.update().where(table.c.workflow_uuid == workflow_id(job.id, job.generation)).values(begun))
    fleet.enter(database, "here-0", "cpu")  # left by a daemon that was killed
    for own in (True, False):
        recovery = Recovery(database, fleet.Watch(clock), {"here-0"} if own else set())
        told: list[str] = []
        for _ in range(8):
            told += recovery.bury() + recovery.reconcile()
            clock.now += 5
        assert bool(told) is not own
        assert records.get(database, job.id).state is (JobState.RUNNING if own else JobState.QUEUED)


def test_a_job_that_is_missing_from_the_queue_is_queued_again_after_a_second_look(database: Database) -> None:
    recovery = Recovery(database)
    job, other = line(database), line(database, "Other.")
    database.client.delete_workflow(workflow_id(job.id, job.generation))
    assert recovery.reconcile() == []
    [done] = recovery.reconcile()
    assert "missing" in done
    again = records.get(database, job.id)
    assert (again.state, again.generation) == (JobState.QUEUED, 2)
    assert records.get(database, other.id).generation == 1
    statuses = database.client.list_workflows(workflow_ids=[workflow_id(job.id, 2)])
    assert [status.status for status in statuses] == ["ENQUEUED"]
    assert recovery.reconcile() == recovery.reconcile() == []


def test_a_job_that_was_being_cancelled_when_everything_died_is_cancelled(database: Database) -> None:
    recovery = Recovery(database)
    job = line(database)
    running.claim(database, job.id, job.generation, "gone-0")
    queue.cancel(database, job.id)
    database.client.delete_workflow(workflow_id(job.id, job.generation))
    recovery.reconcile()
    recovery.reconcile()
    assert records.get(database, job.id).state is JobState.CANCELLED


def test_a_job_of_another_version_hides_no_other_and_fails_by_itself(database: Database) -> None:
    odd, good = line(database), line(database, "Other.")
    with database.writing() as connection:
        connection.execute(jobs.update().where(jobs.c.id == odd.id).values(spec={"kind": "hologram"}))
    assert [job.id for job in records.find(database, records.Filter()).jobs] == [good.id]
    assert [job.id for job in records.waiting(database)] == [good.id]
    with pytest.raises(RetakeError, match="another version"):
        records.get(database, odd.id)
    with pytest.raises(RetakeError) as caught:
        running.claim(database, odd.id, odd.generation, "here-0")
    running.unreadable(database, odd.id, odd.generation, caught.value)
    assert records.find(database, records.Filter()).counts[JobState.FAILED] == 1


def test_a_job_that_waits_after_a_crash_waits_wherever_it_is_put(database: Database) -> None:
    first, crashed = line(database), line(database, "Crashed.")
    running.claim(database, crashed.id, crashed.generation, "here-0")
    error = JobError(code="worker_crashed", kind="crash", cause="It died.", remedy="")
    assert running.lost(database, crashed.id, crashed.generation, error) is not None
    moved = queue.move(database, crashed.id, before=first.id)
    assert moved.not_before is not None
    assert database.client.list_workflows(workflow_ids=[workflow_id(moved.id, moved.generation)])[0].status == "DELAYED"


def test_silence_is_counted_for_those_who_hang() -> None:
    clock = Clock()
    watch = fleet.Watch(clock)
    for _ in range(30):
        watch.look([member("hung", 5)])
        clock.now += 5
    assert watch.silence("hung") > fleet.HUNG_SECONDS
    watch.look([member("hung", 6)])
    assert watch.silence("hung") == watch.silence("nobody") == 0.0


def test_devices_follow_the_visible_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert devices.devices() == ["cuda:0", "cuda:1"]
    assert devices.devices(3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert devices.environment("cuda:1") == {"CUDA_VISIBLE_DEVICES": "3"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert devices.devices() == ["cpu"]
    assert devices.devices(2) == ["cpu", "cpu"]
    assert devices.environment("cpu") == {}
    assert devices.environment("cpu", 1)["OMP_NUM_THREADS"] == "1"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_death_is_told_in_words(tmp_path: Path, database: Database) -> None:
    job = line(database)
    with logs.logging_to(logs.job_log(tmp_path, job.id)):
        os.write(2, b"last words\n")  # as native code does; pytest has put something else in the place of sys.stderr
    killed = Death(5, -signal.SIGKILL).error(tmp_path, job)
    assert "SIGKILL" in killed.cause
    assert "memory" in killed.remedy
    assert killed.log_tail[-1].endswith("last words")
    assert Death(5, 3).words() == "exit code 3"
    assert Death(5, -250).words() == "signal 250 (unknown)"


def test_the_tail_of_a_log_is_short(tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    path.write_bytes(b"\n".join(b"line %d \xff" % number for number in range(20_000)))
    assert [text.split()[1] for text in logs.tail(path, 2)] == ["19998", "19999"]
    assert logs.tail(path, 0) == []
    assert logs.tail(tmp_path / "missing") == []
