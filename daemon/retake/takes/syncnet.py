"""LSE-D and LSE-C: how far a network that knows lips and sound finds the two apart (Chung & Zisserman 2016; as a score: Prajwal et al. 2020).

A clip at 25 frames a second is looked at five pictures at a time, and listened to 0.2 s at a time. The distance between what is seen and what is
heard is taken at every shift of up to 15 frames and averaged over the clip: LSE-D is the smallest of these means, LSE-C the median less the smallest.
Runs when the user has the network's weights; they do not come along.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.track import FaceTrack
from retake.face.lips_crop import OVAL
from retake.media.audio import read_audio
from retake.media.probe import probe
from retake.media.reader import read_frames

from .syncnet_sound import PER_SECOND, RATE, mfcc

if TYPE_CHECKING:
    from .syncnet_net import SyncNet

Array = NDArray[np.float32]
Image = NDArray[np.uint8]

PICTURES = 5
HEARD = 20  # columns of coefficients beside them
FPS = 25
REACH = 15  # frames
SIDE = 224
SHORTEST = 2 * REACH  # windows; a shorter clip has hardly a shift at which all of it meets sound
GAP = 25  # frames without a face over which its place is carried on
_PER_FRAME = PER_SECOND // FPS
_BATCH = 8
# The crop reaches this share of half the face's size beyond it on either side, and twice that below; what lies outside the picture is grey.
_MARGIN, _GREY = 0.4, 110
_STEADY = 13  # frames, of the median filter over places and sizes
_EPS = 1e-6  # added to differences, as PyTorch's distance does


@dataclass(frozen=True)
class Synchrony:
    """lse_d: smaller is better; lse_c: larger is better; offset: frames by which the picture is late; windows: how many were looked at."""

    lse_d: float
    lse_c: float
    offset: int
    windows: int


class Judge:
    """The network in a file of weights, and what it says of clips. Raises RetakeError (bad_syncnet) for a file that is something else."""

    def __init__(self, weights: Path) -> None:
        from .syncnet_net import load

        self._network = load(weights)

    def figures(self, clip: Path, track: FaceTrack, progress: Progress) -> dict[str, float | int]:
        """The figures of a clip as a score shows them; see `measure`."""
        found = measure(clip, track, self._network, progress)
        return {"lse_d": round(found.lse_d, 3), "lse_c": round(found.lse_c, 3), "offset": found.offset, "windows": found.windows}


def measure(clip: Path, track: FaceTrack, network: SyncNet, progress: Progress) -> Synchrony:
    """Measure a clip.

    Args:
        track: of the clip's face, at its own rate.
        network: see `syncnet_net.load`.

    The longest stretch with a face is looked at. Raises RetakeError: no_sound, no_face, syncnet_too_short.
    """
    import torch

    if not probe(clip).has_audio:
        raise RetakeError(f"{clip.name} has no sound.", "Use a clip with sound.", code="no_sound")
    coefficients = mfcc(read_audio(clip, RATE))
    boxes, first = _boxes(track)
    count = min(len(boxes), coefficients.shape[1] // _PER_FRAME - first) - PICTURES
    if count < SHORTEST:
        cause = f"{clip.name} shows a face with sound for {max(0, count + PICTURES) / FPS:.1f} s, which is too short for SyncNet."
        raise RetakeError(cause, f"Give it {(SHORTEST + PICTURES) / FPS:.1f} s and more.", code="syncnet_too_short")
    coefficients = coefficients[:, first * _PER_FRAME :]
    sound, lips = [], []
    with torch.inference_mode():
        windows = np.stack([coefficients[:, _PER_FRAME * i : _PER_FRAME * i + HEARD] for i in range(count)])[:, None]
        for start in range(0, count, 16 * _BATCH):
            progress.check()
            sound.append(network.sound(torch.from_numpy(np.ascontiguousarray(windows[start : start + 16 * _BATCH]))))
        done = 0
        for batch in _batches(clip, boxes[: count + PICTURES], first, count):
            progress.report(done / count)
            lips.append(network.lips(torch.from_numpy(batch)))
            done += len(batch)
    return score(torch.cat(lips).numpy(), torch.cat(sound).numpy())


def score(lips: Array, sound: Array, reach: int = REACH) -> Synchrony:
    """Both scores of rows of numbers (n, d) of what is seen and heard at the same times."""
    mean = distances(lips, sound, reach).mean(1)
    best = int(mean.argmin())
    return Synchrony(float(mean[best]), float(np.median(mean) - mean[best]), reach - best, len(lips))


def distances(lips: Array, sound: Array, reach: int = REACH) -> Array:
    """(2 * reach + 1, n): how far the lips of each window are from the sound that comes -reach..reach windows later; beyond the ends, from zeros."""
    n = len(lips)
    padded = np.pad(sound, ((reach, reach), (0, 0)))
    return np.stack([np.linalg.norm(lips - padded[shift : shift + n] + np.float32(_EPS), axis=1) for shift in range(2 * reach + 1)])


def _boxes(track: FaceTrack) -> tuple[NDArray[np.float64], int]:
    """(n, 3) middle x, y and half size of the face at FPS in the longest stretch with a face, and the stretch's first frame."""
    found = np.flatnonzero(track.found)
    if not len(found):
        raise RetakeError("No face was found in the clip.", "SyncNet needs one.", code="no_face")
    cuts = np.flatnonzero(np.diff(found) / float(track.rate) * FPS > GAP)
    stretches = np.split(found, cuts + 1)
    frames = max(stretches, key=lambda stretch: stretch[-1] - stretch[0])
    points = track.landmarks[frames][:, list(OVAL), :2].astype(np.float64)
    low, high = points.min(1), points.max(1)
    places = np.c_[(low + high) / 2, (high - low).max(1) / 2]
    times = frames / float(track.rate)
    first, last = int(np.ceil(times[0] * FPS - 1e-6)), int(np.floor(times[-1] * FPS + 1e-6))
    at = np.arange(first, last + 1) / FPS
    even = np.stack([np.interp(at, times, column) for column in places.T], 1)
    return median_filter(even, size=(_STEADY, 1), mode="nearest"), first


