"""Clips that wait for their takes, as adapters of texts make them."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from .measuring import exact_rate
from .reading import TimelineError
from .spans import span
from .timeline import FORMAT, GENERATOR_KEY, GENERATOR_KIND, METADATA

NTSC = {"23.976": "24000/1001", "23.98": "24000/1001", "29.97": "30000/1001", "47.95": "48000/1001", "59.94": "60000/1001", "119.88": "120000/1001"}
_RATE = re.compile(r"[0-9]{1,9}(?:/[0-9]{1,9}|\.[0-9]{1,9})?")
# English read aloud without haste: 165 words of five letters a minute; and what is silent between sentences and around a line.
CHARACTERS_A_SECOND = 14.5
SENTENCE_PAUSE = 0.35
AROUND = 0.3
_SENTENCE_END = re.compile(r"[.!?;:]+(?=\s|$)")


def parse_rate(text: str | float | Fraction) -> Fraction:
    """A frame rate from "25", "29.97" or "30000/1001". Raises TimelineError (bad_rate)."""
    written = str(text).strip()
    try:
        if isinstance(text, int | float | Fraction):
            found = exact_rate(float(text))
        elif _RATE.fullmatch(NTSC.get(written, written)):
            found = exact_rate(float(Fraction(NTSC.get(written, written))))
        else:
            found = None
    except ZeroDivisionError:
        found = None
    if found is None or not 1 <= found <= 240:
        raise TimelineError(
            f"'{written[:40]}' is no frame rate.", "Give frames per second from 1 to 240, such as 25, 29.97 or 30000/1001.", "bad_rate"
        )
    return found


def estimate(text: str, rate: Fraction) -> int:
    """Frames that a line may take: a guess from its letters, within a third of what people and voices do. Filling replaces it by the true length."""
    letters = sum(not character.isspace() for character in text) + len(text.split())
    pauses = max(0, len(_SENTENCE_END.findall(text)) - 1)
    return max(1, math.ceil((AROUND + letters / CHARACTERS_A_SECOND + pauses * SENTENCE_PAUSE) * rate))


def line_identity(speaker: str | None, text: str, seen: Counter[str]) -> str:
    """The id of a line that has none: a hash of who says what, so that reading the same text again gives the same ids."""
    digest = hashlib.sha256(f"{speaker or ''}\n{text}".encode()).hexdigest()[:10]
    seen[digest] += 1
    return digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def draft_clip(line: str, parameters: Mapping[str, Any], frames: int, rate: Fraction, **own: Any) -> otio.schema.Clip:
    """A placeholder of `frames` frames; `own` goes into its `metadata["retake"]`."""
    where = span(0, frames, float(rate))
    words = " ".join(str(parameters.get("text", "")).split())
    name = words if len(words) <= 60 else words[:59].rstrip() + "…"
    clip = otio.schema.Clip(name=name or line, source_range=where, metadata={METADATA: {"format": FORMAT, "line": line, **own}})
    generator = otio.schema.GeneratorReference(
        name="retake line",
        generator_kind=GENERATOR_KIND,
        available_range=where,
        parameters=dict(parameters),
        metadata={METADATA: {"format": FORMAT, "line": line}},
    )
    clip.set_media_references({GENERATOR_KEY: generator}, GENERATOR_KEY)
    return clip


def gap(frames: int, rate: Fraction) -> otio.schema.Gap:
    return otio.schema.Gap(source_range=span(0, frames, float(rate)))
