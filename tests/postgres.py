"""A real PostgreSQL for tests: started once, under an unprivileged user, in a temporary folder, on loopback; each test has a database of its own.

Nothing of the machine's own PostgreSQL is touched. Without the programs the tests are skipped, and say so.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from retake.jobs import tables
from retake.jobs.database import Database

MISSING = "PostgreSQL's programs initdb and postgres were not found (Debian: apt install postgresql)"
ACCOUNTS = ("postgres", "nobody")  # PostgreSQL refuses to run as root, so another account that every system has runs it
START_SECONDS = 60.0
STOP_SECONDS = 20.0
# Durability costs most of the time of small tests, and nobody needs these databases after a power cut.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=100")

# What says which tables there are, and is no test's data.
KEPT = ("dbos_migrations", "retake_facts")


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL."""

    port: int
    password: str = field(repr=False)
    process: subprocess.Popen[Any] = field(repr=False)

    def url(self, name: str) -> str:
        return f"postgresql://retake:{self.password}@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: sql.Composed) -> None:
        """Run one statement that cannot be part of a transaction."""
        with closing(psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10)) as connection:
            connection.execute(statement)

    def create(self, template: str = "template1") -> str:
        """A new database; returns its address."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def clear(self, url: str) -> None:
        """Empty all tables of a database, from under connections that a test left open. A fifth of the work of making another one."""
        with closing(psycopg.connect(url, autocommit=True, connect_timeout=10)) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("SET session_replication_role = replica")  # rows go in any order, whatever refers to them
            found = connection.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'dbos')").fetchall()
            for schema, name in found:
                if name not in KEPT:
                    connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, name)))
            connection.execute("UPDATE retake_facts SET value = %s WHERE name = 'schema'", [str(tables.SCHEMA)])

    def drop(self, url: str) -> None:
        """Remove a database, also from under connections that a test left open."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(url.rsplit("/", 1)[-1])))


def find_program(name: str) -> str | None:
    """Path of one of PostgreSQL's programs: on PATH, or where Debian keeps the ones that need a version."""
    found = shutil.which(name)
    if found:
        return found
    candidates = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_version)
    candidates += [path for path in (Path("/usr/local/bin") / name, Path("/opt/homebrew/bin") / name) if path.is_file()]
    return str(candidates[-1]) if candidates else None


def _version(program: Path) -> float:
    part = program.parts[-3]
    return float(part) if part.replace(".", "", 1).isdigit() else 0.0


@contextmanager
def running() -> Iterator[Server]:
    """Start a PostgreSQL, and stop it at the end. Skips the test where it is not installed."""
    initdb, postgres = find_program("initdb"), find_program("postgres")
    if initdb is None or postgres is None:
        pytest.skip(MISSING)
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="retake-pg-"))
    process: subprocess.Popen[Any] | None = None
    try:
        _give(folder, account)
        password = secrets.token_urlsafe(16)
        secret = folder / "password"
        secret.write_text(password, encoding="ascii")
        _give(secret, account)
        data = folder / "data"
        arguments = ["-D", str(data), "-U", "retake", "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run([initdb, *arguments], cwd=folder, capture_output=True, text=True, timeout=START_SECONDS, check=False, **account)
        assert made.returncode == 0, f"initdb failed:\n{made.stdout}\n{made.stderr}"
        for _ in range(3):  # somebody else may take the free port first
            port = _free_port()
            process = _start(postgres, data, folder, port, account)
            server = Server(port, password, process)
            if _answers(server):
                break
            _stop(process)
        else:
            pytest.fail(f"PostgreSQL did not start:\n{(folder / 'log').read_text(encoding='utf-8', errors='replace')[-2000:]}")
        yield server
    finally:
        if process is not None:
            _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> dict[str, Any]:
    """Arguments of subprocess that make it run as somebody who is not root; none where we are not root ourselves."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return {}
    import pwd

    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.skip(f"PostgreSQL does not run as root, and there is no account {' or '.join(ACCOUNTS)}")


def _give(path: Path, account: dict[str, Any]) -> None:
    if account:
        os.chown(path, account["user"], account["group"])


def _start(postgres: str, data: Path, folder: Path, port: int, account: dict[str, Any]) -> subprocess.Popen[Any]:
    options = [part for setting in (*QUICK, "unix_socket_directories=") for part in ("-c", setting)]
    with (folder / "log").open("ab") as log:
        command = [postgres, "-D", str(data), "-h", "127.0.0.1", "-p", str(port), *options]
        return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **account)


def _answers(server: Server) -> bool:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.process.poll() is None:
        try:
            psycopg.connect(server.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return True
    return False


def _stop(process: subprocess.Popen[Any]) -> None:
    """A fast shutdown; a hard one if that takes too long."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL for the whole run."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> str:
    """Name of a database with all tables in it: copying it takes a twentieth of making them."""
    url = postgres_server.create()
    database = Database(url)
    database.create()
    database.close()
    return url.rsplit("/", 1)[-1]


@pytest.fixture(scope="session")
def postgres_spares() -> list[str]:
    """Addresses of databases that no test uses at present; their tables are empty."""
    return []


@pytest.fixture
def postgres_url(postgres_server: Server, postgres_template: str, postgres_spares: list[str]) -> Iterator[str]:
    """Address of a database that this test has to itself, with all tables in it, empty."""
    url = postgres_spares.pop() if postgres_spares else postgres_server.create(postgres_template)
    yield url
    postgres_server.clear(url)
    postgres_spares.append(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables in it."""
    path = tmp_path_factory.mktemp("sqlite") / "jobs.sqlite3"
    database = Database(f"sqlite:///{path.as_posix()}")
    database.create()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The database of jobs, empty: a test that takes it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "jobs.sqlite3"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        url = f"sqlite:///{path.as_posix()}"
    else:
        url = request.getfixturevalue("postgres_url")
    made = Database(url)
    yield made
    made.close()
