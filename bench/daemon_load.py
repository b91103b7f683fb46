"""Many clients while a render runs: latency of status calls, and what they cost the render.

    python bench/daemon_load.py HOME [--seconds 60] [--streams 50] [--rate 200] [--pairs 3]

HOME is a home folder with an enrolled speaker (it is copied). A real `retake serve` renders the same line with different seeds, in turn left alone
and with the load on it: event streams, and GET /v1/jobs/ID at a fixed rate over kept connections (latency counts from the moment a request was due).
The load comes from one process on this machine, on loopback, and stops by itself; what it costs itself is part of the slowdown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from daemon_overhead import ready

TEXT = (
    "Welcome back to the second part of our course on making bread at home. Today we look at flour, water, salt and time, and at what each of "
    "them does. A wet dough is harder to shape, but it gives a lighter crumb. Fold it every half hour, and keep it covered while it rests."
)
CONNECTIONS = 8


@dataclass
class Heard:
    """What the load process saw."""

    latencies: list[float] = field(default_factory=list)  # seconds
    errors: int = 0
    events: int = 0
    cpu: float = 0.0  # seconds of processor time


@dataclass(frozen=True)
class Load:
    """What the load process does."""

    address: str
    token: str
    job: str  # whose state is asked for
    streams: int
    rate: int  # requests a second
    seconds: float

    @property
    def place(self) -> tuple[str | None, int | None]:
        parts = urlsplit(self.address)
        return parts.hostname, parts.port

    @property
    def head(self) -> str:
        return f"Host: {urlsplit(self.address).netloc}\r\nAuthorization: Bearer {self.token}\r\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--speaker", default="presenter")
    parser.add_argument("--seconds", type=float, default=60.0, help="longest time of load in all")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--rate", type=int, default=200, help="requests a second")
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        shutil.copytree(options.home / "speakers", home / "speakers")
        out = (Path(folder) / "out").open("wb")
        command = [sys.executable, "-m", "retake", "serve", "--port", "0"]
        daemon = subprocess.Popen(command, env={**os.environ, "RETAKE_HOME": str(home)}, stdout=out, stderr=out)
        try:
            measure(options, home, psutil.Process(daemon.pid))
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=30)


def measure(options: argparse.Namespace, home: Path, daemon: psutil.Process) -> None:
    client = ready(home)
    record = json.loads((home / "daemon.json").read_text())

    def render(seed: int) -> float:
        request = {"speaker": options.speaker, "text": TEXT, "seed": seed}
        job = client.submit({"kind": "line", "request": request})
        begun = time.perf_counter()
        done = client.wait(job["id"], seconds=600)
        assert done["state"] == "succeeded", done
        return time.perf_counter() - begun

    render(0)  # speech and models
    alone: list[float] = []
    loaded: list[float] = []
    heard = Heard()
    served = 0.0
    target = client.jobs(limit=1)["jobs"][0]["id"]
    for pair in range(options.pairs):
        # The speech of each seed is new in both: the pair differs in the load alone.
        alone.append(render(10 + 2 * pair))
        answers: multiprocessing.Queue[Heard] = multiprocessing.Queue()
        share = options.seconds / options.pairs
        plan = Load(record["address"], record["token"], target, options.streams, options.rate, share)
        load = multiprocessing.Process(target=press, args=(plan, answers))
        before = sum(daemon.cpu_times()[:2])
        load.start()
        time.sleep(1.0)  # all streams are open
        loaded.append(render(11 + 2 * pair))
        part = answers.get(timeout=share + 60)
        load.join()
        served += sum(daemon.cpu_times()[:2]) - before
        heard.latencies += part.latencies
        heard.errors += part.errors
        heard.events += part.events
        heard.cpu += part.cpu
    ordered = sorted(heard.latencies)
    print(f"{len(ordered)} answers, {heard.errors} errors, {heard.events} events to {options.streams} streams")
    print("| latency | ms |\n|---|---|")
    for name, place in (("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)):
        print(f"| {name} | {1000 * ordered[int(place * (len(ordered) - 1))]:.1f} |")
    print(f"| max | {1000 * ordered[-1]:.1f} |")
    slow = statistics.median(b / a for a, b in zip(alone, loaded, strict=True))
    print(f"\nrender alone {listed(alone)} s; under load {listed(loaded)} s: {slow:.3f} x (median of pairs)")
    print(f"processor time: daemon {served:.1f} s, load itself {heard.cpu:.1f} s, in {options.seconds:.0f} s")


def listed(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def press(load: Load, answers: multiprocessing.Queue[Heard]) -> None:
    """Entry point of the load process."""
    heard = Heard()
    asyncio.run(_press(load, heard))
    heard.cpu = time.process_time()
    answers.put(heard)


async def _press(load: Load, heard: Heard) -> None:
    listening = [asyncio.create_task(listen(load, heard)) for _ in range(load.streams)]
    await asyncio.sleep(0.5)
    await asyncio.gather(*(ask(load, number / load.rate, heard) for number in range(CONNECTIONS)))
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)


async def ask(load: Load, offset: float, heard: Heard) -> None:
    """Send requests at fixed moments over one connection; latency counts from the moment at which each was due."""
    reader, writer = await asyncio.open_connection(*load.place)
    request = f"GET /v1/jobs/{load.job} HTTP/1.1\r\n{load.head}\r\n".encode()
    start = due = time.perf_counter() + offset
    while due < start + load.seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
        await reader.readexactly(length)
        heard.errors += b" 200 " not in lines[0] + b" "
        heard.latencies.append(time.perf_counter() - due)
        due += CONNECTIONS / load.rate
    writer.close()


async def listen(load: Load, heard: Heard) -> None:
    """Read an event stream until cancelled."""
    reader, writer = await asyncio.open_connection(*load.place)
    writer.write(f"GET /v1/events HTTP/1.1\r\n{load.head}Accept: text/event-stream\r\n\r\n".encode())
    try:
        while True:
            text = await reader.read(65536)
            if not text:
                heard.errors += 1
                return
            heard.events += text.count(b"\nid:") + text.startswith(b"id:")
    finally:
        writer.close()


if __name__ == "__main__":
    main()
