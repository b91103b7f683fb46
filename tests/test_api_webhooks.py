"""Webhooks: only to configured hosts, signed, tried again, never lost with the daemon. Against a real server on the loopback."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
import sqlalchemy as sa
from api_samples import client_of, code_of, make_context, make_speaker
from waiting import ENDLESS, PATIENCE, until

from retake.api import webhooks
from retake.api.context import Context
from retake.api.webhook_target import check_address, plausible, resolve
from retake.api.webhooks import WebhookSender, signing_key
from retake.domain.errors import RetakeError
from retake.domain.job import JobError, JobResult, LineSpec
from retake.domain.take import TakeRequest
from retake.jobs import queue, running
from retake.jobs.events import since
from retake.jobs.queue import Submission
from retake.jobs.tables import facts
from retake.settings import Settings


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A server that notes what it is told. `answers` are the statuses it gives, in order, and then 200."""

    port: int
    told: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    silent: bool = False  # never answers, until the end of the test
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.told.append(Received(self.path, dict(self.headers), body))
            if receiver.silent:
                receiver.ended.wait(ENDLESS)
            self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
            self.send_header("Location", receiver.url("/elsewhere"))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


@contextmanager
def sending(context: Context, **options: object) -> Iterator[WebhookSender]:
    sender = WebhookSender(context, **({"delays": (0.1, 0.1), "seconds": PATIENCE} | options))  # type: ignore[arg-type]
    sender.start()
    try:
        yield sender
    finally:
        sender.stop()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "POLL_SECONDS", 0.05)


def finish(context: Context, url: str | None, *, error: bool = False) -> str:
    """A job that is over; returns its id."""
    spec = LineSpec(request=TakeRequest(speaker="anna", text="A secret text."))
    job = queue.submit(context.database, Submission(spec, label="One line", webhook=url))[0]
    running.claim(context.database, job.id, 1, "w")
    if error:
        running.fail(context.database, job.id, 1, JobError(code="x", kind="bad_input", cause="It cannot be.", remedy="Change it."))
    else:
        running.succeed(context.database, job.id, 1, JobResult(takes=["00000000000000a1"]))
    return job.id


def allowing(home: Path, *hosts: str) -> Context:
    return make_context(home, server={"webhook_hosts": list(hosts)})


def failures(context: Context) -> list[dict[str, object]]:
    return [dict(event.data) for event in since(context.database, 0) if event.type == "webhook.failed"]


def settled(context: Context) -> int:
    """How many of the jobs that are over are written down as told or given up."""
    with context.database.reading() as connection:
        text = connection.execute(sa.select(facts.c.value).where(facts.c.name == webhooks.FACT)).scalar()
    known = json.loads(text or '{"position": 0, "done": []}')
    over = [event.id for event in since(context.database, 0) if event.type in webhooks.OVER]
    return len([number for number in over if number <= known["position"] or number in known["done"]])


def test_a_receiver_is_told_once_and_can_check_who_tells(tmp_path: Path) -> None:
    with receiving() as receiver:
        context = allowing(tmp_path / "home", f"127.0.0.1:{receiver.port}")
        good, bad, _ = finish(context, receiver.url("/hook?x=1")), finish(context, receiver.url(), error=True), finish(context, None)
        with sending(context):
            until(lambda: len(receiver.told) >= 2)
            time.sleep(0.3)
        assert len(receiver.told) == 2
        told = {json.loads(received.body)["job"]["id"]: received for received in receiver.told}
        body = json.loads(told[good].body)
        assert body["type"] == "job.succeeded" and body["job"]["result"]["takes"] == ["00000000000000a1"] and body["job"]["label"] == "One line"
        assert "A secret text." not in told[good].body.decode() and told[good].path == "/hook?x=1"
        assert json.loads(told[bad].body)["job"]["error"]["cause"] == "It cannot be."
        moment, given = (part.partition("=")[2] for part in told[good].headers["Retake-Signature"].split(","))
        expected = hmac.new(signing_key(context.home), f"{moment}.".encode() + told[good].body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(given, expected) and abs(int(moment) - time.time()) < 3600
        assert told[good].headers["Host"] == f"127.0.0.1:{receiver.port}" and told[good].headers["Retake-Event"] == str(body["id"])
        assert (context.home / "webhook.key").stat().st_mode & 0o077 == 0


def test_an_empty_key_is_no_key(tmp_path: Path) -> None:
    context = allowing(tmp_path / "home")
    (context.home / "webhook.key").touch(mode=0o600)  # the disk was full when it was to be written
    key = signing_key(context.home)
    assert len(key) == 64
    assert signing_key(context.home) == key
    if os.name == "posix":
        assert (context.home / "webhook.key").stat().st_mode & 0o777 == 0o600


def test_the_sender_goes_on_after_what_nobody_foresaw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "UNFORESEEN_SECONDS", 0.05)
    look = WebhookSender._look  # pyright: ignore[reportPrivateUsage]
    unforeseen = [KeyError("nobody"), ValueError("foresaw")]

    def failing(sender: WebhookSender) -> None:
        if unforeseen:
            raise unforeseen.pop()
        look(sender)

    monkeypatch.setattr(WebhookSender, "_look", failing)
    with receiving() as receiver:
        context = allowing(tmp_path / "home", f"127.0.0.1:{receiver.port}")
        finish(context, receiver.url())
        with sending(context):
            until(lambda: len(receiver.told) == 1)


