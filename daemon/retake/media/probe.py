"""What is in a media file, measured rather than believed: rate from time stamps, rotation and interlacing from decoded frames."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av.error

from retake.domain.errors import RetakeError
from retake.domain.rate import FrameRate

from .container import NoPicture, audio_stream, check_file, open_media, video_stream
from .limits import Patience, check_rate, check_seconds
from .picture import frame_colour, orientation, upright_size
from .timing import LEAP_FORWARD_SECONDS, cadence, span_without_leaps

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# Looking at every packet of a long recording would read all of it; this many say enough about its rhythm.
_PACKETS = 6000
_FRAMES = 6


@dataclass(frozen=True)
class MediaInfo:
    """Everything the other stages need to know about a file. Sizes are those of the upright picture with square pixels; without a picture the
    picture's fields are 0, empty or None."""

    width: int
    height: int
    rate: FrameRate | None  # the constant rate to read it at
    seconds: float  # of the picture, else of the sound
    frames: int  # at `rate`; exact when `complete`, else from the declared duration
    codec: str
    pixel_format: str
    bit_depth: int
    rotation: int  # degrees clockwise that make it upright: 0, 90, 180, 270
    mirrored: bool
    pixel_aspect: Fraction
    interlaced: bool
    variable_rate: bool
    has_video: bool
    has_audio: bool
    audio_codec: str
    audio_rate: int
    audio_channels: int
    matrix: str
    full_range: bool
    primaries: str
    transfer: str
    colour_guessed: bool
    first_time: float  # presentation time of the first picture (or sample) in the file's clock, seconds
    truncated: bool  # the file ends clearly before the duration that it declares
    complete: bool  # True when every packet was looked at, so that `seconds` and `frames` are exact
    container: str


def probe(path: str | os.PathLike[str], *, need_video: bool = False) -> MediaInfo:
    """Look at a media file.

    Raises:
        RetakeError: codes missing_file, not_a_file, empty_file, not_readable, not_media, still_picture, corrupt, unknown_codec, protected; with
            `need_video` also no_picture; and what is beyond the limits (`media.limits`).
    """
    path = check_file(path)
    with open_media(path) as container:
        has_audio = bool(container.streams.audio)
        try:
            stream = video_stream(container, path.name)
        except NoPicture:
            if need_video or not has_audio:
                raise
            return _sound_only(container, path.name)
        patience = Patience(path.name)
        first = _first_frames(container, stream, path.name, patience)
        with patience:
            times, end, complete = _scan(path, stream.index)
        audio_codec, audio_rate, audio_channels = _audio(container, path.name) if has_audio else ("", 0, 0)
        declared = stream.average_rate or stream.guessed_rate or stream.base_rate
        tick = float(stream.time_base or Fraction(1, 1000))
        if not times:
            times = [float(frame.pts * stream.time_base) for frame in first if frame.pts is not None and stream.time_base]
        _check_rhythm(times, declared, path.name)
        rhythm = cadence(times, tick, Fraction(declared) if declared else None)
        start = min(times) if times else 0.0
        declared_seconds = _declared_seconds(container, stream)
        seconds = max(end - start, 0.0) if complete and times else max(declared_seconds, end - start)
        if complete and times:
            # The last picture lasts as long as the others do; only at a variable rate its packet knows better.
            last = min(rhythm.interval, 1.0)
            if rhythm.variable:
                last = min(max(last, end - max(times)), LEAP_FORWARD_SECONDS)
            seconds = span_without_leaps(times, rhythm.interval) + last
        check_seconds(seconds, path.name)
        if len(first) == 1 and len(times) <= 1:
            raise RetakeError(f"{path.name} holds a single picture.", "Use a video of the person talking.", code="still_picture")
        frame = first[0]
        turns, mirrored = orientation(frame)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        width, height = upright_size(frame.width, frame.height, aspect, turns)
        colour = frame_colour(frame)
        return MediaInfo(
            width=width,
            height=height,
            rate=rhythm.rate,
            seconds=seconds,
            frames=max(1, rhythm.rate.frames(seconds)),
            codec=stream.codec_context.name,
            pixel_format=frame.format.name,
            bit_depth=max(component.bits for component in frame.format.components),
            rotation=90 * turns,
            mirrored=mirrored,
            pixel_aspect=aspect,
            interlaced=any(f.interlaced_frame for f in first),
            variable_rate=rhythm.variable,
            has_video=True,
            has_audio=has_audio,
            audio_codec=audio_codec,
            audio_rate=audio_rate,
            audio_channels=audio_channels,
            matrix=colour.matrix,
            full_range=colour.full_range,
            primaries=colour.primaries,
            transfer=colour.transfer,
            colour_guessed=colour.guessed,
            first_time=start,
            truncated=complete and declared_seconds > seconds + max(0.5, 0.05 * declared_seconds),
            complete=complete,
            container=container.format.name,
        )


