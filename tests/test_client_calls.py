"""The client against the real interface: every method, and errors as plugins see them."""

from __future__ import annotations

import ast
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_samples import make_speaker, make_take
from http_daemon import HttpDaemon, http_daemon
from waiting import PATIENCE

import retake
import retake_client
from retake.domain.job import JobProgress, JobResult
from retake.jobs import running
from retake.jobs.database import Database
from retake_client import (
    BadRequest,
    Client,
    Conflict,
    Connection,
    NoDaemon,
    NotFound,
    Refused,
    ServerFailed,
    TimedOut,
    Unreachable,
    VersionMismatch,
)
from retake_client.errors import error_of

CLIP = bytes(range(256)) * 4096  # 1 MB


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpDaemon]:
    home = tmp_path_factory.mktemp("client") / "home"
    with http_daemon(home) as found:
        make_speaker(home)
        make_take(home, 0xA1, clip=CLIP)
        yield found


@pytest.fixture
def client(daemon: HttpDaemon) -> Client:
    return daemon.client(name="blender:shot 10")


def line(text: str = "We ship on Friday.") -> dict[str, object]:
    return {"kind": "line", "request": {"speaker": "anna", "text": text}}


def render(database: Database, job: dict[str, object], *, end: bool = True) -> None:
    """Do what a worker does."""
    id_ = str(job["id"])
    assert running.claim(database, id_, 1, "worker") is not None
    running.report(database, id_, 1, JobProgress(stage="frames", fraction=0.5, fps=30.0))
    if end:
        running.succeed(database, id_, 1, JobResult(takes=["00000000000000a1"]))


def test_client_and_product_have_one_version() -> None:
    from retake.api.handshake import API_VERSION
    from retake.connection import API

    assert retake.__version__ == retake_client.VERSION
    assert retake_client.API == API_VERSION == API


def test_editors_with_an_older_python_can_load_it() -> None:
    for path in Path(retake_client.__file__).parent.glob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))


def test_the_daemon_itself(client: Client) -> None:
    assert client.health()["version"] == retake.__version__
    assert client.handshake()["api"] == 1
    assert {engine["name"] for engine in client.engines()["voice"]}
    with pytest.raises(ServerFailed) as caught:
        client.ready()  # this one has no workers
    assert caught.value.code == "not_ready"
    assert caught.value.may_pass


