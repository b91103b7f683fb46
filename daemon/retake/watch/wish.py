"""What one clip of a dropped file shall be: its words and its options, checked where they were written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from retake.domain.errors import RetakeError
from retake.domain.language import language_tag
from retake.domain.rate import FrameRate

OPTIONS = ("speaker", "fps", "size", "fit", "seed", "output", "language")
KEYS = ("text", *OPTIONS)
MOST_CLIPS = 10_000  # of one file
_SIZE = re.compile(r"(\d{1,5})\s*[xX×*]\s*(\d{1,5})")
_SECONDS = re.compile(r"\d{1,4}(\.\d{1,9})?")
_SEED = re.compile(r"\d{1,10}")
_LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Options:
    """How a clip shall be made; None where the file does not say."""

    speaker: str | None = None
    fps: str | None = None
    size: tuple[int, int] | None = None
    fit: float | None = None  # seconds
    seed: int | None = None
    language: str | None = None  # tag
    output: str | None = None  # name wanted for the clip, not yet a safe one

    def over(self, defaults: Options) -> Options:
        """These options, and those of `defaults` where nothing is said here."""
        values = {name: getattr(self, name) for name in OPTIONS}
        return Options(**{name: getattr(defaults, name) if value is None else value for name, value in values.items()})


@dataclass(frozen=True)
class Cue:
    """When a clip begins and ends on the timeline of its file, in seconds."""

    start: float
    end: float


@dataclass(frozen=True)
class Wish:
    """One clip that is asked for.

    number: counts the clips of a file from 1.
    where: where the file asks for it ("row 3"), for messages; empty for a file of one clip.
    """

    number: int
    where: str
    text: str
    options: Options = Options()
    cue: Cue | None = None


@dataclass(frozen=True)
class Drop:
    """What a dropped file asks for: clips, or (without any) that it is a timeline to fill.

    together: whether its clips belong on a timeline of their own, in their order.
    """

    wishes: tuple[Wish, ...]
    title: str = ""
    together: bool = False
    options: Options = field(default_factory=Options)


@contextmanager
def at(where: str) -> Iterator[None]:
    """Errors raised inside say where in the file."""
    try:
        yield
    except RetakeError as error:
        if not where:
            raise
        raise RetakeError(f"{where[0].upper()}{where[1:]}: {error.cause}", error.remedy, kind=error.kind, code=error.code) from error


def parse_options(fields: Mapping[str, str]) -> Options:
    """Options from text; empty values count as not given.

    Raises RetakeError (unknown_option, bad_option, bad_size, bad_rate) that says what each option takes.
    """
    unknown = [name for name in fields if name not in OPTIONS]
    if unknown:
        raise RetakeError(f"'{unknown[0]}' is not an option.", f"Options: {', '.join(OPTIONS)}.", code="unknown_option")
    given = {name: value.strip() for name, value in fields.items() if value.strip()}
    return Options(
        speaker=given["speaker"].removeprefix("@").lower() if "speaker" in given else None,
        fps=str(FrameRate.parse(given["fps"])) if "fps" in given else None,
        size=_size(given["size"]) if "size" in given else None,
        fit=_fit(given["fit"]) if "fit" in given else None,
        seed=_seed(given["seed"]) if "seed" in given else None,
        language=language_tag(given["language"]) if "language" in given else None,
        output=given.get("output"),
    )


def _size(text: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise RetakeError(f"'{text}' is not a picture size.", "Give width x height in pixels, for example 1920x1080.", code="bad_size")
    width, height = int(match[1]), int(match[2])
    if not all(64 <= side <= 7680 and side % 2 == 0 for side in (width, height)):
        raise RetakeError(f"A picture of {width}x{height} cannot be made.", "Give even sides from 64 to 7680 pixels.", code="bad_size")
    return width, height


def _fit(text: str) -> float:
    if not _SECONDS.fullmatch(text) or not 0 < float(text) <= 3600:
        raise RetakeError(f"fit: '{text}' is not a duration.", "Give the seconds that the clip must last, for example 2.5.", code="bad_option")
    return float(text)


def _seed(text: str) -> int:
    if not _SEED.fullmatch(text) or int(text) > _LARGEST_SEED:
        raise RetakeError(f"seed: '{text}' is not possible.", f"Give a whole number from 0 to {_LARGEST_SEED}.", code="bad_option")
    return int(text)


def too_many(name: str, count: int) -> RetakeError:
    return RetakeError(f"{name} asks for {count:,} clips; a file may ask for {MOST_CLIPS:,}.", "Split it into several files.", code="too_many_clips")


def nothing_to_say(name: str, remedy: str) -> RetakeError:
    """The error of a file that asks for no clip at all."""
    return RetakeError(f"{Path(name).name} holds nothing to say.", remedy, code="nothing_to_say")
