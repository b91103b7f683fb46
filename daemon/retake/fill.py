"""Lines of a timeline become takes: OTIO in, OTIO out (the convention is in docs/otio.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import ValidationError

from retake import pipeline
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.take import MOST_HANDLES, Take, TakeRequest
from retake.media.files import atomic
from retake.speakers import store as speakers
from retake.speech.text import check as check_text
from retake.takes import finish
from retake.takes import store as takes_store

if TYPE_CHECKING:
    from fractions import Fraction

    from opentimelineio.schema import Timeline

    from retake_otio import Line

Conform = Literal["fit", "keep", "ripple"]

LONGEST = 3600.0  # seconds of one take
KEEP_SECONDS = 0.5  # of handles with "keep", where nobody says how many


@dataclass(frozen=True)
class Options:
    """How a timeline is to be filled.

    speaker, seed, conform: of lines that do not say it themselves.
    handles: frames before and behind every take, at least; None: as many as dissolves need, and half a second with "keep".
    markers: whether markers with script text are lines.
    refill: ids of the only lines to be filled; empty: all that are not locked.
    again: with a seed that none of the line's takes has.
    rate: frames per second, for formats that do not say it (.srt).
    """

    speaker: str | None = None
    seed: int = 0
    conform: Conform = "fit"
    handles: int | None = None
    markers: bool = True
    refill: tuple[str, ...] = ()
    again: bool = False
    rate: Fraction | None = None


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
class Plan:
    """The lines to be filled, and what people should know about them and the others."""

    lines: list[Wanted]
    notes: list[str]


@dataclass(frozen=True)
class Filled:
    """A filled timeline, and what people should know about it."""

    path: Path
    notes: list[str]


def plan(path: Path, options: Options, *, home: Path, roots: Sequence[Path] = ()) -> Plan:
    """What is to be made for the timeline at `path`, with everything checked that can be checked before anything is rendered.

    Args:
        roots: folders in which recordings may lie that lines name, besides the timeline's own folder.

    Raises RetakeError: a file that is no timeline (bad_timeline, timeline_too_large, newer_timeline), none or too many lines (no_placeholders,
    too_many_lines), mixed_rates, ids that no line has (unknown_line) or that of a locked one (line_locked), and for a line whatever is wrong with it,
    naming its clip or marker.
    """
    timeline, found = _read(path, options)
    if not found:
        raise RetakeError(f"{path.name}: No clip of the timeline asks for a line.", _HOW, code="no_placeholders")
    chosen, notes = _chosen(found, options)
    checked: set[tuple[str, str, str]] = set()
    out: list[Wanted] = []
    recordings = _Recordings(path.absolute().parent, tuple(roots))
    for line in chosen:
        with _of_line(line.label):
            wanted = _wanted(line, options, recordings)
            request = wanted.request
            who = (request.speaker, request.voice_engine, request.lips_engine)
            if who not in checked:
                speakers.load(home, request.speaker)
                pipeline.voice_engine(request.voice_engine)
                pipeline.lips_engine(request.lips_engine)
                checked.add(who)
            if request.audio is None:
                check_text(request.text)
            out.append(replace(wanted, request=_as_made_before(request, line.frames, home)))
        if line.doubt:
            notes.append(f"{line.label}: {line.doubt}")
        if line.handles > MOST_HANDLES:
            notes.append(f"{line.label}: A dissolve beside it shows {line.handles} frames beyond its end; a take has at most {MOST_HANDLES}.")
    del timeline  # what was found in it lives as long as it does
    return Plan(out, notes)


def with_room(wanted: Wanted, *, home: Path, progress: Progress) -> TakeRequest:
    """The request for a line, with handles that are long enough for its words where these may end in them ("keep").

    The words are spoken for that. Raises RetakeError as `pipeline.render` does.
    """
    request = wanted.request
    if wanted.conform != "keep" or request.fit is None:
        return request
    needed = pipeline.words_need_handles(request, home=home, progress=progress)
    return request if needed <= request.handles or needed > MOST_HANDLES else request.model_copy(update={"handles": needed})


def fill(path: Path, planned: Plan, takes: Mapping[str, Take], output: Path, *, options: Options | None = None, profile: str | None = None) -> Filled:
    """Write the timeline at `path` to `output` with takes in the places of lines; the others stay.

    Args:
        planned: of the same timeline and options.
        takes: by the keys of the planned lines.
        output: what `check_output` lets pass; an earlier timeline there is replaced, anything else is not.
        profile: "resolve" for an .otio that DaVinci Resolve imports.

    Returns `output`, absolute, and notes. Raises RetakeError as `plan`, and take_does_not_match, bad_output, would_overwrite, not_writable;
    ValueError for a key of another timeline.
    """
    from retake_otio import Filling, TimelineError, fill_lines

    output = output.absolute()
    check_output(output, any_format=True)
    timeline, found = _read(path, options or Options())
    conforms: dict[str, Conform] = {wanted.key: wanted.conform for wanted in planned.lines}
    labels = {line.key: line.label for line in found}
    fillings: dict[str, Filling] = {}
    notes = list(planned.notes)
    for key, take in takes.items():
        parameters = take.request.model_dump(mode="json", exclude={"line_id"})
        fillings[key] = Filling(finish.take_media(take), take.request.line_id, parameters, conforms.get(key, "fit"))
        notes += [f"{labels.get(key, key)}: {note}" for note in take.measured.get("notes", ())]
    try:
        notes += [str(note) for note in fill_lines(timeline, found, fillings)]
        with atomic(output) as part:
            write(timeline, part, output, profile)
    except TimelineError as error:
        raise RetakeError(error.cause, error.remedy, code=error.code) from error
    return Filled(output, notes)


def write(timeline: Timeline, part: Path, output: Path, profile: str | None = None) -> None:
    """Write `timeline` to `part` in the format that the name `output` stands for. Raises TimelineError."""
    from retake_otio import write_timeline

    if profile is None and output.suffix.lower() == ".otio":
        write_timeline(part, timeline)
        return
    from retake_otio.exchange import format_of, write_any

    write_any(timeline, part, profile, format=format_of(output))


def check_output(output: Path, *, any_format: bool = False) -> None:
    """Raise RetakeError unless a filled timeline can be written to `output` without harming what is no timeline.

    Args:
        any_format: whether formats of other editors will do besides .otio.
    """
    if output.suffix.lower() != ".otio" and not (any_format and _known_format(output)):
        remedy = "Name a timeline, for example filled.otio (or .xml, .fcpxml)." if any_format else "Name a timeline, for example filled.otio."
        raise RetakeError(f"'{output.name}' does not end in .otio.", remedy, code="bad_output")
    if not output.parent.is_dir():
        raise RetakeError(
            f"The folder {output.parent} does not exist.",
            "Make it first.",
            kind=ErrorKind.NOT_FOUND,
            code="no_output_folder",
        )
    if output.exists():
        try:
            load(output)
        except RetakeError as error:
            raise RetakeError(
                f"{output} would be overwritten, and is no timeline.", "Choose another name, or move it away.", code="would_overwrite"
            ) from error


def load(path: Path, rate: Fraction | None = None) -> Timeline:
    """The timeline at `path`, of any format that its name tells; others are read as .otio. Raises RetakeError."""
    from retake_otio import TimelineError, read_timeline

    try:
        if path.suffix.lower() != ".otio" and _known_format(path):
            from retake_otio.exchange import read_any

            return read_any(path, rate)
        return read_timeline(path)
    except TimelineError as error:
        raise RetakeError(error.cause, error.remedy, code=error.code) from error
    except FileNotFoundError as error:
        raise RetakeError(f"{path} does not exist.", "Check the name and the folder.", kind=ErrorKind.NOT_FOUND, code="missing_file") from error
    except OSError as error:
        raise RetakeError(
            f"{path} cannot be read ({error.strerror or error}).",
            "Name a file that you may read.",
            kind=ErrorKind.ENVIRONMENT,
            code="not_readable",
        ) from error


def lines_of(timeline: Timeline, name: str, *, markers: bool = True) -> list[Line]:
    """The lines of `timeline`, which is called `name`. Raises RetakeError."""
    from retake_otio import TimelineError, find_lines

    try:
        return find_lines(timeline, markers=markers)
    except TimelineError as error:
        raise RetakeError(f"{name}: {error.cause}", error.remedy, code=error.code) from error


_HOW = (
    'A placeholder is a clip with a duration and the metadata {"retake": {"text": "Hello there.", "speaker": "anna"}}; '
    "a marker asks for a line with '@anna: Hello there.' as its name."
)


def _known_format(path: Path) -> bool:
    from retake_otio import TimelineError
    from retake_otio.exchange import format_of

    try:
        format_of(path)
    except TimelineError:
        return False
    return True


def _read(path: Path, options: Options) -> tuple[Timeline, list[Line]]:
    timeline = load(path, options.rate)
    return timeline, lines_of(timeline, path.name, markers=options.markers)


def _chosen(found: list[Line], options: Options) -> tuple[list[Line], list[str]]:
    """The lines to be filled, and what is said of the others."""
    if not options.refill:
        locked = [line for line in found if line.locked]
        return [line for line in found if not line.locked], [f"{line.label}: It is locked and stays as it is." for line in locked]
    ids = {line.id for line in found}
    unknown = [name for name in options.refill if name not in ids]
    if unknown:
        raise RetakeError(
            f"The timeline has no line '{unknown[0]}'.",
            "List the lines and their ids with 'retake markers'.",
            kind=ErrorKind.NOT_FOUND,
            code="unknown_line",
        )
    chosen = [line for line in found if line.id in options.refill]
    for line in chosen:
        if line.locked:
            raise RetakeError(f"{line.label} is locked.", "Unlock it to have it made again.", code="line_locked")
    return chosen, []


@contextmanager
def _of_line(label: str) -> Iterator[None]:
    """Errors about one line say which."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "the line"
        raise RetakeError(
            f"{label}: {name} cannot be used ({first['msg']}).", "Correct the placeholder in the editor.", code="bad_placeholder"
        ) from error
    except RetakeError as error:
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


