"""Lips of engines that live in their own process: faces are found, cut out, put back and kept at rest in pauses here, and drawn there."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retake.domain.motion import MotionPath
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.speech import Speech
from retake.engines import registry
from retake.engines.hosts import Hosts, hosts

from .background import Background, backgrounds, rotations
from .bank import MouthBank
from .compose import Compositor
from .embedded import FOLDER, REFERENCE
from .geometry import Geometry
from .lips_crop import Crop, crops, cut, paste
from .lips_gate import shown
from .lips_host import Conversation
from .protocol import Image
from .retrieve import Retriever

PICTURE = "1"  # changes whenever what is done here changes the picture
CHUNK = 16  # frames sent at once: more gains nothing (docs/lips-engines.md)
CHUNK_BYTES = 96_000_000  # of pictures that wait for their mouths; there are two chunks of them at most


@dataclass
class _Waiting:
    """A frame on its way: the rest of it is drawn, its mouth may be at work."""

    scene: Background
    crop: Crop
    share: float  # of the engine's mouth

    @property
    def sent(self) -> bool:
        return self.scene.points is not None and self.share > 0 and self.crop.usable


class HostedLips:
    """`LipsEngine`. Installed engines are looked up anew for every take, so that one that is renewed or removed is noticed.

    Args:
        home: Retake's folder.
        name: of an installed lips engine.
    """

    def __init__(self, home: Path, name: str, *, pool: Hosts | None = None) -> None:
        self.name = name
        self._home = home
        self._pool = pool
        self._engine()

    @property
    def version(self) -> str:
        return f"{self._engine().sound_version}.{PICTURE}"

    def render(self, speaker: Path, path: MotionPath, speech: Speech, rate: FrameRate, progress: Progress) -> Iterator[Image]:
        """See `LipsEngine.render`.

        In pauses the person's own lips are at rest, as the embedded engine draws them; frames without a face, or with one of which hardly anything
        is seen, come through as they are.

        Raises RetakeError: engine_not_installed, engine_out_of_memory, engine_bad_frames, or the engine's own failure.
        """
        from retake.media.reference import ReferenceFrames

        engine = self._engine()
        wanted = engine.manifest.lips
        assert wanted is not None
        where = Geometry.load(speaker / FOLDER)
        shapes = _shapes(speaker, path, speech, rate)
        shares = shown(speech.timing, len(path), rate)
        rest = _Rest(speaker, shares)
        if (shares < 1).any():
            rest.choose(path, shapes, where, progress)
        places = crops(path, where, wanted)
        pool = self._pool or hosts(self._home)
        with (
            ReferenceFrames(speaker / REFERENCE) as frames,
            closing(backgrounds(path, shapes, where, frames)) as scenes,
            Conversation(pool, engine, speech, rate, progress) as talk,
        ):
            asked: deque[tuple[list[_Waiting], Future[list[Image]] | None]] = deque()
            done = 0
            for first, chunk in _chunks(scenes, where.size):
                progress.check()
                waiting = [_Waiting(scene, places[first + i], float(shares[first + i])) for i, scene in enumerate(chunk)]
                sent = [i for i, one in enumerate(waiting) if one.sent]
                answer = None
                if sent:
                    faces = np.stack([cut(waiting[i].scene.image, waiting[i].crop, wanted.size) for i in sent])
                    answer = talk.ask(faces, [first + i for i in sent])
                for i, one in enumerate(waiting):
                    rest.draw(one.scene, first + i)
                asked.append((waiting, answer))
                if len(asked) > 1:
                    for image in _drawn(*asked.popleft()):
                        progress.report(done / len(path))
                        done += 1
                        yield image
            while asked:
                for image in _drawn(*asked.popleft()):
                    progress.report(done / len(path))
                    done += 1
                    yield image

    def _engine(self) -> registry.Engine:
        return registry.ready_engine(self._home, self.name, "lips")


class _Rest:
    """Draws the person's own mouth, at rest, where the engine's is not wholly shown."""

    def __init__(self, speaker: Path, shares: np.ndarray) -> None:
        self._folder = speaker / FOLDER
        self._shares = shares
        self._compositor: Compositor | None = None

    def choose(self, path: MotionPath, shapes: np.ndarray, where: Geometry, progress: Progress) -> None:
        mouths = MouthBank.load(self._folder)
        turned, found = rotations(path, where)
        self._chosen = Retriever(mouths).choose(shapes + where.turned(path.source), turned, found, progress)
        self._compositor = Compositor(mouths)

    def draw(self, scene: Background, number: int) -> None:
        if self._compositor is not None and self._shares[number] < 1:
            scene.image = self._compositor.draw(scene, int(self._chosen[number]))


def _shapes(speaker: Path, path: MotionPath, speech: Speech, rate: FrameRate) -> np.ndarray:
    """Mouth shapes of the embedded engine: at rest in pauses, which is all that is taken of them here."""
    from .shape import ShapeModel

    return ShapeModel.load(speaker / FOLDER).predict(speech.timing, len(path), rate)


def _chunks(scenes: Generator[Background, None, None], size: tuple[int, int]) -> Iterator[tuple[int, list[Background]]]:
    """(number of the first frame, frames), as many at a time as memory is meant for."""
    many = max(1, min(CHUNK, CHUNK_BYTES // max(1, 3 * size[0] * size[1])))
    first, chunk = 0, []
    for scene in scenes:
        chunk.append(scene)
        if len(chunk) == many:
            yield first, chunk
            first, chunk = first + many, []
    if chunk:
        yield first, chunk


def _drawn(waiting: list[_Waiting], answer: Future[list[Image]] | None) -> Iterator[Image]:
    faces = iter(answer.result() if answer is not None else [])
    for one in waiting:
        if one.sent:
            paste(one.scene, next(faces), one.crop, one.share)
        yield one.scene.image
