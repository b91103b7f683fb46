"""`retake markers`: the lines of a timeline, where they lie and what there is of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug, existing_file
from retake.domain.errors import RetakeError
from retake.domain.rate import FrameRate

if TYPE_CHECKING:
    from opentimelineio.schema import Timeline

    from retake_otio import Line


def add_markers(app: typer.Typer) -> None:
    app.command()(markers)


def markers(
    timeline: Annotated[Path, typer.Argument(help="The edit: .otio, .xml (FCP7), .fcpxml, .retake.md or .srt.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Give every line an id that stays with it, and write the timeline here.")
    ] = None,
    fps: Annotated[str | None, typer.Option("--fps", help="Frame rate of formats that do not say it (.srt), such as 25 or 29.97.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the lines of a timeline: its placeholders, and its markers with script text."""
    from retake import fill

    source = existing_file(timeline, "timeline")
    target = None if output is None else output.expanduser().resolve()
    if target is not None:
        if target == source and target.suffix.lower() != ".otio":
            raise RetakeError(f"{target} is the timeline itself.", "Give it another name with -o.", code="bad_output")
        fill.check_output(target, any_format=True)
    loaded = fill.load(source, None if fps is None else FrameRate.parse(fps).fraction)
    refused: list[RetakeError] = []
    lines = fill.lines_of(loaded, source.name, refused=refused)
    notes = [f"{error.cause} {error.remedy} It is left out." for error in refused]
    if target is not None:
        lines = _with_ids(loaded, lines, source, target)
    rows = [_row(line, loaded) for line in lines]
    if as_json:
        cli_output.answer_json({"timeline": str(target or source), "lines": rows, "notes": notes})
        return
    if not rows and not notes:
        print("No line: neither a placeholder nor a marker with script text such as '@anna: Hello there.'.")
        return
    cells = [
        [row["timecode"], str(row["start"]), "-" if row["frames"] is None else str(row["frames"]), row["state"], row["kind"], row["id"],
         row["speaker"] or "-", str(len(row["takes"])), row["text"] or row["audio"] or "-"]
        for row in rows
    ]  # fmt: skip
    cli_output.print_lines(cli_output.table(["timecode", "frame", "length", "state", "kind", "id", "speaker", "takes", "text"], cells))
    cli_output.print_lines(f"note: {note}" for note in notes)
    cli_output.print_lines(f"note: {row['label']}: {row['doubt']}" for row in rows if row["doubt"])
    if target is not None:
        print(f"Timeline: {target}")


def _with_ids(timeline: Timeline, lines: list[Line], source: Path, target: Path) -> list[Line]:
    from retake import fill
    from retake.media.files import atomic
    from retake_otio import TimelineError, give_ids

    give_ids(lines)
    try:
        with atomic(target) as part:
            fill.write(timeline, part, target)
    except TimelineError as error:
        raise RetakeError(error.cause, error.remedy, code=error.code) from error
    return fill.lines_of(timeline, source.name, refused=[])


def _row(line: Line, timeline: Timeline) -> dict[str, Any]:
    from retake_otio import takes_of
    from retake_otio.measuring import frames, whole
    from retake_otio.timecode import timecode

    begin = timeline.global_start_time
    first = whole(frames(begin, line.rate)) if begin is not None else 0
    takes = takes_of(line.clip) if line.clip is not None else []
    return {
        "id": line.id,
        "named": line.line is not None,
        "kind": line.kind,
        "label": line.label,
        "timecode": timecode(first + line.start, line.rate),
        "start": line.start,
        "frames": line.frames,
        "rate": str(FrameRate.from_fraction(line.rate)),
        "state": line.state,
        "speaker": line.wants.get("speaker"),
        "text": line.wants.get("text"),
        "audio": line.wants.get("audio"),
        "seed": line.wants.get("seed"),
        "handles": line.handles,
        "doubt": line.doubt,
        "takes": [
            {"id": take.id, "active": take.active, "frames": take.slot, "handles": take.handles, "seed": take.seed, "clip": take.url}
            for take in takes
        ],
    }
