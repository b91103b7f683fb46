"""Sound of a file -> mono samples that start with the first picture, and samples -> WAV."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import av.error
import numpy as np
import soxr
from av.audio.resampler import AudioResampler
from numpy.typing import ArrayLike, NDArray

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress

from .container import NoPicture, NoSound, audio_stream, check_file, open_media, video_stream
from .files import atomic
from .limits import Patience, check_seconds
from .probe import probe
from .timing import LEAP_FORWARD_SECONDS, leaps

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

__all__ = ["NoSound", "read_audio", "resample", "write_wav"]

# Time stamps jitter by a few milliseconds in many files; only larger gaps are real ones (a dropped packet, an edit) and are filled.
_GAP_SECONDS = 0.03
# Beyond eight planes PyAV reads past the end of a frame; only damaged headers claim so many.
_MOST_PLANES = 8
# Two channels that are each other's opposite (a wrongly wired microphone) would cancel in a plain mix.
_OPPOSITE = -0.5


def read_audio(
    path: str | os.PathLike[str],
    rate: int,
    *,
    start: float = 0.0,
    seconds: float | None = None,
    channel: int | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Read the sound of a file as mono.

    Time zero is the first picture (sound before it is cut off, silence fills what is missing), or the first sample where there is no picture.
    Surround is mixed down by ITU-R BS.775 with the level kept below clipping; of two opposite channels the louder one is taken.

    Args:
        rate: Hz of the result; resampled with a linear-phase filter that keeps the timing.
        start, seconds: the stretch to read, counted from time zero; default all of it.
        channel: number of the only one to read, counted from 0; frames that have fewer are mixed as without it.
        progress: only asked whether to stop.

    Returns:
        (n,) float32, nominally in [-1, 1].

    Raises:
        NoSound: the file has no sound. RetakeError: as `probe`, `corrupt` when nothing can be decoded, and what is beyond the limits.
    """
    path = check_file(path)
    with open_media(path) as container:
        stream = audio_stream(container, path.name)
        zero = _time_zero(container, os.fspath(path), path.name)
        native = stream.codec_context.sample_rate
        if native <= 0:
            raise _undecodable(path.name)
        until = None if seconds is None else start + seconds
        samples = _collect(container, stream, zero, _Mixer(native, channel), name=path.name, until=until, progress=progress or Progress())
    if samples is None:
        raise _undecodable(path.name)
    samples = samples[round(start * native) :]
    if seconds is not None:
        samples = samples[: round(seconds * native)]
    return resample(samples, native, rate)


def resample(samples: NDArray[np.float32], rate: int, to: int) -> NDArray[np.float32]:
    """(n,) float32 at `rate` Hz -> `to` Hz, linear phase, first sample stays at time zero; length round(n * to / rate)."""
    if rate == to or len(samples) == 0:
        return np.ascontiguousarray(samples, np.float32)
    out = soxr.resample(np.ascontiguousarray(samples, np.float32), rate, to, quality="VHQ").astype(np.float32)
    return fit_length(out, round(len(samples) * to / rate))


