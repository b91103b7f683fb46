"""`retake serve` as a process: start, signals, one for each home, what it leaves behind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from daemon_process import Daemon, daemon, environment_of
from waiting import PATIENCE, until

from retake import http_server, stopping
from retake.domain.errors import RetakeError
from retake_client import Client, ClientError, Connection, NoDaemon, Refused

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and file modes are POSIX")


def retake(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "retake", *arguments]
    return subprocess.run(command, env=environment_of(home), capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for the tests that leave it as it is."""
    with daemon(tmp_path_factory.mktemp("serve") / "home") as found:
        yield found


def test_it_says_where_it_is(running: Daemon) -> None:
    connection = Connection.find(running.home)
    assert connection.address in running.printed()
    assert str(connection.pid) in running.printed()


@posix
def test_the_files_are_for_the_user_alone(running: Daemon) -> None:
    for name in ("daemon.json", "token", "daemon.lock", "logs/daemon.log"):
        assert stat.S_IMODE((running.home / name).stat().st_mode) == 0o600, name


def test_the_connection_file(running: Daemon) -> None:
    content = json.loads((running.home / "daemon.json").read_text(encoding="utf-8"))
    assert set(content) == {"format", "address", "token", "pid", "version", "api", "started", "certificate_sha256"}
    assert content["token"] == (running.home / "token").read_text(encoding="ascii").strip()
    assert len(content["token"]) >= 43  # 256 bit
    assert abs(content["started"] - time.time()) < 3600


def test_every_call_needs_the_token(running: Daemon) -> None:
    connection = Connection.find(running.home)
    stranger = Client(Connection(connection.address, "x" * 43))
    assert stranger.health()["status"] == "ok"
    with pytest.raises(Refused) as caught:
        stranger.jobs()
    assert caught.value.code == "wrong_token"
    with pytest.raises(Refused):
        stranger.call("POST", "/v1/shutdown")
    assert running.process.poll() is None


def test_a_second_one_says_where_the_first_is(running: Daemon) -> None:
    done = retake(running.home, "serve", "--port", "0")
    assert done.returncode == 5
    connection = Connection.find(running.home)
    assert connection.address in done.stderr
    assert str(running.process.pid) in done.stderr
    assert Connection.find(running.home).pid == running.process.pid  # it left the first one's file alone


def test_status(running: Daemon) -> None:
    document = json.loads(retake(running.home, "status", "--json").stdout)
    assert document["running"] is True
    assert document["pid"] == running.process.pid
    assert document["jobs"]["queued"] == 0
    assert len(document["workers"]) == 1
    shown = retake(running.home, "status").stdout
    assert document["address"] in shown
    assert "0 waiting" in shown


def test_nothing_secret_is_logged(running: Daemon) -> None:
    connection = Connection.find(running.home)
    host, port = connection.address.removeprefix("http://").split(":")
    link = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
    link.request("GET", f"/v1/jobs/none?ticket=abc&token={connection.token}", headers={"Authorization": f"Bearer {connection.token}"})
    assert link.getresponse().status == 404
    link.close()
    log = running.log()
    assert "/v1/jobs/none" in log  # calls that fail are kept
    assert connection.token not in log + running.printed()
    assert "ticket=" not in log


def test_a_connection_file_that_is_taken_away_comes_back(running: Daemon) -> None:
    before = Connection.find(running.home)
    (running.home / "daemon.json").unlink()
    until((running.home / "daemon.json").exists)
    assert Connection.find(running.home) == before
    until(lambda: "written again" in running.log())


@posix
def test_what_nohup_ignores_stays_ignored() -> None:
    heard: list[int] = []

    def hear(number: int, frame: object) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with http_server.handled(hear):
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            until(lambda: heard)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
    assert heard == [signal.SIGTERM]


