"""The embedded lips engine: the person's own mouth, retrieved, warped and blended. Needs no GPU and no weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retake.domain.motion import MotionPath
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.speech import Speech
from retake.domain.timing import Timing
from retake.domain.track import FaceTrack

from . import bank, geometry
from .background import backgrounds, rotations
from .bank import MouthBank
from .canonical import MOUTH, to_canonical
from .compose import Compositor
from .geometry import Geometry
from .protocol import Image
from .retrieve import Retriever

Array = NDArray[np.float32]

FOLDER = "face"
REFERENCE = "reference.mp4"


def enrol(folder: Path, track: FaceTrack, timing: Timing, progress: Progress) -> None:
    """Learn a person's face from the reference in `folder` (a speaker's folder) and store it in `folder`/face.

    Args:
        folder: holds the normalised `reference.mp4`.
        track: face track of that video.
        timing: of the words that are spoken in it.

    Raises RetakeError when no frame shows the mouth.
    """
    from .shape import ShapeModel

    where = learn_pictures(folder, track, progress)
    progress.check()
    canonical, _ = to_canonical(track.landmarks, where.template)
    canonical[:, list(MOUTH)] -= where.turned(np.arange(len(track)))
    ShapeModel.fit(canonical, track.rate, timing, progress=progress).save(folder / FOLDER)


def learn_pictures(folder: Path, track: FaceTrack, progress: Progress) -> Geometry:
    """The part of `enrol` that needs no words: where the face is, and the mouth bank. Stored in `folder`/face."""
    from retake.media.reference import ReferenceFrames

    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    where = geometry.build(track)
    numbers = [int(i) for i in np.flatnonzero(where.found)]
    with ReferenceFrames(folder / REFERENCE) as frames:
        mouths = bank.build(zip(numbers, frames.read(numbers), strict=False), where, progress)
    where.save(target)
    mouths.save(target)
    return where


def render_shapes(speaker: Path, path: MotionPath, shapes: Array, progress: Progress) -> Iterator[Image]:
    """Draw given mouth shapes over a motion path.

    Args:
        speaker: the speaker's folder.
        path: n frames of the reference.
        shapes: (n, len(MOUTH), 3) canonical mouth shapes in the template of this speaker (`Geometry.load(speaker / FOLDER).template`), of a head at
            its usual: less what its turn adds (`Geometry.turned`).

    Yields (height, width, 3) uint8 RGB pictures at the reference's size.
    """
    from retake.media.reference import ReferenceFrames

    if len(shapes) != len(path):
        raise ValueError(f"{len(shapes)} mouth shapes for {len(path)} frames")
    where = Geometry.load(speaker / FOLDER)
    mouths = MouthBank.load(speaker / FOLDER)
    turned, found = rotations(path, where)
    chosen = Retriever(mouths).choose(shapes + where.turned(path.source), turned, found, progress)
    compositor = Compositor(mouths)
    with ReferenceFrames(speaker / REFERENCE) as frames, closing(backgrounds(path, shapes, where, frames)) as scenes:
        for i, scene in enumerate(scenes):
            progress.report(i / max(1, len(path)))
            yield compositor.draw(scene, int(chosen[i]))


class EmbeddedLips:
    """`LipsEngine` that predicts mouth shapes from phones and draws them with the person's own mouth."""

    name = "embedded"
    version = "1"

    def render(self, speaker: Path, path: MotionPath, speech: Speech, rate: FrameRate, progress: Progress) -> Iterator[Image]:
        """See `LipsEngine.render`."""
        from .shape import ShapeModel

        shapes = ShapeModel.load(speaker / FOLDER).predict(speech.timing, len(path), rate)
        yield from render_shapes(speaker, path, shapes, progress)
