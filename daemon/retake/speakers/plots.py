"""Plots of the quality report, as PNG. Colours and a transparent ground that read on light and dark pages."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retake.domain.timing import Timing
from retake.domain.track import FaceTrack

from .quality import TURNED, head_angles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _SOUND, _MOUTH, _LIMIT = "#8a94a0", "#4f8fd6", "#d9822b", "#c0504d"
_WIDTH = 11.0  # inches
_UPPER_LIP, _LOWER_LIP, _EYES = 13, 14, (33, 263)


def waveform(samples: NDArray[np.float32], rate: int, timing: Timing | None) -> bytes:
    """The sound with the words under it."""
    figure, axes = _figure(2.4)
    times, low, high = _envelope(samples, rate)
    axes.fill_between(times, low, high, color=_SOUND, linewidth=0)
    top = max(0.05, float(np.abs(samples).max(initial=0)))
    axes.set_ylim(-1.6 * top, 1.1 * top)
    for number, word in enumerate(timing.words if timing is not None else ()):
        axes.axvspan(word.start, word.end, color=_INK, alpha=0.13 if number % 2 else 0.06, linewidth=0)
        place = -1.2 * top if number % 2 else -1.45 * top
        axes.text((word.start + word.end) / 2, place, word.text, ha="center", va="center", fontsize=6.5, color=_INK, clip_on=True, parse_math=False)
    axes.set_yticks([])
    _time_axis(axes, len(samples) / rate)
    return _png(figure)


def mouth_and_sound(track: FaceTrack, samples: NDArray[np.float32], rate: int) -> bytes:
    """How far the mouth opens, against the energy of the sound."""
    figure, axes = _figure(2.2)
    seconds = np.arange(len(track)) / float(track.rate)
    points = track.landmarks
    eyes = np.linalg.norm(points[:, _EYES[0], :2] - points[:, _EYES[1], :2], axis=1)
    opening = np.linalg.norm(points[:, _UPPER_LIP, :2] - points[:, _LOWER_LIP, :2], axis=1) / eyes * 100
    starts = (np.arange(len(track)) / float(track.rate) * rate).astype(int)
    squares = np.r_[0.0, np.cumsum(samples.astype(np.float64) ** 2)]
    ends = np.clip(starts + max(1, round(rate / float(track.rate))), 0, len(samples))
    starts = np.minimum(starts, ends)
    energy = np.sqrt((squares[ends] - squares[starts]) / np.maximum(ends - starts, 1))
    scale = float(np.nanpercentile(opening, 99)) / max(float(energy.max(initial=0)), 1e-9)
    axes.fill_between(seconds, 0, energy * scale, color=_SOUND, alpha=0.35, linewidth=0, label="energy of the sound")
    axes.plot(seconds, opening, color=_MOUTH, linewidth=1.1, label="opening of the mouth (% of the eyes' distance)")
    axes.legend(loc="upper right", fontsize=7, frameon=False, labelcolor=_INK)
    _time_axis(axes, len(track) / float(track.rate))
    return _png(figure)


def head_turn(track: FaceTrack, cuts: tuple[int, ...]) -> bytes:
    """Turn of the head over time, with the limits within which mouths look best."""
    figure, axes = _figure(1.9)
    yaw, pitch = head_angles(track)
    seconds = np.arange(len(track)) / float(track.rate)
    axes.axhspan(-TURNED, TURNED, color=_INK, alpha=0.12, linewidth=0)
    axes.plot(seconds, yaw, color=_MOUTH, linewidth=1.1, label="left and right")
    axes.plot(seconds, pitch, color=_SOUND, linewidth=1.1, label="up and down")
    for cut in cuts:
        axes.axvline(cut / float(track.rate), color=_LIMIT, linewidth=0.9, linestyle="--")
    most = max(20.0, float(np.nanpercentile(np.abs(np.r_[yaw, pitch]), 99)) * 1.15)
    axes.set_ylim(-most, most)
    axes.legend(loc="upper right", fontsize=7, frameon=False, labelcolor=_INK, ncols=2)
    _time_axis(axes, len(track) / float(track.rate))
    return _png(figure)


def _envelope(samples: NDArray[np.float32], rate: int) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
    bins = min(2000, max(1, len(samples)))
    edges = np.linspace(0, len(samples), bins, endpoint=False).astype(int)
    if not len(samples):
        empty = np.zeros(1, np.float32)
        return np.zeros(1), empty, empty
    return edges / rate, np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)


def _figure(height: float) -> tuple[Figure, Axes]:
    # The object interface: pyplot keeps figures in a global list and looks for a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.tick_params(colors=_INK, labelsize=8)
    for side in axes.spines.values():
        side.set_color(_INK)
        side.set_linewidth(0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _time_axis(axes: Axes, seconds: float) -> None:
    axes.set_xlim(0, max(seconds, 1e-3))
    axes.set_xlabel("seconds", fontsize=8, color=_INK)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, transparent=True, metadata={"Software": None})
    return buffer.getvalue()