def fit_length(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Cut or extend with silence to exactly `length` samples."""
    if len(samples) >= length:
        return samples[:length]
    return np.pad(samples, (0, length - len(samples)))


def write_wav(path: str | os.PathLike[str], samples: ArrayLike, rate: int) -> None:
    """Write mono 16-bit PCM, complete or not at all. `samples` (n,) in [-1, 1]; beyond that they clip."""
    values = np.asarray(samples, np.float32)
    if values.ndim != 1:
        raise ValueError(f"samples must be mono, shape (n,), not {values.shape}")
    coded = np.clip(np.rint(np.nan_to_num(values) * 32768.0), -32768, 32767).astype("<i2")
    with atomic(path) as part, wave.open(str(part), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(coded.tobytes())


def _undecodable(name: str) -> RetakeError:
    return RetakeError(f"The sound of {name} cannot be decoded: it is damaged or cut off.", "Copy or export the file again.", code="corrupt")


def _time_zero(container: InputContainer, path: str, name: str) -> Fraction | None:
    """Time of the first picture in the file's clock, None where there is no picture."""
    try:
        video_stream(container, name)
    except NoPicture:
        return None
    except RetakeError:
        return None  # a picture in an unknown format does not stand in the sound's way
    try:
        return Fraction(probe(path, need_video=True).first_time).limit_denominator(10**6)
    except RetakeError:
        return None


def _collect(
    container: InputContainer, stream: AudioStream, zero: Fraction | None, mixer: _Mixer, *, name: str, until: float | None, progress: Progress
) -> NDArray[np.float32] | None:
    """All samples from `zero` on, at the stream's own rate; None when nothing could be decoded."""
    rate = stream.codec_context.sample_rate
    gap = round(_GAP_SECONDS * rate)
    pieces: list[NDArray[np.float32]] = []
    position = 0  # sample number of the next piece
    offset = 0  # what leaps of the clock have added up to
    decoded = False
    for frame in _frames(container, stream, name):
        progress.check()
        decoded = True
        at = position
        if frame.pts is not None and frame.time_base is not None:
            time = frame.pts * frame.time_base
            if zero is None:
                zero = time
            at = round((time - zero) * rate) + offset
            astray = leaps((at - position) / rate) if pieces else abs(at) > LEAP_FORWARD_SECONDS * rate
            if astray:
                offset += position - at
                at = position
        piece = mixer.mono(frame)
        if not pieces and position == 0:
            position = min(at, 0)  # sound that begins before the first picture is cut below
        if at > position + gap or (position <= 0 and at > position):
            pieces.append(np.zeros(at - position, np.float32))
            position = at
        elif at < position - gap:
            piece = piece[min(len(piece), position - at) :]
        if position < 0:
            cut = min(len(piece), -position)
            piece, position = piece[cut:], position + cut
        if len(piece):
            pieces.append(piece)
            position += len(piece)
        # Silence fills gaps in time: a small file of gaps would fill the memory.
        check_seconds(position / rate, name)
        if until is not None and position > (until + 0.1) * rate:
            break
    if not decoded:
        return None
    if not pieces:
        return np.zeros(0, np.float32)
    samples = np.concatenate(pieces)
    # The weights of a mix-down add up to more than one; a voice in the centre keeps its level, and only where it would clip is all of it lowered.
    peak = float(np.abs(samples).max()) if mixer.mixed_down and len(samples) else 0.0
    return samples / np.float32(peak) if peak > 1.0 else samples


def _frames(container: InputContainer, stream: AudioStream, name: str) -> Iterator[AudioFrame]:
    packets = container.demux(stream)
    patience = Patience(name)
    while True:
        try:
            with patience:
                packet = next(packets)
        except (StopIteration, av.error.FFmpegError, OSError):
            return  # the end, or damage beyond which nothing can be read
        try:
            with patience:
                frames = stream.decode(packet)
            yield from frames
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            continue  # a damaged packet becomes a gap, filled with silence by its time stamps


class _Mixer:
    """Frames of any layout -> mono float32 at one rate. Layout, format and rate may change inside a stream (broadcasts do that)."""

    def __init__(self, rate: int, channel: int | None = None) -> None:
        self._rate = rate
        self._channel = channel
        self._down: AudioResampler | None = None
        self._key: tuple[str, str, int] | None = None
        self._energy = np.zeros(2)
        self._product = 0.0
        self.mixed_down = False

    def mono(self, frame: AudioFrame) -> NDArray[np.float32]:
        channels = frame.layout.nb_channels
        if self._channel is not None and self._channel < min(channels, _MOST_PLANES):
            values = _planar(frame)[self._channel]
        elif channels > 2:
            values = self._surround(frame)
        else:
            planes = _planar(frame)
            values = planes[0] if channels == 1 else self._from_two(planes)
        return values if frame.sample_rate == self._rate else resample(values, frame.sample_rate, self._rate)

    def _surround(self, frame: AudioFrame) -> NDArray[np.float32]:
        self.mixed_down = True
        key = (frame.layout.name, frame.format.name, frame.sample_rate)
        if key != self._key:
            self._down, self._key = AudioResampler(format="fltp", layout="mono", rate=frame.sample_rate), key
        try:
            mixed = self._down.resample(frame) if self._down is not None else []
        except av.error.FFmpegError:
            self._down = None  # the file does not say which channel is which
            mixed = []
        if self._down is None:
            return _planar(frame).mean(axis=0)
        return np.concatenate([_planar(piece)[0] for piece in mixed]) if mixed else np.zeros(0, np.float32)

    def _from_two(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        left, right = values
        self._energy += [float(left @ left), float(right @ right)]
        self._product += float(left @ right)
        size = float(np.sqrt(self._energy.prod()))
        if size > 0 and self._product / size < _OPPOSITE:
            return values[int(self._energy[1] > self._energy[0])].copy()
        return (left + right) * np.float32(0.5)


def _planar(frame: AudioFrame) -> NDArray[np.float32]:
    """(channels, n) float32 in [-1, 1] of any sample format. Damaged floats (NaN, infinite) become silence."""
    if frame.format.is_planar and frame.layout.nb_channels > _MOST_PLANES:
        return np.zeros((1, frame.samples), np.float32)
    values = np.asarray(frame.to_ndarray())
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    if values.dtype == np.uint8:
        return np.asarray((values.astype(np.float32) - 128) / 128, np.float32)
    if np.issubdtype(values.dtype, np.integer):
        return (values / 2.0 ** (8 * values.dtype.itemsize - 1)).astype(np.float32)
    finite = values.astype(np.float32)
    return np.asarray(np.clip(np.nan_to_num(finite, posinf=0.0, neginf=0.0), -8.0, 8.0), np.float32)
