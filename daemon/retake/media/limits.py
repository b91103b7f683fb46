"""What is accepted of media: how long, how large, how many streams, and how long decoding it may take.

The limits hold for the whole process (`settings.prepare_process` sets them), since every file that is opened comes from somebody else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType

from retake.domain.errors import RetakeError

# More than cameras and broadcasters make. Files beyond are damaged, or made to hurt.
MOST_STREAMS = 64
HIGHEST_RATE = 1000.0  # pictures a second
LONGEST_SIDE = 16384
HIGHEST_SAMPLE_RATE = 768_000
OPENING_SECONDS = 60.0  # of one call into a demuxer, which reads a few megabytes


@dataclass(frozen=True)
class MediaLimits:
    """`seconds` of the longest video or recording, `pixels` of the largest picture, `decode_seconds` that reading one file may take (time in which
    somebody else works on what was read does not count)."""

    seconds: float = 3600.0
    pixels: int = 7680 * 4320
    decode_seconds: float = 900.0


_DEFAULT = MediaLimits()
_current: list[MediaLimits] = [_DEFAULT]


def limits() -> MediaLimits:
    """The limits of this process."""
    return _current[0]


def use_limits(new: MediaLimits) -> None:
    """Set the limits of this process."""
    _current[0] = new


def check_streams(count: int, name: str) -> None:
    """Raise RetakeError (too_many_streams)."""
    if count > MOST_STREAMS:
        raise RetakeError(
            f"{name} holds {count} streams.", f"Export it with at most {MOST_STREAMS}, best with one picture and one sound.", code="too_many_streams"
        )


def check_seconds(seconds: float, name: str) -> None:
    """Raise RetakeError (media_too_long). A second more is let through: durations are rounded in many ways."""
    longest = limits().seconds
    if seconds > longest + 1.0:
        raise RetakeError(
            f"{name} lasts {_clock(seconds)}.", f"Use at most {_clock(longest)}, or raise the limit media_seconds.", code="media_too_long"
        )


def check_picture(width: int, height: int, name: str) -> None:
    """Raise RetakeError (picture_too_large)."""
    if width * height > limits().pixels or max(width, height) > LONGEST_SIDE:
        raise RetakeError(
            f"The picture of {name} has {width}x{height} pixels.",
            f"Use at most {limits().pixels / 1e6:.1f} million and {LONGEST_SIDE} a side, or raise the limit media_pixels.",
            code="picture_too_large",
        )


def check_rate(rate: float, name: str) -> None:
    """Raise RetakeError (absurd_rate) for more pictures a second than any camera makes."""
    if rate > HIGHEST_RATE:
        raise RetakeError(f"{name} claims {rate:,.0f} pictures a second.", f"Export it with at most {HIGHEST_RATE:.0f}.", code="absurd_rate")


def check_sample_rate(rate: int, name: str) -> None:
    """Raise RetakeError (absurd_rate)."""
    if rate > HIGHEST_SAMPLE_RATE:
        raise RetakeError(f"{name} claims {rate:,} samples a second.", f"Export it with at most {HIGHEST_SAMPLE_RATE:,}.", code="absurd_rate")


class Patience:
    """How long reading one file has taken, against the limit. Time counts only in `with` blocks of this.

    They raise RetakeError (decode_too_slow) when all of them have taken too long together.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._limit = limits().decode_seconds
        self._spent = 0.0
        self._since = 0.0

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._spent += time.monotonic() - self._since
        if kind is None and self._spent > self._limit:
            raise RetakeError(
                f"Reading {self._name} takes longer than {_clock(self._limit)}.",
                "Export it as H.264 in mp4, or raise the limit decode_seconds.",
                code="decode_too_slow",
            )


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
