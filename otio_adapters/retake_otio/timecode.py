"""Timecode of frames, as editors show it."""

from __future__ import annotations

from fractions import Fraction

_DROPPING = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}  # frame numbers left out every minute but each tenth (SMPTE ST 12-1)


def timecode(frame: int, rate: Fraction) -> str:
    """``HH:MM:SS:FF`` of a frame that counts from 00:00:00:00; drop-frame, with a semicolon, at 29.97 and 59.94. Negative ones have a minus."""
    count = abs(frame)
    base = max(1, round(rate))
    dropped = _DROPPING.get(rate, 0)
    if dropped:
        minute, ten = base * 60 - dropped, base * 600 - 9 * dropped
        tens, rest = divmod(count, ten)
        count += 9 * dropped * tens + (dropped * ((rest - base * 60) // minute + 1) if rest >= base * 60 else 0)
    seconds, frames = divmod(count, base)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{'-' if frame < 0 else ''}{hours:02d}:{minutes:02d}:{seconds:02d}{';' if dropped else ':'}{frames:02d}"
