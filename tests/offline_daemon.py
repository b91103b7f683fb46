"""Run by tests/test_serve_offline.py in a process that cannot leave the machine: a daemon, and everything asked of it over HTTP.

python offline_daemon.py REFERENCE   enrol REFERENCE first (its words beside it as .txt), then say a line
python offline_daemon.py             say a line of the enrolled presenter
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from retake_client import Client, NoDaemon

CONSENT = "Synthetic presenter, nobody's likeness."


def found(home: Path) -> Client:
    deadline = time.monotonic() + 60
    while True:
        try:
            return Client.local(home, name="offline test")
        except NoDaemon:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def leaves() -> bool:
    """Whether this process gets out: it must not."""
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=2).close()
    except PermissionError:
        return False
    except OSError:
        return True  # the guard would have refused before
    return True


def main() -> None:
    home = Path(os.environ["RETAKE_HOME"])
    daemon = subprocess.Popen([sys.executable, "-m", "retake", "serve", "--port", "0"], stdout=sys.stderr)
    try:
        client = found(home)
        speaker = "presenter"
        jobs = []
        if len(sys.argv) > 1:
            speaker, reference = "anna", Path(sys.argv[1])
            sent = client.upload(reference)
            words = reference.with_suffix(".txt").read_text(encoding="utf-8")
            job = client.enrol(speaker, sent["reference"], consent=CONSENT, transcript=words)
            jobs.append(client.wait(job["id"], seconds=500))
        job = client.submit({"kind": "line", "request": {"speaker": speaker, "text": "Nothing leaves this machine."}})
        jobs.append(client.wait(job["id"], seconds=300))
        size = 0
        if jobs[-1]["state"] == "succeeded":
            with tempfile.TemporaryDirectory() as folder:
                size = client.download_take(jobs[-1]["result"]["takes"][0], Path(folder) / "take.mp4").stat().st_size
        answer = {
            "states": [job["state"] for job in jobs],
            "errors": [job["error"] for job in jobs if job["error"]],
            "bytes": size,
            "leaves": leaves(),
        }
        client.call("POST", "/v1/shutdown")
        answer["code"] = daemon.wait(20)
        print(json.dumps(answer))
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait(10)


if __name__ == "__main__":
    main()
