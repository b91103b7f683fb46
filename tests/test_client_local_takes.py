"""Takes as files of this machine: in place, through a path map, downloaded; and what is left behind when a program dies."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from api_samples import make_speaker, make_take
from breaking_proxy import breaking_proxy
from client_samples import TAKE
from http_daemon import TOKEN, HttpDaemon, http_daemon
from waiting import PATIENCE, until

from retake_client import BadRequest, Client, Connection, LocalFault, NotFound, Stopped, local_takes, partials
from retake_client.local_takes import bring
from retake_client.paths import PathMap

CLIP = os.urandom(3_000_000)
DIGEST = hashlib.sha256(CLIP).hexdigest()
DOWNLOAD = """
import sys
from retake_client import Client, Connection, local_takes
local_takes.runs_here = lambda client: False
local_takes.bring(Client(Connection(sys.argv[1], sys.argv[2])), sys.argv[3], sys.argv[4])
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpDaemon]:
    home = tmp_path_factory.mktemp("takes") / "home"
    with http_daemon(home) as found:
        make_speaker(home)
        make_take(home, 0xA1, clip=CLIP)
        yield found


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon is taken to run on another machine."""
    monkeypatch.setattr(local_takes, "runs_here", lambda client: False)


def through(port: int) -> Client:
    return Client(Connection(f"http://127.0.0.1:{port}", TOKEN), timeout=PATIENCE)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_in_place(daemon: HttpDaemon, tmp_path: Path) -> None:
    take = bring(daemon.client(), TAKE, tmp_path / "takes")
    assert take.shared and take.rate == Fraction(30000, 1001) and take.frames == 30
    assert Path(take.path).read_bytes() == CLIP
    assert not (tmp_path / "takes").exists()


def test_a_copy_outlives_the_store(daemon: HttpDaemon, tmp_path: Path) -> None:
    """Linked where that is possible; the store's file may go then."""
    stored = Path(daemon.client().take(TAKE)["files"]["clip"])
    take = bring(daemon.client(), TAKE, tmp_path / "media", copy=True)
    assert not take.shared and take.path == str((tmp_path / "media" / f"{TAKE}.mp4").resolve())
    assert Path(take.path).samefile(stored)
    assert names(tmp_path / "media") == [f"{TAKE}.mp4"]
    away = stored.with_name("away")
    stored.rename(away)
    try:
        assert bring(daemon.client(), TAKE, tmp_path / "media", copy=True) == take
        assert Path(take.path).read_bytes() == CLIP
    finally:
        away.rename(stored)


def test_copied_where_nothing_can_be_linked(daemon: HttpDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_drive(*given: object, **more: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_drive)
    told: list[tuple[int, int]] = []
    stop = threading.Event()

    def tell(done: int, total: int) -> None:
        told.append((done, total))
        if len(told) == 1 and not stop.is_set():
            stop.set()

    with pytest.raises(Stopped):
        bring(daemon.client(), TAKE, tmp_path, copy=True, told=tell, stop=stop)
    assert names(tmp_path) == []  # complete or not there
    take = bring(daemon.client(), TAKE, tmp_path, copy=True, told=lambda done, total: told.append((done, total)))
    stored = Path(daemon.client().take(TAKE)["files"]["clip"])
    assert told[-1] == (len(CLIP), len(CLIP)) and not Path(take.path).samefile(stored) and Path(take.path).read_bytes() == CLIP
    assert names(tmp_path) == [f"{TAKE}.mp4"]


@pytest.mark.parametrize("links", [True, False])
def test_a_damaged_file_of_the_store_is_not_taken_along(
    daemon: HttpDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: None, links: bool
) -> None:
    if not links:

        def unknown(*given: object) -> None:
            raise NotImplementedError

        monkeypatch.setattr(os, "link", unknown)
    remote = str(Path(daemon.client().take(TAKE)["files"]["clip"]).parent)
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "take.mp4").write_bytes(CLIP[:-1] + b"?")
    take = bring(daemon.client(), TAKE, tmp_path / "media", copy=True, paths=PathMap([(remote, str(tmp_path / "mounted"))]))
    assert Path(take.path).read_bytes() == CLIP and names(tmp_path / "media") == [f"{TAKE}.mp4"]


def test_a_folder_that_cannot_be_written(daemon: HttpDaemon, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalFault) as caught:
        bring(daemon.client(), TAKE, tmp_path / "file" / "takes", copy=True)
    assert caught.value.remedy


def test_through_the_path_map(daemon: HttpDaemon, tmp_path: Path, elsewhere: None) -> None:
    remote = str(Path(daemon.client().take(TAKE)["files"]["clip"]).parent)
    shared = tmp_path / "mounted"
    shared.mkdir()
    (shared / "take.mp4").write_bytes(CLIP)
    take = bring(daemon.client(), TAKE, tmp_path / "takes", paths=PathMap([(remote, str(shared))]))
    assert take.shared and take.path == str((shared / "take.mp4").resolve())
    (shared / "take.mp4").write_bytes(CLIP[:-1] + b"?")  # something else lies there
    take = bring(daemon.client(), TAKE, tmp_path / "takes", paths=PathMap([(remote, str(shared))]))
    assert not take.shared and take.path == str((tmp_path / "takes" / f"{TAKE}.mp4").resolve())