def _wanted(line: Line, options: Options, recordings: _Recordings) -> Wanted:
    from retake_otio import CONFORMS, takes_of, unused_seed

    wants: dict[str, Any] = dict(line.wants)
    conform = wants.pop("conform", options.conform)
    if conform not in CONFORMS:
        raise RetakeError(f"There is no conform '{conform}'.", f"Use one of {', '.join(CONFORMS)}.", code="bad_placeholder")
    wants["seed"] = unused_seed(line) if options.again else wants.get("seed", options.seed)
    wants["speaker"] = wants.get("speaker") or options.speaker
    if not wants["speaker"]:
        remedy = "Name a speaker in the placeholder, or one for the whole timeline."
        raise RetakeError("It is not said who speaks.", remedy, kind=ErrorKind.NOT_FOUND, code="no_speaker")
    if wants.get("audio"):
        wants["audio"] = recordings.find(wants["audio"])
    else:
        wants.pop("audio", None)
    rate = FrameRate.from_fraction(line.rate)
    seconds = None if line.frames is None else rate.seconds(line.frames)
    if seconds is not None and seconds > LONGEST:
        raise RetakeError(f"It lasts {seconds:.0f} s.", f"A take lasts at most {LONGEST:.0f} s: shorten the clip.", code="bad_placeholder")
    # A take that has longer handles already is as good: the edit may rely on them by now.
    before = [take.handles for take in takes_of(line.clip) if take.active] if line.clip is not None else []
    handles = options.handles if options.handles is not None else rate.frames(KEEP_SECONDS) if conform == "keep" else 0
    request = TakeRequest(
        **wants,
        fps=str(rate),
        fit=None if conform == "ripple" else seconds,
        pace="natural" if conform == "keep" and seconds is not None else "fit",
        handles=min(MOST_HANDLES, max(handles, line.handles, *before, 0)),
        line_id=line.id,
    )
    return Wanted(line.key, line.label, request, cast(Conform, conform))


def _as_made_before(request: TakeRequest, frames: int | None, home: Path) -> TakeRequest:
    """A line whose take is exactly as long without being told to, as those of a script's timeline are, stays that take."""
    if request.fit is None:
        return request
    natural = request.model_copy(update={"fit": None, "pace": "fit"})
    take = takes_store.find(home, pipeline.take_key(natural, home=home))
    return natural if take is not None and take.slot == frames else request
