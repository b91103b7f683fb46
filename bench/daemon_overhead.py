"""What the daemon and its queue add to a job, beside calling the pipeline directly.

    python bench/daemon_overhead.py HOME [--lines 20]

HOME is a home folder with an enrolled speaker (it is copied twice). Each line is rendered by `pipeline.render` in a warm process, and by a warm
worker of a real `retake serve`, asked and waited for over HTTP (event stream); in turn, in one run. Cached lines show the overhead alone.
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

from retake import pipeline
from retake.domain.progress import Progress
from retake.domain.take import TakeRequest
from retake.settings import prepare_process
from retake_client import Client
from retake_client.errors import ClientError

WORDS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "January", "February", "March", "April", "June")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--speaker", default="presenter")
    parser.add_argument("--lines", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        direct, served = Path(folder) / "direct", Path(folder) / "served"
        for home in (direct, served):
            shutil.copytree(options.home / "speakers", home / "speakers")
        prepare_process(direct)
        out = (Path(folder) / "out").open("wb")
        command = [sys.executable, "-m", "retake", "serve", "--port", "0"]
        daemon = subprocess.Popen(command, env={**os.environ, "RETAKE_HOME": str(served)}, stdout=out, stderr=out)
        try:
            measure(options, direct, served)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=30)


def measure(options: argparse.Namespace, direct: Path, served: Path) -> None:
    client = ready(served)
    texts = [f"See you on {WORDS[n % 12]}, or on {WORDS[(n * 5 + n // 12 + 1) % 12]}." for n in range(options.lines + 2)]
    figures: dict[str, list[float]] = {"direct": [], "daemon": [], "daemon, cached": [], "direct, cached": []}
    for number, text in enumerate(texts):
        request = TakeRequest(speaker=options.speaker, text=text, width=128, height=128)
        ways = [("direct", direct), ("daemon", served)]
        for again in ("", ", cached"):
            for way, home in ways if number % 2 else reversed(ways):
                seconds = by_call(request, home) if way == "direct" else by_daemon(request, client)
                if number >= 2:  # the first ones load what is loaded once
                    figures[way + again].append(seconds)
    print("| ms a line | min | median | p90 | max |\n|---|---|---|---|---|")
    for way, values in figures.items():
        ordered = sorted(value * 1000 for value in values)
        print(f"| {way} | {ordered[0]:.0f} | {statistics.median(ordered):.0f} | {ordered[int(0.9 * (len(ordered) - 1))]:.0f} | {ordered[-1]:.0f} |")
    for kind in ("", ", cached"):
        added = [1000 * (b - a) for a, b in zip(figures[f"direct{kind}"], figures[f"daemon{kind}"], strict=True)]
        print(f"\nadded by daemon and queue{kind}: median {statistics.median(added):.0f} ms of {len(added)} pairs")


def ready(home: Path) -> Client:
    deadline = time.monotonic() + 60
    while True:
        try:
            client = Client.local(home, name="bench", timeout=60.0)
            if any(worker["state"] == "ready" for worker in client.ready().get("workers", [])):
                return client
        except ClientError as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"the daemon does not answer: {error}") from error
        time.sleep(0.1)


def by_call(request: TakeRequest, home: Path) -> float:
    start = time.perf_counter()
    pipeline.render(request, home=home, output=None, progress=Progress())
    return time.perf_counter() - start


def by_daemon(request: TakeRequest, client: Client) -> float:
    start = time.perf_counter()
    job = client.submit({"kind": "line", "request": request.model_dump(mode="json")})
    done = client.wait(job["id"], seconds=120)
    seconds = time.perf_counter() - start
    assert done["state"] == "succeeded", done
    return seconds


if __name__ == "__main__":
    main()
