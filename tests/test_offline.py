"""Nothing leaves this machine: enrol and say run with every internet socket refused, and nothing installed reports usage.

How the network is refused, for the interpreter and for native code: tests/offline/sitecustomize.py. What dependencies would send: docs/privacy.md.
"""

from __future__ import annotations

import importlib.metadata
import json
import mmap
import re
import subprocess
import sys
from pathlib import Path

import pytest
from enrolled import ROOT, EnrolledHome, guarded_environment, run_retake

# Addresses and switches of usage reporting that were found in libraries of this kind.
REPORTING = re.compile(
    rb"OneCollector|mobile\.events\.data\.microsoft|play\.googleapis\.com/log|google-analytics\.com|\.sentry\.io|posthog\.com|segment\.io"
)

ATTEMPTS = """
import ctypes, os, socket, sys
refused = 0
for attempt in (lambda: socket.create_connection(("192.0.2.1", 80), timeout=5), lambda: socket.getaddrinfo("example.org", 80),
                lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))):
    try:
        attempt()
    except PermissionError:
        refused += 1
native = ctypes.CDLL(None).socket(2, 1, 0) if os.environ["RETAKE_TEST_KERNEL_GUARD"] == "1" else -1
local = socket.socketpair()
print(refused, native)
"""


def test_the_guard_refuses(tmp_path: Path) -> None:
    """The tests below mean nothing if the guard does not work."""
    environment = guarded_environment(tmp_path, tmp_path / "log")
    done = subprocess.run([sys.executable, "-c", ATTEMPTS], env=environment, capture_output=True, text=True, timeout=600, check=True)
    assert done.stdout.split() == ["3", "-1"], done.stderr
    assert "192.0.2.1" in (tmp_path / "log").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process forbid sockets to itself")
def test_the_kernel_refuses_native_code_as_well(tmp_path: Path) -> None:
    code = "import os; print(os.environ['RETAKE_TEST_KERNEL_GUARD'])"
    environment = guarded_environment(tmp_path, tmp_path / "log")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=600, check=True)
    assert done.stdout.strip() == "1"


def test_enrol_and_say_work_without_a_network(presenter_home: EnrolledHome, copy_of_presenter_home: Path, tmp_path: Path) -> None:
    assert presenter_home.refused == []  # it was enrolled without a network, and nothing asked for one
    log = tmp_path / "refused.txt"
    done = run_retake(["say", "Nothing leaves this machine.", "--speaker", "presenter", "--json"], copy_of_presenter_home, log=log)
    assert done.returncode == 0, done.stderr
    take = json.loads(done.stdout)
    assert all(Path(path).is_file() for path in take["files"].values())
    assert not log.exists(), log.read_text(encoding="utf-8")


def pinned() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line.split("==")[0] for line in lines if "==" in line and not line.startswith("#")]


@pytest.mark.parametrize("name", pinned())
def test_no_library_reports_usage(name: str) -> None:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("for another system")
    found: list[str] = []
    for file in distribution.files or ():
        path = Path(str(distribution.locate_file(file)))
        if not re.search(r"\.(so|pyd|dll|dylib)(\.[\d.]+)?$", path.name) or not path.is_file() or path.stat().st_size == 0:
            continue
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found += [f"{path.name}: {match.group().decode()}" for match in REPORTING.finditer(content)]
    assert not found


def test_the_pins_that_keep_reporting_out() -> None:
    """Later versions of these report usage to their makers; whoever raises the pins reads docs/privacy.md first."""
    assert importlib.metadata.version("mediapipe") == "0.10.32"
    assert tuple(int(part) for part in importlib.metadata.version("onnxruntime").split(".")[:2]) < (1, 29)
