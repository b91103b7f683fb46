"""The log of what happened: complete, in order, there exactly if what it tells of is."""

from __future__ import annotations

import threading
import time

import pytest
from job_samples import CRASH, claimed, submit, submit_many

from retake.domain.errors import RetakeError
from retake.domain.job import Job, JobProgress, JobResult, public
from retake.jobs import events, queue, records, running
from retake.jobs.database import Database
from retake.jobs.events import tell


def types(database: Database, job: Job) -> list[str]:
    return [event.type for event in events.since(database, 0, job_id=job.id)]


def test_the_life_of_a_job_is_told(database: Database) -> None:
    job = claimed(database, submit(database))
    running.report(database, job.id, 1, JobProgress(stage="Rendering"))
    lost = running.lost(database, job.id, 1, CRASH)
    assert lost is not None
    again = claimed(database, lost)
    queue.cancel(database, job.id)
    running.stopped(database, job.id, again.generation)
    retried = queue.retry(database, job.id)
    running.succeed(database, job.id, claimed(database, retried).generation, JobResult())
    assert types(database, job) == [
        "job.queued",
        "job.running",
        "job.progress",
        "job.queued",
        "job.running",
        "job.cancelling",
        "job.cancelled",
        "job.queued",
        "job.running",
        "job.succeeded",
    ]
    queue.forget(database, job.id)
    assert types(database, job) == ["job.forgotten"], "what was told of it held what was asked for"


def test_an_event_of_a_state_holds_the_whole_job(database: Database) -> None:
    job = submit(database)
    [event] = events.since(database, 0)
    assert event.data == public(job)
    assert Job.model_validate(event.data) == job


def test_events_after_the_last_one_seen(database: Database) -> None:
    made = submit_many(database, 5)
    everything = events.since(database, 0)
    assert [event.job_id for event in everything] == [job.id for job in made]
    assert events.since(database, everything[2].id) == everything[3:]
    assert events.since(database, 0, limit=2) == everything[:2]
    assert events.since(database, everything[-1].id) == []
    assert (events.oldest(database), events.newest(database)) == (everything[0].id, everything[-1].id)


def test_an_empty_log(database: Database) -> None:
    assert (events.since(database, 0), events.oldest(database), events.newest(database)) == ([], 0, 0)


def test_events_of_no_job(database: Database) -> None:
    events.announce(database, "speaker.deleted", {"name": "anna"})
    [event] = events.since(database, 0)
    assert (event.type, event.job_id, event.data) == ("speaker.deleted", None, {"name": "anna"})


def test_what_did_not_happen_is_not_told(database: Database) -> None:
    job = submit(database)
    last = events.newest(database)
    with pytest.raises(RetakeError), database.writing() as connection:
        tell(database, connection, "test", data={})
        records.fetch(connection, "nosuch")
    with pytest.raises(RetakeError):
        queue.retry(database, job.id)
    assert events.newest(database) == last


def test_who_follows_the_log_misses_nothing_while_many_write(database: Database) -> None:
    """Ids must become visible in order: a reader that has seen 8 asks for what is after 8, and never sees a 7 that comes later."""
    writers, each = 6, 15
    seen: list[int] = []
    ended = threading.Event()

    def write(number: int) -> None:
        for turn in range(each):
            with database.writing() as connection:
                tell(database, connection, "test", data={"writer": number, "turn": turn})
                if turn % 3 == 0:
                    time.sleep(0.003)  # a transaction that has its id and is not committed yet

    def follow() -> None:
        while True:
            last_round = ended.is_set()
            seen.extend(event.id for event in events.since(database, seen[-1] if seen else 0))
            if last_round:
                return

    follower = threading.Thread(target=follow)
    follower.start()
    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    ended.set()
    follower.join(600)
    assert seen == [event.id for event in events.since(database, 0)]
    assert len(seen) == writers * each
