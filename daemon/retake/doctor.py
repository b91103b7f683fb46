"""`retake doctor`: everything around Retake that can be wrong, found before it costs minutes, each with its remedy."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from retake.domain.errors import RetakeError
from retake.settings import available_cores, load_settings

State = Literal["ok", "warning", "failed"]

DISTRIBUTION = "retake-studio"
OLDEST_PYTHON = (3, 11)
NEEDED_BYTES = 1_000_000_000  # a speaker takes tens of MB, an hour of takes about 2 GB
LEAST_BYTES = 200_000_000
# Loaded by MediaPipe at run time, also where it computes on the processor: file -> Debian package.
GRAPHICS_LIBRARIES = {"libEGL.so.1": "libegl1", "libGLESv2.so.2": "libgles2"}
NATIVE_MODULES = ("numpy", "scipy", "cv2", "mediapipe", "onnxruntime", "torch", "opentimelineio")


@dataclass(frozen=True)
class Check:
    """One thing looked at: a warning still lets Retake work."""

    name: str
    state: State
    detail: str
    remedy: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


def examine(home: Path) -> list[Check]:
    """Look at everything; never raises for something that is wrong, and changes nothing (a probe file is written and removed)."""
    checks: list[Callable[[Path], Check]] = [
        _python,
        _packages,
        _graphics_libraries,
        _native_modules,
        _codecs,
        _face_model,
        _home_writable,
        _disk_space,
        _settings,
        _speakers,
        _cores,
        _daemon,
    ]
    return [check(home) for check in checks]


def repair() -> list[str]:
    """Mend what can be mended from here: install the face landmark model. Returns what was done; raises RetakeError if it fails."""
    from retake.engines.models import face_landmarker_installed, install_face_landmarker

    if face_landmarker_installed():
        return []
    return [f"installed {install_face_landmarker()}"]


def _python(home: Path) -> Check:
    detail = f"Python {platform.python_version()} ({platform.python_implementation()}, {platform.machine()}) on {platform.platform(terse=True)}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Check("python", "failed", detail, "Install Python 3.11 or newer and run bootstrap.py with it.")
    if sys.maxsize < 2**32:
        return Check("python", "failed", f"{detail}, 32 bit", "Install a 64-bit Python.")
    return Check("python", "ok", detail)


def _packages(home: Path) -> Check:
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or ()]
    except importlib.metadata.PackageNotFoundError:
        return Check("packages", "failed", f"{DISTRIBUTION} is not installed", "Run 'python3 bootstrap.py setup'.")
    wrong: list[str] = []
    looked_at = 0
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        looked_at += 1
        try:
            installed = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(f"{requirement.name} is {installed}, wanted {requirement.specifier}")
    if wrong:
        return Check("packages", "failed", "; ".join(wrong), "Run 'python3 bootstrap.py setup' again; it restores the tested set.")
    return Check("packages", "ok", f"{looked_at} required packages, all in the wanted versions")


def _graphics_libraries(home: Path) -> Check:
    if sys.platform != "linux":
        return Check("graphics libraries", "ok", "part of this system")
    missing: list[str] = []
    for library, package in GRAPHICS_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    if missing:
        remedy = f"Install them: 'sudo apt install {' '.join(missing)}' on Debian and Ubuntu, 'sudo dnf install mesa-libEGL mesa-libGLES' on Fedora."
        return Check("graphics libraries", "failed", f"missing {', '.join(missing)}, which face tracking loads", remedy)
    return Check("graphics libraries", "ok", ", ".join(GRAPHICS_LIBRARIES))


def _native_modules(home: Path) -> Check:
    broken: list[str] = []
    for name in NATIVE_MODULES:
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:
            broken.append(f"{name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    if broken:
        remedy = "Install the system library that is named, or run 'python3 bootstrap.py setup' again."
        if sys.platform == "win32":
            remedy = "Install the Microsoft Visual C++ Redistributable (x64), then run 'python bootstrap.py setup' again."
        return Check("native modules", "failed", "; ".join(broken), remedy)
    return Check("native modules", "ok", ", ".join(NATIVE_MODULES))


def _codecs(home: Path) -> Check:
    try:
        from retake.media.codecs import library_versions, missing_codecs
    except ImportError as error:
        return Check("codecs", "failed", str(error), "Run 'python3 bootstrap.py setup' again.")
    missing = missing_codecs()
    if missing:
        return Check(
            "codecs", "failed", f"{library_versions()} lacks {', '.join(missing)}", "Install PyAV from its wheel: run 'python3 bootstrap.py setup'."
        )
    return Check("codecs", "ok", library_versions())


def _face_model(home: Path) -> Check:
    from retake.engines.models import FACE_LANDMARKER_NAME, FACE_LANDMARKER_SHA256, face_landmarker_installed

    if face_landmarker_installed():
        return Check("face model", "ok", f"{FACE_LANDMARKER_NAME}, SHA-256 {FACE_LANDMARKER_SHA256[:12]}... verified")
    return Check(
        "face model", "failed", f"{FACE_LANDMARKER_NAME} is missing or is another file", "Run 'retake doctor --fix' while connected; it is 4 MB."
    )


def _home_writable(home: Path) -> Check:
    place = _nearest_existing(home)
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".retake-doctor-"):
            return Check("home folder", "ok", f"{home} ({'writable' if place == home else 'will be made'})")
    except OSError as error:
        return Check(
            "home folder", "failed", f"{home} cannot be written ({error.strerror or error})", "Set RETAKE_HOME to a folder that you may write to."
        )


def _disk_space(home: Path) -> Check:
    free = shutil.disk_usage(_nearest_existing(home)).free
    detail = f"{free / 1e9:.1f} GB free"
    if free < LEAST_BYTES:
        return Check("disk space", "failed", detail, "Free some space, or set RETAKE_HOME to a folder on another disk.")
    if free < NEEDED_BYTES:
        return Check("disk space", "warning", detail, "Long takes may not fit; free some space.")
    return Check("disk space", "ok", detail)


def _settings(home: Path) -> Check:
    try:
        settings = load_settings(home)
    except RetakeError as error:
        return Check("settings", "failed", error.cause, error.remedy)
    changed = [name for name, value in settings if value != type(settings).model_fields[name].default]
    return Check("settings", "ok", f"changed: {', '.join(changed)}" if changed else "defaults")


def _speakers(home: Path) -> Check:
    from retake.speakers import store

    try:
        count = len(store.list_speakers(home))
    except RetakeError as error:
        return Check("speakers", "warning", error.cause, error.remedy)
    return Check("speakers", "ok", f"{count} enrolled")


def _cores(home: Path) -> Check:
    cores = available_cores()
    detail = f"{cores} available"
    with contextlib.suppress(AttributeError, ValueError, OSError):  # sysconf is not everywhere
        detail += f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB of memory"
    if cores < 2:
        return Check("cores", "warning", detail, "It works, but rendering takes about twice as long as stated.")
    return Check("cores", "ok", detail)


def _daemon(home: Path) -> Check:
    """None has to run; one that does must answer this installation."""
    from retake import __version__
    from retake_client import Client, ClientError, Connection, NoDaemon

    try:
        connection = Connection.find(home)
    except NoDaemon:
        return _port(home)
    except ClientError as error:
        return Check("daemon", "failed", error.cause, error.remedy)
    try:
        client = Client(connection, name="doctor", timeout=5.0)
        version = client.handshake()["version"]
    except ClientError as error:
        return Check("daemon", "failed", f"{connection.address}: {error.cause}", f"{error.remedy} Or restart it: 'retake stop', then 'retake serve'.")
    detail = f"{connection.address}, process {connection.pid}, version {version}"
    if version != __version__:
        return Check("daemon", "warning", f"{detail}; this is {__version__}", "Restart it: 'retake stop', then 'retake serve'.")
    try:
        client.ready()
    except ClientError as error:
        return Check("daemon", "warning", f"{detail}; {error.cause}", error.remedy)
    return Check("daemon", "ok", detail)


def _port(home: Path) -> Check:
    """Whether the daemon could be started where the settings want it."""
    import socket

    try:
        server = load_settings(home).server
    except RetakeError:
        return Check("daemon", "ok", "not running")  # the settings have a check of their own
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(server.listen, server.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        detail = f"not running; port {server.port} of {server.listen} cannot be used ({getattr(error, 'strerror', None) or error})"
        return Check("daemon", "warning", detail, "'retake serve' takes a free port then; or set another one as server.port in settings.json.")
    return Check("daemon", "ok", f"not running; port {server.port} is free")


def _nearest_existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
