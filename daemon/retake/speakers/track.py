"""The face of the speaker in every frame of a reference: detect, follow one person, keep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.track import FaceTrack
from retake.engines.landmarks import BLENDSHAPES, POINTS, Detection, FaceDetector

TRACK_FILE = "track.safetensors"
FORMAT = 1
# Detection sees pictures of at most this many pixels a side: more costs time and gains nothing, the model itself looks at 256.
PROXY = 640
# A face of less than this share of the speaker's size is a passer-by or a picture on the wall.
_COMPARABLE = 0.5
_CROWD = 0.5  # two comparable faces in more than this share of the frames: it is not clear who speaks
_ENOUGH = 0.6  # a face in fewer frames than this leaves too little to learn from
# The detector does not smooth when it looks for more than one face (its own filter is half a frame late). This share of each
# neighbour halves its noise without a delay; measured against the image's motion in docs/motion.md.
_SMOOTHING = 0.15
_LEAP = 10.0  # a leap by a face's size costs what about fifteen frames of a face are worth
_OUTER_EYES = (33, 263)


def track_faces(path: Path, rate: FrameRate, progress: Progress, *, frames: int | None = None, name: str = "") -> FaceTrack:
    """Landmarks of the speaker in every frame of a normalised reference.

    Follows one person where several are seen: the largest and most central face, without leaping from one to another.

    Args:
        path: the reference (constant rate, upright).
        rate: its frame rate.
        frames: number of frames, for the progress; None where it is unknown.
        name: what errors call the video; the file's own name if empty.

    Raises RetakeError: no face at all, two people throughout, or a face in fewer than 60 % of the frames.
    """
    from retake.media.reader import read_frames

    name = name or path.name
    full = next(iter(read_frames(path)), None)
    if full is None:
        raise RetakeError(f"{name} holds no picture.", "Use a video of one person talking.", code="no_picture")
    height, width = full.shape[:2]
    detections: list[Detection] = []
    with FaceDetector(2, proxy=PROXY) as detector:
        for number, picture in enumerate(read_frames(path, max_side=PROXY)):
            found = detector.detect(picture, round(rate.seconds(number) * 1000))
            scale = width / picture.shape[1]
            detections.append(Detection(found.landmarks * np.float32(scale), found.blendshapes))
            progress.frames(number + 1, frames or 0, f"{number + 1} frames")
    track = follow(detections, rate, width, height)
    check_track(track, detections, name)
    return track


def follow(detections: Sequence[Detection], rate: FrameRate, width: int, height: int) -> FaceTrack:
    """The track of one person out of the faces of each frame; frames without a face become NaN rows."""
    n = len(detections)
    landmarks = np.full((n, POINTS, 3), np.nan, np.float32)
    blendshapes = np.full((n, len(BLENDSHAPES)), np.nan, np.float32)
    for number, choice in enumerate(_choose(detections, width, height)):
        if choice >= 0:
            landmarks[number] = detections[number].landmarks[choice]
            blendshapes[number] = detections[number].blendshapes[choice]
    faces = np.array([len(d) for d in detections], np.uint8)
    return FaceTrack(smooth(landmarks), blendshapes, faces, rate, width, height)


def smooth(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero-phase three-frame average of (n, 478, 3) landmarks, only where both neighbours continue the same movement (not across cuts)."""
    if len(landmarks) < 3:
        return landmarks
    out = landmarks.copy()
    before, here, after = landmarks[:-2], landmarks[1:-1], landmarks[2:]
    size = np.linalg.norm(here[:, _OUTER_EYES[0], :2] - here[:, _OUTER_EYES[1], :2], axis=1)
    with np.errstate(invalid="ignore"):  # NaN rows compare as false and stay as they are
        step = np.maximum(*(np.linalg.norm((side - here)[:, :, :2], axis=2).mean(1) for side in (before, after)))
        joined = step < 0.2 * size
    mixed = (1 - 2 * _SMOOTHING) * here + _SMOOTHING * (before + after)
    out[1:-1][joined] = mixed[joined]
    return out


