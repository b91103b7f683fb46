"""Decoded frames -> upright 8-bit RGB: rotation, pixel shape, deinterlacing, colour."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import av.error
import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from .colour import Colour, interpret, mapping_cube

# Without these the scaler takes shortcuts: luma darkens by 1 of 255 on average in a round trip (47 dB); with them it comes back within rounding.
EXACT = "+accurate_rnd+full_chroma_int+full_chroma_inp"


def orientation(frame: VideoFrame) -> tuple[int, bool]:
    """(quarter turns clockwise that make the picture upright, whether to mirror it left-right before turning), from the display matrix.

    Call it for one frame of a stream only: the side data holds on to its frame, which then lives until the garbage collector comes round, and
    hundreds of megabytes of decoded pictures with it.
    """
    for data in cast(Any, frame.side_data):
        if data.type.name == "DISPLAYMATRIX":
            matrix = np.frombuffer(bytes(data), np.int32)[:9].astype(np.float64)
            return _turns(matrix)
    return 0, False


def _turns(matrix: NDArray[np.float64]) -> tuple[int, bool]:
    # The matrix [a b u; c d v; x y w] maps (x, y) to (a x + c y, b x + d y), y downwards.
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    if not (a or b):
        return 0, False
    return round(math.degrees(math.atan2(b, a)) / 90) % 4, mirrored


def frame_colour(frame: VideoFrame) -> Colour:
    """What the numbers of a decoded frame mean."""
    return interpret(
        pixel_format=frame.format.name,
        is_rgb=frame.format.is_rgb or frame.format.name.startswith("pal"),
        matrix=int(frame.colorspace),
        colour_range=int(frame.color_range),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        width=frame.width,
        height=frame.height,
    )


def upright_size(width: int, height: int, pixel_aspect: Fraction | None, turns: int, max_side: int | None = None) -> tuple[int, int]:
    """Width and height of the upright picture with square pixels; the shorter-sampled direction is enlarged, so that no detail is lost."""
    aspect = pixel_aspect if pixel_aspect and Fraction(1, 8) <= pixel_aspect <= 8 else Fraction(1)
    wide, high = (Fraction(width) * aspect, Fraction(height)) if aspect >= 1 else (Fraction(width), Fraction(height) / aspect)
    if turns % 2:
        wide, high = high, wide
    if max_side is not None and max(wide, high) > max_side:
        factor = Fraction(max_side) / max(wide, high)
        wide, high = wide * factor, high * factor
    return max(1, round(wide)), max(1, round(high))


class ToRgb:
    """Converts frames of one stream to upright (h, w, 3) uint8 RGB with BT.709 primaries. Follows changes of size or format inside a stream,
    but keeps the size of the first picture.

    Args:
        turns, mirrored: as `orientation` tells.
        pixel_aspect: width of a stored pixel over its height, None for square ones.
        max_side: pictures larger than this are made smaller, proportions kept.
    """

    def __init__(self, pixel_aspect: Fraction | None, *, turns: int = 0, mirrored: bool = False, max_side: int | None = None) -> None:
        self._turns = turns
        self._mirrored = mirrored
        self._aspect = pixel_aspect
        self._max_side = max_side
        self._key: tuple[object, ...] | None = None
        self._source: FilterContext | None = None
        self._sink: FilterContext | None = None
        self._graph: Graph | None = None
        self.size: tuple[int, int] | None = None
        self.colour: Colour | None = None

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        colour = frame_colour(frame)
        key = (frame.width, frame.height, frame.format.name, colour)
        if key != self._key:
            if self.size is None:
                self.size = upright_size(frame.width, frame.height, self._aspect, self._turns, self._max_side)
            self._build(frame, colour, self.size)
            self._key, self.colour = key, colour
        assert self._source is not None and self._sink is not None
        frame.time_base = Fraction(1, 1000)  # the graph is stateless here; any valid clock will do
        frame.pts = 0
        self._source.push(frame)
        picture = cast(VideoFrame, self._sink.pull())
        return cast("NDArray[np.uint8]", picture.to_ndarray())

    def _build(self, frame: VideoFrame, colour: Colour, size: tuple[int, int]) -> None:
        turns = self._turns
        graph = Graph()
        nodes = [source_node(graph, frame, Fraction(1, 1000))]
        if self._mirrored:
            nodes.append(graph.add("hflip"))
        if turns:
            nodes += [graph.add("transpose", dir="clock")] if turns == 1 else []
            nodes += [graph.add("hflip"), graph.add("vflip")] if turns == 2 else []
            nodes += [graph.add("transpose", dir="cclock")] if turns == 3 else []
        matrix = {} if colour.matrix == "rgb" else {"in_color_matrix": colour.matrix}
        in_range = "pc" if colour.full_range else "tv"
        turned = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
        # At the stored size only the chroma is interpolated, where bilinear costs two thirds of bicubic and nobody can tell.
        flags = ("bilinear" if size == turned else "bicubic") + EXACT
        nodes.append(graph.add("scale", w=str(size[0]), h=str(size[1]), flags=flags, in_range=in_range, out_range="pc", **matrix))
        if not colour.standard:
            # Planar: with exact flags the scaler writes wrong greens into packed 48-bit RGB.
            nodes.append(graph.add("format", pix_fmts="gbrp16le"))
            nodes.append(_mapping_node(graph, colour))
        nodes.append(graph.add("format", pix_fmts="rgb24"))
        nodes.append(graph.add("buffersink"))
        graph.link_nodes(*nodes)
        graph.configure()
        self._graph, self._source, self._sink = graph, nodes[0], nodes[-1]


def source_node(graph: Graph, frame: VideoFrame, time_base: Fraction) -> FilterContext:
    """Input of a filter graph for frames like `frame`."""
    return graph.add(
        "buffer",
        video_size=f"{frame.width}x{frame.height}",
        pix_fmt=frame.format.name,
        time_base=f"{time_base.numerator}/{time_base.denominator}",
        pixel_aspect="1/1",
        colorspace=str(int(frame.colorspace)),
        range=str(int(frame.color_range)),
    )


def _mapping_node(graph: Graph, colour: Colour) -> FilterContext:
    cube = mapping_cube(colour)
    size = len(cube)
    rows = cube.transpose(2, 1, 0, 3).reshape(-1, 3)  # the file format counts red fastest
    lines = [f"LUT_3D_SIZE {size}", *(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in rows)]
    with tempfile.TemporaryDirectory(prefix="retake-") as folder:
        path = Path(folder) / "mapping.cube"
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        return graph.add("lut3d", file=str(path), interp="tetrahedral")  # the filter reads the file here


class Deinterlacer:
    """Makes progressive frames, one for each interlaced frame (libavfilter's bwdif); progressive ones pass unchanged."""

    def __init__(self, frame: VideoFrame, time_base: Fraction) -> None:
        self._graph = Graph()
        self._source = source_node(self._graph, frame, time_base)
        nodes = [self._source, self._graph.add("bwdif", mode="send_frame", parity="auto", deint="interlaced"), self._graph.add("buffersink")]
        self._graph.link_nodes(*nodes)
        self._graph.configure()
        self._sink = nodes[-1]

    def push(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """Give a frame, or None at the end; yields what is ready."""
        self._source.push(frame)
        while True:
            try:
                yield cast(VideoFrame, self._sink.pull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return
