"""What a stranger can hold up: half requests, endless headers, bodies that stop, too many connections, ports that are taken."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_daemon import TOKEN, HttpDaemon, http_daemon
from waiting import PATIENCE, until

from retake import daemon_log, http_server
from retake.domain.errors import RetakeError

HEAD = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpDaemon]:
    with http_daemon(tmp_path_factory.mktemp("http") / "home") as found:
        yield found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HEADER_SECONDS", 0.4)
    monkeypatch.setattr(http_server, "STALL_SECONDS", 0.4)


def opened(running: HttpDaemon) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE)


def until_closed(link: socket.socket) -> bytes:
    """What comes until the other side closes."""
    received = b""
    while piece := link.recv(65536):
        received += piece
    return received


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sent", [b"", b"GET /v1/hea", HEAD], ids=["nothing", "half a line", "half a head"])
def test_a_request_that_never_ends(running: HttpDaemon, sent: bytes) -> None:
    with opened(running) as link:
        link.sendall(sent)
        assert until_closed(link) == b""


@pytest.mark.usefixtures("impatient")
def test_drops_do_not_buy_time(running: HttpDaemon) -> None:
    with opened(running) as link, pytest.raises(OSError):
        until(lambda: link.sendall(b"X"), "it listens for ever", step=0.1)


@pytest.mark.usefixtures("impatient")
def test_a_body_that_stops(running: HttpDaemon) -> None:
    with opened(running) as link:
        link.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n")
        link.sendall(b"Authorization: Bearer " + TOKEN.encode() + b"\r\n\r\n{")
        assert until_closed(link) == b""


def test_a_connection_that_is_kept_is_not_impatience(running: HttpDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(running) as link:
        for _ in range(3):
            link.sendall(HEAD + b"\r\n")
            received = b""
            while not received.endswith(b"}"):
                piece = link.recv(65536)
                assert piece, received
                received += piece
            assert b"200 OK" in received
            with monkeypatch.context() as impatient:
                impatient.setattr(http_server, "HEADER_SECONDS", 0.05)
                time.sleep(0.3)  # longer than a head may take


def test_headers_without_an_end(running: HttpDaemon) -> None:
    with opened(running) as link:
        link.sendall(HEAD + b"X-Long: " + b"a" * (http_server.HEADER_BYTES + 1000))
        received = until_closed(link)
    assert received.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x\r\n", b"GET / HTTP/9.9\r\n\r\n"], ids=["TLS", "SSH", "HTTP 9"]
)
def test_other_protocols(running: HttpDaemon, sent: bytes) -> None:
    with opened(running) as link:
        link.sendall(sent)
        link.shutdown(socket.SHUT_WR)
        received = until_closed(link)
    assert received == b"" or received.startswith(b"HTTP/1.1 4")
    assert running.client().health()["status"] == "ok"


def test_what_a_proxy_would_add_is_not_believed(running: HttpDaemon) -> None:
    with opened(running) as link:
        link.sendall(HEAD + b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n")
        received = until_closed(link)
    assert b"200 OK" in received
    assert b"server:" not in received.lower()


def test_connections_that_ask_nothing_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """More of them than a process may have files would else keep everybody out."""
    monkeypatch.setattr(http_server, "CONNECTIONS", 4)
    monkeypatch.setattr(http_server, "_complaints", http_server._Complaints())  # it says everything once a minute
    with http_daemon(tmp_path / "home") as found, caplog.at_level(logging.INFO, "retake.http_server"):
        idle = [opened(found) for _ in range(12)]
        for _ in range(3):
            with opened(found) as link:
                link.sendall(HEAD + b"Connection: close\r\n\r\n")
                received = until_closed(link)
            assert received.startswith(b"HTTP/1.1 200")
        for link in idle[:9]:  # those that were silent for longest
            with contextlib.suppress(ConnectionResetError):
                assert until_closed(link) == b""
        for link in idle:
            link.close()
    assert caplog.text.count("asked for nothing for longest") == 1


def test_too_many_connections_that_are_answered_get_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "CONNECTIONS", 4)
    stream = f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    with http_daemon(tmp_path / "home") as found:
        busy = [opened(found) for _ in range(3)]
        for link in busy:
            link.sendall(stream)
            assert link.recv(12) == b"HTTP/1.1 200"
        with opened(found) as link:
            link.sendall(HEAD + b"Connection: close\r\n\r\n")
            assert until_closed(link).startswith(b"HTTP/1.1 503")
        for link in busy:
            link.close()

        def answered() -> bool:
            with opened(found) as link:
                link.sendall(HEAD + b"Connection: close\r\n\r\n")
                return until_closed(link).startswith(b"HTTP/1.1 200")

        until(answered)


def test_what_comes_of_a_body_behind_its_answer_is_not_read_for_ever(running: HttpDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "LINGER_SECONDS", 0.4)
    endless = b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = 0
    with opened(running) as link, contextlib.suppress(OSError):
        link.sendall(endless)
        while sent < 64 * 1024**2:
            link.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
            sent += 65536
    assert sent < 64 * 1024**2
    with opened(running) as link, pytest.raises(OSError):
        link.sendall(endless)
        until(lambda: link.sendall(b"1\r\n \r\n"), "it listens for ever", step=0.05)  # slowly


@pytest.mark.skipif(sys.platform == "win32", reason="sockets are no files there")
def test_as_many_files_as_connections_need() -> None:
    code = (
        "import resource as r, retake.http_server as h; hard = r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (256, hard));"
        "h.allow_files(300); print(*r.getrlimit(r.RLIMIT_NOFILE), hard); h.allow_files(10**9); print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout.split()
    assert told[0] == "300" and told[1] == told[2] and int(told[3]) >= 300


def test_ports(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RetakeError) as caught:
            http_server.bind("127.0.0.1", port, fixed=True)
        assert caught.value.code == "port_taken"
        [made] = http_server.bind("127.0.0.1", port, fixed=False)
        with made:
            assert made.getsockname()[1] != port
    assert "taken" in caplog.text


@pytest.mark.parametrize("listen", ["192.0.2.7", "no such name", "a" * 300, "127.0.0.1:80"])
def test_addresses_that_are_none_of_ours(listen: str) -> None:
    with pytest.raises(RetakeError) as caught:
        http_server.bind(listen, 0, fixed=True)
    assert caught.value.code == "bad_address"


def test_localhost_may_be_several_addresses() -> None:
    sockets = http_server.bind("localhost", 0, fixed=True)
    try:
        assert len({made.getsockname()[1] for made in sockets}) == 1
        assert not http_server.beyond_loopback(sockets)
    finally:
        for made in sockets:
            made.close()


def test_the_log_hides_secrets_and_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(daemon_log, "LARGEST_BYTES", 2000)
    secret = "s3cret-token"
    with daemon_log.logging_to(tmp_path, [secret]) as path:
        log = logging.getLogger("retake.test")
        log.warning("the token is %s", secret)
        try:
            raise ValueError(f"postgresql://a:{secret}@b/c")
        except ValueError:
            log.exception("it failed")
        threads = [threading.Thread(target=log.info, args=("%s", "x" * 100)) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    files = sorted(path.parent.iterdir())
    assert len(files) == 1 + daemon_log.KEPT
    assert all(file.stat().st_size <= 2200 for file in files)
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    everything = "".join(file.read_text(encoding="utf-8") for file in files) + capsys.readouterr().err
    assert secret not in everything
    assert daemon_log.HIDDEN in everything


def test_calls_that_only_ask_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    def record(method: str, path: str, status: int) -> logging.LogRecord:
        return logging.LogRecord("uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', ("::1", method, path, "1.1", status), None)

    assert not daemon_log.worth_keeping(record("GET", "/v1/jobs", 200))
    kept = record("GET", "/v1/jobs/a?ticket=b", 404)
    assert daemon_log.worth_keeping(kept)
    assert kept.getMessage() == '::1 - "GET /v1/jobs/a HTTP/1.1" 404'
    assert daemon_log.worth_keeping(record("POST", "/v1/jobs", 201))


def test_without_a_place_for_the_log_there_is_the_console(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").touch()
    with daemon_log.logging_to(tmp_path, []):
        logging.getLogger("retake.test").info("here")
    shown = capsys.readouterr().err
    assert "no log file" in shown
    assert "here" in shown
