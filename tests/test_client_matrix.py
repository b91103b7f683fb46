"""What the user reads when something is wrong with the daemon: the table in docs/client.md, made to happen row by row and compared."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from api_samples import make_speaker, make_take
from breaking_proxy import Proxy, breaking_proxy
from client_samples import TAKE, Host, host
from daemon_process import daemon as daemon_process
from http_daemon import TOKEN, HttpDaemon, http_daemon

from retake_client import link, local_takes
from retake_client.session import ConnectionState, FetchOrder, OrderState, SessionSettings

PAGE = Path(__file__).parent.parent / "docs" / "client.md"
CLIP = os.urandom(4_000_000)
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs flock and file modes")


def documented() -> dict[str, tuple[str, str]]:
    """Situation -> (state, what is read), as the page has it."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    begin = next(number for number, row in enumerate(rows) if row[0] == "situation")
    return {row[0]: (row[1].strip("`"), row[2]) for row in rows[begin + 2 :] if len(row) == 3}


def read_in(one: Host, home: Path | None = None) -> tuple[str, str]:
    status = one.statuses[-1]
    text = re.sub(r"127\.0\.0\.1:\d+", "HOST:PORT", status.sentence)
    return status.state.name, text.replace(str(home), "HOME") if home else text


def check(situation: str, one: Host, home: Path | None = None) -> None:
    """Compare with the page."""
    assert read_in(one, home) == documented()[situation]


def here(home: Path, **more: object) -> SessionSettings:
    return replace(SessionSettings(home=home, folder=home.parent / "takes", may_start=False, name="test"), **more)  # type: ignore[arg-type]


def there(port: int, folder: Path | str = "", token: str = TOKEN) -> SessionSettings:
    return SessionSettings(address=f"http://127.0.0.1:{port}", token=token, folder=folder, name="test")


def left_behind(home: Path, port: int, pid: int, token: str = TOKEN) -> Path:
    """The connection file of a daemon."""
    home.mkdir(mode=0o700, exist_ok=True)
    path = home / "daemon.json"
    content = {"format": 1, "address": f"http://127.0.0.1:{port}", "token": token, "pid": pid, "version": "0.1.0", "api": 1, "started": 1.0}
    path.write_text(json.dumps(content), encoding="utf-8")
    path.chmod(0o600)
    return path


