"""Where times and samples of a recording are after its words were changed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
_EDGE = 0.005  # s over which a channel's own sound goes over into what is new
_NEAR = 3.0  # s on each side of a change from which a channel's share of the whole is measured


@dataclass(frozen=True)
class Piece:
    """Seconds old_start..old_end of the recording are start..end of the new speech. kept: sample by sample; else something new is there."""

    old_start: float
    old_end: float
    start: float
    end: float
    kept: bool


@dataclass(frozen=True)
class TimeMap:
    """Pieces that tile both the old and the new speech in order."""

    pieces: tuple[Piece, ...]

    def new(self, old: float) -> float:
        """The time in the new speech of a time in the old one: exact where it was kept, in proportion inside a change, held within the speech."""
        piece = self.pieces[max(0, bisect_right([one.old_start for one in self.pieces], old) - 1)]
        return _carried(old, piece.old_start, piece.old_end, piece.start, piece.end)

    def old(self, new: float) -> float:
        """The time in the old speech of a time in the new one."""
        piece = self.pieces[max(0, bisect_right([one.start for one in self.pieces], new) - 1)]
        return _carried(new, piece.start, piece.end, piece.old_start, piece.old_end)


def time_map(spans: Sequence[tuple[int, int, int, int]], old_length: int, rate: int) -> TimeMap:
    """From (start, end, old_start, old_end) of every change, in samples and in order."""
    pieces: list[Piece] = []
    at = old = 0
    for start, end, old_start, old_end in spans:
        pieces.append(Piece(old / rate, old_start / rate, at / rate, start / rate, True))
        pieces.append(Piece(old_start / rate, old_end / rate, start / rate, end / rate, False))
        at, old = end, old_end
    pieces.append(Piece(old / rate, old_length / rate, at / rate, (at + old_length - old) / rate, True))
    whole = [piece for piece in pieces if piece.old_end > piece.old_start or piece.end > piece.start]
    return TimeMap(tuple(whole or pieces[:1]))


def on_channels(channels: Samples, made: Samples, spans: Sequence[tuple[int, int, int, int]], rate: int) -> Samples:
    """A change that was made on the mean of some channels, made on each of them.

    Args:
        channels: (n, c) the recording. Outside the changes every channel keeps its samples.
        made: (m,) the mean of the channels with its changes.
        spans: (start, end, old_start, old_end) of every change, in samples and in order.

    Returns:
        (m, c). In a change each channel has the new sound as loud as it had the voice nearby: where the voice sits in the middle it stays there.

    Raises:
        ValueError: lengths that do not belong together.
    """
    old_length, count = channels.shape
    if len(made) - sum(end - start for start, end, _, _ in spans) != old_length - sum(end - start for _, _, start, end in spans):
        raise ValueError("made and channels are not of the same recording")
    mean = channels.mean(1)
    out = np.empty((len(made), count), np.float32)
    at = old = 0
    near, edge = round(_NEAR * rate), max(1, round(_EDGE * rate))
    for start, end, old_start, old_end in spans:
        out[at:start] = channels[old:old_start]
        around = slice(max(0, old_start - near), old_end + near)
        power = float(np.square(mean[around], dtype=np.float64).sum()) + 1e-12
        share = (channels[around].astype(np.float64) * mean[around, None]).sum(0) / power
        out[start:end] = made[start:end, None] * share
        # At both ends the new sound still is the recording's, in which channels may differ by more than their level.
        fade = min(edge, (end - start) // 2, old_end - old_start)
        if fade > 0:
            ramp = ((np.arange(fade) + 0.5) / fade)[:, None]
            out[start : start + fade] = channels[old_start : old_start + fade] * (1 - ramp) + out[start : start + fade] * ramp
            out[end - fade : end] = out[end - fade : end] * (1 - ramp) + channels[old_end - fade : old_end] * ramp
        at, old = end, old_end
    out[at:] = channels[old:]
    return out


def _carried(value: float, low: float, high: float, to_low: float, to_high: float) -> float:
    if high <= low:
        return to_low
    return to_low + (to_high - to_low) * min(1.0, max(0.0, (value - low) / (high - low)))
