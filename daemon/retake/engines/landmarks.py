"""Face landmarks by MediaPipe's FaceLandmarker (Tasks API, video mode): 478 points and 52 blendshapes a face.

MediaPipe is pinned: later releases report usage to their makers, and other models give other numbers.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import ErrorKind, RetakeError

from .models import face_landmarker

if TYPE_CHECKING:
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker

MEDIAPIPE_VERSION = "0.10.32"
POINTS = 478
BLENDSHAPES: tuple[str, ...] = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft",
    "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft",
    "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
_HARMLESS = ("I0", "W0", "INFO:", "WARNING: All log messages before absl::InitializeLog", "WARNING: Logging before InitGoogleLogging")


@dataclass(frozen=True)
class Detection:
    """Faces of one picture.

    landmarks: (faces, 478, 3) float32 in pixels of the picture given (z in the same unit, smaller is nearer).
    blendshapes: (faces, 52) float32 in 0..1, in the order of `BLENDSHAPES`.
    """

    landmarks: NDArray[np.float32]
    blendshapes: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.landmarks)


class FaceDetector:
    """Detects faces in the pictures of one video, in order. A context manager; not for several threads at once.

    Args:
        num_faces: most faces to look for.
        proxy: longest side at which is detected; larger pictures are scaled down first, landmarks come back in the picture's own pixels.
        model: the model file; None takes it from the model store.

    Raises RetakeError (ENVIRONMENT) when the native library or the model cannot be loaded.
    """

    def __init__(self, num_faces: int = 2, *, proxy: int = 640, model: Path | None = None) -> None:
        self._proxy = proxy
        self._last_ms = -1
        self._quiet_calls = 2  # the library logs while it sets up its first two detections
        self._landmarker: FaceLandmarker | None = _create(face_landmarker() if model is None else model, num_faces)

    def detect(self, image: NDArray[np.uint8], time_ms: int) -> Detection:
        """Faces in an RGB picture (h, w, 3). `time_ms` must grow from call to call (the model follows faces from one to the next)."""
        if self._landmarker is None:
            raise ValueError("the detector is closed")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"a picture is (h, w, 3) uint8, not {image.shape} {image.dtype}")
        if time_ms <= self._last_ms:
            raise ValueError(f"times must grow: {time_ms} ms after {self._last_ms} ms")
        self._last_ms = time_ms
        from mediapipe.tasks.python.vision.core.image import Image, ImageFormat

        height, width = image.shape[:2]
        # The library reads the buffer as if it were contiguous; faces silently vanish from views that are not.
        packed = Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(_shrink(image, self._proxy)))
        if self._quiet_calls:
            self._quiet_calls -= 1
            with _quiet_stderr():
                result = self._landmarker.detect_for_video(packed, time_ms)
        else:
            result = self._landmarker.detect_for_video(packed, time_ms)
        scale = np.array([width, height, width], np.float32)
        points = np.array([[(p.x, p.y, p.z) for p in face] for face in result.face_landmarks], np.float32).reshape(-1, POINTS, 3) * scale
        shapes = np.array([[c.score for c in face] for face in result.face_blendshapes], np.float32).reshape(-1, len(BLENDSHAPES))
        return Detection(points, shapes)

    def close(self) -> None:
        landmarker, self._landmarker = self._landmarker, None
        if landmarker is not None:
            with _quiet_stderr():
                landmarker.close()

    def __enter__(self) -> FaceDetector:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def check_native_library() -> None:
    """Load MediaPipe's native library, or raise RetakeError (ENVIRONMENT) naming what the system lacks. For `retake doctor`."""
    _check_version()
    try:
        from mediapipe.tasks.python.core.mediapipe_c_bindings import load_raw_library

        load_raw_library()
    except (OSError, ImportError) as error:
        raise _cannot_load(error) from error


def _create(model: Path, num_faces: int) -> FaceLandmarker:
    check_native_library()
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from mediapipe.tasks.python.vision.core.vision_task_running_mode import VisionTaskRunningMode
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker, FaceLandmarkerOptions

    # Given as bytes: the native code opens paths in its own way, which fails for some alphabets on Windows.
    options = FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
        running_mode=VisionTaskRunningMode.VIDEO,
        num_faces=num_faces,
        output_face_blendshapes=True,
    )
    try:
        with _quiet_stderr():
            return FaceLandmarker.create_from_options(options)
    except OSError as error:
        raise _cannot_load(error) from error
    except (RuntimeError, ValueError) as error:
        cause = f"The face landmark model could not be opened ({str(error).splitlines()[0][:200]})."
        raise RetakeError(cause, "Run 'retake doctor --fix' to fetch it again.", kind=ErrorKind.ENVIRONMENT, code="bad_face_model") from error


def _check_version() -> None:
    try:
        version = importlib.metadata.version("mediapipe")
    except importlib.metadata.PackageNotFoundError:
        version = "none"
    if version != MEDIAPIPE_VERSION:
        raise RetakeError(
            f"MediaPipe {MEDIAPIPE_VERSION} is needed, but {version} is installed.",
            f"Run 'python -m pip install mediapipe=={MEDIAPIPE_VERSION}' in Retake's environment (later releases report usage to their makers).",
            kind=ErrorKind.ENVIRONMENT,
            code="mediapipe_version",
        )


def _cannot_load(error: Exception) -> RetakeError:
    remedy = "Reinstall mediapipe in Retake's environment."
    if sys.platform.startswith("linux"):
        remedy = (
            "Install the system's EGL and GLES libraries (Debian, Ubuntu: 'sudo apt install libegl1 libgles2'; Fedora: 'libglvnd-egl libglvnd-gles')."
        )
    elif sys.platform == "win32":
        remedy = "Install the Microsoft Visual C++ Redistributable (x64)."
    return RetakeError(f"The face detector cannot be loaded ({error}).", remedy, kind=ErrorKind.ENVIRONMENT, code="face_detector")


def _shrink(image: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    ratio = longest / max(height, width)
    if ratio >= 1:
        return image
    from PIL import Image

    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX, reducing_gap=None))


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hold back what native code writes to the process's standard error, and let through what is not mere information.

    The library has no switch for its start-up messages. Only the file descriptor helps, so this wraps a few calls, never a whole job.
    """
    try:
        number = sys.__stderr__.fileno() if sys.__stderr__ is not None else 2
        sys.stderr.flush()
        kept = os.dup(number)
    except (OSError, ValueError, AttributeError):  # no standard error at all (a windowed program)
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), number)
        try:
            yield
        finally:
            os.dup2(kept, number)
            os.close(kept)
            caught.seek(0)
            for line in caught.read().decode(errors="replace").splitlines():
                if line.strip() and not line.startswith(_HARMLESS):
                    _emit(line)


def _emit(line: str) -> None:
    stream: Any = sys.stderr
    with contextlib.suppress(OSError, ValueError):
        print(line, file=stream)