def test_a_receiver_that_is_away_is_tried_again(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.answers = [500, 503]
        context = allowing(tmp_path / "home", f"127.0.0.1:{receiver.port}")
        finish(context, receiver.url())
        with sending(context):
            until(lambda: len(receiver.told) == 3)
        assert len({received.headers["Retake-Event"] for received in receiver.told}) == 1
        assert failures(context) == []


def test_one_that_stays_away_is_given_up_and_that_is_seen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    context = allowing(tmp_path / "home", f"127.0.0.1:{port}")
    job_id = finish(context, f"http://127.0.0.1:{port}/hook?token=hidden")
    with sending(context):
        until(lambda: bool(failures(context)))
    [failure] = failures(context)
    assert failure["id"] == job_id and failure["tries"] == 3 and failure["host"] == f"127.0.0.1:{port}" and "hidden" not in str(failure)


def test_redirects_are_not_followed_and_gone_is_final(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.answers = [302, 307, 301]
        context = allowing(tmp_path / "home", f"127.0.0.1:{receiver.port}")
        finish(context, receiver.url())
        with sending(context):
            until(lambda: bool(failures(context)))
            assert [received.path for received in receiver.told] == ["/hook"] * 3 and "redirects" in str(failures(context)[0]["reason"])
            receiver.answers = [410]
            finish(context, receiver.url())
            until(lambda: len(failures(context)) == 2)
        assert failures(context)[1]["tries"] == 1 and len(receiver.told) == 4


def test_a_silent_receiver_is_cut_off_and_does_not_keep_others_waiting(tmp_path: Path) -> None:
    with receiving() as silent, receiving() as quick_one:
        silent.silent = True
        context = allowing(tmp_path / "home", f"127.0.0.1:{silent.port}", f"127.0.0.1:{quick_one.port}")
        for _ in range(12):
            finish(context, silent.url())
        finish(context, quick_one.url())
        with sending(context, seconds=ENDLESS):
            until(lambda: len(quick_one.told) == 1)
        with sending(context, seconds=0.5, delays=()):
            until(lambda: len([failure for failure in failures(context) if "no answer" in str(failure["reason"])]) == 12)


def test_nothing_is_lost_or_told_twice_when_the_daemon_is_started_again(tmp_path: Path) -> None:
    with receiving() as receiver:
        context = allowing(tmp_path / "home", f"127.0.0.1:{receiver.port}")
        finish(context, receiver.url("/1"))
        with sending(context):
            until(lambda: settled(context) == 1)
        finish(context, receiver.url("/2"))
        receiver.answers = [500]
        finish(context, receiver.url("/3"))
        with sending(context, delays=(ENDLESS,)):
            until(lambda: len(receiver.told) == 3 and settled(context) == 2)
        with sending(context):
            until(lambda: settled(context) == 3)
            time.sleep(0.3)
        paths = [received.path for received in receiver.told]
        assert sorted(paths[:3]) == ["/1", "/2", "/3"] and len(paths) == 4, paths


def test_hosts_that_are_not_configured_any_more_are_not_told(tmp_path: Path) -> None:
    with receiving() as receiver:
        context = allowing(tmp_path / "home", f"127.0.0.1:{receiver.port}")
        finish(context, receiver.url())
        with sending(replace(context, settings=Settings())):
            until(lambda: bool(failures(context)))
        assert receiver.told == []


def test_a_job_that_was_asked_for_over_http_is_told(tmp_path: Path) -> None:
    with receiving() as receiver:
        context = allowing(tmp_path / "home", f"127.0.0.1:{receiver.port}")
        make_speaker(context.home)
        body = {"spec": {"kind": "line", "request": {"speaker": "anna", "text": "Hello."}}, "webhook": receiver.url()}
        with sending(context), client_of(context) as client:  # `retake serve` starts the sender beside the app
            answer = client.post("/v1/jobs", json=body)
            assert answer.status_code == 201, answer.text
            cancelled = client.post(f"/v1/jobs/{answer.json()['id']}/cancel")
            assert cancelled.json()["state"] == "cancelled"
            until(lambda: len(receiver.told) == 1)
            info = client.get("/v1/webhooks").json()
        assert json.loads(receiver.told[0].body)["type"] == "job.cancelled"
        assert info["hosts"] == [f"127.0.0.1:{receiver.port}"] and Path(info["key_file"]).is_file()


GOOD = [
    "https://hooks.example.org/a?b=c", "https://HOOKS.example.org", "https://hooks.example.org:443/", "http://hooks.example.org/", "http://localhost:9000/x",
    "https://[::1]:8443/",
]  # fmt: skip
BAD = [
    "", "ftp://hooks.example.org/", "file:///etc/passwd", "https://example.org/", "https://hooks.example.org.evil.org/", "https://evil.hooks.example.org/",
    "https://hooks.example.org:8443/", "http://localhost/", "http://localhost:9001/", "https://user@hooks.example.org/", "https://hooks.example.org@evil.org/",
    "https://evil.org/hooks.example.org", "https://evil.org#@hooks.example.org/", "https://hooks.example.org\\@evil.org/",
    "https://hooks.example.org /",
    "https://hooks.example.org\r\nX: y/", "https://hooks.example.org/#x", "https://hooks.example.org./", "https://[::1]/", "https://[::1%25eth0]:8443/",
    "https://:443/", "https://hooks.example.org:99999/", "https://hooks.example.org:x/", "https://[hooks.example.org/", "https://127.0.0.1/", "https://2130706433/",
    "//hooks.example.org/", "hooks.example.org", "https:hooks.example.org", "https:///hooks.example.org", "https://hooks.example.org/" + "x" * 2000,
    "https://hooks\u3002example.org/", "HTTPS://ｈooks.example.org/",
]  # fmt: skip


def test_only_configured_hosts_exactly(tmp_path: Path) -> None:
    context = allowing(tmp_path / "home", "hooks.example.org", "localhost:9000", "[::1]:8443")
    for url in GOOD:
        target = check_address(context, url)
        assert target.netloc and target.path.startswith("/")
    for url in BAD:
        with pytest.raises(RetakeError) as caught:
            check_address(context, url)
        assert caught.value.code == "bad_webhook", url
    with pytest.raises(RetakeError):
        check_address(make_context(tmp_path / "none"), GOOD[0])
    make_speaker(context.home)
    body = {"spec": {"kind": "line", "request": {"speaker": "anna", "text": "Hello."}}, "webhook": "https://example.org/"}
    answer = client_of(context).post("/v1/jobs", json=body)
    assert answer.status_code == 403 and code_of(answer) == "bad_webhook"


def test_names_must_lead_where_they_say(tmp_path: Path) -> None:
    for address in (
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "fe80::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "::ffff:169.254.169.254",
    ):
        assert not plausible("hooks.example.org", ip_address(address)), address
    for address in ("93.184.216.34", "192.168.1.20", "10.0.0.5", "2606:2800:220:1:248:1893:25c8:1946"):
        assert plausible("hooks.example.org", ip_address(address)), address
    assert plausible("localhost", ip_address("127.0.0.1")) and plausible("localhost", ip_address("::1"))
    assert not plausible("localhost", ip_address("192.168.1.20"))
    context = allowing(tmp_path / "home", "hooks.example.org", "127.0.0.1:80", "localhost")
    assert asyncio.run(resolve(check_address(context, "http://127.0.0.1/"))) == "127.0.0.1"
    assert asyncio.run(resolve(check_address(context, "http://localhost/"))) in {"127.0.0.1", "::1"}


def test_a_name_that_is_pointed_at_this_machine_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        context = allowing(tmp_path / "home", f"hooks.example.org:{receiver.port}")
        finish(context, f"http://hooks.example.org:{receiver.port}/")

        async def rebound(self: object, *args: object, **options: object) -> list[object]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", receiver.port))]

        monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", rebound)
        with sending(context):
            until(lambda: bool(failures(context)))
        assert receiver.told == [] and "127.0.0.1" in str(failures(context)[0]["reason"])
