"""Blender as a Python module, in environments of its own (`.blender/4.5`, `.blender/5.0`), for the tests of the extension.

Only the standard library: `bootstrap.py test --blender` runs this file before anything is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VERSIONS = ("4.5", "5.0")
PYTHON = (3, 11)  # bpy's wheels are for the very Python that Blender brings
NEEDED_BYTES = 2_500_000_000  # of one environment while it is installed: 0.95 GB, the download, and its copy in pip's cache
STALLED_SECONDS = 1800.0

Told = Callable[[str], None]


class BlenderSetupError(Exception):
    """Something a user can react to: cause and remedy."""


def folder(version: str, root: Path = ROOT) -> Path:
    return root / ".blender" / version


def python_of(version: str, root: Path = ROOT) -> Path:
    """The interpreter in which ``import bpy`` gives this version of Blender; it need not be there."""
    place = folder(version, root)
    return place / "Scripts" / "python.exe" if os.name == "nt" else place / "bin" / "python"


def lock_of(version: str) -> Path:
    return HERE / f"bpy-{version}.lock"


def available(root: Path = ROOT) -> list[str]:
    """The versions whose environments hold exactly what their lock files say."""
    return [version for version in VERSIONS if is_done(version, root)]


def is_done(version: str, root: Path = ROOT) -> bool:
    """Whether the environment holds exactly what its lock file says; asks the environment itself, so a half-made one does not count."""
    python = python_of(version, root)
    if not python.is_file():
        return False
    question = "import importlib.metadata as m; print('\\n'.join(f'{d.name}=={d.version}' for d in m.distributions()))"
    try:
        answer = subprocess.run([str(python), "-I", "-c", question], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    installed = {line.strip().lower().replace("_", "-") for line in answer.stdout.splitlines()}
    return answer.returncode == 0 and pins(lock_of(version)) <= installed


def pins(lock: Path) -> set[str]:
    """{"bpy==4.5.15", ...}: names in lower case."""
    lines = (line.split(" ")[0].strip() for line in lock.read_text(encoding="utf-8").splitlines())
    return {line.lower().replace("_", "-") for line in lines if "==" in line and not line.startswith("#")}


def make_all(root: Path = ROOT, told: Told = print) -> None:
    """Make what is missing; a second call does nothing. Raises BlenderSetupError with cause and remedy."""
    for version in VERSIONS:
        if not is_done(version, root):
            make(version, root, told)


def make(version: str, root: Path = ROOT, told: Told = print) -> None:
    """Make one environment anew. About 1 GB on the disk, of which 0.4 GB are downloaded."""
    python = python_3_11()
    place = folder(version, root)
    place.parent.mkdir(exist_ok=True)
    free = shutil.disk_usage(place.parent).free
    if free < NEEDED_BYTES:
        raise BlenderSetupError(f"{place.parent} has {free / 1e9:.1f} GB left; Blender {version} needs {NEEDED_BYTES / 1e9:.1f} GB. Free some space.")
    if place.is_symlink():
        place.unlink()
    started = time.monotonic()
    told(f"Making {place}")
    _run([python, "-m", "venv", "--clear", str(place)], f"The environment {place} could not be made.")
    lock = lock_of(version)
    arguments = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--only-binary=:all:", "--no-deps", "--require-hashes"]
    told(f"Installing {lock.name} ({len(pins(lock))} packages, 0.4 GB to download) ...")
    command = [str(python_of(version, root)), "-u", "-m", "pip", "install", *arguments, "-r", str(lock)]
    _run(command, f"Blender {version} could not be installed.", told)
    if not is_done(version, root):
        raise BlenderSetupError(f"{place} does not hold what {lock.name} says after it was installed. Remove the folder and run this again.")
    told(f"  Blender {version} is ready after {time.monotonic() - started:.0f} s")


def python_3_11() -> str:
    """An interpreter of the version that bpy needs: this one, or another one of this machine."""
    if sys.version_info[:2] == PYTHON:
        return sys.executable
    name = f"python{PYTHON[0]}.{PYTHON[1]}"
    found = shutil.which(name)
    if found is not None and _version_of([found]) == PYTHON:
        return found
    launcher = shutil.which("py")  # Windows
    if launcher is not None and _version_of([launcher, f"-{PYTHON[0]}.{PYTHON[1]}"]) == PYTHON:
        return _line([launcher, f"-{PYTHON[0]}.{PYTHON[1]}", "-c", "import sys; print(sys.executable)"])
    raise BlenderSetupError(
        f"Blender as a Python module needs exactly Python {PYTHON[0]}.{PYTHON[1]}; this is {sys.version_info[0]}.{sys.version_info[1]}, "
        f"and there is no {name} on the path. Install it, or run the tests without --blender."
    )


def _version_of(command: list[str]) -> tuple[int, int] | None:
    answer = _line([*command, "-c", "import sys, venv; print(*sys.version_info[:2])"])
    parts = answer.split()
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 and all(part.isdigit() for part in parts) else None


def _line(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _run(command: list[str], failure: str, told: Told | None = None) -> None:
    """Run to the end, telling every few seconds that it goes on; raises BlenderSetupError with the last words of what failed."""
    started = shown = time.monotonic()
    tail: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        assert process.stdout is not None
        for line in process.stdout:
            tail = [*tail, line.strip()][-20:]
            now = time.monotonic()
            if now - started > STALLED_SECONDS:
                process.kill()
            if told is not None and (now - shown > 3 or "Downloading bpy" in line or line.startswith("Installing")):
                shown = now
                told(f"  {now - started:4.0f} s  {line.strip()[:100]}")
    if process.returncode != 0:
        reason = next((line for line in reversed(tail) if line.startswith("ERROR")), tail[-1] if tail else "it ended at once")
        raise BlenderSetupError(f"{failure} {reason} Check the connection and the disk, and run it again; it goes on from here.")


if __name__ == "__main__":
    try:
        make_all(told=lambda line: print(line, flush=True))
    except BlenderSetupError as problem:
        sys.exit(f"Error: {problem}")