def _batches(clip: Path, boxes: NDArray[np.float64], first: int, count: int) -> Iterator[Array]:
    """(up to _BATCH, 3, PICTURES, SIDE, SIDE) windows in order; memory does not grow with the clip."""
    pictures = itertools.islice(read_frames(clip, rate=FrameRate(FPS)), first, None)
    recent: deque[Array] = deque(maxlen=PICTURES)
    batch: list[Array] = []
    made = 0
    for box, picture in zip(boxes, pictures, strict=False):
        recent.append(face_crop(picture, box).transpose(2, 0, 1)[::-1].astype(np.float32))
        if len(recent) < PICTURES or made == count:
            continue
        batch.append(np.stack(recent, 1))
        made += 1
        if len(batch) == _BATCH or made == count:
            yield np.stack(batch)
            batch = []
    if batch:  # the file holds fewer pictures than were expected
        yield np.stack(batch)


def face_crop(picture: Image, box: NDArray[np.float64]) -> Image:
    """(SIDE, SIDE, 3): the face with its margin, more of it below; grey where the picture ends."""
    x, y, half = box
    length = 2 * half * (1 + _MARGIN)
    finer = int(np.clip(np.ceil(length / SIDE), 1, 8))
    step = length / (SIDE * finer)
    matrix = np.array([[step, 0, x - length / 2 + step / 2 - 0.5], [0, step, y - half + step / 2 - 0.5]])
    out = cv2.warpAffine(
        picture,
        matrix,
        (SIDE * finer, SIDE * finer),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(_GREY,) * 3,
    )
    return np.asarray(out if finer == 1 else cv2.resize(out, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
