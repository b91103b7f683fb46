"""Frame rates and picture sizes as Blender writes them and as Retake wants them. No bpy here, so that it is type-checked and tested alone."""

from __future__ import annotations

from fractions import Fraction

SMALLEST_SIDE = 64
LARGEST_SIDE = 7680
# `fps_base` is a 32-bit float: 1.001 comes back as 1.00100004673. This close to it, it is meant.
_SAME_BASE = 1e-5


def exact_rate(fps: int, base: float) -> Fraction:
    """Frames per second of a scene with `fps` and `fps_base`, as the fraction that they stand for: 30 and 1.001 are 30000/1001.

    Raises ValueError for what is no rate.
    """
    if fps < 1 or not 0 < base < 1e6:
        raise ValueError(f"{fps}/{base} is no frame rate")
    if abs(base - 1.001) < _SAME_BASE:
        return Fraction(fps * 1000, 1001)
    near = Fraction(base).limit_denominator(1001)
    return (fps / near).limit_denominator(1001)


def rate_text(rate: Fraction) -> str:
    """As a request names it: "25", "30000/1001"."""
    return str(rate)


def fps_and_base(rate: Fraction) -> tuple[int, float]:
    """What to set in a scene for exactly `rate`: (30, 1.001) for 30000/1001, (25, 1.0) for 25."""
    if rate.denominator == 1:
        return rate.numerator, 1.0
    whole = -(-rate.numerator // rate.denominator)
    return whole, float(whole / rate)


def render_size(width: int, height: int, percentage: int) -> tuple[int, int]:
    """Pixels of a scene's pictures, as a take can have them: even sides (H.264 in 4:2:0), rounded down, 64 to 7680."""
    return _side(width * percentage // 100), _side(height * percentage // 100)


def _side(pixels: int) -> int:
    return min(LARGEST_SIDE, max(SMALLEST_SIDE, pixels - pixels % 2))


def seconds_of(frames: int, rate: Fraction) -> float:
    """How long `frames` last. A daemon that rounds this to frames of the same rate gets `frames` back."""
    return float(frames / rate)
