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