def tags(path: str | os.PathLike[str]) -> dict[str, str]:
    """Metadata of the container, as written. Raises RetakeError as `probe` for what is no media file."""
    with open_media(path) as container:
        return dict(container.metadata)


def _check_rhythm(times: list[float], declared: Fraction | None, name: str) -> None:
    """A rate that a file names is believed by nobody; but where its pictures really come that fast, reading it would never end."""
    if declared and len(times) > 2 and max(times) > min(times):
        check_rate(min(float(declared), (len(times) - 1) / (max(times) - min(times))), name)


def _first_frames(container: InputContainer, stream: VideoStream, name: str, patience: Patience) -> list[VideoFrame]:
    frames: list[VideoFrame] = []
    try:
        for packet in container.demux(stream):
            try:
                with patience:
                    frames += stream.decode(packet)
            except av.error.InvalidDataError:
                continue  # damaged packets at the start (a recording that was cut) are passed over
            if len(frames) >= _FRAMES:
                break
    except (av.error.FFmpegError, OSError) as error:
        if not frames:
            raise _nothing_decodes(name) from error
    if not frames:
        raise _nothing_decodes(name)
    return frames


def _nothing_decodes(name: str) -> RetakeError:
    return RetakeError(f"No picture of {name} can be decoded: it is damaged or cut off.", "Copy or export the file again.", code="corrupt")


def _scan(path: Path, index: int) -> tuple[list[float], float, bool]:
    """(presentation times of packets, end of the last one, whether all packets were seen). Seconds in the file's clock."""
    times: list[float] = []
    end = 0.0
    # Opened afresh: seeking back to the very first picture is not exact in every container (MPEG programme streams).
    with open_media(path) as container:
        stream = container.streams[index]
        base = float(stream.time_base or Fraction(1, 1000))
        try:
            for packet in container.demux(stream):
                if packet.pts is None or packet.is_discard:
                    continue
                time = packet.pts * base
                times.append(time)
                end = max(end, time + (packet.duration or 0) * base)
                if len(times) >= _PACKETS:
                    return times, end, False
        except (av.error.FFmpegError, OSError):
            return times, end, True  # what is beyond the damage cannot be read anyhow
    return times, end, True


def _declared_seconds(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return container.duration / 1e6
    return 0.0


def _audio(container: InputContainer, name: str) -> tuple[str, int, int]:
    stream = audio_stream(container, name)
    return stream.codec_context.name, stream.codec_context.sample_rate, stream.codec_context.channels


def _sound_only(container: InputContainer, name: str) -> MediaInfo:
    codec, rate, channels = _audio(container, name)
    stream = audio_stream(container, name)
    duration = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else (container.duration or 0) / 1e6
    check_seconds(duration, name)
    first = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
    return MediaInfo(
        width=0,
        height=0,
        rate=None,
        seconds=duration,
        frames=0,
        codec="",
        pixel_format="",
        bit_depth=0,
        rotation=0,
        mirrored=False,
        pixel_aspect=Fraction(1),
        interlaced=False,
        variable_rate=False,
        has_video=False,
        has_audio=True,
        audio_codec=codec,
        audio_rate=rate,
        audio_channels=channels,
        matrix="",
        full_range=False,
        primaries="",
        transfer="",
        colour_guessed=False,
        first_time=first,
        truncated=False,
        complete=False,
        container=container.format.name,
    )
