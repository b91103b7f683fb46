"""The database of jobs on a real PostgreSQL, and what is said when there is none."""

from __future__ import annotations

import logging
import threading

import pytest
import sqlalchemy as sa
from job_samples import submit, submit_many
from postgres import Server

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import JobState
from retake.jobs import events, queue, records, tables
from retake.jobs.database import Database, check_url, hidden


def test_tables_can_be_made_by_several_processes_at_once(postgres_server: Server) -> None:
    url = postgres_server.create()
    problems: list[Exception] = []

    def create() -> None:
        database = Database(url)
        try:
            database.create()
        except RetakeError as error:
            problems.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert problems == []
    database = Database(url)
    with database.reading() as connection:
        assert connection.execute(sa.select(tables.facts.c.value)).scalars().all() == [str(tables.SCHEMA)]
        assert "workflow_status" in sa.inspect(connection).get_table_names(schema="dbos")
    database.close()
    postgres_server.drop(url)


def test_a_newer_database_is_refused(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(tables.facts.update().values(value=str(tables.SCHEMA + 1)))
    with pytest.raises(RetakeError) as caught:
        database.create()
    assert caught.value.code == "newer_database"
    assert caught.value.kind is ErrorKind.ENVIRONMENT


@pytest.mark.parametrize("what", ["password", "port", "name"])
def test_a_database_that_does_not_answer_is_named_without_its_password(postgres_server: Server, what: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = postgres_server.password if what != "password" else "notthesecret"
    port = postgres_server.port if what != "port" else 1
    name = "postgres" if what != "name" else "missing"
    database = Database(f"postgresql://retake:{secret}@127.0.0.1:{port}/{name}")
    with pytest.raises(RetakeError) as caught:
        database.create()
    database.close()
    assert (caught.value.code, caught.value.kind) == ("no_database", ErrorKind.ENVIRONMENT)
    assert secret not in f"{caught.value}{caplog.text}"
    assert "127.0.0.1" in caught.value.cause


@pytest.mark.parametrize("url", ["mysql://a:b@c/d", "postgresql", "", "://", "postgresql://h:notaport/d"])
def test_addresses_that_cannot_be_used(url: str) -> None:
    with pytest.raises(RetakeError) as caught:
        check_url(url)
    assert caught.value.code == "bad_database"


def test_passwords_are_hidden_and_kept() -> None:
    url = check_url("postgresql://anna:se%40cret@db.example.org/retake")
    assert url == "postgresql+psycopg://anna:se%40cret@db.example.org/retake"
    assert "cret" not in hidden(url)
    assert check_url(url) == url


def test_what_fails_in_a_transaction_is_not_there(database: Database) -> None:
    with pytest.raises(RetakeError), database.writing() as connection:
        connection.execute(tables.facts.insert().values(name="a", value="1"))
        connection.execute(tables.facts.insert().values(name="a", value="2"))
    with database.reading() as connection:
        assert connection.execute(sa.select(tables.facts.c.value).where(tables.facts.c.name == "a")).all() == []


def test_making_room_waits_for_a_worker_that_takes_a_job(postgres_url: str) -> None:
    """Neither blocks the other for good, and the job that was just taken is not put back into the queue."""
    database = Database(postgres_url)
    submit(database, client="b")
    taken, other, moved = submit_many(database, 3)
    with database.writing() as connection:  # no room between the first one and the others: all of them get new ranks
        connection.execute(tables.jobs.update().values(rank=tables.jobs.c.number))
    answers: list[object] = []

    def move() -> None:
        try:
            answers.append(queue.move(database, moved.id, before=other.id).state)
        except RetakeError as error:
            answers.append(error)

    thread = threading.Thread(target=move)
    with database.writing() as connection:
        mine = tables.jobs.c.id == taken.id
        connection.execute(sa.select(tables.jobs).where(mine).with_for_update())
        thread.start()
        thread.join(1.0)
        assert thread.is_alive(), "it waits for the one that is being taken"
        connection.execute(tables.jobs.update().where(mine).values(state=JobState.RUNNING.value, worker="w1"))
        events.tell(database, connection, "job.running", job_id=taken.id)
    thread.join(600)
    now = records.get(database, taken.id)
    database.close()
    assert answers == [JobState.QUEUED]
    assert (now.state, now.worker, now.generation) == (JobState.RUNNING, "w1", 1)
