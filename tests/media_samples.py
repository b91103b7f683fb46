"""Odd media files for the tests, made with PyAV. Every frame carries its number as a row of black and white bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec import Codec
from numpy.typing import NDArray

BITS = 10


def has_encoder(name: str) -> bool:
    try:
        Codec(name, "w")
    except ValueError:
        return False
    return True


def numbered(number: int, width: int = 160, height: int = 96) -> NDArray[np.uint8]:
    """(height, width, 3) uint8: bars that spell `number` over the middle, one colour in each corner (red, green; blue, white)."""
    image = np.full((height, width, 3), 128, np.uint8)
    top, bottom = height // 3, 2 * height // 3
    for bit in range(BITS):
        left, right = bit * width // BITS, (bit + 1) * width // BITS
        image[top:bottom, left:right] = 235 if number >> bit & 1 else 20
    side = height // 4
    image[:side, :side] = (200, 30, 30)
    image[:side, -side:] = (30, 160, 30)
    image[-side:, :side] = (30, 30, 200)
    image[-side:, -side:] = (230, 230, 230)
    return image


def number_in(frame: NDArray[np.uint8]) -> int:
    """The number that the bars of an upright frame spell."""
    height, width, _ = frame.shape
    row = frame[height // 2 - 2 : height // 2 + 2].astype(float).mean(axis=(0, 2))
    return sum(1 << bit for bit in range(BITS) if row[round((bit + 0.5) * width / BITS)] > 128)


def corners(frame: NDArray[np.uint8]) -> str:
    """Dominant colours of the corners, row by row: "RGBW" for an upright frame."""
    height, width, _ = frame.shape
    y, x = height // 10, width // 10
    names = ""
    for pixel in (frame[y, x], frame[y, -x], frame[-y, x], frame[-y, -x]):
        values = pixel.astype(int)
        names += "W" if values.min() > 150 else "RGB"[int(values.argmax())]
    return names


def tone(seconds: float, rate: int, *, frequency: float = 440.0, click_at: float | None = None) -> NDArray[np.float32]:
    """(n,) float32: a quiet tone; with a chirp of 50 ms that starts at `click_at`, instead."""
    time = np.arange(round(seconds * rate)) / rate
    if click_at is None:
        return (0.3 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)
    samples = np.zeros(len(time), np.float32)
    burst = chirp(rate)
    begin = round(click_at * rate)
    samples[begin : begin + len(burst)] = burst[: max(0, len(samples) - begin)]
    return samples


def chirp(rate: int) -> NDArray[np.float32]:
    time = np.arange(round(0.05 * rate)) / rate
    top = min(3000.0, 0.35 * rate)
    return (0.6 * np.hanning(len(time)) * np.sin(2 * np.pi * (300 + (top - 300) * time / 0.1) * time)).astype(np.float32)


def heard_at(samples: NDArray[np.float32], rate: int) -> float:
    """Seconds at which the chirp starts, by cross-correlation."""
    score = np.correlate(samples, chirp(rate), mode="valid")
    return int(np.abs(score).argmax()) / rate


def make_video(
    path: Path,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction | int = 25,
    frames: int = 25,
    size: tuple[int, int] = (160, 96),
    picture: Callable[[int], NDArray[np.uint8]] | None = None,
    times: Sequence[float] | None = None,
    rotation: int = 0,
    mirrored: bool = False,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    colour: tuple[int, int, int, int] | None = None,
    matrix: str = "smpte170m",
    full_range: bool = False,
    sound: NDArray[np.float32] | None = None,
    sound_rate: int = 48000,
    sound_codec: str = "aac",
    layout: str = "mono",
    sound_start: float = 0.0,
    start: float = 0.0,
    container_options: dict[str, str] | None = None,
    faststart: bool = False,
) -> Path:
    """Write a video.

    times: presentation times in seconds, for variable rates; rotation: degrees clockwise that players must turn it by; colour: H.273 numbers of
    (matrix, primaries, transfer, range); matrix, full_range: how RGB is really converted; sound: (n,) or (n, channels).
    """
    width, height = size
    draw = picture or _default_picture(width, height)
    settings = dict(container_options or {})
    if faststart:
        settings["movflags"] = "+faststart"
    with av.open(str(path), "w", options=settings) as container:
        stream = container.add_stream(
            codec, rate=Fraction(rate), options=options or ({"crf": "12", "preset": "ultrafast"} if codec == "libx264" else {})
        )
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        ticks = Fraction(1, 90000)
        stream.codec_context.time_base = ticks if times is not None or start else 1 / Fraction(rate)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
            stream.sample_aspect_ratio = aspect
        if colour is not None:
            context = stream.codec_context
            context.colorspace, context.color_primaries, context.color_trc, context.color_range = colour
        if rotation or mirrored:
            # The library counts anticlockwise and mirrors after turning.
            stream.set_display_rotation(-rotation, hflip=mirrored)
        audio = None
        if sound is not None:
            audio = container.add_stream(sound_codec, rate=sound_rate, layout=layout)
        for index in range(frames):
            frame = _convert(draw(index), pix_fmt, matrix, full_range)
            base = stream.codec_context.time_base
            seconds = Fraction(times[index]).limit_denominator(90000) if times is not None else index / Fraction(rate)
            frame.pts = round((seconds + Fraction(start).limit_denominator(1000)) / base)
            frame.time_base = base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            for frame in _sound_frames(sound, sound_rate, layout, audio.codec_context.format.name, sound_start + start):
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def make_sound(path: Path, samples: NDArray[np.float32], rate: int, *, codec: str = "pcm_s16le", layout: str = "mono") -> Path:
    """Write a sound file; samples (n,) or (n, channels)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        for frame in _sound_frames(samples, rate, layout, stream.codec_context.format.name, 0.0):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _default_picture(width: int, height: int) -> Callable[[int], NDArray[np.uint8]]:
    def draw(index: int) -> NDArray[np.uint8]:
        return numbered(index, width, height)

    return draw


def _convert(image: NDArray[np.uint8], pix_fmt: str, matrix: str, full_range: bool) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(image, "rgb24")
    frame.pts, frame.time_base = 0, Fraction(1, 1000)
    graph = av.filter.Graph()
    nodes = [
        graph.add("buffer", video_size=f"{frame.width}x{frame.height}", pix_fmt="rgb24", time_base="1/1000", pixel_aspect="1/1"),
        graph.add(
            "scale", flags="bicubic+accurate_rnd+full_chroma_int+full_chroma_inp", out_color_matrix=matrix, out_range="pc" if full_range else "tv"
        ),
        graph.add("format", pix_fmts=pix_fmt),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes)
    graph.configure()
    nodes[0].push(frame)
    return nodes[-1].pull()


def _sound_frames(samples: NDArray[np.float32], rate: int, layout: str, sample_format: str, start: float) -> Iterator[av.AudioFrame]:
    values = samples[None] if samples.ndim == 1 else samples.T
    resampler = av.AudioResampler(format=sample_format, layout=layout, rate=rate)
    for begin in range(0, values.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(values[:, begin : begin + 1024]), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), begin + round(start * rate)
        yield from resampler.resample(frame)
