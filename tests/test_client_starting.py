"""Starting an installed daemon: found, once, detached; and the doctor that says why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from client_samples import host
from http_daemon import TOKEN, http_daemon
from waiting import PATIENCE, until

from retake_client import Client, Connection, doctor, starting
from retake_client.paths import PathMap
from retake_client.session import ConnectionState, SessionSettings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are POSIX shell")
RETAKE = Path(sys.executable).parent / "retake"


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(starting.COMMAND_VARIABLE, raising=False)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, named, beside = (script(tmp_path / place / "retake", "exit 0") for place in ("given", "named", "path"))
    assert starting.find_command(str(given)) == [str(given)]
    assert starting.find_command([str(given), "--debug"]) == [str(given), "--debug"]
    assert starting.find_command("/nowhere/retake") is None
    monkeypatch.setenv("PATH", str(beside.parent))
    assert starting.find_command() == [str(beside)]
    monkeypatch.setenv(starting.COMMAND_VARIABLE, str(named))
    assert starting.find_command() == [str(named)]
    monkeypatch.delenv(starting.COMMAND_VARIABLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(given.parent / "python"))
    assert starting.find_command() == [str(given)]
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "none"))
    assert starting.find_command() is None
    with pytest.raises(starting.CannotStart) as caught:
        starting.start_daemon(tmp_path / "home")
    assert caught.value.code == "not_installed"
    assert not (tmp_path / "home").exists()


def test_never_twice_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From ten threads, as from ten editors; a second time when the first has ended."""
    log = tmp_path / "log"
    command = str(script(tmp_path / "retake", f'echo "$1 $RETAKE_HOME $PYTHONPATH" >> {log}; exec sleep 3000'))
    monkeypatch.setenv("PYTHONPATH", "/editor")
    home = tmp_path / "home"
    started: list[subprocess.Popen[bytes]] = []

    def begin() -> None:
        process = starting.launch(home, command)
        if process is not None:
            started.append(process)

    threads = [threading.Thread(target=begin) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert len(started) == 1
        assert os.getpgid(started[0].pid) == started[0].pid != os.getpgid(0)  # a signal to the editor does not reach it
        until(lambda: log.exists() and log.read_text(encoding="utf-8").endswith("\n"))
        assert log.read_text(encoding="utf-8").split("\n")[0] == f"serve {home} "
    finally:
        started[0].kill()
        started[0].wait(600)
    begin()
    assert len(started) == 2
    started[1].kill()
    started[1].wait(600)


def test_a_daemon_is_started_for_a_session_and_outlives_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = SessionSettings(home=home, folder=tmp_path, may_start=True, command=(str(RETAKE),), name="test")
    home.mkdir(mode=0o700)
    (home / "settings.json").write_text(json.dumps({"server": {"port": 0}}), encoding="utf-8")
    with host(settings) as one, host(settings) as two:
        states = [one.until_status(lambda status: status.state.usable).state for one in (one, two)]
        assert states[0].usable and states[1].usable
        assert any(status.state is ConnectionState.STARTING for status in one.statuses)
        pid = Connection.find(home).pid
    client = Client.local(home, timeout=PATIENCE)
    try:
        assert client.health()["status"] == "ok" and client.connection.pid == pid
    finally:
        client.call("POST", "/v1/shutdown")
        until(lambda: not (home / "daemon.json").exists())


def found(settings: SessionSettings) -> dict[str, doctor.Finding]:
    findings = doctor.examine(settings)
    for finding in findings:
        assert finding.sentence.endswith("."), finding
        assert bool(finding.remedy) or finding.ok is True, finding
    return {finding.name: finding for finding in findings}


def test_the_doctor_names_each_cause(tmp_path: Path) -> None:
    home = tmp_path / "home"
    nothing = SessionSettings(home=home, command=("/nowhere/retake",), may_start=False)
    bad = found(nothing)
    assert (bad["installation"].ok, bad["daemon"].ok, bad["folder"].ok) == (False, False, None)
    assert found(SessionSettings(home=home, command=(str(RETAKE),)))["installation"].ok is True
    (tmp_path / "file").touch()
    wrong = SessionSettings(home=home, folder=tmp_path / "file" / "x", paths=PathMap([("Z:/in", str(tmp_path / "none"))]))
    assert (found(wrong)["folder"].ok, found(wrong)["path map"].ok) == (False, False)
    home.mkdir(mode=0o700)
    (home / "daemon.json").write_text("{}", encoding="utf-8")
    (home / "daemon.json").chmod(0o644)
    assert found(nothing)["connection file"].ok is False
    (home / "daemon.json").chmod(0o600)
    import fcntl

    with (home / "daemon.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "cannot be understood" in found(nothing)["connection file"].sentence
        (home / "daemon.json").unlink()
        assert found(nothing)["daemon"].ok is None


def test_the_doctor_asks_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_daemon(tmp_path / "served") as daemon:
        good = SessionSettings(address=daemon.address, token=TOKEN, folder=tmp_path)
        well = found(good)
        assert [name for name, finding in well.items() if finding.ok is True] == ["daemon", "token", "version", "clock", "folder"]
        assert (well["workers"].ok, well["speakers"].ok) == (False, None)  # this one has no workers, and nobody is enrolled
        monkeypatch.setattr(doctor.time, "time", lambda: 1e9)
        assert found(good)["clock"].ok is None
        monkeypatch.undo()
        assert found(SessionSettings(address=daemon.address, token="no", folder=tmp_path))["token"].ok is False
        assert found(SessionSettings(address=daemon.address, folder=tmp_path))["token"].ok is False
        monkeypatch.setattr("retake_client.transport.VERSION", "9.0.0")
        assert found(good)["version"].ok is False
        monkeypatch.undo()
    assert found(good)["daemon"].ok is False
    assert found(SessionSettings(address="ftp://x", token="t"))["address"].ok is False
    own = doctor.Finding("Resolve", False, "Resolve does not run.", "Start it.")
    assert doctor.examine(good, [own])[0] is own
    assert "FAILED   Resolve: Resolve does not run.\n         -> Start it." in doctor.text_of([own])
    assert TOKEN not in doctor.text_of(doctor.examine(good))


def test_the_products_own_doctor(tmp_path: Path) -> None:
    answer = json.dumps({"checks": [{"name": "disk", "state": "warning", "detail": "1 GB free", "remedy": "Free some."}]})
    command = str(script(tmp_path / "retake", f"[ \"$1 $2\" = 'doctor --json' ] && echo '{answer}'"))
    assert doctor.of_the_product(SessionSettings(home=tmp_path, command=(command,))) == [doctor.Finding("disk", None, "1 GB free.", "Free some.")]
    [broken] = doctor.of_the_product(SessionSettings(home=tmp_path, command=(str(script(tmp_path / "b" / "retake", "echo no")),)))
    assert broken.ok is None and broken.remedy
    [none] = doctor.of_the_product(SessionSettings(home=tmp_path, command=("/nowhere/retake",)))
    assert none.ok is None and "Install" in none.remedy
