"""Frame rates and timecode as Resolve writes them, exactly: "23.976" stands for 24000/1001, and 29.97 may drop numbers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .errors import EditorError

# What Resolve offers in its project settings; the decimals are names of fractions.
_NAMED = {
    "15": Fraction(15),
    "16": Fraction(16),
    "18": Fraction(18),
    "23.976": Fraction(24000, 1001),
    "23.98": Fraction(24000, 1001),
    "24": Fraction(24),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "30": Fraction(30),
    "47.952": Fraction(48000, 1001),
    "47.95": Fraction(48000, 1001),
    "48": Fraction(48),
    "50": Fraction(50),
    "59.94": Fraction(60000, 1001),
    "60": Fraction(60),
    "71.928": Fraction(72000, 1001),
    "72": Fraction(72),
    "95.904": Fraction(96000, 1001),
    "96": Fraction(96),
    "100": Fraction(100),
    "119.88": Fraction(120000, 1001),
    "120": Fraction(120),
}
_SETTING = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(DF|NDF)?\s*", re.IGNORECASE)
_TIMECODE = re.compile(r"\s*([0-9]{1,2}):([0-9]{2}):([0-9]{2})([:;.,])([0-9]{2,3})\s*")
# Rates whose timecode may drop numbers, and how many at the beginning of each minute that is no multiple of ten.
_DROPPED = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4, Fraction(120000, 1001): 8}


@dataclass(frozen=True)
class TimelineRate:
    """Frames per second, exactly, and whether timecode leaves out numbers to keep up with the clock (drop frame)."""

    rate: Fraction
    drop: bool = False

    def __post_init__(self) -> None:
        if self.drop and self.rate not in _DROPPED:
            raise EditorError(f"{float(self.rate):g} frames per second have no drop-frame timecode.", "Choose 29.97 DF or 59.94 DF.", "bad_rate")

    @property
    def nominal(self) -> int:
        """How many numbers a second of timecode has."""
        return math.ceil(self.rate)

    @property
    def text(self) -> str:
        """As requests for takes name it: "24", "30000/1001"."""
        return str(self.rate)

    def seconds(self, frames: int) -> float:
        return float(frames / self.rate)

    @property
    def day(self) -> int:
        """Frames of 24 hours of timecode, after which it begins again."""
        dropped = _DROPPED[self.rate] if self.drop else 0
        return (self.nominal * 600 - dropped * 9) * 6 * 24

    def frames_of(self, timecode: str) -> int:
        """The frame number of a timecode; raises EditorError for what is none at this rate."""
        found = _TIMECODE.fullmatch(timecode)
        if found is None:
            raise EditorError(f"{timecode!r} is no timecode.", "Timecode looks like 01:00:00:00.", "bad_timecode")
        hours, minutes, seconds, frames = int(found[1]), int(found[2]), int(found[3]), int(found[5])
        dropped = _DROPPED[self.rate] if self.drop else 0
        left_out = frames < dropped and seconds == 0 and minutes % 10 != 0
        if minutes > 59 or seconds > 59 or frames >= self.nominal or left_out:
            raise EditorError(f"{timecode} does not exist at {self}.", "Look at the timeline's frame rate.", "bad_timecode")
        count = ((hours * 60 + minutes) * 60 + seconds) * self.nominal + frames
        total = hours * 60 + minutes
        return count - dropped * (total - total // 10)

    def timecode_of(self, frame: int) -> str:
        """The timecode of a frame number; it begins again after 24 hours."""
        dropped = _DROPPED[self.rate] if self.drop else 0
        ten_minutes = self.nominal * 600 - dropped * 9
        frame %= self.day
        if dropped:
            tens, rest = divmod(frame, ten_minutes)
            minutes = max(0, rest - dropped) // (self.nominal * 60 - dropped)
            frame += dropped * (9 * tens + minutes)
        seconds, frames = divmod(frame, self.nominal)
        digits = 3 if self.nominal > 100 else 2
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{';' if self.drop else ':'}{frames:0{digits}d}"

    def __str__(self) -> str:
        return f"{float(self.rate):.3f}".rstrip("0").rstrip(".") + (" DF" if self.drop else "")


def timeline_rate(setting: Any, drop_setting: Any = "", start_timecode: str = "") -> TimelineRate:
    """The rate of a timeline.

    Args:
        setting: its `timelineFrameRate`: "24", "23.976", "29.97 DF"; some versions answer with a number.
        drop_setting: its `timelineDropFrameTimecode` ("1", "0", or nothing where Resolve does not know it).
        start_timecode: "01:00:00;00" drops.

    Raises EditorError (bad_rate).
    """
    text = f"{setting:g}" if isinstance(setting, (int, float)) and not isinstance(setting, bool) else str(setting or "")
    found = _SETTING.fullmatch(text)
    rate = _rate(found[1]) if found is not None else None
    if found is None or rate is None:
        raise EditorError(f"Resolve names the frame rate {text!r}.", "Set the timeline to one of 23.976 to 120 frames per second.", "bad_rate")
    suffix = (found[2] or "").upper()
    drop = suffix == "DF" or (suffix != "NDF" and (str(drop_setting).strip().lower() in {"1", "true"} or ";" in start_timecode))
    return TimelineRate(rate, drop and rate in _DROPPED)


def _rate(text: str) -> Fraction | None:
    plain = text.rstrip("0").rstrip(".") if "." in text else text
    for name in (text, plain):
        if name in _NAMED:
            return _NAMED[name]
    value = Fraction(text)
    near = [rate for rate in _NAMED.values() if rate.denominator == 1001 and abs(rate - value) < Fraction(1, 200)]
    if near:
        return near[0]  # "23.97602" and the like
    return value if value.denominator == 1 and 1 <= value <= 240 else None
