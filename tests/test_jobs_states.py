"""The states of a job: what may happen in each, and that nothing else does. The table reads as a spec."""

from __future__ import annotations

import pytest
from job_samples import CRASH, claimed, happens, in_state, submit

from retake.domain.errors import RetakeError
from retake.domain.job import TRANSITIONS, JobEvent, JobState, after
from retake.jobs import queue, records, running
from retake.jobs.database import Database

SPEC = """
    queued    --claimed-->      running
    queued    --cancelled-->    cancelled
    queued    --workers_lost--> failed
    running   --claimed-->      running
    running   --succeeded-->    succeeded
    running   --refused-->      failed
    running   --worker_lost-->  queued
    running   --workers_lost--> failed
    running   --interrupted-->  queued
    running   --cancelled-->    cancelled
    failed    --retried-->      queued
    cancelled --retried-->      queued
"""


def spec() -> dict[tuple[JobState, JobEvent], JobState]:
    out: dict[tuple[JobState, JobEvent], JobState] = {}
    for line in SPEC.split("\n"):
        if line.strip():
            before, event, following = line.split()
            out[JobState(before), JobEvent(event.strip("->"))] = JobState(following)
    return out


ALLOWED = sorted(spec().items())
REFUSED = [(state, event) for state in JobState for event in JobEvent if (state, event) not in spec()]


def test_the_table_is_the_spec() -> None:
    assert spec() == TRANSITIONS


@pytest.mark.parametrize(("pair", "following"), ALLOWED, ids=lambda value: "-".join(value) if isinstance(value, tuple) else value)
def test_what_may_happen(pair: tuple[JobState, JobEvent], following: JobState) -> None:
    assert after(*pair) is following


@pytest.mark.parametrize(("state", "event"), REFUSED)
def test_everything_else_is_refused_and_says_what_is_possible(state: JobState, event: JobEvent) -> None:
    with pytest.raises(RetakeError) as caught:
        after(state, event)
    assert caught.value.code == "wrong_state"
    for one in JobEvent:
        if (state, one) in spec():
            assert one.value in caught.value.remedy


def test_a_state_is_over_if_only_a_person_gets_a_job_out_of_it() -> None:
    for state in JobState:
        leaving = {event for before, event in spec() if before is state}
        assert state.over == (leaving <= {JobEvent.RETRIED})


@pytest.mark.parametrize(("state", "event"), [pair for pair, _ in ALLOWED if JobEvent.WORKERS_LOST not in pair], ids=lambda value: value.value)
def test_the_queue_does_what_the_table_says(database: Database, state: JobState, event: JobEvent) -> None:
    job = in_state(database, state)
    happens(database, job, event)
    assert records.get(database, job.id).state is spec()[state, event]


@pytest.mark.parametrize(("state", "event"), [pair for pair in REFUSED if JobEvent.WORKERS_LOST not in pair], ids=lambda value: value.value)
def test_the_queue_does_nothing_else(database: Database, state: JobState, event: JobEvent) -> None:
    job = in_state(database, state)
    if event is JobEvent.RETRIED:
        with pytest.raises(RetakeError, match="cannot be retried"):
            happens(database, job, event)
    else:
        happens(database, job, event)
    assert records.get(database, job.id) == job


def test_a_job_whose_worker_dies_too_often_fails(database: Database) -> None:
    job = submit(database)
    for crashes in range(1, running.MOST_CRASHES):
        job = claimed(database, job)
        job = running.lost(database, job.id, job.generation, CRASH)
        assert job is not None
        assert (job.state, job.crashes, job.error) == (JobState.QUEUED, crashes, CRASH)
    job = claimed(database, job)
    job = running.lost(database, job.id, job.generation, CRASH)
    assert job is not None
    assert (job.state, job.crashes, job.error) == (JobState.FAILED, running.MOST_CRASHES, CRASH)
    again = queue.retry(database, job.id)
    assert (again.state, again.crashes, again.error) == (JobState.QUEUED, 0, None)
