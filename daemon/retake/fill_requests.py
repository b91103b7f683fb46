"""A line of a timeline as a request for a take, with everything checked that can be checked before it is rendered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from retake import pipeline
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.take import TakeRequest
from retake.speakers import store as speakers
from retake.speech.languages import check_line
from retake.takes import store as takes_store

if TYPE_CHECKING:
    from retake_otio import Line

Conform = Literal["fit", "keep", "ripple"]
# What is wrong with one line only; anything else (a full disk, an engine that died) would be wrong with the next one too.
_OF_ONE_LINE = (ErrorKind.BAD_INPUT, ErrorKind.NOT_FOUND, ErrorKind.REFUSED)


@dataclass(frozen=True)
class Options:
    """How a timeline is to be filled.

    speaker, seed, conform: of lines that do not say it themselves.
    handles: frames before and behind every take, at least; None: as many as dissolves need, and half a second with "keep".
    markers: whether markers with script text are lines.
    refill: ids of the only lines to be filled; empty: all that are not locked.
    again: with a seed that none of the line's takes has.
    rate: frames per second, for formats that do not say it (.srt).
    strict: one line that cannot be filled fails all of them; otherwise it stays as it is.
    """

    speaker: str | None = None
    seed: int = 0
    conform: Conform = "fit"
    handles: int | None = None
    markers: bool = True
    refill: tuple[str, ...] = ()
    again: bool = False
    rate: Fraction | None = None
    strict: bool = False


@dataclass(frozen=True)
class Wanted:
    """A line of a timeline that is to be given a take.

    key: tells it from the others of its timeline, as long as that does not change.
    label: the clip or marker, for messages.
    request: what the take must be.
    """

    key: str
    label: str
    request: TakeRequest
    conform: Conform = "fit"


@dataclass(frozen=True)
class Unfilled:
    """A line that stays as it is, and why. The error's cause begins with the name of the clip or marker."""

    label: str
    line: str | None
    error: RetakeError

    def __str__(self) -> str:
        return f"{self.error.cause} {self.error.remedy} It stays as it is."


class Lines:
    """Makes requests of the lines of one timeline.

    Args:
        folder: the timeline's; recordings may lie in it and in `roots`.
    """

    def __init__(self, options: Options, home: Path, folder: Path, roots: Sequence[Path]) -> None:
        self._options = options
        self._home = home
        self._recordings = _Recordings(folder, tuple(roots))
        self._checked: set[tuple[str, str, str]] = set()

    def wanted(self, line: Line) -> Wanted:
        """The line with its request. Raises RetakeError for whatever is wrong with it, naming its clip or marker."""
        with of_line(line.label):
            request, conform = self._request(line)
            who = (request.speaker, request.voice_engine, request.lips_engine)
            if who not in self._checked:
                speakers.load(self._home, request.speaker)
                pipeline.voice_engine(request.voice_engine, folder=self._home)
                pipeline.lips_engine(request.lips_engine, folder=self._home)
                self._checked.add(who)
            if request.audio is None:
                check_line(request.text, request.voice_engine, self._home, asked=request.language)
            return Wanted(line.key, line.label, _as_made_before(request, line.frames, self._home), conform)

    def _request(self, line: Line) -> tuple[TakeRequest, Conform]:
        from retake_otio import request_of
        from retake_otio.requests import conform_of

        options = self._options
        asked = request_of(line, speaker=options.speaker, seed=options.seed, conform=options.conform, handles=options.handles, again=options.again)
        if "audio" in asked:
            asked["audio"] = self._recordings.find(asked["audio"])
        return TakeRequest(**asked), conform_of(line, options.conform)


def of_one_line(error: RetakeError) -> bool:
    """Whether the other lines of a timeline can be filled all the same."""
    return error.kind in _OF_ONE_LINE


@contextmanager
def of_line(label: str) -> Iterator[None]:
    """Errors about one line say which."""
    from retake_otio import TimelineError

    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "the line"
        raise RetakeError(
            f"{label}: {name} cannot be used ({first['msg']}).", "Correct the placeholder in the editor.", code="bad_placeholder"
        ) from error
    except TimelineError as error:
        kind = ErrorKind.NOT_FOUND if error.code == "no_speaker" else ErrorKind.BAD_INPUT
        raise RetakeError(f"{label}: {error.cause}", error.remedy, kind=kind, code=error.code) from error
    except RetakeError as error:
        if error.kind is ErrorKind.CANCELLED:
            raise
        raise RetakeError(f"{label}: {error.cause}", error.remedy, kind=error.kind, code=error.code) from error


@dataclass(frozen=True)
class _Recordings:
    """Where recordings that a timeline names may lie: whoever wrote it must not have any file of this machine read."""

    folder: Path  # the timeline's
    roots: tuple[Path, ...]

    def find(self, name: str) -> str:
        try:
            path = (self.folder / name).resolve()
        except (OSError, RuntimeError, ValueError):  # a zero character, links that go round in circles
            path = None
        if path is None or not any(path.is_relative_to(root.resolve()) for root in (self.folder, *self.roots)):
            raise RetakeError(
                f"The recording {name[:200]!r} does not lie beside the timeline.",
                "Put it into the timeline's folder, or into one that the settings name as a root.",
                kind=ErrorKind.REFUSED,
                code="outside_roots",
            )
        return str(path)


def _as_made_before(request: TakeRequest, frames: int | None, home: Path) -> TakeRequest:
    """A line whose take is exactly as long without being told to, as those of a script's timeline are, stays that take."""
    if request.fit is None:
        return request
    natural = request.model_copy(update={"fit": None, "pace": "fit"})
    take = takes_store.find(home, pipeline.take_key(natural, home=home))
    return natural if take is not None and take.slot == frames else request
