"""Styles of delivery: how fast, how lively and with how long pauses a person speaks, relative to how they spoke in the reference."""

from __future__ import annotations

from dataclasses import dataclass

from retake.domain.errors import RetakeError


@dataclass(frozen=True)
class Style:
    """Factors on the person's own rate of speech, on the pauses between sentences and on the range of pitch."""

    rate: float = 1.0
    pause: float = 1.0
    spread: float = 1.0


# Small steps: the words of a line must stay the person's own way of speaking, and fit (speech.conform) may change the rate by 12 % more.
STYLES: dict[str, Style] = {
    "neutral": Style(),
    "warm": Style(rate=0.95, pause=1.1, spread=1.08),
    "brisk": Style(rate=1.10, pause=0.7, spread=1.05),
    "emphatic": Style(rate=0.95, pause=1.25, spread=1.3),
}


def style_named(name: str) -> Style:
    """Raises RetakeError (unknown_style) naming the styles there are."""
    style = STYLES.get(name)
    if style is None:
        raise RetakeError(f"There is no style '{name[:60]}'.", f"Styles: {', '.join(STYLES)}.", code="unknown_style")
    return style
