"""Where the face lies in every frame of the reference, steadied: what the renderer needs of the face track, and no more.

Landmarks of a detector shake by a fraction of a pixel from frame to frame; drawn with, they make a mouth swim on the face.
The head's position is therefore smoothed over time (a parabola over five frames, which follows nods without lag), and the
mouth is put back relative to the smoothed head: the shaking of a whole face at once, the larger part, is gone, while quick
closures of the lips stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.signal import savgol_filter
from scipy.spatial.transform import Rotation

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.track import FaceTrack
from retake.media.files import atomic

from .canonical import INDEX, JAW, LIPS, MOUTH, RIGID, Pose, make_template, similarity, to_canonical, to_image

Array = NDArray[np.float32]

# Points that hold the picture in place around the moving mouth and jaw: eyes, nose, upper cheeks, temples.
PINS = (33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 2, 98, 327, 129, 358, 50, 280, 205, 425, 36, 266, 116, 345, 234, 454, 93, 323, 132, 361, 127, 356)
# A half ring round the lower face in the canonical space, beyond chin and jaw: (x, y) from the centre of the mouth, in IOD.
RING = np.array(
    [
        (-1.05, -0.1),
        (-1.05, 0.25),
        (-0.95, 0.6),
        (-0.7, 0.85),
        (-0.35, 0.95),
        (0, 0.98),
        (0.35, 0.95),
        (0.7, 0.85),
        (0.95, 0.6),
        (1.05, 0.25),
        (1.05, -0.1),
    ],
    np.float32,
)
FILE = "geometry.safetensors"
FORMAT = 2
# Frames of a head turned by five degrees that it takes to believe half of what a turn seems to do.
LEAN_FRAMES, LEAN_ANGLE, LEAN_PARTS = 20, np.radians(5), 6
_LIP_ROWS = [INDEX[p] for p in LIPS]
_JAW_ROWS = [INDEX[p] for p in JAW]


@dataclass(frozen=True)
class Geometry:
    """Steadied landmarks of n frames of the reference; NaN rows where there is no face.

    template: (478, 3) canonical.
    mouth: (n, len(MOUTH), 3) canonical mouth shapes of the person.
    pins: (n, len(PINS), 2) and ring: (n, len(RING), 2) pixels.
    pose: similarity of each frame.
    middle: (3, 3) the usual rotation of the head.
    lean: (3, len(MOUTH), 3) what a turn of the head by one radian about each axis adds to the jaw of a mouth shape (0 for lips).
    size: (width, height) of the pictures.
    """

    template: Array
    mouth: Array
    pins: Array
    ring: Array
    pose: Pose
    middle: Array
    lean: Array
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.mouth)

    @property
    def found(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.pose.scale)

    @property
    def ring_shape(self) -> Array:
        return _ring(self.template)

    def turned(self, frames: NDArray[np.integer]) -> Array:
        """(m,) frame numbers -> (m, len(MOUTH), 3): what the turn of the head in those frames adds to a mouth shape.

        A detector's chin and cheeks are not quite those of a rigid head: they slide as it turns. Wanted shapes are of the head at its
        usual; without this they would pull the jaw line about whenever the head moves.
        """
        vectors = turn_vectors(self.pose.rotation[frames], self.middle)
        return np.einsum("na,akc->nkc", vectors, self.lean)

    def points(self, frames: NDArray[np.integer]) -> Array:
        """(m,) frame numbers -> (m, MOUTH + PINS + RING, 2) pixels."""
        mouth = to_image(self.mouth[frames], self.pose[frames])[..., :2]
        return np.concatenate([mouth, self.pins[frames], self.ring[frames]], 1)

    def save(self, folder: Path) -> None:
        with atomic(folder / FILE) as part:
            save_file(
                {
                    "template": self.template,
                    "mouth": self.mouth,
                    "pins": self.pins,
                    "ring": self.ring,
                    "scale": self.pose.scale,
                    "rotation": self.pose.rotation,
                    "shift": self.pose.shift,
                    "middle": self.middle,
                    "lean": self.lean,
                    "size": np.array(self.size, np.int32),
                    "format": np.array([FORMAT], np.int32),
                },
                part,
            )

    @classmethod
    def load(cls, folder: Path) -> Geometry:
        data = load_arrays(folder / FILE, FORMAT)
        pose = Pose(data["scale"], data["rotation"], data["shift"])
        width, height = (int(v) for v in data["size"])
        return cls(data["template"], data["mouth"], data["pins"], data["ring"], pose, data["middle"], data["lean"], (width, height))


def load_arrays(path: Path, version: int) -> dict[str, NDArray[Any]]:
    """Read arrays that an enrolment stored. Raises RetakeError where they are missing, damaged or of another format than `version`."""
    try:
        data = load_file(path)
    except (FileNotFoundError, SafetensorError):
        data = {}
    if "format" not in data or int(data["format"][0]) != version:
        cause = f"{path.name} of the speaker is missing, damaged or from another version."
        raise RetakeError(cause, "Enrol the speaker again.", kind=ErrorKind.ENVIRONMENT, code="speaker_damaged")
    return data


def _ring(template: Array) -> Array:
    """(len(RING), 3) canonical points around the lower face, at the depth of the jaw's edge."""
    centre = template[list(LIPS)].mean(0)
    depth = template[[172, 397, 152]].mean(0)[2]
    return np.c_[RING + centre[:2], np.full(len(RING), depth, np.float32)].astype(np.float32)


