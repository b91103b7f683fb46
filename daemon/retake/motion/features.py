"""What the motion graph compares: pose, movement, gaze, lids and appearance of every frame of a reference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from retake.domain.phones import SILENCE
from retake.domain.rate import FrameRate
from retake.domain.timing import Timing
from retake.domain.track import FaceTrack
from retake.face.canonical import MOUTH, RIGID

Array = NDArray[np.float32]

THUMBNAIL = 48  # longest side of the pictures that are compared
_BROWS = (70, 105, 107, 336, 334, 300)
_POSE = RIGID + _BROWS
_OUTER_EYES = (33, 263)
_IRISES = ((468, 33, 133), (473, 362, 263))  # iris and the corners of its eye
_BLINKS = (9, 10)  # eyeBlinkLeft, eyeBlinkRight in the order of the blendshapes
_JAW_OPEN = 25
# A blink's peak lies this far above the lids' usual position, and it is over within this many seconds.
_BLINK_RISE = 0.25
_BLINK_SECONDS = 0.6


@dataclass(frozen=True)
class Features:
    """Of n frames. Distances between rows of `pose`, `velocity` and `gaze` are root mean squares in percent of the inter-ocular distance.

    pose: (n, d) where the face is in the picture; velocity: (n, d) its change in 40 ms; gaze: (n, 4) irises within their eyes;
    lids: (n, 2) 0 open .. 1 closed; grey: (n, p) appearance without the mouth, distances in grey levels (RMS);
    run: (n,) number of the unbroken stretch a frame belongs to, -1 without a face; activity: (n,) 1 where the person speaks;
    energy: (n,) rank of head and body movement, 0 still .. 1 liveliest; blinks: frames at which a blink peaks.
    """

    pose: Array
    velocity: Array
    gaze: Array
    lids: Array
    grey: Array
    run: NDArray[np.int32]
    cuts: NDArray[np.int32]
    activity: Array
    energy: Array
    blinks: NDArray[np.int32]

    def every(self, stride: int) -> Features:
        """Features of every `stride`-th frame; a frame whose followers up to the next belong to another stretch belongs to none. Cuts stay."""
        if stride == 1:
            return self
        whole = len(self.run) // stride
        pick = slice(0, whole * stride, stride)
        blocks = self.run[: whole * stride].reshape(whole, stride)
        run = np.where((blocks == blocks[:, :1]).all(1), blocks[:, 0], -1).astype(np.int32)
        blinks = np.unique(np.minimum(self.blinks // stride, whole - 1)).astype(np.int32)
        rest = (self.pose[pick], self.velocity[pick], self.gaze[pick], self.lids[pick], self.grey[pick])
        return Features(*rest, run=run, cuts=self.cuts, activity=self.activity[pick], energy=self.energy[pick], blinks=blinks)


def thumbnails(frames: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Small grey pictures of whole frames: (n, h, w) with a longest side of 48. Frames are RGB and read one at a time."""
    from PIL import Image

    out: list[NDArray[np.uint8]] = []
    size: tuple[int, int] | None = None
    for frame in frames:
        if size is None:
            height, width = frame.shape[:2]
            ratio = THUMBNAIL / max(height, width)
            size = max(1, round(width * ratio)), max(1, round(height * ratio))
        out.append(np.asarray(Image.fromarray(frame).convert("L").resize(size, Image.Resampling.BOX)))
    return np.stack(out) if out else np.zeros((0, 1, 1), np.uint8)


def measure(track: FaceTrack, small: NDArray[np.uint8], timing: Timing | None) -> Features:
    """Features of a reference from its track, its `thumbnails` and, if known, the timing of its words."""
    n = len(track)
    if len(small) != n:
        raise ValueError(f"{n} frames of landmarks, but {len(small)} thumbnails")
    found = track.found
    points = np.nan_to_num(track.landmarks)
    distance = np.linalg.norm(points[:, _OUTER_EYES[0], :2] - points[:, _OUTER_EYES[1], :2], axis=1)
    unit = float(np.median(distance[found])) / 100 if found.any() else 1.0
    pose = points[:, list(_POSE), :2].reshape(n, -1) / (unit * np.sqrt(len(_POSE)))
    gaze = np.concatenate([points[:, iris, :2] - (points[:, a, :2] + points[:, b, :2]) / 2 for iris, a, b in _IRISES], axis=1)
    gaze = gaze / (unit * np.sqrt(len(_IRISES)))
    lids = np.nan_to_num(track.blendshapes[:, list(_BLINKS)])
    grey = _appearance(track, small)
    cuts = find_cuts(pose, grey, found)
    run = _runs(found, cuts)
    velocity = _velocity(pose, run, track.rate)
    return Features(
        pose=pose.astype(np.float32),
        velocity=velocity.astype(np.float32),
        gaze=gaze.astype(np.float32),
        lids=lids.astype(np.float32),
        grey=grey,
        run=run,
        cuts=cuts,
        activity=_activity(track, timing),
        energy=_energy(velocity, grey, run, track.rate),
        blinks=find_blinks(lids, track.rate),
    )


