"""What runs beside the HTTP server: started without holding it up, ended within a limit, and its failures told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from waiting import PATIENCE

from retake import serve
from retake.domain.errors import ErrorKind, RetakeError
from retake.serve import Named, Services, changed, passwords_in
from retake.settings import Settings


class Part:
    """A service that takes its time, which is until `start` or `stop` lets it go on, or that fails."""

    def __init__(
        self,
        *,
        start: Callable[[float], object] | None = None,
        stop: Callable[[float], object] | None = None,
        error: Exception | None = None,
        stop_error: Exception | None = None,
    ) -> None:
        self.gates = [start, stop]
        self.errors = (error, stop_error)
        self.begun = threading.Event()
        self.ended = threading.Event()

    def start(self) -> None:
        if self.gates[0] is not None:
            self.gates[0](PATIENCE)
        if self.errors[0] is not None:
            raise self.errors[0]
        self.begun.set()

    def stop(self) -> None:
        if self.gates[1] is not None:
            self.gates[1](PATIENCE)
        if self.errors[1] is not None:
            raise self.errors[1]
        self.ended.set()


def services(*parts: Named) -> tuple[Services, threading.Event]:
    given_up = threading.Event()
    return Services(parts, give_up=given_up.set), given_up


def test_starting_does_not_hold_up() -> None:
    gate = threading.Event()
    slow, behind = Part(start=gate.wait), Part()
    made, given_up = services(Named("slow", slow), Named("behind", behind))
    made.start()
    assert not slow.begun.is_set()
    gate.set()
    assert behind.begun.wait(PATIENCE)
    assert made.stop(PATIENCE) == []
    assert slow.ended.is_set()
    assert behind.ended.is_set()
    assert not given_up.is_set()


def test_all_end_at_once_and_one_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    together, released = threading.Barrier(3), threading.Event()  # one after the other, none of the three would end
    parts = [*(Part(stop=together.wait) for _ in range(3)), Part(stop=released.wait)]

    def now() -> float:
        return PATIENCE if all(part.ended.is_set() for part in parts[:3]) else 0.0

    made, _ = services(*(Named(f"part {number}", part) for number, part in enumerate(parts)))
    made.start()
    assert parts[-1].begun.wait(PATIENCE)
    monkeypatch.setattr(serve, "time", SimpleNamespace(monotonic=now))
    assert made.stop(PATIENCE) == ["part 3"]
    assert all(part.ended.is_set() for part in parts[:3])
    released.set()


def test_ending_while_they_start() -> None:
    first, second = Part(), Part()
    made, _ = services(Named("first", first), Named("second", second))
    first.gates[0] = made._stopping.wait  # it takes until the end is asked for
    made.start()
    assert made.stop(PATIENCE) == []
    assert first.ended.is_set()
    assert not second.begun.is_set()


@pytest.mark.parametrize("error", [RetakeError("No place.", "Make some.", kind=ErrorKind.ENVIRONMENT, code="disk_full"), ValueError("a bug")])
def test_without_an_essential_one_it_gives_up(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    failing = Part(error=error)
    made, given_up = services(Named("workers", failing, essential=True))
    made.start()
    assert given_up.wait(PATIENCE)
    made.stop(PATIENCE)
    assert made.failure is not None
    assert made.failure.code == ("disk_full" if isinstance(error, RetakeError) else "daemon_failed")
    assert failing.ended.is_set()  # it may have got half-way
    assert "workers" in caplog.text


def test_others_do_without_one_that_is_not_essential(caplog: pytest.LogCaptureFixture) -> None:
    other = Part()
    made, given_up = services(Named("watch folders", Part(error=OSError("gone"), stop_error=ValueError("again"))), Named("other", other))
    made.start()
    assert other.begun.wait(PATIENCE)
    assert made.stop(PATIENCE) == []
    assert not given_up.is_set()
    assert made.failure is None
    assert "watch folders" in caplog.text
    assert other.ended.is_set()


def test_options_are_checked_like_settings() -> None:
    settings = changed(Settings(), server={"port": 0, "listen": None}, workers=2, database=None)
    assert (settings.server.port, settings.server.listen, settings.workers, settings.database) == (0, "127.0.0.1", 2, "")
    with pytest.raises(RetakeError) as caught:
        changed(Settings(), workers=-1)
    assert caught.value.code == "bad_option"
    assert "workers" in caught.value.cause


@pytest.mark.parametrize(
    ("url", "passwords"),
    [
        ("", []),
        ("sqlite:////home/jobs.sqlite3", []),
        ("postgresql://retake@db/retake", []),
        ("postgresql://retake:p%40ss@db/retake", ["p%40ss", "p@ss"]),
        ("postgresql://[broken", []),
    ],
)
def test_passwords_are_found(url: str, passwords: list[str]) -> None:
    assert passwords_in(url) == passwords
