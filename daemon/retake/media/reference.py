"""The normalised reference: one tidy copy of whatever a camera wrote, and quick access to any of its frames."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av.error
import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.speaker import Finding

from .audio import NoSound, read_audio, write_wav
from .container import open_media, video_stream
from .encode import REFERENCE, SOUND_RATE, Encoder, sound_for
from .files import atomic, check_space
from .picture import ToRgb
from .prefetch import Prefetch
from .probe import MediaInfo, probe
from .reader import FrameReader, ReadReport, read_frames

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

PICTURE_NAME = "reference.mp4"
SOUND_NAME = "reference.wav"

_LONGEST_SIDE = 4096
_HIGHEST_RATE = 60
# Bits a pixel that the near-lossless copy takes at most on ordinary pictures, for the check of free space.
_BITS_A_PIXEL = 1.0


@dataclass(frozen=True)
class NormalisedReference:
    """The tidy copy. `source` is what the original was; `notes` is what had to be changed about it, for the quality report."""

    rate: FrameRate
    frames: int
    width: int
    height: int
    seconds: float
    has_sound: bool
    source: MediaInfo
    notes: tuple[Finding, ...] = ()


def normalise(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    progress: Progress,
    *,
    max_seconds: float = 60.0,
    lag: float = 0.0,
    need_sound: bool = True,
    rate: FrameRate | None = None,
    channel: int | None = None,
) -> NormalisedReference:
    """Write `target`/reference.mp4 and `target`/reference.wav from any video.

    The picture becomes upright, progressive, at a constant rate (at most 60; faster ones are divided), even-sided (an odd last row or column is
    cut off), at most 4096 pixels long, 8-bit BT.709, nearly lossless H.264 with a key frame every 8 pictures. The sound becomes 48 kHz mono,
    starting with the first picture and lasting as long as the pictures.

    Args:
        target: an existing folder.
        max_seconds: what comes after is left out.
        lag: seconds by which the picture is late against the sound, if known; the sound is delayed as much.
        need_sound: raise NoSound when there is none; otherwise silence is written.
        rate: keep to this rate instead of the source's own.
        channel: of the sound, the only one to take; None mixes all.

    Raises:
        RetakeError: as `probe`, `read_audio` and `files.atomic`; Cancelled.
    """
    folder = Path(target)
    info = probe(source, need_video=True)
    if need_sound and not info.has_audio:
        raise NoSound(Path(source).name)
    rate = rate or _calm(info.rate)
    reader = read_frames(source, rate=rate, max_side=_LONGEST_SIDE, seconds=max_seconds)
    width, height = max(2, reader.width // 2 * 2), max(2, reader.height // 2 * 2)
    expected = max(1, rate.frames(min(info.seconds, max_seconds)))
    check_space(folder, int(expected * width * height * _BITS_A_PIXEL / 8) + 10_000_000)
    with atomic(folder / PICTURE_NAME) as part:
        frames = _encode(part, reader, expected, (width, height), progress)
        progress.check()
        has_sound = write_sound(source, folder, frames, rate, lag, channel=channel) if info.has_audio else _write_silence(folder, frames, rate)
    notes = tuple(_notes(info, reader.report, rate, info.seconds > max_seconds + 0.5, max_seconds))
    return NormalisedReference(rate, frames, width, height, rate.seconds(frames), has_sound, info, notes)


def write_sound(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    frames: int,
    rate: FrameRate,
    shift_seconds: float = 0.0,
    *,
    channel: int | None = None,
) -> bool:
    """Write reference.wav from the original file, delayed by `shift_seconds` (negative: earlier), as long as `frames` pictures. Returns True."""
    seconds = rate.seconds(frames)
    samples = read_audio(source, SOUND_RATE, start=max(0.0, -shift_seconds), seconds=seconds, channel=channel)
    delay = np.zeros(round(max(0.0, shift_seconds) * SOUND_RATE), np.float32)
    write_wav(Path(folder) / SOUND_NAME, sound_for(np.concatenate([delay, samples]), SOUND_RATE, frames, rate), SOUND_RATE)
    return True


def rewrite_sound(folder: str | os.PathLike[str], shift_seconds: float) -> None:
    """Move the sound of a normalised reference against its picture, for when the lag is only known after normalising.

    A picture that is late by `lag` seconds is put right with `shift_seconds=lag`: the sound starts later. Silence fills the gap; the length stays.
    """
    path = Path(folder) / SOUND_NAME
    samples = read_audio(path, SOUND_RATE)
    shift = round(shift_seconds * SOUND_RATE)
    moved = np.zeros_like(samples)
    kept = max(0, len(samples) - abs(shift))
    if shift >= 0:
        moved[shift : shift + kept] = samples[:kept]
    else:
        moved[:kept] = samples[-shift : -shift + kept]
    write_wav(path, moved, SOUND_RATE)


class ReferenceFrames:
    """Any frames of a normalised reference, exactly. Memory is bounded; each `read` decodes ahead in a thread of its own.

    Two decoders stand at different places of the file, so that the two interleaved sequences of a cross-fade both go forwards without seeking,
    and the last decoded pictures are kept, so that repeated frames cost a colour conversion only.
    """

    _KEPT = 8
    _CURSORS = 2

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        info = probe(self.path, need_video=True)
        assert info.rate is not None
        self.rate = info.rate
        self.width, self.height = info.width, info.height
        with open_media(self.path) as container:
            counted = video_stream(container, self.path.name).frames
        self._length = counted or info.frames
        self._first = info.first_time
        self._lock = threading.Lock()
        self._convert = ToRgb(info.pixel_aspect, turns=info.rotation // 90, mirrored=info.mirrored)
        self._cursors: list[_Cursor] = []  # least recently used first
        self._decoded: OrderedDict[int, VideoFrame] = OrderedDict()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """One (h, w, 3) uint8 RGB frame, the caller's to change. Raises IndexError outside 0 <= index < len."""
        if not 0 <= index < self._length:
            raise IndexError(f"frame {index} of a reference with {self._length} frames")
        with self._lock:
            return self._convert(self._fetch(int(index)))

    def read(self, indices: Iterable[int]) -> Iterator[NDArray[np.uint8]]:
        """Yield a (h, w, 3) uint8 RGB frame for each index, in any order; each is the caller's to change. `indices` is drawn from another thread."""
        size = self.width * self.height * 3
        with Prefetch((self[index] for index in indices), depth=min(8, max(2, 64_000_000 // size)), name="reference frames") as frames:
            yield from frames

    def close(self) -> None:
        """Release the file; reading again reopens it."""
        with self._lock:
            for cursor in self._cursors:
                cursor.close()
            self._cursors.clear()
            self._decoded.clear()

    def __enter__(self) -> ReferenceFrames:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fetch(self, index: int) -> VideoFrame:
        if index in self._decoded:
            self._decoded.move_to_end(index)
            return self._decoded[index]
        cursor = self._cursor_for(index)
        for number, frame in cursor.frames_to(index):
            self._decoded[number] = frame
            self._decoded.move_to_end(number)
            while len(self._decoded) > self._KEPT:
                self._decoded.popitem(last=False)
        if index not in self._decoded:
            raise RetakeError(f"Frame {index} of {self.path.name} cannot be decoded.", "Enrol the speaker again.", code="corrupt")
        return self._decoded[index]

    def _cursor_for(self, index: int) -> _Cursor:
        near = [cursor for cursor in self._cursors if cursor.reaches(index)]
        if near:
            cursor = max(near, key=_position)
            self._cursors.remove(cursor)
        elif len(self._cursors) < self._CURSORS:
            cursor = _Cursor(self.path, self.rate.fraction, self._first)
        else:
            cursor = self._cursors.pop(0)
        self._cursors.append(cursor)
        return cursor


class _Cursor:
    """A decoder at one place of the file. `position` is the frame it would give next."""

    # Decoding on to a frame this far ahead costs no more than seeking, which lands on the key frame (at most 8 back).
    _AHEAD = 8

    def __init__(self, path: Path, rate: Fraction, first: float) -> None:
        self._opened = open_media(path)
        self._container = self._opened.__enter__()
        self._stream = video_stream(self._container, path.name)
        # Frame threads would hold back as many pictures as there are threads, all of them wasted at every jump.
        self._stream.thread_type = "SLICE"
        self._base = self._stream.time_base or Fraction(1, 1000)
        self._rate = rate
        self._first = Fraction(first).limit_denominator(10**6)
        self._frames = self._decode()
        self.position = 0

    def reaches(self, index: int) -> bool:
        return 0 <= index - self.position <= self._AHEAD

    def frames_to(self, index: int) -> Iterator[tuple[int, VideoFrame]]:
        """Decode up to and including `index`, yielding every picture on the way with its number."""
        if not self.reaches(index):
            self._seek(index)
        for frame in self._frames:
            number = self._number(frame)
            self.position = number + 1
            yield number, frame
            if number >= index:
                return

    def close(self) -> None:
        self._frames.close()
        self._opened.__exit__(None, None, None)

    def _seek(self, index: int) -> None:
        self._frames.close()
        time = (self._first + index / self._rate) / self._base
        self._container.seek(round(time), stream=self._stream, backward=True, any_frame=False)
        self._frames = self._decode()

    def _number(self, frame: VideoFrame) -> int:
        return round(((frame.pts or 0) * self._base - self._first) * self._rate)

    def _decode(self) -> Generator[VideoFrame, None, None]:
        for packet in self._container.demux(self._stream):
            try:
                yield from self._stream.decode(packet)
            except av.error.EOFError:
                return


def _position(cursor: _Cursor) -> int:
    return cursor.position


def _calm(rate: FrameRate | None) -> FrameRate:
    assert rate is not None
    divisor = 1
    while float(rate) / divisor > _HIGHEST_RATE + 0.01:
        divisor += 1
    return FrameRate(rate.numerator, rate.denominator * divisor)


def _encode(part: Path, reader: FrameReader, expected: int, size: tuple[int, int], progress: Progress) -> int:
    width, height = size
    encoder = Encoder(part, rate=reader.rate, width=width, height=height, quality=REFERENCE)
    try:
        with Prefetch(reader, depth=min(8, max(2, 64_000_000 // (width * height * 3))), name="decode") as frames:
            for frame in frames:
                encoder.add(frame[:height, :width])
                progress.frames(encoder.frames, expected)
        encoder.finish()
    finally:
        encoder.close()
    return encoder.frames


def _write_silence(folder: Path, frames: int, rate: FrameRate) -> bool:
    write_wav(folder / SOUND_NAME, sound_for(np.zeros(0, np.float32), SOUND_RATE, frames, rate), SOUND_RATE)
    return False


def _notes(info: MediaInfo, report: ReadReport, rate: FrameRate, shortened: bool, max_seconds: float) -> Iterator[Finding]:
    if shortened:
        yield Finding(code="shortened", message=f"Only the first {max_seconds:g} s are used.", remedy="Put the best part first.")
    if info.variable_rate:
        yield Finding(
            code="variable_rate", message=f"The frame rate varies; it was made {rate}.", remedy="Record with a fixed frame rate, if the camera can."
        )
    if report.deinterlaced:
        yield Finding(
            code="interlaced", message="The picture is interlaced; whole frames were made of it.", remedy="Record progressive (25p, not 50i)."
        )
    if info.transfer != "sdr":
        yield Finding(
            code="tone_mapped",
            message=f"The picture has high dynamic range ({info.transfer.upper()}); it was tone-mapped.",
            remedy="Switch HDR video off.",
        )
    elif report.tone_mapped:
        yield Finding(
            code="gamut_mapped", message="The picture has a wide gamut; it was converted to BT.709.", remedy="Record in BT.709, if the camera can."
        )
    if report.truncated:
        yield Finding(code="truncated", message="The file ends before its declared end.", remedy="Copy or export it again.")
    if report.skipped_packets:
        yield Finding(code="damaged", message=f"{report.skipped_packets} damaged pieces were passed over.", remedy="Copy or export it again.")
    if not info.has_audio:
        yield Finding(code="no_sound", message="There is no sound.", remedy="Use a recording with sound.")
