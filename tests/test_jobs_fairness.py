"""Whose turn it is: priorities first, and within one the clients take turns."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_samples import claimed, submit, submit_many

from retake.domain.job import JobResult, Priority
from retake.jobs import fairness, records, running
from retake.jobs.database import Database


def order(database: Database) -> str:
    """Clients of the waiting jobs, in the order in which they will be begun; clients are single letters."""
    return "".join(job.client for job in records.waiting(database))


def work(database: Database, count: int) -> str:
    """Do the next jobs; returns whose they were."""
    out = ""
    for _ in range(count):
        job = claimed(database, records.waiting(database)[0])
        running.succeed(database, job.id, job.generation, JobResult())
        out += job.client
    return out


def test_one_job_does_not_wait_for_five_hundred(database: Database) -> None:
    submit_many(database, 500, client="a")
    submit(database, client="b")
    assert order(database).index("b") == 1


def test_one_job_does_not_wait_for_five_hundred_that_are_being_worked_on(database: Database) -> None:
    submit_many(database, 50, client="a")
    assert work(database, 20) == "a" * 20
    claimed(database, records.waiting(database)[0])
    submit(database, client="b")
    assert order(database).index("b") == 0


def test_clients_take_turns(database: Database) -> None:
    for client in "abc":
        submit_many(database, 4, client=client)
    assert order(database) == "abc" * 4


def test_a_client_that_was_away_does_not_save_up_turns(database: Database) -> None:
    submit_many(database, 30, client="a")
    assert work(database, 10) == "a" * 10
    claimed(database, records.waiting(database)[0])
    submit_many(database, 5, client="b")
    assert work(database, 10).count("b") == 5
    assert "bbb" not in order(database)


def test_priorities_come_first(database: Database) -> None:
    submit_many(database, 3, client="a", priority=Priority.BACKGROUND)
    submit_many(database, 3, client="b", priority=Priority.BATCH)
    submit_many(database, 3, client="c", priority=Priority.INTERACTIVE)
    assert order(database) == "cccbbbaaa"


def test_turns_do_not_depend_on_what_else_a_client_does(database: Database) -> None:
    submit_many(database, 100, client="a", priority=Priority.BATCH)
    submit_many(database, 2, client="b")
    submit_many(database, 2, client="a")
    assert order(database)[:4] == "baba"


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_nobody_gets_two_turns_while_another_waits_for_one(arrivals: list[str], begun: int) -> None:
    """On ranks alone: all jobs arrive before the first is begun. Of the clients that still wait, nobody is served twice in a row."""
    tags: list[tuple[int, int, str]] = []
    for number, client in enumerate(arrivals):
        own = max((rank for rank, _, other in tags if other == client), default=None)
        tags.append((fairness.start_tag(None, min((rank for rank, _, _ in tags), default=None), own), number, client))
    served = [client for _, _, client in sorted(tags)]
    for place in range(min(begun, len(served) - 1)):
        left = served[place + 1 :]
        if served[place] == left[0]:
            counts = {client: served[: place + 1].count(client) for client in set(left)}
            assert counts[left[0]] == min(counts.values())


@given(st.none() | st.integers(-1000, 1000), st.none() | st.integers(-1000, 1000))
def test_between_is_between(before: int | None, behind: int | None) -> None:
    rank = fairness.between(before, behind)
    if rank is None:
        assert before is not None and behind is not None and behind - before <= 1
    else:
        assert before is None or before < rank
        assert behind is None or rank < behind


@given(st.sampled_from(Priority), st.sampled_from(Priority), st.integers(-(2**27), 2**27), st.integers(-(2**27), 2**27))
def test_the_queue_sorts_as_priorities_and_ranks_do(one: Priority, two: Priority, rank: int, other: int) -> None:
    assert ((one, rank) < (two, other)) == (fairness.queue_priority(one, rank) < fairness.queue_priority(two, other))


@pytest.mark.parametrize("rank", [-(2**60), -(2**28), 0, 2**28, 2**60])
@pytest.mark.parametrize("priority", Priority)
def test_what_the_queue_sorts_by_stays_in_its_band(priority: Priority, rank: int) -> None:
    number = fairness.queue_priority(priority, rank)
    assert 1 <= number < 2**31
    assert number // fairness.BAND == int(priority)
