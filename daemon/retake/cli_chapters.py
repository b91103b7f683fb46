"""`retake chapters`: a transcript becomes lines and chapter markers of a timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retake import cli_output
from retake.cli_asking import Show, heard_by, model_for, show_request, usage_document
from retake.cli_options import AsJson, Debug, Quiet, existing_file
from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate


def add_chapters(app: typer.Typer) -> None:
    app.command()(chapters)


def chapters(
    transcript: Annotated[Path, typer.Argument(help="Captions (.srt), a script (.retake.md), a timeline, or plain text (.txt).")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the lines with a marker for each chapter here: .otio, .xml (FCP7) or .fcpxml.")
    ] = None,
    fps: Annotated[str, typer.Option("--fps", help="Frame rate where the file does not say it, such as 25 or 29.97.")] = "25",
    speaker: Annotated[str, typer.Option("--speaker", "-s", help="Who says the lines of a plain text.")] = "",
    show: Show = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Divide a transcript into chapters: a list for a video's description, and lines and markers on a timeline."""
    from retake import chapters as marking
    from retake import fill
    from retake.media.files import atomic
    from retake.script.answers import Chapters
    from retake.script.prompts import chapters_prompt
    from retake.script.writing import chapters as ask
    from retake.script.writing import check_material

    source = existing_file(transcript, "transcript")
    target = None if output is None else output.expanduser().resolve()
    if target is not None:
        _check_target(target, source)
    try:
        read = marking.read(source, rate=FrameRate.parse(fps).fraction, speaker=speaker)
    except UnicodeDecodeError as error:
        raise RetakeError(f"{source} is not a text file.", "Save it as plain text in UTF-8.", code="not_text") from error
    check_material("\n".join(read.sentences), "transcript")
    prompt = chapters_prompt(read.sentences)
    if show:
        show_request(prompt, Chapters)
        return
    answer, usage = ask(model_for(prompt, quiet=quiet), prompt, len(read.lines), progress=Progress(), heard=heard_by(quiet=quiet, as_json=as_json))
    placed = marking.mark(read, answer)
    if target is not None:
        with atomic(target) as part:
            fill.write(read.timeline, part, target)
    if as_json:
        rows = [{"title": chapter.title, "seconds": round(chapter.seconds, 3), "line": chapter.first} for chapter in placed]
        cli_output.answer_json({"chapters": rows, "timeline": None if target is None else str(target), "usage": usage_document(usage)})
        return
    cli_output.print_lines(marking.listed(placed))
    if target is not None:
        print(f"Timeline: {target}")
    if not quiet:
        typer.echo(usage.sentence(), err=True)


def _check_target(target: Path, source: Path) -> None:
    from retake import fill

    if target == source and target.suffix.lower() != ".otio":
        raise RetakeError(f"{target} is the transcript itself.", "Give the timeline another name with -o.", code="bad_output")
    if target.suffix.lower() in {".srt", ".md"}:
        raise RetakeError(f"'{target.name}' cannot hold markers.", "Name an .otio, .xml (FCP7) or .fcpxml.", code="bad_output")
    fill.check_output(target, any_format=True)
