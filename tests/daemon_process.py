"""A real daemon in a process of its own, for tests: started, waited for, and gone at the end whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from waiting import PATIENCE, until

from retake_client import Client, Connection, NoDaemon, Transport


@dataclass
class Daemon:
    """A running `retake serve`. `output` holds what it printed."""

    home: Path
    process: subprocess.Popen[bytes]
    output: Path

    def client(self, name: str = "test") -> Client:
        return Client.local(self.home, name=name, timeout=PATIENCE)

    def end(self, number: int = signal.SIGTERM, seconds: float = PATIENCE) -> int:
        """Signal it and wait; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def printed(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def log(self) -> str:
        return (self.home / "logs" / "daemon.log").read_text(encoding="utf-8")


def environment_of(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "RETAKE_HOME": str(home), **(extra or {})}


@contextmanager
def daemon(home: Path, options: Sequence[str] = ("--port", "0"), *, environment: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    """Run `retake serve` with `options`; yields when it answers."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    output = home.parent / f"{home.name}-{time.monotonic_ns()}.txt"
    command = [sys.executable, "-m", "retake", "serve", *options]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, env=dict(environment or environment_of(home)), stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
    running = Daemon(home, process, output)
    try:
        wait_for_answer(running)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_answer(running: Daemon) -> None:
    def found() -> Connection | None:
        assert running.process.poll() is None, f"it ended:\n{running.printed()}"
        try:
            connection = Connection.find(running.home)
        except NoDaemon:
            return None
        return connection if connection.pid == running.process.pid else None

    connection = until(found, lambda: f"it does not answer:\n{running.printed()}")
    assert connection is not None
    Transport(connection, timeout=PATIENCE).call("GET", "/v1/health")