def turn_vectors(rotations: Array, middle: Array) -> Array:
    """(n, 3, 3) rotations -> (n, 3) rotation vectors from `middle`, radians; NaN stays NaN."""
    out = np.full((len(rotations), 3), np.nan, np.float32)
    ok = ~np.isnan(rotations[:, 0, 0])
    if ok.any():
        out[ok] = Rotation.from_matrix(rotations[ok].astype(np.float64) @ middle.T.astype(np.float64)).as_rotvec()
    return out


def _lean(mouth: Array, rotations: Array) -> tuple[Array, Array]:
    """Usual rotation (3, 3) and the ridge regression (Hoerl & Kennard 1970) of the jaw on the turn from it: (3, len(MOUTH), 3), 0 for lips."""
    u, _, vt = np.linalg.svd(np.median(rotations, axis=0).astype(np.float64))
    middle = (u @ vt).astype(np.float32)
    vectors = turn_vectors(rotations, middle)
    vectors = (vectors - vectors.mean(0)) / LEAN_ANGLE
    lips = (mouth[:, _LIP_ROWS] - mouth[:, _LIP_ROWS].mean(0)).reshape(len(mouth), -1).astype(np.float64)
    # Speech opens lips and jaw while the head nods to it: with the lips' own components among the causes, only what is left is the turn's.
    values, axes = np.linalg.eigh(lips.T @ lips / len(lips))
    speech = lips @ axes[:, -LEAN_PARTS:] / np.sqrt(np.maximum(values[-LEAN_PARTS:], 1e-9))
    causes = np.concatenate([vectors, speech], 1)
    jaw = (mouth[:, _JAW_ROWS] - mouth[:, _JAW_ROWS].mean(0)).reshape(len(mouth), -1)
    weights = np.linalg.solve(causes.T @ causes + LEAN_FRAMES * np.eye(causes.shape[1]), causes.T @ jaw)
    lean = np.zeros((3, *mouth.shape[1:]), np.float32)
    lean[:, _JAW_ROWS] = (weights[:3] / LEAN_ANGLE).reshape(3, len(_JAW_ROWS), 3)
    return middle, lean


def runs(landmarks: Array) -> list[tuple[int, int]]:
    """Stretches [start, end) of (n, 478, 3) landmarks with a face and without a cut.

    A cut is a jump of the head that stands out from its movement just before and after.
    """
    n = len(landmarks)
    found = ~np.isnan(landmarks[:, 0, 0])
    head = landmarks[:, list(RIGID), :2]
    size = np.nanmedian(np.linalg.norm(landmarks[:, 33, :2] - landmarks[:, 263, :2], axis=1)) if found.any() else 1.0
    step = np.linalg.norm(np.diff(head, axis=0), axis=2).mean(1) / size
    breaks = [0]
    for i in range(1, n):
        around = step[max(0, i - 4) : i - 1], step[i : i + 3]
        usual = np.nanmedian(np.concatenate(around)) if any(len(a) and not np.isnan(a).all() for a in around) else 0.0
        if found[i] != found[i - 1] or (found[i] and step[i - 1] > 0.025 + 4 * usual):
            breaks.append(i)
    breaks.append(n)
    return [(a, b) for a, b in pairwise(breaks) if b > a and found[a]]


def steady(values: Array, stretches: list[tuple[int, int]], window: int, order: int = 2) -> Array:
    """Smooth (n, ...) values over time within each stretch: Savitzky-Golay, zero phase. Shorter stretches use a shorter window."""
    out = values.copy()
    for start, end in stretches:
        width = min(window, end - start - (end - start + 1) % 2)
        if width > order:
            out[start:end] = savgol_filter(values[start:end], width, order, axis=0, mode="interp")
    return out


def build(track: FaceTrack, like: Geometry | None = None) -> Geometry:
    """Steady the landmarks of a track, in the space of its own or of another geometry. Raises RetakeError when no frame has a face."""
    if not track.found.any():
        raise RetakeError("No face was found in the reference.", "Use a clip in which one face looks at the camera.", code="no_face")
    landmarks = track.landmarks
    template = make_template(landmarks) if like is None else like.template
    canonical, raw = to_canonical(landmarks, template)
    stretches = runs(landmarks)
    # Five frames at 25 fps: the same time at other rates.
    window = max(5, round(float(track.rate) * 0.2) | 1)
    head = steady(landmarks[:, list(RIGID)], stretches, window)
    pose = Pose(raw.scale.copy(), raw.rotation.copy(), raw.shift.copy())
    found = track.found
    pose.scale[found], pose.rotation[found], pose.shift[found] = similarity(head[found], template[list(RIGID)])
    pins = steady(canonical[:, list(PINS)], stretches, 2 * window - 1)
    pins = to_image(pins, pose)[..., :2]
    ring = to_image(np.broadcast_to(_ring(template), (len(track), len(RING), 3)), pose)[..., :2]
    mouth = canonical[:, list(MOUTH)]
    middle, lean = _lean(mouth[found], pose.rotation[found]) if like is None else (like.middle, like.lean)
    return Geometry(
        template,
        np.ascontiguousarray(mouth),
        pins.astype(np.float32),
        ring.astype(np.float32),
        pose,
        middle,
        lean,
        (track.width, track.height),
    )
