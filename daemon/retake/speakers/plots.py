"""Plots of the quality report, as PNG. Colours and a transparent ground that read on light and dark pages."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retake.domain.timing import Timing
from retake.domain.track import FaceTrack
from retake.speech.hygiene_record import REASONS, HygieneRecord

from .quality import NOISY, TURNED, head_angles

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


def sound_used(samples: NDArray[np.float32], rate: int, record: HygieneRecord) -> bytes:
    """The sound: what the voice was learnt from, pauses, and what was left out, with the reason on it; below, how far speech stands above noise."""
    from matplotlib.patches import Patch

    figure, (axes, below) = _figures(3.1, (3.0, 1.0))
    times, low, high = _envelope(samples, rate)
    out, talking = np.zeros(len(times), np.bool_), np.zeros(len(times), np.bool_)
    for first, last in record.talking:
        talking |= (times >= first) & (times < last)
    for part in record.left_out:
        out |= (times >= part.start) & (times < part.end)
    # Steps, so that each bin has one colour and no slanted edges run over to the next.
    for flags, colour in ((~talking & ~out, _INK), (talking & ~out, _SOUND), (out, _LIMIT)):
        axes.fill_between(times, np.where(flags, low, 0), np.where(flags, high, 0), color=colour, linewidth=0, step="post")
    top = max(0.05, float(np.abs(samples).max(initial=0)))
    axes.set_ylim(-1.1 * top, 1.5 * top)
    reasons: list[str] = []
    for part in record.left_out:
        name = REASONS.get(part.reason, part.reason)
        axes.axvspan(part.start, part.end, facecolor="none", edgecolor=_LIMIT, hatch="///", alpha=0.35, linewidth=0)
        axes.axvspan(part.start, part.end, facecolor=_LIMIT, alpha=0.12, linewidth=0)
        if (part.end - part.start) > 0.06 * len(samples) / rate:
            axes.text(
                (part.start + part.end) / 2, 1.25 * top, name, ha="center", va="center", fontsize=7.5, color=_LIMIT, clip_on=True, parse_math=False
            )
        elif name not in reasons:
            reasons.append(name)
    left_out = "left out" + (f" (narrow ones: {', '.join(reasons)})" if reasons else "")
    shown = [Patch(color=_SOUND, label="speech, learnt from"), Patch(color=_INK, label="pauses")]
    if record.left_out:
        shown.append(Patch(facecolor=_LIMIT, hatch="///", label=left_out))
    axes.legend(handles=shown, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8, frameon=False, labelcolor=_INK, ncols=3)
    axes.set_yticks([])
    axes.tick_params(labelbottom=False)
    axes.set_xlim(0, max(len(samples) / rate, 1e-3))
    seconds = np.arange(len(record.snr_over_time)) * record.snr_step
    below.plot(seconds, record.snr_over_time, color=_MOUTH, linewidth=1.1)
    below.axhline(NOISY, color=_INK, linewidth=0.7, linestyle="--")
    below.set_ylim(0, max(60.0, max(record.snr_over_time, default=0.0) * 1.1))
    below.set_ylabel("dB", fontsize=8, color=_INK)
    _time_axis(below, len(samples) / rate)
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
    figure, (axes,) = _figures(height, (1.0,))
    return figure, axes


def _figures(height: float, ratios: tuple[float, ...]) -> tuple[Figure, list[Axes]]:
    # The object interface: pyplot keeps figures in a global list and looks for a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    rows = list(figure.subplots(len(ratios), 1, squeeze=False, height_ratios=list(ratios))[:, 0])
    for axes in rows:
        axes.patch.set_alpha(0)
        axes.tick_params(colors=_INK, labelsize=8)
        for side in axes.spines.values():
            side.set_color(_INK)
            side.set_linewidth(0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure, rows


def _time_axis(axes: Axes, seconds: float) -> None:
    axes.set_xlim(0, max(seconds, 1e-3))
    axes.set_xlabel("seconds", fontsize=8, color=_INK)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, transparent=True, metadata={"Software": None})
    return buffer.getvalue()
