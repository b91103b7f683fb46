"""`retake jobs`, `status` and `doctor` against a running daemon, in this process."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_samples import make_speaker
from http_daemon import HttpDaemon, http_daemon

from retake import __version__, cli, connection, daemon_log, doctor
from retake.connection import ConnectionRecord
from retake.domain.job import JobError, JobProgress, JobResult
from retake.jobs import running
from retake_client import Client


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpDaemon]:
    """A daemon that the command line finds."""
    home = tmp_path / "home"
    monkeypatch.setenv("RETAKE_HOME", str(home))
    with http_daemon(home) as found, connection.only_daemon(home):
        context = found.context
        record = ConnectionRecord(found.address, context.token, 1, __version__, 1, context.started_at.timestamp())
        connection.write_record(home, record)
        make_speaker(home)
        yield found


def asked(daemon: HttpDaemon, text: str) -> str:
    return str(daemon.client(name="tests").submit({"kind": "line", "request": {"speaker": "anna", "text": text}})["id"])


def test_jobs(daemon: HttpDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["jobs"]) == 0
    assert "No jobs." in capsys.readouterr().out
    first, second = asked(daemon, "One line."), asked(daemon, "Another line.")
    assert running.claim(daemon.context.database, first, 1, "w") is not None
    running.report(daemon.context.database, first, 1, JobProgress(stage="frames", fraction=0.25, step=2, steps=4, fps=12.5, seconds_left=75.0))
    assert cli.run(["jobs"]) == 0
    shown = capsys.readouterr().out
    assert "2/4, frames 25%, 12.5 frames/s, 1:15 left" in shown
    assert "anna: Another line." in shown
    assert cli.run(["jobs", "list", "--state", "queued", "--json"]) == 0
    assert [job["id"] for job in json.loads(capsys.readouterr().out)["jobs"]] == [second]
    assert cli.run(["jobs", "cancel", second[:16]]) == 0
    assert "cancelled" in capsys.readouterr().out
    assert cli.run(["jobs", "retry", second]) == 0
    assert cli.run(["jobs", "cancel", second, "--json"]) == 0
    capsys.readouterr()
    running.succeed(daemon.context.database, first, 1, JobResult(takes=["00000000000000a1"], notes=["All is well."]))
    assert cli.run(["jobs", "show", first]) == 0
    shown = capsys.readouterr().out
    assert "take      00000000000000a1" in shown
    assert "All is well." in shown
    assert cli.run(["jobs", "watch", first]) == 0
    assert cli.run(["jobs", "watch", second]) == 130
    assert cli.run(["jobs", "log", first]) == 0


def test_a_failed_job_is_an_error(daemon: HttpDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    job = asked(daemon, "This fails.")
    assert running.claim(daemon.context.database, job, 1, "w") is not None
    error = JobError(code="text_empty", kind="bad_input", cause="It cannot be said.", remedy="Say something else.", log_tail=["the last line"])
    running.fail(daemon.context.database, job, 1, error)
    assert cli.run(["jobs", "watch", job]) == 3
    assert "It cannot be said." in capsys.readouterr().err
    assert cli.run(["jobs", "watch", job, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "text_empty"
    assert cli.run(["jobs", "show", job]) == 0
    assert "the last line" in capsys.readouterr().out


def test_what_is_wrong(daemon: HttpDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    asked(daemon, "One.")
    asked(daemon, "Two.")
    wrong = {
        ("jobs", "show", "ffff-none"): (4, "unknown_job"),
        ("jobs", "show", "f" * 32): (4, "unknown_job"),
        ("jobs", "show", ""): (3, "bad_option"),
        ("jobs", "list", "--state", "lost"): (3, "bad_option"),
        ("jobs", "list", "--speaker", "No Name"): (3, "invalid"),
    }
    for arguments, (code, name) in wrong.items():
        assert cli.run([*arguments, "--json"]) == code, arguments
        assert json.loads(capsys.readouterr().out)["error"]["code"] == name


def test_without_a_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["jobs", "--json"]) == 5
    answer = json.loads(capsys.readouterr().out)["error"]
    assert answer["code"] == "no_daemon"
    assert "retake serve" in answer["remedy"]
    assert cli.run(["status", "--json"]) == 4
    assert json.loads(capsys.readouterr().out) == {"running": False}


def test_without_a_console(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As Windows starts a service: there is nobody to tell, and that is no error."""
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    assert cli.run(["version"]) == 0
    assert cli.run(["jobs", "show"]) == 2
    with daemon_log.logging_to(tmp_path, []) as path:
        logging.getLogger("retake.test").warning("in the file")
    assert "in the file" in path.read_text(encoding="utf-8")


def test_status_names_what_runs(daemon: HttpDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    job = asked(daemon, "One line.")
    assert running.claim(daemon.context.database, job, 1, "w") is not None
    assert cli.run(["status"]) == 0
    shown = capsys.readouterr().out
    assert "0 waiting, 1 running" in shown
    assert f"{job} anna: One line.: starting 0%" in shown


def check(home: Path) -> doctor.Check:
    return doctor._daemon(home)


def test_doctor_looks_at_the_daemon(daemon: HttpDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    home = daemon.context.home
    found = check(home)
    assert (found.state, "No worker" in found.detail) == ("warning", True)  # this one has none
    monkeypatch.setattr(Client, "ready", lambda self: {})
    assert check(home).state == "ok"
    monkeypatch.setattr("retake.__version__", "0.9.9")
    found = check(home)
    assert found.state == "warning"
    assert "0.9.9" in found.detail
    record = connection.stored_record(home)
    assert record is not None
    wrong = ConnectionRecord(record.address, "x" * 43, record.pid, record.version, record.api, record.started)
    connection.write_record(home, wrong)
    found = check(home)
    assert found.state == "failed"
    assert "retake stop" in found.remedy
    (home / "daemon.json").chmod(0o644)
    assert check(home).state == "failed"


def test_doctor_looks_at_the_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (tmp_path / "settings.json").write_text(json.dumps({"server": {"port": port}}), encoding="utf-8")
        found = check(tmp_path)
        assert found.state == "warning"
        assert str(port) in found.detail
    assert check(tmp_path).state == "ok"