def test_a_daemon_of_another_version(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retake_client.transport.VERSION", "9.0.0")
    with pytest.raises(VersionMismatch) as caught:
        client.jobs()
    assert "Update" in caught.value.remedy
    monkeypatch.undo()
    monkeypatch.setattr("retake_client.client.API", 2)
    with pytest.raises(VersionMismatch) as caught:
        client.handshake()
    assert "daemon" in caught.value.remedy
    monkeypatch.setattr("retake_client.client.API", 0)
    with pytest.raises(VersionMismatch) as caught:
        client.handshake()
    assert "client" in caught.value.remedy


def test_a_job_from_asking_to_its_clip(daemon: HttpDaemon, client: Client, tmp_path: Path) -> None:
    job = client.submit(line(), label="Shot 10")
    assert (job["state"], job["client"], job["label"]) == ("queued", "blender:shot 10", "Shot 10")
    assert client.job(job["id"])["id"] == job["id"]
    assert job["id"] in [entry["id"] for entry in client.queue()["jobs"]]
    worker = threading.Timer(0.3, render, (daemon.context.database, job))
    worker.start()
    told: list[dict[str, object]] = []
    done = client.wait(job["id"], seconds=PATIENCE, told=told.append)
    worker.join()
    assert done["state"] == "succeeded"
    assert told[0]["stage"] == "frames"
    [id_] = done["result"]["takes"]
    take = client.take(id_)
    clip = client.download_take(id_, tmp_path / "friday.mp4", sha256=take["sha256"])
    assert clip.read_bytes() == CLIP
    assert client.download_take(id_, tmp_path / "friday.srt", part="captions").read_bytes().startswith(b"1\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["friday.mp4", "friday.srt"]
    assert client.wait(job["id"], seconds=PATIENCE)["state"] == "succeeded"  # one that is over is there at once
    assert list(client.events(job=job["id"])) != []  # and the stream of it ends by itself


def test_asking_twice_with_one_key(client: Client) -> None:
    first = client.submit(line("Once."), key="once")
    assert client.submit(line("Once."), key="once")["id"] == first["id"]
    with pytest.raises(Conflict) as caught:
        client.submit(line("Another."), key="once")
    assert caught.value.code == "key_reused"


def test_many_jobs_all_or_none(client: Client) -> None:
    before = client.jobs()["total"]
    jobs = client.submit_all([line(f"Line {number}.") for number in range(5)], priority="background")
    assert len({job["id"] for job in jobs}) == 5
    with pytest.raises(NotFound) as caught:
        client.submit_all([line(), {"kind": "line", "request": {"speaker": "nobody", "text": "Hm."}}])
    assert caught.value.code == "unknown_speaker"
    assert client.jobs()["total"] == before + 5
    page = client.jobs(states=("queued",), kinds=("line",), search="Line", limit=2)
    assert len(page["jobs"]) == 2
    assert len(client.jobs(states=("queued",), search="Line", limit=50, cursor=page["next"])["jobs"]) == page["total"] - 2


def test_order_and_end(client: Client) -> None:
    first, second = client.submit(line("First.")), client.submit(line("Second."))
    client.move(second["id"], before=first["id"])
    order = [entry["id"] for entry in client.queue()["jobs"]]
    assert order.index(second["id"]) < order.index(first["id"])
    assert client.move(first["id"], priority="background")["priority"] == 2
    assert client.cancel(first["id"])["state"] == "cancelled"
    assert client.retry(first["id"])["state"] == "queued"
    client.cancel(first["id"])
    assert client.log(first["id"]) == []
    client.forget(first["id"])
    with pytest.raises(NotFound) as caught:
        client.job(first["id"])
    assert caught.value.code == "unknown_job"
    assert caught.value.kind == "not_found"
    assert caught.value.remedy


def test_waiting_ends(client: Client) -> None:
    job = client.submit(line("Never."))
    with pytest.raises(TimedOut) as caught:
        client.wait(job["id"], seconds=0.3)
    assert "queued" in caught.value.cause
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    assert client.wait(job["id"], stop=stop)["state"] == "queued"
    client.cancel(job["id"])


def test_speakers_and_uploads(client: Client, daemon: HttpDaemon, tmp_path: Path) -> None:
    from retake.api.upload_store import stored

    assert [speaker["name"] for speaker in client.speakers()] == ["anna"]
    assert client.speaker("anna")["speaker"]["name"] == "anna"
    for name in ("../../etc/passwd", "..", "anna/report"):
        with pytest.raises(BadRequest):
            client.speaker(name)
    reference = Path(retake.__file__).parent / "assets" / "presenter" / "presenter.mp4"
    told: list[tuple[int, int]] = []
    sent = client.upload(reference, name="Ben's talk.mp4", told=lambda done, total: told.append((done, total)))
    size = reference.stat().st_size
    assert (sent["state"], sent["size"], sent["kind"]) == ("finished", size, "media")
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert sent["id"] in [upload.id for upload in stored(daemon.context.home)]
    with pytest.raises(Refused) as caught:
        client.enrol("ben", sent["reference"], consent="")
    assert caught.value.code == "consent_missing"
    job = client.enrol("ben", sent["reference"], consent="I agree that Retake speaks in my voice.", transcript="Hello.")
    assert job["kind"] == "enrol"
    client.cancel(job["id"])
    client.delete_upload(sent["id"])
    assert sent["id"] not in [upload["id"] for upload in client.uploads()]
    (tmp_path / "note.exe").write_bytes(b"MZ" + bytes(1000))
    with pytest.raises(BadRequest) as caught_bad:
        client.upload(tmp_path / "note.exe")
    assert caught_bad.value.code == "unwanted_file"
    assert client.delete_speaker("anna")["speaker"] == "anna"
    make_speaker(daemon.context.home)


def test_timelines(client: Client, daemon: HttpDaemon, tmp_path: Path) -> None:
    timeline = {"OTIO_SCHEMA": "Timeline.1", "name": "Cut", "tracks": {"OTIO_SCHEMA": "Stack.1", "children": []}}
    path = tmp_path / "cut.otio"
    path.write_text(json.dumps(timeline), encoding="utf-8")
    job = client.fill_timeline(path, speaker="anna")
    assert job["kind"] == "timeline"
    assert client.filled_timeline(job["id"]) is None
    other = client.fill_timeline(timeline, speaker="anna")
    client.cancel(other["id"])
    with pytest.raises(Conflict):
        client.filled_timeline(other["id"])
    client.cancel(job["id"])


def test_takes(client: Client, daemon: HttpDaemon) -> None:
    make_take(daemon.context.home, 0xB2, text="Second.", clip=b"x")
    assert [take["id"] for take in client.takes(speaker="anna", limit=1)["takes"]] == ["00000000000000b2"]
    with pytest.raises(NotFound):
        client.take("ffffffffffffffff")
    url = client.ticket("/v1/takes/00000000000000b2/media")
    import urllib.request

    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        assert answer.read() == b"x"
    client.delete_take("00000000000000b2")
    assert len(client.takes()["takes"]) == 1


def test_nobody_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = Client(Connection(f"http://127.0.0.1:{port}", "t"))
    with pytest.raises(Unreachable) as caught:
        client.health()
    assert caught.value.code == "unreachable"
    assert caught.value.may_pass
    with pytest.raises(NoDaemon) as nobody:
        Client.local(tmp_path)
    assert "retake serve" in nobody.value.remedy


def test_one_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Client(Connection(f"http://127.0.0.1:{silent.getsockname()[1]}", "t"), timeout=0.3)
        with pytest.raises(TimedOut) as caught:
            client.jobs()
    assert caught.value.code == "timed_out"


def test_answers_of_something_else() -> None:
    """Another program at the port, or a proxy between: its answer is no reason for a traceback."""
    for answer in (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad",
        b"",
    ):
        with socket.create_server(("127.0.0.1", 0)) as other:
            thread = threading.Thread(target=_answer_once, args=(other, answer), daemon=True)
            thread.start()
            with pytest.raises(retake_client.ClientError) as caught:
                Client(Connection(f"http://127.0.0.1:{other.getsockname()[1]}", "t"), timeout=PATIENCE).jobs()
            thread.join(600)
        assert caught.value.cause
        assert caught.value.remedy


def _answer_once(listener: socket.socket, answer: bytes) -> None:
    link, _ = listener.accept()
    with link:
        link.recv(65536)
        link.sendall(answer)


@pytest.mark.parametrize(
    "document", [None, [], {}, {"error": None}, {"error": {"cause": 7, "fields": [1]}}, {"error": {"code": "a", "fields": None}}]
)
def test_errors_of_any_shape(document: object) -> None:
    error = error_of(500, document)
    assert error.cause
    assert error.remedy
    assert error.code
    assert isinstance(error, ServerFailed)


def test_the_environments_proxy_never_gets_the_token(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://192.0.2.1:9")
    assert client.jobs()["total"] >= 0
