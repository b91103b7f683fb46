"""Make a 1080p reference out of a smaller one, for speed measurements only: `python bench/upscale.py SOURCE TARGET [1920x1080]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retake.domain.progress import Progress
from retake.media.audio import read_audio
from retake.media.probe import probe
from retake.media.reader import read_frames
from retake.media.writer import write_clip


def enlarged(source: Path, width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """Frames scaled to cover the target size, cropped at the centre."""
    for frame in read_frames(source):
        tall, wide = frame.shape[:2]
        scale = max(width / wide, height / tall)
        left, top = (wide - width / scale) / 2, (tall - height / scale) / 2
        box = (left, top, left + width / scale, top + height / scale)
        yield np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS, box=box))


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    width, height = (int(side) for side in (sys.argv[3] if len(sys.argv) > 3 else "1920x1080").split("x"))
    info = probe(source, need_video=True)
    write_clip(
        target,
        enlarged(source, width, height),
        rate=info.rate,
        width=width,
        height=height,
        samples=read_audio(source, 48000),
        sample_rate=48000,
        metadata={"title": f"{source.stem} enlarged"},
        progress=Progress(),
        total=info.rate.frames(info.seconds),
    )


if __name__ == "__main__":
    main()
