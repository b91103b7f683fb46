"""The tables beside DBOS's own, in the same database, so that a job and its place in the queue are written in one transaction."""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA = 1  # of these tables; a newer one is refused

metadata = sa.MetaData()

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts up only in what is called INTEGER

jobs = sa.Table(
    "retake_jobs",
    metadata,
    sa.Column("number", _ID, primary_key=True, autoincrement=True),  # in the order of arrival; pages go by it
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("rank", sa.BigInteger, nullable=False),
    sa.Column("client", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("search", sa.Text, nullable=False),  # what a search looks through, in lower case
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("started_ms", sa.BigInteger),
    sa.Column("finished_ms", sa.BigInteger),
    sa.Column("not_before_ms", sa.BigInteger),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("crashes", sa.Integer, nullable=False, default=0),
    sa.Column("generation", sa.Integer, nullable=False, default=1),
    sa.Column("cancelling", sa.Boolean, nullable=False, default=False),
    sa.Column("worker", sa.Text),
    sa.Column("progress", sa.JSON),
    sa.Column("result", sa.JSON),
    sa.Column("error", sa.JSON),
    sa.Column("webhook", sa.Text),
    sa.Column("idempotency_key", sa.Text, unique=True),
    sa.Column("request_hash", sa.Text, nullable=False),
    sa.Index("retake_jobs_by_state", "state", "priority", "rank"),
    sa.Index("retake_jobs_by_client", "client", "state", "priority", "rank"),
    sa.Index("retake_jobs_by_worker", "worker", "state"),
)

events = sa.Table(
    "retake_events",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Index("retake_events_by_job", "job_id", "id"),
    sqlite_autoincrement=True,  # an id is never used twice, also after the newest events were pruned
)

# Workers tell that they live by counting up `beat`; who watches them uses a clock of their own, so that clocks need not agree.
workers = sa.Table(
    "retake_workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("started_ms", sa.BigInteger, nullable=False),
)

facts = sa.Table(
    "retake_facts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
