"""What tests know of this project and its environments: folders, an enrolled presenter's home, processes that cannot reach the network."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "daemon" / "retake"
GUARD = Path(__file__).parent / "offline"


@dataclass(frozen=True)
class EnrolledHome:
    """A home folder with the presenter in it. `refused` lists the connections that were tried (and refused) while it was enrolled."""

    path: Path
    refused: list[str]


def face_model() -> Path | None:
    """The installed face model of this machine's user, fetched once if need be; None where it cannot be had (tests that need it then fail)."""
    if not _MODEL:
        from retake.domain.errors import RetakeError
        from retake.engines.models import face_landmarker

        try:
            _MODEL.append(face_landmarker())
        except RetakeError:
            _MODEL.append(None)
    return _MODEL[0]


_MODEL: list[Path | None] = []


def guarded_environment(home: Path, log: Path) -> dict[str, str]:
    """Environment in which a Python process of ours refuses every connection that leaves this machine, and notes it in `log`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHON"))}
    environment["PYTHONPATH"] = str(GUARD)
    environment["RETAKE_HOME"] = str(home)
    environment["RETAKE_TEST_REFUSED"] = str(log)
    model = face_model()
    if model is not None:
        environment["RETAKE_FACE_LANDMARKER"] = str(model)
    return environment


def run_retake(arguments: list[str], home: Path, *, log: Path, timeout: float = 3000.0) -> subprocess.CompletedProcess[str]:
    """Run a command of Retake in a process of its own that cannot reach the network."""
    command = [sys.executable, "-m", "retake", *arguments]
    return subprocess.run(command, env=guarded_environment(home, log), capture_output=True, text=True, timeout=timeout, check=False)