def check_track(track: FaceTrack, detections: Sequence[Detection], name: str) -> None:
    """Raise RetakeError for a track that nothing can be learnt from."""
    found = track.found
    if not found.any():
        raise RetakeError(
            f"No face was found in {name}.", "Use a clip in which one face, well lit and not too small, looks at the camera.", code="no_face"
        )
    crowd = float(np.mean([_has_company(detection) for detection in detections]))
    if crowd > _CROWD:
        raise RetakeError(
            f"{name} shows two people in {crowd:.0%} of its frames.", "Crop the video to the one who speaks, or use another clip.", code="two_faces"
        )
    share = float(found.mean())
    if share < _ENOUGH:
        raise RetakeError(
            f"A face was found in only {share:.0%} of the frames of {name}.",
            f"Cut the clip to where the face can be seen (at least {_ENOUGH:.0%} of the frames are needed).",
            code="face_mostly_missing",
        )


def save_track(folder: Path, track: FaceTrack) -> Path:
    """Write `track.safetensors` into a speaker's folder; returns its path."""
    from safetensors.numpy import save_file

    from retake.media.files import atomic

    tensors = {"landmarks": track.landmarks, "blendshapes": track.blendshapes, "faces": track.faces}
    about = {"format": FORMAT, "rate": str(track.rate), "width": track.width, "height": track.height}
    path = folder / TRACK_FILE
    with atomic(path) as beside:
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, beside, metadata={"track": json.dumps(about)})
    return path


def load_track(folder: Path) -> FaceTrack:
    """Read what `save_track` wrote; raises RetakeError when it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    path = folder / TRACK_FILE
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})["track"])
            landmarks, blendshapes, faces = (file.get_tensor(name) for name in ("landmarks", "blendshapes", "faces"))
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}")
        return FaceTrack(landmarks, blendshapes, faces, FrameRate.parse(about["rate"]), int(about["width"]), int(about["height"]))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise RetakeError(
            f"The face track of '{folder.name}' cannot be read ({error}).", "Enrol the speaker again.", kind=ErrorKind.ENVIRONMENT, code="bad_track"
        ) from error


def _choose(detections: Sequence[Detection], width: int, height: int) -> list[int]:
    """Which face of each frame is the speaker's (-1: none): the path of largest, most central faces with fewest leaps (Viterbi)."""
    most = max((len(d) for d in detections), default=0)
    if most <= 1:
        return [len(d) - 1 for d in detections]
    # Viterbi over the faces of each frame and, last, "hidden", which keeps the place of whoever was followed until then.
    back: list[NDArray[np.intp]] = []
    score = np.zeros(1)
    places: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None  # centres and sizes of the states; None until a face was seen
    for detection in detections:
        centre, size = _boxes(detection)
        offset = np.linalg.norm((centre - (width / 2, height / 2)) / (width, height), axis=1)
        merit = size / min(width, height) + 0.5 * (1 - offset)
        if places is None:
            back.append(np.zeros(len(size) + 1, np.intp))
            score = np.r_[merit, 0.0] if len(size) else np.zeros(1)
            places = (np.r_[centre, centre[:1]], np.r_[size, size[:1]]) if len(size) else None
            continue
        leap = np.linalg.norm(centre[:, None] - places[0][None], axis=2) / np.minimum(size[:, None], places[1][None])
        total = score[None] - _LEAP * np.minimum(leap, 1.0)
        hidden = int(score.argmax())
        back.append(np.r_[total.argmax(1), hidden].astype(np.intp))
        score = np.r_[merit + total.max(1), score[hidden]] if len(size) else score[hidden : hidden + 1]
        places = np.r_[centre, places[0][hidden : hidden + 1]], np.r_[size, places[1][hidden : hidden + 1]]
    out = [-1] * len(detections)
    state = int(score.argmax())
    for number in range(len(detections) - 1, -1, -1):
        if state < len(detections[number]):
            out[number] = state
        state = int(back[number][state])
    return out


def _boxes(detection: Detection) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(faces, 2) centres and (faces,) heights in pixels."""
    low, high = detection.landmarks[:, :, :2].min(1), detection.landmarks[:, :, :2].max(1)
    return ((low + high) / 2).astype(np.float64), (high - low)[:, 1].astype(np.float64) + 1e-6


def _has_company(detection: Detection) -> bool:
    if len(detection) < 2:
        return False
    sizes = np.sort(_boxes(detection)[1])
    return bool(sizes[-2] >= _COMPARABLE * sizes[-1])
