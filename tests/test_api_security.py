"""Nobody else is let in: names, origins, tokens, tickets, bodies."""

from __future__ import annotations

import contextlib
import json
import logging
import select
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from api_daemon import TOKEN, Daemon, error_of, receive, running
from waiting import PATIENCE

from retake.api import security, tickets
from retake.settings import ServerSettings, Settings

PAGE = "https://edit.example.org"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    server = ServerSettings(hosts=("render.example.org", "other.example.org:8443"), origins=(PAGE,))
    with running(tmp_path_factory.mktemp("security") / "home", Settings(server=server)) as daemon:
        yield daemon


def ask(daemon: Daemon, method: str = "GET", path: str = "/v1/version", *, token: str | None = TOKEN, **arguments: object) -> httpx.Response:
    headers = dict(arguments.pop("headers", {}))  # type: ignore[call-overload]
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return daemon.anonymous.request(method, path, headers=headers, **arguments)  # type: ignore[arg-type]


# Host


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:{port}", "127.0.0.1:{port}", "[::1]:{port}", "render.example.org", "other.example.org:8443"]
)
def test_names_of_this_machine_are_answered(daemon: Daemon, host: str) -> None:
    assert ask(daemon, headers={"Host": host.format(port=daemon.port)}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.org", "evil.example.org:{port}", "127.0.0.1.evil.example.org", "localhost.evil.example.org", "localhost.", "127.0.0.2", "127.1",
        "0.0.0.0", "2130706433", "other.example.org", "other.example.org:8444", "render.example.org@evil", "localhost:0", "localhost:99999",
        "localhost:80:80", "[::1", "::1", "", "local host", "192.168.1.7", "[::ffff:10.0.0.1]",
    ],
)  # fmt: skip
def test_other_names_are_refused_even_with_the_token(daemon: Daemon, host: str) -> None:
    answer = daemon.raw(f"GET /v1/version HTTP/1.1\r\nHost: {host.format(port=daemon.port)}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400")), answer


def test_health_checks_the_name_too(daemon: Daemon) -> None:
    answer = ask(daemon, path="/v1/health", token=None, headers={"Host": "evil.example.org"})
    assert answer.status_code == 421
    assert error_of(answer)["code"] == "wrong_host"


def test_two_host_headers_are_refused(daemon: Daemon) -> None:
    answer = daemon.raw(f"GET /v1/version HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400")


def test_no_host_is_refused(daemon: Daemon) -> None:
    assert daemon.raw(f"GET /v1/version HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()).startswith((b"HTTP/1.1 421", b"HTTP/1.1 400"))


# Origin


def test_a_page_of_the_daemon_itself_may_call(daemon: Daemon) -> None:
    answer = ask(daemon, headers={"Origin": f"http://127.0.0.1:{daemon.port}"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example.org", "null", "http://localhost:3000", "https://127.0.0.1:{port}", "file://", "", "https://edit.example.org.evil"],
)
def test_other_pages_may_not_even_with_the_token(daemon: Daemon, origin: str) -> None:
    answer = ask(daemon, headers={"Origin": origin.format(port=daemon.port)})
    assert answer.status_code == 403
    assert error_of(answer)["code"] == "wrong_origin"
    assert "access-control-allow-origin" not in answer.headers


def test_a_configured_page_may_call(daemon: Daemon) -> None:
    answer = ask(daemon, headers={"Origin": PAGE})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "Origin" in answer.headers["vary"]
    refused = ask(daemon, token="wrong", headers={"Origin": PAGE})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == PAGE  # so that the page can read why


def test_preflights_are_answered_for_configured_pages_only(daemon: Daemon) -> None:
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    answer = ask(daemon, "OPTIONS", "/v1/jobs", token=None, headers={"Origin": PAGE, **wanted})
    assert answer.status_code == 204
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers
    assert ask(daemon, "OPTIONS", "/v1/jobs", token=None, headers={"Origin": "https://evil.example.org", **wanted}).status_code == 403
    assert ask(daemon, "OPTIONS", "/v1/jobs", token=None, headers=wanted).status_code == 401


# Token


@pytest.mark.parametrize(
    "path", ["/v1/version", "/v1/jobs", "/v1/events", "/v1/metrics", "/v1/openapi.json", "/v1/ready", "/v1/takes/x/media", "/nothing", "/"]
)
def test_nothing_but_health_answers_without_the_token(daemon: Daemon, path: str) -> None:
    answer = ask(daemon, path=path, token=None)
    assert answer.status_code == 401
    assert error_of(answer)["code"] == "no_token"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_health_tells_nothing_else(daemon: Daemon) -> None:
    answer = ask(daemon, path="/v1/health", token=None)
    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "version"}


@pytest.mark.parametrize(
    "value",
    [
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN},{TOKEN}",
        "Bearer \xff",
    ],
)
def test_wrong_tokens(daemon: Daemon, value: str) -> None:
    request = f"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: {value}\r\n\r\n".encode("latin-1")
    assert daemon.raw(request).startswith(b"HTTP/1.1 401")