@posix
def test_workers_without_http(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert retake(home, "worker").returncode == 3  # without a database that it could share
    url = f"sqlite:///{home / 'jobs.sqlite3'}"
    command = [sys.executable, "-m", "retake", "worker", "--workers", "1"]
    environment = {**environment_of(home), "RETAKE_DATABASE": url}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        assert str(process.pid) in process.stdout.readline()
        children = until(lambda: psutil.Process(process.pid).children(recursive=True))
        assert all(url not in " ".join(child.cmdline()) for child in children)  # an address may hold a password
        assert not (home / "daemon.json").exists()
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_streams_open(tmp_path: Path, number: signal.Signals) -> None:
    with daemon(tmp_path / "home") as found:
        client = found.client()
        seen: list[ClientError | None] = []
        open_streams = threading.Semaphore(0)

        def listen() -> None:
            def state(error: ClientError | None) -> None:
                seen.append(error)
                open_streams.release()

            stop = threading.Event()
            for _ in client.events(stop=stop, on_state=state, until=lambda event: False):
                pass

        threads = [threading.Thread(target=listen, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert open_streams.acquire(timeout=PATIENCE)
        half = socket.create_connection(("127.0.0.1", int(client.connection.address.rsplit(":", 1)[1])), timeout=PATIENCE)
        half.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + client.connection.token.encode() + b"\r\n")
        half.sendall(b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")  # and nothing more
        assert found.end(number) == 0, found.printed()
        half.close()
        assert not (found.home / "daemon.json").exists()
        assert "Traceback" not in found.log() + found.printed()


def test_stop_ends_it_and_its_workers(tmp_path: Path) -> None:
    with daemon(tmp_path / "home") as found:
        children = until(lambda: psutil.Process(found.process.pid).children(recursive=True))
        done = retake(found.home, "stop", "--json")
        assert json.loads(done.stdout) == {"stopped": True, "pid": found.process.pid}
        assert found.process.wait(PATIENCE) == 0
        assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []
    assert "No daemon runs" in retake(found.home, "stop").stdout
    assert retake(found.home, "status").returncode == 4


@posix
def test_one_that_was_killed_is_noticed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with daemon(home) as found:
        token = Connection.find(home).token
        assert found.end(signal.SIGKILL) == -signal.SIGKILL
        assert (home / "daemon.json").exists()
        with pytest.raises(NoDaemon):
            Connection.find(home)  # its address may be somebody else's by now: the token is not sent there
        assert "No daemon runs" in retake(home, "stop").stdout
    with daemon(home) as found:
        assert Connection.find(home).token == token  # plugins go on
        assert "ended without saying so" in found.log()
    with daemon(home, ("--port", "0", "--new-token")):
        assert Connection.find(home).token != token
        assert (home / "token").read_text(encoding="ascii").strip() == Connection.find(home).token


@posix
def test_one_that_hangs_is_killed_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "ASK_SECONDS", 0.5)
    with daemon(tmp_path / "home") as found:
        found.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(RetakeError) as caught:
                stopping.stop_daemon(found.home, seconds=0.5)
            assert caught.value.code == "still_running"
            assert stopping.stop_daemon(found.home, seconds=0.5, force=True) == found.process.pid
        finally:
            if found.process.poll() is None:
                found.process.send_signal(signal.SIGCONT)
        assert found.process.wait(PATIENCE) == -signal.SIGKILL
        assert not (found.home / "daemon.json").exists()


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        done = retake(home, "serve", "--port", str(port))
        assert done.returncode == 5
        assert str(port) in done.stderr
        assert not (home / "daemon.json").exists()
        # A preferred port that was not asked for on the command line gives way to a free one.
        (home / "settings.json").write_text(json.dumps({"server": {"port": port}}), encoding="utf-8")
        with daemon(home, ()) as found:
            assert not Connection.find(home).address.endswith(f":{port}")
            assert "taken" in found.log()


@pytest.mark.parametrize(("listen", "shown"), [("::1", "http://[::1]:"), ("0.0.0.0", "http://127.0.0.1:")])
def test_other_addresses(tmp_path: Path, listen: str, shown: str) -> None:
    if ":" in listen and not ipv6():
        pytest.skip("this machine has no IPv6")
    with daemon(tmp_path / "home", ("--port", "0", "--listen", listen)) as found:
        client = found.client()
        assert client.connection.address.startswith(shown)
        assert client.jobs()["total"] == 0
        assert ("without a certificate" in found.printed()) == (listen == "0.0.0.0")


def ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--listen", "192.0.2.7"), "192.0.2.7"),
        (("--listen", "no such name"), "no such name"),
        (("--cert", "missing.pem"), "certificate"),
        (("--database", "mysql://a:secret@b/c"), "mysql"),
        (("--dry-run",), "--install"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = retake(tmp_path / "home", "serve", "--port", "0", *options)
    assert done.returncode in {3, 5}
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert words in errors[0]
    assert "secret" not in done.stderr
    assert not (tmp_path / "home" / "daemon.json").exists()


@posix
def test_https_with_the_certificate_of_the_connection_file(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    with daemon(tmp_path / "home", ("--port", "0", "--cert", str(certificate), "--key", str(key))) as found:
        connection = Connection.find(found.home)
        assert connection.address.startswith("https://")
        assert Client(connection).jobs()["total"] == 0
        with pytest.raises(ClientError) as caught:  # the system vouches for no such certificate
            Client(Connection(connection.address, connection.token)).jobs()
        assert caught.value.code == "wrong_certificate"
        with pytest.raises(ClientError) as caught:
            Client(Connection(connection.address, connection.token, certificate_sha256="0" * 64)).jobs()
        assert caught.value.code == "wrong_certificate"
        named = Connection(connection.address, connection.token, authorities=str(certificate))
        assert Client(named).jobs()["total"] == 0


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, made by the openssl command."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True)
    except FileNotFoundError:
        pytest.skip("needs the openssl command")
    os.chmod(key, 0o600)  # noqa: PTH101 - as everywhere in this test
    return certificate, key