def find_cuts(pose: Array, grey: Array, found: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Frames that begin a new shot.

    A cut stands out: the picture changes several times as much as between any neighbouring frames, and so does the place of the face
    (which tells it from a flash or a blink). Cuts between takes before the same background change the picture by only a few levels.
    """
    if len(pose) < 3:
        return np.zeros(0, np.int32)
    change = np.linalg.norm(np.diff(grey, axis=0), axis=1)
    shift = np.linalg.norm(np.diff(pose, axis=0), axis=1)
    known = found[:-1] & found[1:]
    out: list[int] = []
    for i in range(len(change)):
        around = np.r_[max(0, i - 6) : i, i + 1 : min(len(change), i + 7)]
        usual, most = float(np.median(change[around])) + 0.3, float(change[around].max(initial=0))
        # Cuts a few frames apart would hide each other from a test against the largest neighbour alone.
        stands_out = change[i] > 4 * usual and (change[i] > 1.8 * most or change[i] > 12)
        near = around[known[around]]
        usual_shift = float(np.median(shift[near])) if len(near) else 0.5
        moved = not known[i] or shift[i] > max(1.5, 2.5 * usual_shift)
        if stands_out and ((change[i] > 3 and moved) or change[i] > 30):
            out.append(i + 1)
    return np.array(out, np.int32)


def find_blinks(lids: Array, rate: FrameRate) -> NDArray[np.int32]:
    """Frames at which a blink peaks, from (n, 2) lid closures."""
    if not len(lids):
        return np.zeros(0, np.int32)
    closed = lids.mean(1)
    above = np.r_[False, closed > float(np.median(closed)) + _BLINK_RISE, False]
    edges = np.flatnonzero(above[1:] != above[:-1])
    longest = _BLINK_SECONDS * float(rate)
    peaks = [start + int(closed[start:end].argmax()) for start, end in zip(edges[::2], edges[1::2], strict=True) if end - start <= longest]
    return np.array(peaks, np.int32)


def speaking(timing: Timing, frames: int, rate: FrameRate) -> Array:
    """(frames,) 1 where something is said at the middle of a frame, 0 in silence, with flanks of 0.2 s."""
    out = np.zeros(frames, np.float32)
    middle = (np.arange(frames) + 0.5) / float(rate)
    for phone in timing.phones:
        if phone.symbol != SILENCE:
            out[(middle >= phone.start) & (middle < phone.end)] = 1
    return uniform_filter1d(out, max(1, round(0.2 * float(rate))), mode="nearest").astype(np.float32) if frames else out


def _activity(track: FaceTrack, timing: Timing | None) -> Array:
    if timing is not None and timing.phones:
        return speaking(timing, len(track), track.rate)
    jaw = np.nan_to_num(track.blendshapes[:, _JAW_OPEN])
    span = max(1, round(0.4 * float(track.rate)))
    movement = uniform_filter1d(np.abs(np.gradient(jaw)) if len(jaw) > 1 else np.zeros(len(jaw)), span, mode="nearest")
    top = float(np.percentile(movement, 75)) if len(movement) else 0.0
    return np.clip(movement / max(top, 1e-4), 0, 1).astype(np.float32)


def _appearance(track: FaceTrack, small: NDArray[np.uint8]) -> Array:
    """Grey values without the mouth and jaw, which are drawn anew in every take; scaled so that distances are RMS grey levels."""
    height, width = small.shape[1:]
    keep = np.ones((height, width), bool)
    found = track.found
    if found.any():
        mouth = track.landmarks[found][:, list(MOUTH), :2] * (width / track.width, height / track.height)
        # Median extents: a head that moves a lot would otherwise hide half the picture.
        left, top = np.median(mouth.min(1), axis=0)
        right, bottom = np.median(mouth.max(1), axis=0)
        keep[max(0, int(top)) : int(np.ceil(bottom)) + 1, max(0, int(left)) : int(np.ceil(right)) + 1] = False
    if not keep.any():
        keep[:] = True
    return small[:, keep].astype(np.float32) / np.float32(np.sqrt(keep.sum()))


def _runs(found: NDArray[np.bool_], cuts: NDArray[np.int32]) -> NDArray[np.int32]:
    begins = found.copy()
    begins[1:] &= ~found[:-1]
    begins[cuts] |= found[cuts]
    run = np.cumsum(begins).astype(np.int32) - 1
    run[~found] = -1
    return run


def _velocity(pose: Array, run: NDArray[np.int32], rate: FrameRate) -> Array:
    """Change in 40 ms, over ±2 frames within a run (landmarks tremble by more than a still head moves from frame to frame)."""
    n = len(pose)
    frames = np.arange(n)
    reach = max(1, round(0.08 * float(rate)))
    first, last = frames.copy(), frames.copy()
    for _ in range(reach):
        step = np.clip(last + 1, 0, n - 1)
        last = np.where(run[step] == run[frames], step, last)
        step = np.clip(first - 1, 0, n - 1)
        first = np.where(run[step] == run[frames], step, first)
    seconds = np.maximum(last - first, 1) / float(rate)
    return ((pose[last] - pose[first]) / seconds[:, None] * 0.04).astype(np.float32)


def _energy(velocity: Array, grey: Array, run: NDArray[np.int32], rate: FrameRate) -> Array:
    n = len(velocity)
    if n < 2:
        return np.zeros(n, np.float32)
    change = np.r_[0.0, np.linalg.norm(np.diff(grey, axis=0), axis=1) * (run[1:] == run[:-1])]
    span = max(1, round(0.2 * float(rate)))
    out = np.zeros(n)
    for values, share in ((np.linalg.norm(velocity, axis=1), 0.7), (change, 0.3)):
        smooth = uniform_filter1d(values, span, mode="nearest")
        out += share * smooth.argsort().argsort() / (n - 1)
    return out.astype(np.float32)
