"""The database of jobs: SQLite in the home folder, or PostgreSQL by one setting. DBOS keeps its queue in the same one."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from retake.domain.errors import ErrorKind, RetakeError
from retake.jobs import tables

if TYPE_CHECKING:
    from dbos import DBOSClient

APPLICATION = "retake"
QUEUE = "renders"
WORKFLOW = "run_job"
# Of the steps that a workflow is made of. Jobs that were begun with other steps are not gone on with; they begin anew.
STEPS_VERSION = "2"
# How often an idle worker looks into the queue: half of this is what the queue adds to a job's time.
POLL_SECONDS = 0.05
_EVENTS_LOCK = 0x7E7A6E  # any number; the same for all writers of events
_MOVES_LOCK = 0x7E7A6F


def default_url(home: Path) -> str:
    """The database in the home folder."""
    return f"sqlite:///{(home / 'jobs.sqlite3').as_posix()}"


def check_url(url: str) -> str:
    """The address as SQLAlchemy wants it; raises RetakeError for something else than SQLite or PostgreSQL."""
    try:
        parsed = sa.make_url(url)
    except (SQLAlchemyError, ValueError) as error:
        raise _bad_url("It cannot be read.") from error
    if parsed.get_backend_name() == "sqlite":
        return url
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    raise _bad_url(f"'{parsed.get_backend_name()}' is not supported.")


def _bad_url(why: str) -> RetakeError:
    return RetakeError(
        f"The address of the database cannot be used. {why}",
        "Give postgresql://USER:PASSWORD@HOST/NAME, or sqlite:///PATH; without one Retake uses a file in its folder.",
        code="bad_database",
    )


def hidden(url: str) -> str:
    """The address without its password, for messages and logs."""
    return sa.make_url(url).render_as_string(hide_password=True)


class Database:
    """Connections to the database. Safe for threads; every process makes its own.

    Args:
        url: from `default_url`, or what the user set.
    """

    def __init__(self, url: str) -> None:
        self.url = check_url(url)
        self.is_sqlite = self.url.startswith("sqlite")
        arguments: dict[str, Any] = {"pool_pre_ping": not self.is_sqlite}
        if not self.is_sqlite:
            arguments |= {"pool_size": 8, "max_overflow": 8, "connect_args": {"connect_timeout": 10, "application_name": APPLICATION}}
        self.engine = sa.create_engine(self.url, **arguments)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
        self._client: DBOSClient | None = None

    def create(self) -> None:
        """Make the tables, ours and DBOS's, where they are missing. Several processes may do so at once.

        Raises RetakeError (no_database, newer_database).
        """
        from dbos import DBOS

        logging.getLogger("dbos").setLevel(logging.WARNING)
        if self.is_sqlite:
            _make_private(sa.make_url(self.url).database or "")
        try:
            with self.engine.begin() as connection:
                if not self.is_sqlite:
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_EVENTS_LOCK})")
                tables.metadata.create_all(connection)
                known = connection.execute(sa.select(tables.facts.c.value).where(tables.facts.c.name == "schema")).scalar()
                if known is None:
                    connection.execute(tables.facts.insert().values(name="schema", value=str(tables.SCHEMA)))
                elif int(known) > tables.SCHEMA:
                    raise RetakeError(
                        f"The database {hidden(self.url)} was written by a newer version of Retake.",
                        "Update Retake on this machine.",
                        kind=ErrorKind.ENVIRONMENT,
                        code="newer_database",
                    )
            DBOS.migrate(self.url)
        except SQLAlchemyError as error:
            raise unreachable(self.url, error) from error

    @property
    def client(self) -> DBOSClient:
        """DBOS's client on the same connections; JSON, never pickles."""
        if self._client is None:
            from dbos import DBOSClient, DBOSPortableJSONSerializer

            self._client = DBOSClient(
                system_database_engine=self.engine,
                # SQLite knows no schemas; DBOS leaves the name away there.
                serializer=DBOSPortableJSONSerializer(),
                application_name=APPLICATION,
                retry_connection_errors=False,
            )
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.destroy()
            self._client = None
        self.engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that changes something. Raises RetakeError (no_database) when the database cannot be reached."""
        try:
            with self.engine.begin() as connection:
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")  # else it begins with the first change, and what was read before may be stale
                yield connection
        except SQLAlchemyError as error:
            raise unreachable(self.url, error) from error

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that changes nothing."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise unreachable(self.url, error) from error

    def in_order(self, connection: sa.Connection) -> None:
        """From here to the end of the transaction nobody else writes events, so that their ids become visible in order.

        SQLite has one writer anyway.
        """
        if not self.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_EVENTS_LOCK})")

    def one_mover(self, connection: sa.Connection) -> None:
        """From here to the end of the transaction nobody else changes the order of the queue. Comes before any row is locked."""
        if not self.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MOVES_LOCK})")


def unreachable(url: str, error: Exception) -> RetakeError:
    """What to tell about a database that does not answer."""
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0][:200]
    return RetakeError(
        f"The database {hidden(url)} cannot be used ({reason}).",
        "Check that it runs, that the address is right and that the disk has space, then try again.",
        kind=ErrorKind.ENVIRONMENT,
        code="no_database",
    )


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


def _make_private(name: str) -> None:
    """Make the file for its owner alone, and with it those that SQLite puts beside it: it holds scripts and statements of consent, and the
    folder may be one that others can look into."""
    if name and not name.startswith((":", "file:")):
        with suppress(OSError):  # SQLite itself says what is wrong
            os.close(os.open(name, os.O_RDWR | os.O_CREAT, 0o600))


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """Readers and a writer at once, transactions that begin as writers, patience with other processes, and nothing lost when the power fails."""
    connection.isolation_level = "IMMEDIATE"
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
