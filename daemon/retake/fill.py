"""Lines of a timeline become takes: OTIO in, OTIO out (the convention is in docs/otio.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from retake import pipeline
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.domain.take import MOST_HANDLES, Take, TakeRequest
from retake.fill_requests import Conform, Lines, Options, Unfilled, Wanted, of_line, of_one_line
from retake.media.files import atomic
from retake.takes import finish

if TYPE_CHECKING:
    from fractions import Fraction

    from opentimelineio.schema import Timeline

    from retake_otio import Line

__all__ = [
    "Filled", "Options", "Plan", "Unfilled", "Wanted", "check_any", "check_output", "fill", "lines_of", "load", "of_line", "of_one_line", "plan",
    "with_room", "write",
]  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """The lines to be filled, what people should know about them and the others, and those that cannot be filled."""

    lines: list[Wanted]
    notes: list[str]
    unfilled: list[Unfilled] = field(default_factory=list)

    def without(self, wanted: Wanted, error: RetakeError) -> Plan:
        """The same, with one line that turned out to be impossible."""
        lost = Unfilled(wanted.label, wanted.request.line_id, error)
        return replace(self, lines=[line for line in self.lines if line.key != wanted.key], unfilled=[*self.unfilled, lost])


@dataclass(frozen=True)
class Filled:
    """A filled timeline, and what people should know about it."""

    path: Path
    notes: list[str]


def plan(path: Path, options: Options, *, home: Path, roots: Sequence[Path] = ()) -> Plan:
    """What is to be made for the timeline at `path`, with everything checked that can be checked before anything is rendered.

    A line with which something is wrong holds up no other one, unless `options.strict`: it is among the unfilled.

    Args:
        roots: folders in which recordings may lie that lines name, besides the timeline's own folder.

    Raises RetakeError: a file that is no timeline (bad_timeline, timeline_too_large, newer_timeline), none or too many lines (no_placeholders,
    too_many_lines), mixed_rates, ids that no line has (unknown_line) or that of a locked one (line_locked), and whatever is wrong with a line,
    naming its clip or marker, where none is left that can be filled.
    """
    refused: list[RetakeError] = []
    timeline, found = _read(path, options, refused)
    unfilled = [Unfilled("", None, error) for error in refused]
    if not found and not unfilled:
        raise RetakeError(f"{path.name}: No clip of the timeline asks for a line.", _HOW, code="no_placeholders")
    chosen, notes = _chosen(found, options)
    if options.refill:
        unfilled = []  # others were asked for
    lines = Lines(options, home, path.absolute().parent, roots)
    out: list[Wanted] = []
    for line in chosen:
        try:
            out.append(lines.wanted(line))
        except RetakeError as error:
            if options.strict or not of_one_line(error):
                raise
            unfilled.append(Unfilled(line.label, line.id, error))
            continue
        if line.doubt:
            notes.append(f"{line.label}: {line.doubt}")
        if line.handles > MOST_HANDLES:
            notes.append(f"{line.label}: A dissolve beside it shows {line.handles} frames beyond its end; a take has at most {MOST_HANDLES}.")
    del timeline  # what was found in it lives as long as it does
    if not out:
        check_any(unfilled)
    return Plan(out, notes, unfilled)


def check_any(unfilled: Sequence[Unfilled]) -> None:
    """Raise the first line's RetakeError where nothing is left that could be filled."""
    if unfilled:
        error = unfilled[0].error
        others = "" if len(unfilled) == 1 else f" ({len(unfilled) - 1} more cannot be filled either.)"
        raise RetakeError(f"{error.cause}{others}", error.remedy, kind=error.kind, code=error.code) from error


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

    Returns `output`, absolute, and notes, those of unfilled lines first.
    Raises RetakeError as `plan`, and take_does_not_match, bad_output, would_overwrite, not_writable;
    ValueError for a key of another timeline.
    """
    from retake_otio import Filling, TimelineError, fill_lines

    output = output.absolute()
    check_output(output, any_format=True)
    timeline, found = _read(path, options or Options())
    conforms: dict[str, Conform] = {wanted.key: wanted.conform for wanted in planned.lines}
    labels = {line.key: line.label for line in found}
    fillings: dict[str, Filling] = {}
    notes = [*(str(line) for line in planned.unfilled), *planned.notes]
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
        # The adapter speaks of its own argument.
        remedy = "Say it with --fps, such as --fps 25 or --fps 30000/1001." if rate is None and error.code == "no_rate" else error.remedy
        raise RetakeError(error.cause, remedy, code=error.code) from error
    except FileNotFoundError as error:
        raise RetakeError(f"{path} does not exist.", "Check the name and the folder.", kind=ErrorKind.NOT_FOUND, code="missing_file") from error
    except OSError as error:
        raise RetakeError(
            f"{path} cannot be read ({error.strerror or error}).",
            "Name a file that you may read.",
            kind=ErrorKind.ENVIRONMENT,
            code="not_readable",
        ) from error


def lines_of(timeline: Timeline, name: str, *, markers: bool = True, refused: list[RetakeError] | None = None) -> list[Line]:
    """The lines of `timeline`, which is called `name`. Raises RetakeError; what is wrong with single lines goes into `refused`, if given."""
    from retake_otio import TimelineError, find_lines

    wrong: list[TimelineError] = []
    try:
        found = find_lines(timeline, markers=markers, refused=None if refused is None else wrong)
    except TimelineError as error:
        raise RetakeError(f"{name}: {error.cause}", error.remedy, code=error.code) from error
    if refused is not None:
        refused += [RetakeError(error.cause, error.remedy, code=error.code) for error in wrong]
    return found


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


def _read(path: Path, options: Options, refused: list[RetakeError] | None = None) -> tuple[Timeline, list[Line]]:
    timeline = load(path, options.rate)
    wrong: list[RetakeError] = []
    found = lines_of(timeline, path.name, markers=options.markers, refused=None if options.strict else wrong)
    if refused is not None:
        refused += wrong
    return timeline, found


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
