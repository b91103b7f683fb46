"""How long the daemon takes to answer and to end, as a whole process.

    python bench/daemon_start.py [HOME] [--runs 6]

With HOME, a home folder with an enrolled speaker (it is copied), it is also ended while it renders, and the job is looked at after the next start.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from retake_client import Client, ClientError, Connection, NoDaemon

PROMISED_START, PROMISED_STOP = 3.0, 5.0


def start(home: Path) -> tuple[subprocess.Popen[bytes], float, float]:
    """A daemon that answers /v1/health, the seconds from the command to that answer, and how long it computed for it."""
    environment = {**os.environ, "RETAKE_HOME": str(home)}
    begun = time.perf_counter()
    command = [sys.executable, "-m", "retake", "serve", "--port", "0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        if process.poll() is not None:
            raise SystemExit(f"the daemon ended with {process.returncode}; see {home}/logs/daemon.log")
        try:
            Client(Connection.find(home)).health()
            seconds = time.perf_counter() - begun
            computed = psutil.Process(process.pid).cpu_times()
            return process, seconds, computed.user + computed.system
        except (NoDaemon, ClientError):
            time.sleep(0.005)


def stop(process: subprocess.Popen[bytes]) -> float:
    """Seconds from SIGTERM to the end of the process."""
    begun = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    assert code == 0, f"exit code {code}"
    return time.perf_counter() - begun


def idle(folder: Path, runs: int, *, fresh: bool) -> tuple[list[float], list[float], list[float]]:
    starts: list[float] = []
    computed: list[float] = []
    stops: list[float] = []
    home = folder / "idle"
    for _ in range(runs):
        if fresh:
            shutil.rmtree(home, ignore_errors=True)
        home.mkdir(mode=0o700, exist_ok=True)
        process, seconds, own = start(home)
        starts.append(seconds)
        computed.append(own)
        time.sleep(1.0)
        stops.append(stop(process))
    return starts, computed, stops


def rendering(home: Path, runs: int) -> tuple[list[float], list[str]]:
    """Seconds to end while frames are being made, and what becomes of the jobs."""
    stops: list[float] = []
    states: list[str] = []
    for number in range(runs):
        process, _, _ = start(home)
        client = Client.local(home, name="bench")
        speaker = client.speakers()[0]["name"]
        text = f"This is line number {number + 1}, and it is long enough to be interrupted while its frames are being made."
        job = client.submit({"kind": "line", "request": {"speaker": speaker, "text": text, "seed": number}})["id"]
        for event in client.events(job=job):
            if event.data.get("progress", {}).get("fps"):
                break
        stops.append(stop(process))
        process, _, _ = start(home)
        done = Client.local(home, name="bench").wait(job, seconds=600)
        states.append(f"{done['state']}, attempt {done['attempt']}")
        stop(process)
    return stops, states


def row(name: str, seconds: list[float], promised: float) -> str:
    return f"{name:<34} {statistics.median(seconds):6.2f} {max(seconds):6.2f} {promised:9.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("home", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="retake-bench-") as text:
        folder = Path(text)
        lines = [f"{'seconds':<34} median    max  promised"]
        for name, fresh in (("start, new home folder", True), ("start, again", False)):
            starts, computed, stops = idle(folder, options.runs, fresh=fresh)
            lines += [row(name, starts, PROMISED_START), row("  of it computing", computed, PROMISED_START)]
        lines.append(row("stop, nothing to do", stops, PROMISED_STOP))
        if options.home:
            shutil.copytree(options.home, folder / "home")
            stops, states = rendering(folder / "home", max(1, options.runs // 2))
            lines += [row("stop while rendering", stops, PROMISED_STOP), f"jobs after the next start: {'; '.join(states)}"]
        print("\n".join(lines))
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
