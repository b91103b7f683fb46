"""The renderer alone: true mouth shapes are drawn, detected again and compared with what was asked for.

    python bench/renderer.py VIDEO [--seconds 12.6] [--over SECOND] [--truth CLIP ...] [--frames 150] [--sheet FILE.png]

Learns the mouth from the first --seconds of VIDEO (all of it where --truth is given). The shapes asked for are those of the rest of VIDEO,
or of other clips of the same person (--truth). They are drawn over the frames they come from (self-reenactment), or, with --over or
--truth, over the reference from that second on, which is what a take does. Prints one line:

    lmd      distance between the lips asked for and the lips found, mean over 40 points, % of inter-ocular distance; inner, outer, jaw apart
    frozen   the same distance for a mouth that never moves: what `lmd` has to be compared with
    gap r    correlation of the openings asked for and found; amp: ratio of their standard deviations
    closed   frames whose lips meet as asked
    sharp    Laplacian variance of mouth crops over that of the real frames
    flicker  second difference of mouth crops over that of the real frames
    jitter   the same of lip points
    fps      frames a second of reading and drawing
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from retake.domain.motion import MotionPath
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.track import FaceTrack
from retake.engines.landmarks import FaceDetector
from retake.face import embedded, geometry
from retake.face.canonical import INNER_LIPS, JAW, LIPS, MOUTH, OUTER_LIPS, lip_gap, to_canonical
from retake.media.reference import ReferenceFrames, normalise
from retake.settings import prepare_process
from retake.speakers.track import follow

Image = NDArray[np.uint8]
CLOSED, NEARLY_CLOSED = 0.012, 0.02  # opening in IOD: as asked, as found
CROP = 96


def track(pictures: Iterable[Image], rate: FrameRate, progress: Progress) -> FaceTrack:
    """Landmarks of one face in every picture."""
    found, size = [], (0, 0)
    with FaceDetector(2) as detector:
        for number, picture in enumerate(pictures):
            progress.check()
            size = picture.shape[1], picture.shape[0]
            found.append(detector.detect(np.ascontiguousarray(picture), round(rate.seconds(number) * 1000)))
    return follow(found, rate, *size)


def head(whole: FaceTrack, count: int) -> FaceTrack:
    """The first frames of a track; the rest as if no face had been there, so that numbers keep their meaning."""
    landmarks, blendshapes = whole.landmarks.copy(), whole.blendshapes.copy()
    landmarks[count:], blendshapes[count:] = np.nan, np.nan
    return FaceTrack(landmarks, blendshapes, whole.faces, whole.rate, whole.width, whole.height)


def crop(image: Image, points: NDArray[np.floating]) -> Image:
    """The mouth, one IOD wide, eyes level."""
    eyes = points[263, :2] - points[33, :2]
    scale = CROP / np.linalg.norm(eyes)
    cosine, sine = eyes / np.linalg.norm(eyes) * scale
    matrix = np.array([[cosine, sine, 0], [-sine, cosine, 0]])
    matrix[:, 2] = CROP / 2 - matrix[:, :2] @ points[list(LIPS), :2].mean(0)
    return cv2.warpAffine(image, matrix, (CROP, CROP), flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)  # type: ignore[return-value]


def sharpness(crops: list[Image]) -> float:
    return float(np.median([cv2.Laplacian(cv2.cvtColor(c, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var() for c in crops]))


def flicker(crops: list[Image]) -> float:
    grey = np.array([cv2.GaussianBlur(cv2.cvtColor(c, cv2.COLOR_RGB2GRAY), (0, 0), 1).astype(np.float32) for c in crops])
    return float(np.abs(np.diff(grey, 2, axis=0)).mean())


def jitter(canonical: NDArray[np.floating]) -> float:
    return float(np.nanmean(np.linalg.norm(np.diff(canonical[:, list(LIPS), :2], 2, axis=0), axis=2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--seconds", type=float, default=12.6)
    parser.add_argument("--over", type=float)
    parser.add_argument("--truth", type=Path, nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    prepare_process(Path(tempfile.mkdtemp()))
    progress = Progress()
    with tempfile.TemporaryDirectory() as name:
        speaker = Path(name) / "speaker"
        speaker.mkdir()
        normal = normalise(options.video, speaker, progress, need_sound=False)
        reference = speaker / embedded.REFERENCE
        whole = track(ReferenceFrames(reference).read(range(normal.frames)), normal.rate, progress)
        count = len(whole) if options.truth else min(len(whole), normal.rate.frames(options.seconds))
        learnt = embedded.learn_pictures(speaker, head(whole, count), progress)
        if options.truth:
            real, truth = read_all(options.truth, Path(name), normal.rate, progress)
        else:
            last = min(len(whole), count + options.frames)
            real, truth = list(ReferenceFrames(reference).read(range(count, last))), whole.landmarks[count:last]
        real, truth = real[: options.frames], truth[: options.frames]
        start = count
        if options.over is not None or options.truth:
            start = normal.rate.frames(options.over or 0.0)
        else:
            show_all(speaker, whole, learnt)
        asked = at_rest(truth, learnt)
        usable = ~np.isnan(asked[:, 0, 0])
        asked, real, truth = asked[usable], [r for r, ok in zip(real, usable, strict=True) if ok], truth[usable]
        n = min(len(asked), len(whole) - start)
        asked, real, truth = asked[:n], real[:n], truth[:n]
        path = MotionPath(np.arange(start, start + n, dtype=np.int32), np.full(n, -1, np.int32), np.zeros(n, np.float32))
        clock = time.perf_counter()
        drawn = list(embedded.render_shapes(speaker, path, asked[:, list(MOUTH)], progress))
        seconds = time.perf_counter() - clock
    seen = track(drawn, normal.rate, progress).landmarks
    made = [crop(*p) for p in zip(drawn, seen, strict=True)]
    shown = [crop(*p) for p in zip(real, truth, strict=True)]
    report(f"{options.video.stem} {n / seconds:.0f} fps", asked, at_rest(seen, learnt), made, shown)
    if options.sheet:
        write_sheet(options.sheet, drawn, seen, real, truth)


def at_rest(landmarks: NDArray[np.float32], learnt: geometry.Geometry) -> NDArray[np.float32]:
    """(n, 478, 3) pixels -> canonical, the mouth less what the turn of the head adds."""
    canonical, pose = to_canonical(landmarks, learnt.template)
    vectors = geometry.turn_vectors(pose.rotation, learnt.middle)
    canonical[:, list(MOUTH)] -= np.einsum("na,akc->nkc", vectors, learnt.lean)
    return canonical


def show_all(speaker: Path, whole: FaceTrack, learnt: geometry.Geometry) -> None:
    """Self-reenactment draws over frames that were not learnt from: add where the face is in them, in the same template."""
    geometry.build(whole, learnt).save(speaker / embedded.FOLDER)


def read_all(clips: list[Path], folder: Path, rate: FrameRate, progress: Progress) -> tuple[list[Image], NDArray[np.float32]]:
    """Pictures and landmarks of several clips, one after another."""
    pictures: list[Image] = []
    landmarks = []
    for number, clip in enumerate(clips):
        place = folder / f"truth{number}"
        place.mkdir()
        normal = normalise(clip, place, progress, need_sound=False, rate=rate)
        own = list(ReferenceFrames(place / embedded.REFERENCE).read(range(normal.frames)))
        pictures += own
        landmarks.append(track(own, rate, progress).landmarks)
    return pictures, np.concatenate(landmarks)


def report(label: str, asked: NDArray[np.floating], seen: NDArray[np.floating], made: list[Image], real: list[Image]) -> None:
    """Print the figures; `label` names the clip and the speed."""

    def distance(points: tuple[int, ...]) -> float:
        return 100 * float(np.nanmean(np.linalg.norm((seen - asked)[:, list(points), :2], axis=2)))

    frozen = 100 * np.linalg.norm((asked - asked.mean(0))[:, list(LIPS), :2], axis=2).mean()
    want, have = lip_gap(asked[:, list(MOUTH)]), lip_gap(seen[:, list(MOUTH)])
    ok = ~np.isnan(have)
    closed = want < CLOSED
    parts = [
        f"lmd {distance(LIPS):.2f} (inner {distance(INNER_LIPS):.2f} outer {distance(OUTER_LIPS):.2f} jaw {distance(JAW):.2f}) frozen {frozen:.2f}",
        f"gap r {np.corrcoef(want[ok], have[ok])[0, 1]:.3f} amp {have[ok].std() / want[ok].std():.2f}",
        f"closed {(have[closed] < NEARLY_CLOSED).sum()}/{closed.sum()}",
        f"sharp {sharpness(made) / sharpness(real):.2f} flicker {flicker(made) / flicker(real):.2f} jitter {jitter(seen) / jitter(asked):.2f}",
    ]
    print(f"{label}: " + " | ".join(parts))


def write_sheet(path: Path, drawn: list[Image], seen: NDArray[np.floating], real: list[Image], truth: NDArray[np.floating]) -> None:
    """Mouths side by side: real above, drawn below."""
    rows = []
    for chosen in np.array_split(np.linspace(1, len(drawn) - 2, 24).astype(int), 3):
        rows.append(np.hstack([cv2.resize(crop(real[i], truth[i]), None, fx=2, fy=2) for i in chosen]))
        rows.append(np.hstack([cv2.resize(crop(drawn[i], seen[i]), None, fx=2, fy=2) for i in chosen]))
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
