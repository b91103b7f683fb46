"""An engine's own Python and packages, made by uv: it is quick, shares files between environments, and brings the Python that an engine needs."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from packaging.specifiers import SpecifierSet

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.media.files import atomic_json, check_space

from .manifest import Manifest
from .package_index import uv_settings

_MARK = "retake-environment.json"  # written last: an environment without it is unfinished
_KEPT_LINES = 40
_END_SECONDS = 5.0


@dataclass(frozen=True)
class Made:
    """An environment that is complete."""

    python: str
    packages: tuple[str, ...]


def python_of(folder: Path) -> Path:
    """The interpreter of an engine's environment."""
    return folder / "env" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def make(manifest: Manifest, folder: Path, progress: Progress, *, wheels: Path | None = None) -> Made:
    """Make the environment in `folder`/env, or find it made.

    Args:
        folder: of the engine; must exist.
        wheels: take packages from this folder and from nowhere else.

    Raises RetakeError (engine_environment, disk_full). Cancelled leaves an unfinished environment, which the next run makes anew.
    """
    made = _made(manifest, folder)
    if made is not None:
        return made
    check_space(folder, manifest.python.size_mb * 1_000_000)
    progress.stage("Making the environment")
    shutil.rmtree(folder / "env", ignore_errors=True)
    uv = _uv()
    _run([uv, "venv", "--quiet", "--python", _wanted_python(manifest), "--no-project", str(folder / "env")], folder, progress)
    if manifest.python.requirements:
        progress.stage("Installing packages")
        command = [uv, "pip", "install", "--python", str(python_of(folder)), "--only-binary", ":all:"]
        for name in manifest.python.source_only:
            command += ["--no-binary", name]
        if wheels is not None:
            command += ["--no-index", "--offline", "--find-links", str(wheels)]
        _run([*command, *manifest.python.requirements], folder, progress)
    listed = _run([uv, "pip", "list", "--python", str(python_of(folder)), "--format", "json"], folder, progress)
    packages = tuple(sorted(f"{entry['name']}=={entry['version']}" for entry in json.loads(listed)))
    version = _run([str(python_of(folder)), "-I", "-c", "import platform; print(platform.python_version())"], folder, progress).strip()
    atomic_json(folder / "env" / _MARK, {"key": manifest.environment_key, "python": version, "packages": packages})
    return Made(version, packages)


def _made(manifest: Manifest, folder: Path) -> Made | None:
    try:
        mark = json.loads((folder / "env" / _MARK).read_text(encoding="utf-8"))
        if mark["key"] == manifest.environment_key and python_of(folder).exists():
            return Made(str(mark["python"]), tuple(mark["packages"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def _wanted_python(manifest: Manifest) -> str:
    """This very interpreter where the engine works with it: nothing has to be fetched then."""
    if SpecifierSet(manifest.python.version).contains(platform.python_version()):
        return sys.executable
    return manifest.python.version


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise RetakeError(
            "The tool that makes environments for engines (uv) is missing.",
            "Install Retake's packages again, or run 'python -m pip install uv' in its environment.",
            kind=ErrorKind.ENVIRONMENT,
            code="engine_environment",
        ) from error


def _run(command: list[str], folder: Path, progress: Progress) -> str:
    """Run a command until it ends or is cancelled; returns its standard output. What it says on stderr is shown as the detail of the stage."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "CONDA"))}
    environment |= uv_settings()
    environment |= {
        "UV_NO_PROGRESS": "1",
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(folder.parent.parent / "cache" / "uv")),
        "UV_PYTHON_INSTALL_DIR": os.environ.get("UV_PYTHON_INSTALL_DIR", str(folder.parent / "pythons")),
    }
    said: list[str] = []
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise _failed(f"{Path(command[0]).name} cannot be run ({error.strerror or error})", []) from error
    with process:
        assert process.stdout is not None and process.stderr is not None
        answer: list[str] = []
        readers = [
            threading.Thread(target=_gather, args=(process.stderr, said, _KEPT_LINES), daemon=True),
            threading.Thread(target=_gather, args=(process.stdout, answer, 100_000), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
                progress.report(0.0, said[-1][:120] if said else "")
        finally:
            if process.poll() is None:  # cancelled
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_END_SECONDS)
                process.kill()
        for reader in readers:
            reader.join(_END_SECONDS)
    if process.returncode:
        raise _failed(f"{Path(command[0]).name} ended with {process.returncode}", said)
    return "\n".join(answer)


def _gather(stream: IO[str], lines: list[str], most: int) -> None:
    for line in stream:
        if line.strip():
            lines.append(line.strip())
            del lines[:-most]


def _failed(reason: str, said: list[str]) -> RetakeError:
    words = " ".join(said[-6:])[-500:]
    return RetakeError(
        f"The engine's environment could not be made: {reason}. {words}".strip(),
        "Check the connection and the package index that pip is set up for, and run it again.",
        kind=ErrorKind.ENVIRONMENT,
        code="engine_environment",
    )
