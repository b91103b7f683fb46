"""Logs of jobs and workers: a full disk, and a database that is away for long, must not do harm by way of the log."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from retake.jobs.logs import Calm

_FULL_DISK = """
import os, sys
from pathlib import Path
from retake.jobs import logs
target = Path(sys.argv[1])
for _ in range(2):
    with logs.logging_to(target):
        logs.say("nobody will read this")
    os.write(2, b"behind the job\\n")
"""
_BROKEN_START = """
import threading
from retake.jobs import worker

def work(setup):
    threading.Thread(target=threading.Event().wait).start()  # as those of DBOS
    raise ValueError("nobody foresaw this")

worker.work = work
worker.main()
"""


def run(script: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script, *arguments], input=given, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_job_goes_on_when_its_log_cannot_be_written(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "job.log"
    log.parent.mkdir()
    log.symlink_to("/dev/full")
    done = run(_FULL_DISK, str(log))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("behind the job") == 2, "the streams lead again where they led before"
    assert "Traceback" not in done.stderr


def test_a_job_goes_on_when_its_log_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("this is no folder")
    done = run(_FULL_DISK, str(tmp_path / "logs" / "job.log"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("behind the job") == 2


def test_a_worker_that_cannot_begin_ends_whatever_threads_there_are() -> None:
    setup = '{"home": "/nowhere", "database": "sqlite://", "worker": "here-0", "device": "cpu"}\n'
    process = subprocess.Popen(
        [sys.executable, "-c", _BROKEN_START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdin is not None
        process.stdin.write(setup)
        process.stdin.flush()  # and stays open: the parent lives
        assert process.wait(timeout=600) == 1
        assert process.stderr is not None
        assert "nobody foresaw this" in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def test_what_is_told_all_the_time_is_told_some_times() -> None:
    now = 0.0

    def clock() -> float:
        return now

    calm = Calm(most=3, seconds=60.0, clock=clock)
    record = logging.LogRecord("dbos", logging.WARNING, "", 0, "the database is away", None, None)
    assert [calm.filter(record) for _ in range(1000)].count(True) == 3
    now = 61.0
    assert [calm.filter(record) for _ in range(1000)].count(True) == 3


def test_how_a_cancelled_job_ends_is_no_news() -> None:
    calm = Calm(usual=(KeyError,))
    expected = logging.LogRecord("dbos", logging.ERROR, "", 0, "it ended", None, (KeyError, KeyError("x"), None))
    another = logging.LogRecord("dbos", logging.ERROR, "", 0, "it ended", None, (ValueError, ValueError("x"), None))
    assert not calm.filter(expected) and calm.filter(another)
