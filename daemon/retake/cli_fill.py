"""`retake fill`: takes into the placeholders and markers of a timeline."""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug, Quiet, existing_file
from retake.console import working
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.rate import FrameRate
from retake.settings import home, load_settings, prepare_home

if TYPE_CHECKING:
    from retake.domain.progress import Progress
    from retake.domain.take import Take
    from retake.fill import Plan, Wanted

_CONFORMS = ("fit", "keep", "ripple")


def add_fill(app: typer.Typer) -> None:
    app.command()(fill)


def fill(
    timeline: Annotated[Path, typer.Argument(help="The edit: .otio, .xml (FCP7), .fcpxml, .retake.md or .srt.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The filled timeline; its ending says the format: .otio, .xml, .fcpxml.")],
    speaker: Annotated[
        str | None, typer.Option("--speaker", "-s", help="Who speaks lines that name nobody; may be left out while only one is enrolled.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of lines that have none; another number gives another reading.")
    ] = 0,
    conform: Annotated[str, typer.Option("--conform", help="How lines and their slots get along: fit (default), keep or ripple.")] = "fit",
    handles: Annotated[int | None, typer.Option("--handles", min=0, max=250, help="Frames before and behind every take, at least.")] = None,
    line: Annotated[
        list[str] | None, typer.Option("--line", help="Fill this line only (its id; see 'retake markers'). May be given several times.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="One more take of each line, with a new seed.")] = False,
    markers: Annotated[bool, typer.Option("--markers/--no-markers", help="Whether markers with script text are lines.")] = True,
    fps: Annotated[str | None, typer.Option("--fps", help="Frame rate of formats that do not say it (.srt), such as 25 or 29.97.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="'resolve': an .otio that DaVinci Resolve imports.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Write nothing where one line cannot be filled.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Fill the placeholders and markers of a timeline with takes.

    A line that cannot be filled stays as it is and is named, the others are filled; the exit code is 3 then.
    """
    if conform not in _CONFORMS:
        raise RetakeError(f"There is no conform '{conform}'.", f"Use one of {', '.join(_CONFORMS)}.", code="bad_option")
    source = existing_file(timeline, "timeline")
    target = output.expanduser().resolve()
    if target == source and target.suffix.lower() != ".otio":
        raise RetakeError(f"{target} is the timeline itself.", "Give the filled one another name with -o.", code="bad_output")
    folder = prepare_home(home())
    from retake import fill as filling

    filling.check_output(target, any_format=True)
    roots = tuple(Path(root) for root in load_settings(folder).server.roots)
    options = filling.Options(
        speaker=_speaker(folder, speaker),
        seed=seed,
        conform=conform,
        handles=handles,
        markers=markers,
        refill=tuple(line or ()),
        again=again,
        rate=_rate(fps),
        strict=strict,
    )
    planned = filling.plan(source, options, home=folder, roots=roots)
    started = time.monotonic()
    with working("fill", folder, rounds=max(1, len(planned.lines)), quiet=quiet) as progress:
        planned, takes = _render(planned, folder, progress, strict=strict)
        progress.check()
        done = filling.fill(source, planned, takes, target, options=options, profile=profile)
    if as_json:
        cli_output.answer_json(_answer(planned, takes, str(done.path), done.notes))
        _end(planned)
        return
    for wanted in planned.lines:
        take = takes[wanted.key]
        how = "as rendered before" if take.cached else "rendered"
        about = f", handles {take.handles}" if take.handles else ""
        print(f"{wanted.label}: take {take.id}, {take.slot} frames at {take.rate}{about}, {how}")
    cli_output.print_lines(f"note: {note}" for note in done.notes)
    made = sum(not take.cached for take in takes.values())
    lines = "1 line" if len(takes) == 1 else f"{len(takes)} lines"
    print(f"{lines} filled, {made} rendered, in {time.monotonic() - started:.1f} s")
    print(f"Timeline: {done.path}")
    _end(planned)


def _end(planned: Plan) -> None:
    """Scripts learn from the exit code that something is missing from the timeline."""
    count = len(planned.unfilled)
    if count == 0:
        return
    lines = "1 line was" if count == 1 else f"{count} lines were"
    print(f"{lines} not filled (see the notes); the timeline was written with the others.", file=sys.stderr)
    raise typer.Exit(ErrorKind.BAD_INPUT.value)


def _render(planned: Plan, folder: Path, progress: Progress, *, strict: bool) -> tuple[Plan, dict[str, Take]]:
    """The plan of what was possible, and the takes by the keys of its lines.

    Takes that were finished before an error or Ctrl-C stay, so that the next run goes on from there.
    """
    from retake import fill as filling
    from retake.pipeline import render

    out: dict[str, Take] = {}
    wanted_lines = planned.lines
    for number, wanted in enumerate(wanted_lines, 1):
        progress.stage("Speaking")
        try:
            request = filling.with_room(wanted, home=folder, progress=progress)
            out[wanted.key] = render(request, home=folder, output=None, progress=progress)
        except RetakeError as error:
            if error.kind is ErrorKind.CANCELLED:
                raise
            if not strict and filling.of_one_line(error):
                planned = planned.without(wanted, _of(wanted, error))
                continue
            where = f"{wanted.label} (line {number} of {len(wanted_lines)}, id {wanted.request.line_id})"
            raise RetakeError(f"{where}: {error.cause}", error.remedy, kind=error.kind, code=error.code) from error
    if not out:
        filling.check_any(planned.unfilled)
    return planned, out


def _of(wanted: Wanted, error: RetakeError) -> RetakeError:
    return RetakeError(f"{wanted.label}: {error.cause}", error.remedy, kind=error.kind, code=error.code)


def _answer(planned: Plan, takes: dict[str, Take], timeline: str, notes: list[str]) -> dict[str, Any]:
    lines = [
        {
            "line": wanted.request.line_id,
            "label": wanted.label,
            "conform": wanted.conform,
            "frames": takes[wanted.key].slot,
            "handles": takes[wanted.key].handles,
            "take": takes[wanted.key].model_dump(mode="json"),
        }
        for wanted in planned.lines
    ]
    unfilled = [
        {"line": line.line, "label": line.label, "code": line.error.code, "cause": line.error.cause, "remedy": line.error.remedy}
        for line in planned.unfilled
    ]
    return {"timeline": timeline, "lines": lines, "unfilled": unfilled, "notes": notes}


def _speaker(folder: Path, name: str | None) -> str | None:
    """The speaker of lines that name none: the one asked for, else the only one there is."""
    from retake.speakers import store

    if name is not None:
        return store.load(folder, name).name
    known = store.names(folder)
    return known[0] if len(known) == 1 else None


def _rate(fps: str | None) -> Fraction | None:
    return None if fps is None else FrameRate.parse(fps).fraction
