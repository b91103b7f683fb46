"""Whoever looks after workers goes on, whatever happens, and tells of every death once it can be told."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from retake.jobs.child import Child, Death
from retake.jobs.database import Database, default_url
from retake.jobs.supervisor import Supervisor
from retake.jobs.worker import WorkerSetup
from retake.settings import Settings


def test_a_death_is_told_until_it_was_dealt_with(tmp_path: Path) -> None:
    child = Child(WorkerSetup(str(tmp_path), default_url(tmp_path), "here-0", "cpu"))
    assert child.look() is None
    child.kill()
    deadline = time.monotonic() + 20
    while (death := child.look()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert isinstance(death, Death)
    assert child.look() == death, "whoever wanted to write it down could not: the database was away"
    assert child.pid is None
    child.start_again(had_work=True)
    assert child.look() is None
    assert child.pid is not None
    child.end()


def test_one_early_death_is_an_accident_and_two_are_a_fault(tmp_path: Path) -> None:
    """While a worker is started once more, which may take a minute on a busy machine, it must not read as if there were none."""
    now = [0.0]
    child = Child(WorkerSetup(str(tmp_path), default_url(tmp_path), "here-0", "cpu"), clock=lambda: now[0])

    def die(had_work: bool, after: float) -> None:
        assert child.look() is None and child.pid is not None
        child.kill()
        now[0] += after
        deadline = time.monotonic() + 20
        while child.look() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        child.start_again(had_work=had_work)
        now[0] += 100.0

    seen = []
    try:
        for had_work, after in ((False, 1.0), (False, 1.0), (True, 1.0), (False, 1.0), (False, 90.0), (False, 1.0)):
            die(had_work, after)
            seen.append(child.failing)
    finally:
        child.end()
    assert seen == [False, True, False, False, False, False]


def test_before_the_workers_are_made_one_is_starting(tmp_path: Path) -> None:
    """The interface answers first; who asks in between is not told that nothing renders."""
    database = Database(default_url(tmp_path))
    database.create()
    try:
        [first] = Supervisor(tmp_path, database, Settings(workers=1)).status()
    finally:
        database.close()
    assert first.state == "starting" and first.pid is None and first.job_id is None


def test_the_supervisor_goes_on_after_what_nobody_foresaw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    database = Database(default_url(tmp_path))
    database.create()
    supervisor = Supervisor(tmp_path, database, Settings(workers=1))
    looks: list[float] = []
    again = threading.Event()

    def look_after(child: Child) -> None:
        looks.append(time.monotonic())
        if len(looks) < 3:
            raise KeyError("nobody foresaw this")
        again.set()

    monkeypatch.setattr(supervisor, "_look_after", look_after)
    supervisor.start()
    try:
        assert again.wait(10), "the thread has ended"
    finally:
        supervisor.stop()
        database.close()
    [told] = [record for record in caplog.records if "goes on after" in record.message]
    assert told.exc_info, "what nobody foresaw is told with its place"
