"""The daemon needs no network: enrol and say over HTTP in a process tree that has a loopback of its own and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from enrolled import PACKAGE, guarded_environment


def run(home: Path, log: Path, *arguments: str, seconds: float) -> dict[str, object]:
    environment = {**guarded_environment(home, log), "RETAKE_TEST_NETWORK": "loopback"}
    command = [sys.executable, str(Path(__file__).with_name("offline_daemon.py")), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(log: Path) -> list[str]:
    """What was tried, besides the try that shows that the guard works."""
    return [line for line in log.read_text(encoding="utf-8").splitlines() if "192.0.2.1" not in line]


def test_say_over_http(copy_of_presenter_home: Path, tmp_path: Path) -> None:
    log = tmp_path / "refused.txt"
    answer = run(copy_of_presenter_home, log, seconds=400)
    assert answer["states"] == ["succeeded"], answer["errors"]
    assert int(str(answer["bytes"])) > 10_000
    assert answer["leaves"] is False
    assert answer["code"] == 0
    assert refused(log) == []


@pytest.mark.slow
def test_enrol_and_say_over_http(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    log = tmp_path / "refused.txt"
    answer = run(tmp_path / "home", log, str(PACKAGE / "assets" / "presenter" / "presenter.mp4"), seconds=900)
    assert answer["states"] == ["succeeded", "succeeded"], answer["errors"]
    assert refused(log) == []


@pytest.mark.skipif(sys.platform != "linux", reason="networks of one's own are Linux's")
def test_the_own_network_has_nothing_but_a_loopback(tmp_path: Path) -> None:
    code = "import os, socket; print(os.environ['RETAKE_TEST_KERNEL_GUARD'], [name for _, name in socket.if_nameindex()])"
    environment = {**guarded_environment(tmp_path, tmp_path / "log"), "RETAKE_TEST_NETWORK": "loopback"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=600, check=True)
    made, _, names = done.stdout.strip().partition(" ")
    if made == "0":
        pytest.skip("this user may not make networks")
    assert names == "['lo']"
    assert os.environ.get("RETAKE_TEST_NETWORK") is None
