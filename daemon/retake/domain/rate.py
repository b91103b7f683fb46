"""Exact frame rates. Seconds are floats only inside audio code; picture time is a frame number and a fraction."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from .errors import RetakeError

# Decimal names that editors use for NTSC rates; everything else is taken literally.
_NTSC = {
    "23.976": (24000, 1001),
    "23.98": (24000, 1001),
    "29.97": (30000, 1001),
    "47.95": (48000, 1001),
    "59.94": (60000, 1001),
    "119.88": (120000, 1001),
}
_WRITTEN = re.compile(r"[0-9]{1,9}(?:/[0-9]{1,9}|\.[0-9]{1,9})?")


@dataclass(frozen=True, order=False)
class FrameRate:
    """Frames per second as a reduced fraction, for example ``FrameRate(30000, 1001)``."""

    numerator: int
    denominator: int = 1

    def __post_init__(self) -> None:
        if self.numerator <= 0 or self.denominator <= 0:
            raise ValueError(f"a frame rate is a positive fraction, not {self.numerator}/{self.denominator}")
        common = math.gcd(self.numerator, self.denominator)
        object.__setattr__(self, "numerator", self.numerator // common)
        object.__setattr__(self, "denominator", self.denominator // common)

    @classmethod
    def parse(cls, text: str) -> FrameRate:
        """Read ``25``, ``30000/1001``, ``29.97`` or ``12.5``; raises RetakeError naming the accepted forms."""
        text = text.strip()
        try:
            if text in _NTSC:
                return cls(*_NTSC[text])
            if not _WRITTEN.fullmatch(text):  # Fraction also reads 1e999999999, and never comes back
                raise ValueError(text)
            value = Fraction(text).limit_denominator(1001)
            if not 1 <= value <= 240:
                raise ValueError(text)
            return cls(value.numerator, value.denominator)
        except (ValueError, ZeroDivisionError):
            raise RetakeError(
                f"'{text}' is not a frame rate.", "Give frames per second from 1 to 240, such as 25, 29.97 or 30000/1001.", code="bad_rate"
            ) from None

    @classmethod
    def from_fraction(cls, value: Fraction) -> FrameRate:
        return cls(value.numerator, value.denominator)

    @property
    def fraction(self) -> Fraction:
        return Fraction(self.numerator, self.denominator)

    def __float__(self) -> float:
        return self.numerator / self.denominator

    def __str__(self) -> str:
        return str(self.numerator) if self.denominator == 1 else f"{self.numerator}/{self.denominator}"

    def seconds(self, frames: int) -> float:
        """Time at which frame number `frames` starts."""
        return frames * self.denominator / self.numerator

    def frames(self, seconds: float) -> int:
        """Number of frames nearest to `seconds` (half a frame rounds up)."""
        return math.floor(seconds * self.numerator / self.denominator + 0.5)

    def frames_covering(self, seconds: float) -> int:
        """Smallest number of frames that lasts at least `seconds` (to within a microsecond)."""
        return max(1, math.ceil((seconds - 1e-6) * self.numerator / self.denominator))
