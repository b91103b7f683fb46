"""The motion graph of a reference: its frames, and how a take may pass from one to another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.rate import FrameRate
from retake.domain.timing import Timing
from retake.domain.track import FaceTrack

from . import features as measured
from .features import Array, thumbnails
from .jumps import LEAST_RUN, Jumps, find_jumps

__all__ = ["MotionGraph", "build", "load", "thumbnails"]

FOLDER, FILE = "motion", "graph.safetensors"
FORMAT = 1
# Limits are widened step by step until the take can use this much of the reference; jumps cost the more the worse they are.
_COVER = 0.7
_FINEST = 30.0  # frames a second at which jumps are looked for
_RELAX = (1.0, 1.4, 2.0, 3.0, 4.5, 7.0, float("inf"))


@dataclass(frozen=True)
class MotionGraph:
    """Frames of a reference (n) and jumps between them.

    Fast references (50, 60 frames a second) are thinned out: the graph's n frames are every `stride`-th of the reference's `frames`.

    rate: of the graph's frames. cuts: in frames of the reference; everything else counts the graph's frames.
    run: (n,) number of the unbroken stretch of each frame, -1 without a face.
    open: (n,) True for frames from which every other open frame can be reached; paths stay on them and on what follows a jump.
    least_run: frames that follow every jump.
    activity: (n,) 1 where the person speaks; energy: (n,) rank of movement, 0..1; lids: (n,) 0 open .. 1 closed; blinks: frames of blinks.
    step_pose, step_grey: (3,) median, 90th and 99th percentile of the natural change from frame to frame (percent of the inter-ocular
    distance, grey levels). relax: by how much the limits had to be widened.
    """

    rate: FrameRate
    stride: int
    frames: int
    run: NDArray[np.int32]
    open: NDArray[np.bool_]
    least_run: int
    jumps: Jumps
    activity: Array
    energy: Array
    lids: Array
    blinks: NDArray[np.int32]
    cuts: NDArray[np.int32]
    step_pose: Array
    step_grey: Array
    relax: float

    def __len__(self) -> int:
        return len(self.run)

    def save(self, folder: Path) -> Path:
        """Write `motion/graph.safetensors` into a speaker's folder; returns its path."""
        from safetensors.numpy import save_file

        from retake.media.files import atomic

        tensors: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in _ARRAYS}
        tensors |= {f"jump_{name}": getattr(self.jumps, name) for name in _JUMPS}
        tensors["open"] = self.open.astype(np.uint8)
        about = {
            "format": FORMAT,
            "rate": str(self.rate),
            "stride": self.stride,
            "frames": self.frames,
            "least_run": self.least_run,
            "relax": None if np.isinf(self.relax) else self.relax,
        }
        path = folder / FOLDER / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as beside:
            save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, beside, metadata={"graph": json.dumps(about)})
        return path


_ARRAYS = ("run", "activity", "energy", "lids", "blinks", "cuts", "step_pose", "step_grey")
_JUMPS = ("source", "target", "cost", "pose", "grey", "length")


def build(track: FaceTrack, small: NDArray[np.uint8], timing: Timing | None = None) -> MotionGraph:
    """The motion graph of a reference.

    Args:
        track: landmarks of every frame.
        small: `thumbnails` of the same frames, (n, h, w).
        timing: when the reference's words are heard, if known; otherwise the jaw tells when the person speaks.

    Raises RetakeError when no stretch of the reference is long enough to move along.
    """
    stride = max(1, round(float(track.rate) / _FINEST))
    features = measured.measure(track, small, timing).every(stride)
    n = len(features.run)
    exact = FrameRate.from_fraction(track.rate.fraction / stride)
    rate = float(exact)
    longest = int(np.bincount(features.run[features.run >= 0]).max(initial=0)) if (features.run >= 0).any() else 0
    least_run = max(1, min(round(LEAST_RUN * rate), longest // 4))
    if longest < 1.0 * rate:
        raise RetakeError(
            f"The longest unbroken stretch with a face lasts {longest / rate:.1f} s.",
            "Use a reference with at least 8 s of one face, without cuts if possible.",
            code="reference_too_broken",
        )
    usable = int((features.run >= 0).sum())
    jumps, free, relax = find_jumps(features, rate, least_run, _RELAX[0]), np.zeros(n, bool), _RELAX[0]
    for relax in _RELAX:
        jumps = find_jumps(features, rate, least_run, relax)
        free = _largest_component(features.run, jumps, least_run)
        if free.sum() >= _COVER * usable:
            break
    inside = free[jumps.source] & free[np.minimum(jumps.target + least_run - 1, n - 1)] if len(jumps) else np.zeros(0, bool)
    if not inside.any():
        raise RetakeError(
            "The reference offers no way to continue beyond its end.", "Use a longer reference in which the person sits still.", code="no_motion"
        )
    joined = (features.run[1:] == features.run[:-1]) & (features.run[1:] >= 0)
    steps = [
        np.percentile(np.linalg.norm(np.diff(v, axis=0), axis=1)[joined], (50, 90, 99)).astype(np.float32) for v in (features.pose, features.grey)
    ]
    return MotionGraph(
        rate=exact,
        stride=stride,
        frames=len(track),
        run=features.run,
        open=free,
        least_run=least_run,
        jumps=jumps[inside],
        activity=features.activity.astype(np.float32),
        energy=features.energy,
        lids=features.lids.mean(1),
        blinks=features.blinks,
        cuts=features.cuts,
        step_pose=steps[0],
        step_grey=steps[1],
        relax=relax,
    )


def load(folder: Path) -> MotionGraph:
    """Read what `MotionGraph.save` wrote into a speaker's folder; raises RetakeError when it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    path = folder / FOLDER / FILE
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})["graph"])
            if about["format"] != FORMAT:
                raise ValueError(f"format {about['format']}")
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
            jumps = Jumps(**{name: file.get_tensor(f"jump_{name}") for name in _JUMPS})
            free = file.get_tensor("open").astype(bool)
        relax = float("inf") if about["relax"] is None else float(about["relax"])
        rate, stride, frames, least_run = FrameRate.parse(about["rate"]), int(about["stride"]), int(about["frames"]), int(about["least_run"])
        return MotionGraph(rate, stride, frames, open=free, least_run=least_run, jumps=jumps, relax=relax, **arrays)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise RetakeError(
            f"The motion graph of '{folder.name}' cannot be read ({error}).",
            "Enrol the speaker again.",
            kind=ErrorKind.ENVIRONMENT,
            code="bad_motion",
        ) from error


def _largest_component(run: NDArray[np.int32], jumps: Jumps, least_run: int) -> NDArray[np.bool_]:
    """(n,) frames of the largest strongly connected component, without dead ends: where a path can go on for ever, whatever came before.

    An edge leads from each frame to the next, and from the source of a jump to the end of the run that has to follow it.
    """
    n = len(run)
    here = np.flatnonzero((run[1:] == run[:-1]) & (run[1:] >= 0))
    rows = np.r_[here, jumps.source]
    columns = np.r_[here + 1, jumps.target + least_run - 1]
    matrix = coo_matrix((np.ones(len(rows), np.int8), (rows, columns)), shape=(n, n)).tocsr()
    count, label = connected_components(matrix, directed=True, connection="strong")
    if count == n:  # no cycle at all
        return np.zeros(n, bool)
    return label == np.bincount(label).argmax()
