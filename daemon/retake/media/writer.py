"""Frames and sound -> the clip of a take."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retake.domain.progress import Progress
from retake.domain.rate import FrameRate

from .container import open_media
from .encode import CLIP, SOUND_RATE, Encoder, Quality, fitted, sound_for
from .files import atomic, check_space
from .prefetch import Worker

# Enough for the encoder never to wait for a single slow frame, little enough for 4K (25 MB a frame).
_WAITING_BYTES = 100_000_000


@dataclass(frozen=True)
class ClipInfo:
    """What was written."""

    path: Path
    frames: int
    rate: FrameRate
    width: int
    height: int
    seconds: float  # of the picture
    sound_seconds: float
    size: int  # bytes


def write_clip(
    path: str | os.PathLike[str],
    frames: Iterable[NDArray[np.uint8]],
    *,
    rate: FrameRate,
    width: int,
    height: int,
    samples: NDArray[np.float32],
    sample_rate: int,
    metadata: Mapping[str, str],
    progress: Progress,
    total: int,
    channels: int = 1,
    quality: Quality = CLIP,
) -> ClipInfo:
    """Write an mp4: H.264 high yuv420p, BT.709 limited range and tagged so, index in front; AAC 48 kHz; complete or not at all.

    The frames are drawn in the caller's thread and encoded in another, a few at most in between.

    Args:
        frames: exactly `total` (h, w, 3) uint8 RGB frames; those of another size than width x height are fitted inside, with black bars.
        width, height: even.
        samples: (n,) float32 mono at `sample_rate`, starting with the first frame; cut or extended with silence to the picture's length.
        channels: of the clip's sound, 1 or 2 (the same on both sides).
        metadata: any keys; all survive ("title" and "comment" are shown by players).
        progress: reports the fraction of frames; cancelling leaves no file.

    Raises:
        RetakeError: disk_full, no_folder, not_writable, is_folder, write_failed; Cancelled.
        ValueError: `frames` gave more or fewer than `total`, or a side is odd.
    """
    target = Path(path).absolute()
    with atomic(target) as part:
        # A guess from below at what the clip takes; a disk that is nearly full is better found out now than after minutes of work.
        check_space(target.parent, 1_000_000 + total * width * height // 40)
        sound = sound_for(np.asarray(samples, np.float32), sample_rate, total, rate)
        encoder = Encoder(part, rate=rate, width=width, height=height, quality=quality, samples=sound, channels=channels, metadata=metadata)
        worker = Worker(encoder.add, depth=min(8, max(2, _WAITING_BYTES // (width * height * 3))), name="encode", check=progress.check)
        try:
            _feed(worker, frames, total, progress)
            worker.finish()
            encoder.finish()
        finally:
            worker.abandon()
            encoder.close()
        _check_count(part, total)
        progress.check()
    return ClipInfo(target, total, rate, width, height, rate.seconds(total), len(sound) / SOUND_RATE, target.stat().st_size)


def write_poster(path: str | os.PathLike[str], frame: NDArray[np.uint8], *, width: int, height: int) -> None:
    """Write an (h, w, 3) uint8 RGB frame as PNG, complete or not at all; fitted into width x height as `write_clip` does."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(frame))
    if image.size != (width, height):
        inner = image.resize(fitted(*image.size, width, height), Image.Resampling.BICUBIC)
        image = Image.new("RGB", (width, height))
        image.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    with atomic(path) as part:
        image.save(part, format="PNG")


def _feed(worker: Worker[NDArray[np.uint8]], frames: Iterable[NDArray[np.uint8]], total: int, progress: Progress) -> None:
    iterator = iter(frames)
    for index in range(total):
        frame = next(iterator, None)
        if frame is None:
            raise ValueError(f"the frames ended after {index} of {total}")
        worker.put(frame)
        progress.frames(index + 1, total)
    if next(iterator, None) is not None:
        raise ValueError(f"there are more than {total} frames")


def _check_count(path: Path, total: int) -> None:
    """What is promised is checked in the file itself, before it gets its name."""
    with open_media(path) as container:
        written = container.streams.video[0].frames
    if written != total:
        raise ValueError(f"{written} frames were written instead of {total}")