def test_downloaded_once(daemon: HttpDaemon, tmp_path: Path, elsewhere: None) -> None:
    with breaking_proxy(daemon.port) as proxy:
        told: list[tuple[int, int]] = []
        first = bring(through(proxy.port), TAKE, tmp_path, told=lambda done, total: told.append((done, total)))
        assert told[-1] == (len(CLIP), len(CLIP))
        before = proxy.carried
        assert bring(through(proxy.port), TAKE, tmp_path) == first
        assert proxy.carried - before < 10_000
        Path(first.path).write_bytes(b"damaged")
        assert bring(through(proxy.port), TAKE, tmp_path) == first
    assert Path(first.path).read_bytes() == CLIP
    assert names(tmp_path) == [f"{TAKE}.mp4"]


def test_a_program_that_dies_in_the_middle(daemon: HttpDaemon, tmp_path: Path, elsewhere: None) -> None:
    """Killed with SIGKILL: what it had is not fetched again."""
    folder = tmp_path / "takes"
    with breaking_proxy(daemon.port) as proxy:
        proxy.hold = 2_000_000
        process = subprocess.Popen([sys.executable, "-c", DOWNLOAD, f"http://127.0.0.1:{proxy.port}", TOKEN, TAKE, str(folder)])
        try:
            until(lambda: folder.exists() and any(path.stat().st_size > 500_000 for path in folder.iterdir()))
            assert process.poll() is None
        finally:
            process.kill()
            process.wait(PATIENCE)
        [part] = folder.iterdir()
        assert part.name.startswith(".") and part.name.endswith(partials.SUFFIX)
        there, before = part.stat().st_size, proxy.carried
        proxy.hold = None
        take = bring(through(proxy.port), TAKE, folder)
        assert proxy.carried - before < len(CLIP) - there + 200_000
    assert Path(take.path).read_bytes() == CLIP
    assert names(folder) == [f"{TAKE}.mp4"]


@pytest.mark.parametrize("left", [b"?" * 1_000_000, CLIP + b"more", b"?" * len(CLIP), CLIP])
def test_what_was_left_behind_is_not_believed(daemon: HttpDaemon, tmp_path: Path, elsewhere: None, left: bytes) -> None:
    part = tmp_path / f".{TAKE}.mp4.{DIGEST[:16]}{partials.SUFFIX}"
    part.write_bytes(left)
    assert Path(bring(daemon.client(), TAKE, tmp_path).path).read_bytes() == CLIP
    assert names(tmp_path) == [f"{TAKE}.mp4"]


def test_two_at_once(daemon: HttpDaemon, tmp_path: Path, elsewhere: None) -> None:
    with breaking_proxy(daemon.port) as proxy:
        proxy.rate = 6_000_000.0
        found: list[str] = []
        threads = [threading.Thread(target=lambda: found.append(bring(through(proxy.port), TAKE, tmp_path).path)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(600)
    assert len(set(found)) == 1 and len(found) == 3
    assert Path(found[0]).read_bytes() == CLIP
    assert names(tmp_path) == [f"{TAKE}.mp4"]


def test_stopped_and_tidied(daemon: HttpDaemon, tmp_path: Path, elsewhere: None) -> None:
    stop = threading.Event()
    with pytest.raises(Stopped):
        bring(daemon.client(), TAKE, tmp_path, stop=stop, told=lambda done, total: stop.set())
    [part] = tmp_path.iterdir()
    assert partials.tidy(tmp_path) == []  # somebody may go on with it
    os.utime(part, (1.0, 1.0))
    (tmp_path / "mine.retake-part").touch()  # not hidden, so not ours
    assert partials.tidy(tmp_path) == [part]
    stop.clear()
    with pytest.raises(Stopped):
        bring(daemon.client(), TAKE, tmp_path, stop=stop, told=lambda done, total: stop.set())
    local_takes.discard(TAKE, tmp_path)
    assert names(tmp_path) == ["mine.retake-part"]
    assert partials.tidy(tmp_path / "none") == []


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_in_the_parts_place_is_not_followed(daemon: HttpDaemon, tmp_path: Path, elsewhere: None) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    folder = tmp_path / "takes"
    folder.mkdir()
    (folder / f".{TAKE}.mp4.{DIGEST[:16]}{partials.SUFFIX}").symlink_to(victim)
    assert Path(bring(daemon.client(), TAKE, folder).path).read_bytes() == CLIP
    assert victim.read_bytes() == b"mine"


def test_what_cannot_be_brought(daemon: HttpDaemon, tmp_path: Path, elsewhere: None) -> None:
    with pytest.raises(NotFound):
        bring(daemon.client(), "ffffffffffffffff", tmp_path)
    for bad in ("../x", "", "a b"):
        with pytest.raises(BadRequest):
            bring(daemon.client(), bad, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(LocalFault) as caught:
        bring(daemon.client(), TAKE, tmp_path / "file" / "takes")
    assert caught.value.code == "not_writable_here"