@contextlib.contextmanager
def held(home: Path) -> Iterator[None]:
    """As if a daemon held its lock."""
    import fcntl

    home.mkdir(mode=0o700, exist_ok=True)
    with (home / "daemon.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def silent() -> Iterator[int]:
    """A port at which connections are taken and nothing is said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def nobody() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpDaemon]:
    home = tmp_path_factory.mktemp("matrix") / "home"
    with http_daemon(home) as found:
        make_speaker(home)
        make_take(home, 0xA1, clip=CLIP)
        yield found


def test_absent(tmp_path: Path) -> None:
    with host(here(tmp_path / "home")) as one:
        one.until_status(lambda status: status.state is ConnectionState.ABSENT)
        check("no daemon", one)


def test_not_installed(tmp_path: Path) -> None:
    with host(here(tmp_path / "home", may_start=True, command=("/nowhere/retake",))) as one:
        one.until_status(lambda status: "found" in status.sentence)
        check("no daemon, and it may be started but is not installed", one)


@POSIX
def test_one_that_cannot_start(tmp_path: Path) -> None:
    script = tmp_path / "retake"
    script.write_text("#!/bin/sh\necho 'settings.json: line 3 is no JSON.'\nexit 5\n", encoding="utf-8")
    script.chmod(0o755)
    with host(here(tmp_path / "home", may_start=True, command=(str(script),))) as one:
        one.until_status(lambda status: "at once" in status.sentence)
        check("no daemon, and the one that was started ends at once", one)


@POSIX
def test_killed(tmp_path: Path, nobody: int) -> None:
    home = tmp_path / "home"
    left_behind(home, nobody, 1)
    (home / "daemon.lock").touch()
    with host(here(home)) as one:
        one.until_status(lambda status: status.state is ConnectionState.ABSENT)
        check("the daemon was killed", one)


@POSIX
@pytest.mark.parametrize("file", [False, True], ids=["before its connection file", "with its connection file"])
def test_starting(tmp_path: Path, nobody: int, monkeypatch: pytest.MonkeyPatch, file: bool) -> None:
    home = tmp_path / "home"
    with held(home):
        if file:
            left_behind(home, nobody, os.getpid())
        with host(here(home)) as one:
            one.until_status(lambda status: status.state is ConnectionState.STARTING and status.detail == "Retake is starting.")
            check("the daemon is starting (it holds its lock, and does not answer yet)", one)
            monkeypatch.setattr(link, "PATIENCE", 0.3)
            one.until_status(lambda status: status.state is ConnectionState.UNREACHABLE)
            monkeypatch.undo()
            assert read_in(one, home)[1].replace("0 s", "60 s") == documented()["the daemon has been starting for a minute"][1]


def test_wrong_token(served: HttpDaemon) -> None:
    with host(there(served.port, token="another")) as one:
        one.until_status(lambda status: status.state is ConnectionState.REFUSED)
        check("wrong token", one)


@pytest.mark.parametrize(
    ("situation", "version", "api"),
    [("the plugin is newer than the daemon", "9.0.0", 1), ("the plugin speaks a newer interface", "0.1.0", 2), ("the daemon is newer", "0.1.0", 0)],
)
def test_wrong_version(served: HttpDaemon, monkeypatch: pytest.MonkeyPatch, situation: str, version: str, api: int) -> None:
    monkeypatch.setattr("retake_client.transport.VERSION", version)
    monkeypatch.setattr("retake_client.transport.API", api)
    monkeypatch.setattr("retake_client.client.API", api)
    with host(there(served.port)) as one:
        one.until_status(lambda status: status.state is ConnectionState.MISMATCH)
        check(situation, one)


@POSIX
def test_unsafe(tmp_path: Path, nobody: int) -> None:
    home = tmp_path / "home"
    left_behind(home, nobody, os.getpid()).chmod(0o644)
    with host(here(home)) as one:
        one.until_status(lambda status: status.state is ConnectionState.UNSAFE)
        check("others could read the connection file", one, home)


def test_nobody_at_the_address(nobody: int) -> None:
    with host(there(nobody)) as one:
        one.until_status(lambda status: status.state is ConnectionState.UNREACHABLE)
        check("nobody at the address in the preferences", one)


def test_one_that_hangs(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "ANSWER_SECONDS", 0.4)
    with host(there(silent)) as one:
        one.until_status(lambda status: status.state is ConnectionState.UNREACHABLE)
        state, text = read_in(one)
        assert (state, text.replace("0 s", "10 s")) == documented()["something takes the call and says nothing"]


def test_no_worker(served: HttpDaemon) -> None:
    with host(there(served.port)) as one:
        one.until_status(lambda status: status.state is ConnectionState.NO_WORKER)
        check("nothing renders", one)


def fetching(one: Host, proxy: Proxy) -> None:
    """Begin to fetch the take slowly, and wait until some of it is here."""
    one.until_status(lambda status: status.state.usable)
    proxy.rate, proxy.hold = 2_000_000.0, len(CLIP) // 2
    one.session.fetch(FetchOrder("fetch", "k", TAKE))
    one.until(lambda now: now.of("fetch") and 0.2 < now.of("fetch")[-1].fraction < 0.9)


def hash_of(one: Host) -> str:
    take = one.until_over("fetch").take
    assert take is not None and not take.shared
    return hashlib.sha256(Path(take.path).read_bytes()).hexdigest()


def test_dying_in_the_middle_of_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real daemon is killed with SIGKILL and comes back at another port: what has arrived is not sent again."""
    monkeypatch.setattr(local_takes, "runs_here", lambda client: False)  # else the file would be used where it lies
    home = tmp_path / "home"
    make_speaker(home)
    take = make_take(home, 0xA1, clip=CLIP)
    situation = "the daemon dies in the middle of a download"
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(daemon_process(home))
        port = int(first.client().connection.address.rsplit(":", 1)[1])
        proxy = stack.enter_context(breaking_proxy(port))
        one = stack.enter_context(host(there(proxy.port, tmp_path / "takes", (home / "token").read_text(encoding="ascii").strip())))
        fetching(one, proxy)
        first.process.kill()
        first.process.wait(600)
        proxy.cut()
        one.until_status(lambda status: status.state is ConnectionState.UNREACHABLE)
        one.until(lambda now: now.of("fetch")[-1].state is OrderState.WAITING_FOR_DAEMON)
        check(situation, one)
        assert [path.suffix for path in (tmp_path / "takes").iterdir()] == [".retake-part"]
        before = proxy.carried
        second = stack.enter_context(daemon_process(home))
        proxy.target = int(second.client().connection.address.rsplit(":", 1)[1])
        proxy.rate, proxy.hold, proxy.refuse = 0, None, False
        assert hash_of(one) == take.sha256
        assert proxy.carried - before < 0.9 * len(CLIP)
        assert [path.name for path in (tmp_path / "takes").iterdir()] == [f"{TAKE}.mp4"]
    assert situation in documented()


def test_a_server_that_dies_in_the_middle_of_a_download(served: HttpDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket is closed under the download, and nobody listens for a while."""
    monkeypatch.setattr(local_takes, "runs_here", lambda client: False)
    with breaking_proxy(served.port) as proxy, host(there(proxy.port, tmp_path)) as one:
        fetching(one, proxy)
        proxy.cut()
        one.until_status(lambda status: status.state is ConnectionState.UNREACHABLE)
        one.until(lambda now: now.of("fetch")[-1].state is OrderState.WAITING_FOR_DAEMON)
        check("the daemon dies in the middle of a download", one)
        proxy.rate, proxy.hold, proxy.refuse = 0, None, False
        assert hash_of(one) == hashlib.sha256(CLIP).hexdigest()


def test_a_slow_network(served: HttpDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_takes, "runs_here", lambda client: False)
    with breaking_proxy(served.port) as proxy, host(there(proxy.port, tmp_path)) as one:
        fetching(one, proxy)
        one.pump()
        assert one.statuses[-1].state.usable
        shown = one.of("fetch")[-1]
        assert documented()["a slow network"] == ("READY", f"{shown.stage} (the order's stage, with a fraction that grows)")
        proxy.hold = None
        assert hash_of(one) == hashlib.sha256(CLIP).hexdigest()
        fractions = [update.fraction for update in one.of("fetch") if update.state is OrderState.FETCHING]
        assert fractions == sorted(fractions) and len(fractions) > 5


def test_a_network_that_is_back(served: HttpDaemon) -> None:
    with breaking_proxy(served.port) as proxy, host(there(proxy.port)) as one:
        one.until_status(lambda status: status.state.usable)
        proxy.cut()
        one.until_status(lambda status: status.state is ConnectionState.UNREACHABLE)
        assert [speaker["name"] for speaker in one.statuses[-1].speakers] == ["anna"]  # as last seen
        proxy.refuse = False
        one.until_status(lambda status: status.state.usable)


def test_the_page_names_nothing_else() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    rows = documented()
    assert len(rows) >= 15
    assert all(f'"{situation}"' in text for situation in rows), [row for row in rows if f'"{row}"' not in text]
    assert {row[0] for row in rows.values()} == {state.name for state in ConnectionState}
