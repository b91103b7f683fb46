"""A video file -> a stream of upright RGB pictures at a constant rate."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av.error
import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.rate import FrameRate

from .container import open_media, video_stream
from .limits import Patience, check_picture
from .picture import Deinterlacer, ToRgb
from .probe import MediaInfo, probe
from .timing import leaps

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# Frame i of the result is what the file shows at (i + 0.45) / rate: the middle of the frame's time, a little early so that time stamps that lie
# exactly in the middle (every second frame when the rate is halved) and their rounding do not flip the choice.
_MIDDLE = Fraction(9, 20)


@dataclass
class ReadReport:
    """What had to be done or could not be read; complete once the frames have been read to their end."""

    skipped_packets: int = 0  # damaged, passed over
    truncated: bool = False  # the file ends before the duration it declares
    deinterlaced: bool = False
    tone_mapped: bool = False  # high dynamic range or a wide gamut was converted to BT.709


class FrameReader(Iterator[NDArray[np.uint8]]):
    """Iterator over (h, w, 3) uint8 RGB frames; `width`, `height`, `rate` and `info` are known from the start, `report` grows while reading.

    Memory does not grow with length. Close it (or read to the end) to release the file.
    """

    def __init__(self, path: str | os.PathLike[str], rate: FrameRate | None, max_side: int | None, start: float, seconds: float | None) -> None:
        self.path = Path(path).absolute()
        self.info: MediaInfo = probe(self.path, need_video=True)
        assert self.info.rate is not None
        self.rate = rate or self.info.rate
        self.report = ReadReport()
        longest = max(self.info.width, self.info.height)
        factor = 1.0 if max_side is None or longest <= max_side else max_side / longest
        self.width, self.height = max(1, round(self.info.width * factor)), max(1, round(self.info.height * factor))
        self._max_side = max_side
        self._start = max(0.0, start)
        self._seconds = seconds
        self._frames = self._read()

    def __next__(self) -> NDArray[np.uint8]:
        return next(self._frames)

    def close(self) -> None:
        """Stop reading."""
        self._frames.close()

    def _read(self) -> Generator[NDArray[np.uint8], None, None]:
        limit = None if self._seconds is None else self.rate.frames(self._seconds)
        convert = ToRgb(self.info.pixel_aspect, turns=self.info.rotation // 90, mirrored=self.info.mirrored, max_side=self._max_side)
        picture: NDArray[np.uint8] | None = None
        shown: VideoFrame | None = None
        with open_media(self.path) as container:
            stream = video_stream(container, self.path.name)
            for frame in _resample(self._source(container, stream), self.rate.fraction, Fraction(self._start).limit_denominator(10**6), limit):
                if frame is not shown:
                    picture = convert(frame)
                    shown = frame
                    self.report.tone_mapped |= convert.colour is not None and not convert.colour.standard
                    yield picture
                else:
                    assert picture is not None
                    yield picture.copy()  # whoever got it first may have drawn on it

    def _source(self, container: InputContainer, stream: VideoStream) -> Iterator[tuple[Fraction, Fraction, VideoFrame]]:
        """(time, end, frame) in presentation order, times counted from the first picture, exact."""
        base = stream.time_base or Fraction(1, 1000)
        first = Fraction(self.info.first_time).limit_denominator(base.denominator * 10)
        if self._start > 1.0:
            container.seek(round((self._start - 0.5 + self.info.first_time) / base), stream=stream, backward=True)
        interval = 1 / (self.info.rate or self.rate).fraction
        previous: Fraction | None = None
        offset = Fraction(0)
        end = Fraction(0)
        for frame in self._deinterlaced(container, stream, base):
            unit = frame.time_base or base  # the deinterlacer counts in halves
            follows = Fraction(0) if previous is None else previous + interval
            time = follows if frame.pts is None else frame.pts * unit - first + offset
            if previous is not None and leaps(float(time - previous)):
                offset += follows - time
                time = follows
            elif previous is not None and time <= previous:
                time = previous + interval / 100  # untidy time stamps: keep the decoder's order
            previous = time
            # Containers store the last picture's own duration loosely (fields, rounding); at a constant rate it is known.
            lasts = frame.duration * unit if frame.duration and self.info.variable_rate else interval
            end = time + min(lasts, Fraction(2))
            yield time, end, frame
        expected = min(self.info.seconds, self._start + self._seconds) if self._seconds is not None else self.info.seconds
        self.report.truncated |= self.info.truncated or float(end) < expected - 2.0 * float(interval)

    def _deinterlaced(self, container: InputContainer, stream: VideoStream, base: Fraction) -> Iterator[VideoFrame]:
        filter_: Deinterlacer | None = None
        for frame in self._decoded(container, stream):
            if filter_ is None and (self.info.interlaced or frame.interlaced_frame):
                filter_ = Deinterlacer(frame, base)
                self.report.deinterlaced = True
            if filter_ is None:
                yield frame
            else:
                frame.time_base = base
                yield from filter_.push(frame)
        if filter_ is not None:
            yield from filter_.push(None)

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        stream.thread_type = "AUTO"
        any_frame = False
        patience = Patience(self.path.name)
        packets = container.demux(stream)
        while True:
            try:
                with patience:
                    packet = next(packets)
            except StopIteration:
                break
            except (av.error.FFmpegError, OSError):
                self.report.truncated = True
                break
            try:
                with patience:
                    frames = stream.decode(packet)
                for frame in frames:
                    check_picture(frame.width, frame.height, self.path.name)
                    any_frame = True
                    yield frame
            except av.error.EOFError:
                break
            except av.error.FFmpegError:
                self.report.skipped_packets += 1
        if not any_frame:
            raise RetakeError(
                f"No picture of {self.path.name} can be decoded: it is damaged or cut off.", "Copy or export the file again.", code="corrupt"
            )


def read_frames(
    path: str | os.PathLike[str], *, rate: FrameRate | None = None, max_side: int | None = None, start: float = 0.0, seconds: float | None = None
) -> FrameReader:
    """Read a video as upright, progressive (h, w, 3) uint8 RGB frames with square pixels and BT.709 primaries, at a constant rate.

    The colour matrix and range come from the file (untagged: BT.601 up to 576 lines, BT.709 above); PQ and HLG are tone-mapped. A variable or
    different frame rate is resampled by time stamp: each frame is the one shown in the middle of its time. The number of frames is
    `rate.frames(duration)` exactly, unless the file is damaged (see `FrameReader.report`).

    Args:
        rate: frames per second of the result; None: the constant rate nearest to the file's own.
        max_side: make pictures smaller whose longer side is above this.
        start: seconds after the first picture at which to begin.
        seconds: how much to read at most; None: to the end.

    Raises:
        RetakeError: as `probe`, when called; while reading `corrupt` when nothing decodes, and `decode_too_slow`.
    """
    return FrameReader(path, rate, max_side, start, seconds)


def _resample(source: Iterator[tuple[Fraction, Fraction, VideoFrame]], rate: Fraction, start: Fraction, limit: int | None) -> Iterator[VideoFrame]:
    """Yield, for i = 0, 1, ..., the frame that is on screen at start + (i + 0.45) / rate; the last one until its end."""
    current: VideoFrame | None = None
    end = Fraction(0)
    index = 0
    for time, until, frame in source:
        # `current` is on screen until `time`.
        while current is not None and start + (index + _MIDDLE) / rate < time:
            if limit is not None and index >= limit:
                return
            yield current
            index += 1
        current, end = frame, until
    if current is None:
        return
    # The end, like FrameRate.frames, rounds to the nearest whole frame.
    total = int((end - start) * rate + Fraction(1, 2))
    total = max(total, 1 if start == 0 else 0)
    while index < total and (limit is None or index < limit):
        yield current
        index += 1
