"""The client where connections break: uploads and downloads go on, event streams miss nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_samples import make_speaker, make_take
from breaking_proxy import breaking_proxy
from http_daemon import TOKEN, HttpDaemon, http_daemon
from waiting import PATIENCE, until

import retake
from retake.jobs.events import announce
from retake.takes import store
from retake_client import Client, ClientError, Connection, Damaged, Event, NoDaemon, Stopped, Unreachable, events, transfers

CLIP = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpDaemon]:
    home = tmp_path_factory.mktemp("breaks") / "home"
    with http_daemon(home) as found:
        make_speaker(home)
        make_take(home, 0xA1, clip=CLIP)
        yield found


def through(port: int) -> Client:
    return Client(Connection(f"http://127.0.0.1:{port}", TOKEN), timeout=PATIENCE)


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """A real video, made 3 MB long by what follows its last box."""
    content = (Path(retake.__file__).parent / "assets" / "presenter" / "presenter.mp4").read_bytes()[:200_000]
    path = tmp_path / "talk.mp4"
    path.write_bytes(content + (3_000_000).to_bytes(4, "big") + b"free" + os.urandom(2_999_992))
    return path


def test_an_upload_goes_on(daemon: HttpDaemon, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "PART_BYTES", 1_000_000)
    # The third and fifth connections are parts; the daemon is asked in between how far it is.
    with breaking_proxy(daemon.port, (None, None), (600_000, None), (None, None), (None, 10), (None, None), (400_000, None)) as proxy:
        told: list[int] = []
        sent = through(proxy.port).upload(media, told=lambda done, total: told.append(done))
        assert proxy.connections > 6
    assert sent["state"] == "finished"
    assert told == sorted(told)
    stored = daemon.context.home / "uploads"
    assert any(
        path.is_file() and path.stat().st_size == media.stat().st_size and path.read_bytes() == media.read_bytes() for path in stored.rglob("*")
    )


def test_an_upload_is_resumed_by_another_process(daemon: HttpDaemon, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "PART_BYTES", 500_000)
    client = daemon.client()
    stop = threading.Event()
    with pytest.raises(Stopped):
        client.upload(media, stop=stop, told=lambda done, total: stop.set() if done >= 1_000_000 else None)
    [begun] = [upload for upload in client.uploads() if upload["state"] == "receiving"]
    assert 1_000_000 <= begun["offset"] < media.stat().st_size
    assert client.upload(media, resume=begun["id"])["state"] == "finished"
    with media.open("ab") as file:
        file.write(b"x")
    with pytest.raises(Damaged):
        client.upload(media, resume=begun["id"])


def test_an_upload_gives_up_when_nobody_is_there(media: Path, daemon: HttpDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "ATTEMPTS", 2)
    with breaking_proxy(daemon.port, (None, None)) as proxy:
        client = through(proxy.port)

        def refuse(done: int, total: int) -> None:
            proxy.refuse = True

        with pytest.raises(Unreachable):
            client.upload(media, told=refuse)


def test_a_refused_upload_says_why(daemon: HttpDaemon, media: Path) -> None:
    """The daemon answers while the file is still being sent."""
    stranger = Client(Connection(daemon.address, "wrong"))
    with pytest.raises(ClientError) as caught:
        stranger.upload(media)
    assert caught.value.code == "wrong_token"


def test_a_download_goes_on(daemon: HttpDaemon, tmp_path: Path) -> None:
    with breaking_proxy(daemon.port, (None, None), (None, 1_000_000), (None, 5), (None, 500_000)) as proxy:
        told: list[int] = []
        path = through(proxy.port).download_take("00000000000000a1", tmp_path / "clip.mp4", told=lambda done, total: told.append(total))
        assert proxy.connections == 5
    assert path.read_bytes() == CLIP
    assert set(told) == {len(CLIP)}
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_take_that_changes_meanwhile_is_not_patched_together(tmp_path: Path) -> None:
    with http_daemon(tmp_path / "home") as daemon:
        make_take(daemon.context.home, 0xA1, clip=CLIP)
        with breaking_proxy(daemon.port, (None, 1_000_000)) as proxy:

            def replace(done: int, total: int) -> None:
                store.delete(daemon.context.home, "00000000000000a1")
                make_take(daemon.context.home, 0xA1, clip=CLIP[::-1])

            with pytest.raises(ClientError) as caught:
                through(proxy.port).download("/v1/takes/00000000000000a1/media", tmp_path / "clip.mp4", told=replace)
        assert caught.value.code == "changed_download"
        assert not (tmp_path / "clip.mp4").exists()


def test_a_damaged_or_stopped_download_leaves_nothing(daemon: HttpDaemon, tmp_path: Path) -> None:
    client = daemon.client()
    target = tmp_path / "clip.mp4"
    target.write_bytes(b"before")
    with pytest.raises(Damaged):
        client.download_take("00000000000000a1", target, sha256="0" * 64)
    stop = threading.Event()
    with pytest.raises(Stopped):
        client.download_take("00000000000000a1", target, stop=stop, told=lambda done, total: stop.set())
    with pytest.raises(ClientError):
        client.download_take("ffffffffffffffff", target)
    assert target.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_stream_misses_nothing(daemon: HttpDaemon) -> None:
    seen: list[int] = []
    with breaking_proxy(daemon.port, (None, 900), (None, 3), (None, 1500), (None, 40)) as proxy:
        client = through(proxy.port)
        states: list[ClientError | None] = []
        ready = threading.Event()

        def state(error: ClientError | None) -> None:
            states.append(error)
            ready.set()

        def write() -> None:
            ready.wait(PATIENCE)
            for number in range(60):
                announce(daemon.context.database, "test.tick", {"number": number})
                time.sleep(0.01)

        writer = threading.Thread(target=write)
        writer.start()
        for event in client.events(on_state=state, until=lambda event: event.data.get("number") == 59):
            if event.type == "test.tick":
                seen.append(int(event.data["number"]))
        writer.join()
        assert proxy.connections >= 4
    assert seen == list(range(60))


def test_a_stream_survives_a_restart_at_another_port(tmp_path: Path) -> None:
    home = tmp_path / "home"
    seen: list[Event] = []
    here: list[Connection] = []
    states: list[ClientError | None] = []
    stop = threading.Event()

    def find() -> Connection:
        if not here:
            raise NoDaemon("No daemon runs.", "Start it.", code="no_daemon")
        return here[0]

    with http_daemon(home) as first:
        here.append(Connection(first.address, TOKEN))
        client = Client(here[0], find=find)

        def listen() -> None:
            for event in client.events(last="0", stop=stop, on_state=states.append, until=lambda event: event.data.get("number") == 2):
                seen.append(event)

        listener = threading.Thread(target=listen)
        listener.start()
        announce(first.context.database, "test.tick", {"number": 1})
        until(lambda: [event.data for event in seen if event.type == "test.tick"])
        here.clear()
    until(lambda: any(isinstance(state, NoDaemon) for state in states))
    with http_daemon(home) as second:
        here.append(Connection(second.address, TOKEN))
        announce(second.context.database, "test.tick", {"number": 2})
        listener.join(600)
        stop.set()
    assert [event.data["number"] for event in seen if event.type == "test.tick"] == [1, 2]


def test_a_stream_stops_at_once(daemon: HttpDaemon) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    assert list(daemon.client().events(stop=stop)) == []


def test_a_stream_says_what_waiting_does_not_mend(daemon: HttpDaemon) -> None:
    with pytest.raises(ClientError) as caught:
        next(daemon.client().events(job="00"))
    assert caught.value.code == "unknown_job"
    with pytest.raises(ClientError) as caught:
        next(Client(Connection(daemon.address, "wrong")).events())
    assert caught.value.code == "wrong_token"


def test_parsing() -> None:
    text = ': comment\nretry: 2000\n\nid: 7\nevent: job.queued\ndata: {"data":\ndata: {"id": "a"}, "job_id": "a"}\n\n'
    text += "data: [1]\n\nid: 8\nevent: cut off\ndata: {}"
    found = list(events.parse(iter(text.split("\n"))))
    assert [(event.id, event.type, event.data, event.job_id) for event in found] == [
        ("7", "job.queued", {"id": "a"}, "a"),
        ("7", "message", {"value": [1]}, None),
    ]
    with pytest.raises(Damaged):
        list(events.parse(iter(["data: {", ""])))