def test_the_token_is_not_taken_from_the_address(daemon: Daemon) -> None:
    for query in (f"token={TOKEN}", f"access_token={TOKEN}", f"ticket={TOKEN}"):
        assert ask(daemon, path=f"/v1/version?{query}", token=None).status_code == 401


def test_two_tokens_are_refused(daemon: Daemon) -> None:
    request = f"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nAuthorization: Bearer x\r\n\r\n".encode()
    assert daemon.raw(request).startswith(b"HTTP/1.1 400")


def test_refusals_are_logged_without_the_token(daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    refusals = security._Refusals()
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            refusals.note({"type": "http", "client": ("10.0.0.9", 5)})
        ask(daemon, token=f"{TOKEN}-nearly")
    assert TOKEN not in caplog.text
    assert len([record for record in caplog.records if "without a valid token" in record.message]) <= 2
    assert TOKEN not in repr(daemon.context)


# Tickets


def test_a_ticket_opens_one_address_for_reading(daemon: Daemon) -> None:
    answer = daemon.client.post("/v1/tickets", json={"path": "/v1/takes/0123456789abcdef/media", "seconds": 60})
    assert answer.status_code == 200
    url = answer.json()["url"]
    assert TOKEN not in url
    assert ask(daemon, path=url, token=None).status_code == 404  # let in: there is no such take
    assert ask(daemon, path=url.replace("0123456789abcdef", "0123456789abcdee"), token=None).status_code == 401
    assert ask(daemon, "DELETE", url, token=None).status_code == 401
    assert ask(daemon, path=f"{url}&x=1", token=None).status_code == 404
    query = url.partition("?")[2]
    assert ask(daemon, path=f"/v1/jobs?{query}", token=None).status_code == 401
    assert ask(daemon, path=f"/v1/takes/0123456789abcdef/media?{query}0", token=None).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/v1/jobs", "/v1/tickets", "/v1/metrics", "/v1/takes/../jobs", "/v1/takes//media", "https://evil.example.org/", "//evil", "/v1/takes/a/b/c/d/e"],
)
def test_tickets_are_given_for_what_is_shown_only(daemon: Daemon, path: str) -> None:
    assert daemon.client.post("/v1/tickets", json={"path": path}).status_code == 422


def test_tickets_end() -> None:
    path = "/v1/takes/0123456789abcdef/media"
    ticket = tickets.signed(TOKEN, path, 1000)
    assert tickets.valid(TOKEN, ticket, "GET", path, 999.0)
    assert tickets.valid(TOKEN, ticket, "HEAD", path, 999.0)
    assert not tickets.valid(TOKEN, ticket, "GET", path, 1000.0)
    assert not tickets.valid(TOKEN, ticket, "POST", path, 999.0)
    assert not tickets.valid("another", ticket, "GET", path, 999.0)
    assert not tickets.valid(TOKEN, tickets.signed(TOKEN, path, 10**9), "GET", path, 999.0)  # longer than any that is given


# Bodies


@pytest.mark.parametrize(
    "mime",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "",
        "application/json; charset=utf-16",
        "text/json",
    ],
)
def test_bodies_are_json(daemon: Daemon, mime: str) -> None:
    answer = daemon.client.post("/v1/jobs", content=b"{}", headers={"Content-Type": mime})
    assert answer.status_code == 415
    assert error_of(answer)["code"] == "wrong_content_type"


def test_json_is_taken_with_its_usual_parameter(daemon: Daemon) -> None:
    assert daemon.client.post("/v1/jobs", content=b"{}", headers={"Content-Type": "Application/JSON; charset=UTF-8"}).status_code == 422


