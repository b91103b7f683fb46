"""RGB frames and samples -> H.264 and AAC in one mp4. Used for clips and for the normalised reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from retake.domain.rate import FrameRate

from .audio import fit_length, resample
from .files import explain_os_error
from .picture import EXACT, source_node

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.video.stream import VideoStream

SOUND_RATE = 48000
_BT709 = 1  # H.273: the same number for matrix, primaries and transfer
_LIMITED = 1
_AAC_FRAME = 1024
_AAC_BITS = 160_000  # mono speech; transparent for this encoder


@dataclass(frozen=True)
class Quality:
    """Settings of x264: `crf` (lower is better), `preset` (speed), `keyint` (pictures from one key frame to the next), `bframes`."""

    crf: int
    preset: str
    keyint: int = 0  # 0: about two seconds
    bframes: int | None = None


# Near visually lossless. On a talking head at 1080p `veryfast` makes 40 frames a second on two cores, `faster` 26, `medium` 11, at the same size and
# within 1 dB.
CLIP = Quality(crf=16, preset="veryfast")
# Read again and again at arbitrary places: short groups of pictures without reordering, so that any frame is at most 8 decodes away. `ultrafast` does
# without arithmetic coding and the loop filter: decoding takes half the time of `veryfast` at crf 11 and is 2 dB closer to the source, for twice
# the bytes (1.4 MB a second at 512x512, 4.5 at 1080p).
REFERENCE = Quality(crf=9, preset="ultrafast", keyint=8, bframes=0)


class Encoder:
    """Writes one mp4. Call `add` for each frame, then `finish`; `close` releases the file in any case. Not thread-safe.

    Args:
        path: where to write; the caller makes it atomic.
        rate: exact; time stamps are multiples of its denominator over its numerator.
        width, height: even; frames of another size are fitted inside, with black bars.
        samples: (n,) mono float32 or None for no sound; cut or padded by the caller to the picture's length.
        channels: 1, or 2 to put the same sound on both sides.
        metadata: written as given, any keys.
    """

    def __init__(
        self,
        path: Path,
        *,
        rate: FrameRate,
        width: int,
        height: int,
        quality: Quality,
        samples: NDArray[np.float32] | None = None,
        sample_rate: int = SOUND_RATE,
        channels: int = 1,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        if width % 2 or height % 2:
            raise ValueError(f"{width}x{height}: H.264 in 4:2:0 needs even sides")
        self._path = path
        self._rate = rate
        self._size = (width, height)
        self._samples = None if samples is None else resample(samples, sample_rate, SOUND_RATE)
        self._layout = "stereo" if channels > 1 else "mono"
        self._heard = 0  # samples that have been encoded
        self.frames = 0
        self._converter: _ToYuv | None = None
        try:
            # Without use_metadata_tags the container keeps only the keys it knows and drops the others.
            self._container = av.open(str(path), "w", options={"movflags": "+faststart+use_metadata_tags"})
        except (av.error.FFmpegError, OSError) as error:
            raise explain_os_error(error, path) from error
        self._container.metadata.update({key: str(value) for key, value in (metadata or {}).items()})
        self._video = self._add_video(quality)
        self._audio = None if self._samples is None else self._add_audio()

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Encode the next (h, w, 3) uint8 RGB frame. Raises RetakeError when the disk is full."""
        if self._converter is None or self._converter.shape != frame.shape:
            self._converter = _ToYuv(frame.shape, *self._size)
        picture = self._converter(frame)
        picture.pts = self.frames
        picture.time_base = 1 / self._rate.fraction
        self.frames += 1
        self._write(self._video, picture)
        self._add_sound(self._rate.seconds(self.frames))

    def finish(self) -> None:
        """Write what is left and close the file."""
        self._write(self._video, None)
        if self._audio is not None:
            self._add_sound(None)
            self._write(self._audio, None)
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError) as error:
            raise explain_os_error(error, self._path) from error

    def close(self) -> None:
        """Release the file; does nothing after `finish`."""
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError):
            return  # the file is being given up; its trailer does not matter

    def _add_video(self, quality: Quality) -> VideoStream:
        fraction = self._rate.fraction
        keyint = quality.keyint or max(1, round(2 * float(self._rate)))
        options = {"crf": str(quality.crf), "preset": quality.preset, "profile": "high", "g": str(keyint), "keyint_min": str(max(1, keyint // 4))}
        if quality.keyint:
            options["sc_threshold"] = "0"
        if quality.bframes is not None:
            options["bf"] = str(quality.bframes)
        stream = self._container.add_stream("libx264", rate=fraction, options=options)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = 1 / fraction
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED
        stream.time_base = Fraction(1, fraction.numerator)
        return stream

    def _add_audio(self) -> AudioStream:
        stream = self._container.add_stream("aac", rate=SOUND_RATE, layout=self._layout)
        stream.codec_context.bit_rate = _AAC_BITS
        stream.time_base = Fraction(1, SOUND_RATE)
        return stream

    def _add_sound(self, until: float | None) -> None:
        """Encode sound up to `until` seconds (whole AAC frames only), or all that is left."""
        if self._audio is None or self._samples is None:
            return
        end = len(self._samples) if until is None else min(len(self._samples), int(until * SOUND_RATE))
        while self._heard < end and (until is None or end - self._heard >= _AAC_FRAME):
            piece = self._samples[self._heard : self._heard + _AAC_FRAME]
            planes = np.clip(np.nan_to_num(piece), -1, 1)[None].repeat(2 if self._layout == "stereo" else 1, 0)
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(planes), format="fltp", layout=self._layout)
            frame.sample_rate = SOUND_RATE
            frame.time_base = Fraction(1, SOUND_RATE)
            frame.pts = self._heard
            self._heard += len(piece)
            self._write(self._audio, frame)

    def _write(self, stream: VideoStream | AudioStream, frame: VideoFrame | AudioFrame | None) -> None:
        try:
            self._container.mux(stream.encode(cast("None", frame)))
        except (av.error.FFmpegError, OSError) as error:
            raise explain_os_error(error, self._path) from error


def sound_for(samples: NDArray[np.float32], sample_rate: int, frames: int, rate: FrameRate) -> NDArray[np.float32]:
    """Samples at 48 kHz that last exactly as long as `frames` pictures (to half a sample): cut, or extended with silence."""
    return fit_length(resample(samples, sample_rate, SOUND_RATE), round(frames * SOUND_RATE / rate.fraction))


class _ToYuv:
    """(h, w, 3) RGB -> yuv420p BT.709 limited range at the given size, fitted inside."""

    def __init__(self, shape: tuple[int, ...], width: int, height: int) -> None:
        self.shape = shape
        self._graph = Graph()
        blank = VideoFrame(shape[1], shape[0], "rgb24")
        nodes: list[FilterContext] = [source_node(self._graph, blank, Fraction(1, 1000))]
        inner_width, inner_height = fitted(shape[1], shape[0], width, height)
        nodes.append(
            self._graph.add(
                "scale", w=str(inner_width), h=str(inner_height), flags="bicubic" + EXACT, in_range="pc", out_range="tv", out_color_matrix="bt709"
            )
        )
        nodes.append(self._graph.add("format", pix_fmts="yuv420p"))
        if (inner_width, inner_height) != (width, height):
            x, y = (width - inner_width) // 4 * 2, (height - inner_height) // 4 * 2
            nodes.append(self._graph.add("pad", w=str(width), h=str(height), x=str(x), y=str(y), color="black"))
        nodes.append(self._graph.add("buffersink"))
        self._graph.link_nodes(*nodes)
        self._graph.configure()
        self._source, self._sink = nodes[0], nodes[-1]

    def __call__(self, frame: NDArray[np.uint8]) -> VideoFrame:
        picture = VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture.pts = 0
        picture.time_base = Fraction(1, 1000)
        self._source.push(picture)
        return cast(VideoFrame, self._sink.pull())


def fitted(width: int, height: int, into_width: int, into_height: int) -> tuple[int, int]:
    """Largest even size with the proportions of width x height that fits into the other."""
    factor = min(Fraction(into_width, width), Fraction(into_height, height))
    return max(2, min(into_width, round(width * factor / 2) * 2)), max(2, min(into_height, round(height * factor / 2) * 2))