def test_compressed_bodies_are_refused(daemon: Daemon) -> None:
    assert daemon.client.post("/v1/jobs", content=b"{}", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}).status_code == 415


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(daemon: Daemon) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
    answer = daemon.raw(f"{head}Content-Length: 9000000000000\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("path", ["/v1/uploads", "/v1/uploads/0123456789abcdef0123456789abcdef/finish"])
def test_a_file_is_taken_only_where_it_goes_to_the_disk(daemon: Daemon, path: str) -> None:
    answer = ask(daemon, "POST", path, content=b"x" * 100_000, headers={"Content-Type": "application/octet-stream"})
    assert error_of(answer)["code"] == "wrong_content_type", "elsewhere four gigabytes of it would be read into memory"


def test_a_body_that_grows_too_large_is_refused_and_the_answer_can_be_read(daemon: Daemon) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(9):
            yield b" " * 1024**2

    answer = daemon.client.post("/v1/jobs", content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert error_of(answer)["code"] == "body_too_large"


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "1, 2", "99999999999999999999999999"])
def test_lengths_that_lie(daemon: Daemon, length: str) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
    answer = daemon.raw(f"{head}Content-Length: {length}\r\n\r\n{{}}".encode())
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413")), answer


def test_two_ways_to_tell_the_length_are_refused(daemon: Daemon) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
    assert daemon.raw(f"{head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()).startswith(b"HTTP/1.1 400")


def test_a_body_that_dribbles_in_ends(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "BODY_SECONDS", 0.3)
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=PATIENCE) as connection:
        connection.sendall(f"{head}Content-Length: 1000000\r\n\r\n".encode())
        while not select.select([connection], [], [], 0.05)[0]:  # nothing has been answered yet
            with contextlib.suppress(ConnectionError):
                connection.sendall(b" ")
        answer = receive(connection)
    assert answer.startswith(b"HTTP/1.1 408"), answer


def test_a_client_that_leaves_in_the_middle_harms_nobody(daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=PATIENCE) as connection:
        connection.sendall(head.encode() + b'{"spec"')
    time.sleep(0.1)
    assert daemon.client.get("/v1/version").status_code == 200
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "content", [b"{", b"", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"nul", b'"\\ud800"', b"{}}", b"NaN", b"1" * 5000, b"[1e999999]"]
)
def test_what_is_no_job_is_refused(daemon: Daemon, content: bytes) -> None:
    answer = daemon.client.post("/v1/jobs", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    error_of(answer)


# Answers


def test_every_answer_carries_the_headers(daemon: Daemon) -> None:
    answers = [
        ask(daemon),
        ask(daemon, token=None),
        ask(daemon, path="/nothing"),
        ask(daemon, headers={"Host": "evil"}),
        ask(daemon, "POST", "/v1/jobs"),
    ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-retake-api"] == "1"
        assert "server" not in answer.headers
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/v1/docs"])
def test_there_are_no_pages_that_load_scripts_from_elsewhere(daemon: Daemon, path: str) -> None:
    assert ask(daemon, path=path).status_code == 404


def test_websockets_are_not_spoken(daemon: Daemon) -> None:
    head = f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    answer = daemon.raw(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode(), head=True)
    assert not answer.startswith(b"HTTP/1.1 101")


# Versions


@pytest.mark.parametrize(
    "headers", [{}, {"X-Retake-Client-Version": "0.9.3"}, {"X-Retake-Api": "1"}, {"X-Retake-Client-Version": "0.1.0-beta.2", "X-Retake-Api": "1"}]
)
def test_versions_that_fit(daemon: Daemon, headers: dict[str, str]) -> None:
    assert ask(daemon, path="/v1/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "remedy"),
    [
        ({"X-Retake-Client-Version": "1.0.0"}, "Update Retake on the daemon's machine"),
        ({"X-Retake-Api": "2"}, "Update Retake on the daemon's machine"),
        ({"X-Retake-Api": "0"}, "Update the client"),
    ],
)
def test_versions_that_do_not_fit_name_the_remedy(daemon: Daemon, headers: dict[str, str], remedy: str) -> None:
    answer = ask(daemon, path="/v1/jobs", headers=headers)
    assert answer.status_code == 426
    error = error_of(answer)
    assert error["code"] == "version_mismatch"
    assert error["remedy"].startswith(remedy)
    for path in ("/v1/version", "/v1/health"):
        assert ask(daemon, path=path, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"X-Retake-Client-Version": "new"}, {"X-Retake-Api": "one"}, {"X-Retake-Api": "-1"}, {"X-Retake-Api": "9" * 5000}]
)
def test_versions_that_are_none(daemon: Daemon, headers: dict[str, str]) -> None:
    assert ask(daemon, path="/v1/jobs", headers=headers).status_code == 400


def test_answers_are_json_that_can_be_read(daemon: Daemon) -> None:
    answer = daemon.raw(b"GET /v1/version HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400"))
    if b"\r\n\r\n{" in answer:
        json.loads(answer.partition(b"\r\n\r\n")[2])
