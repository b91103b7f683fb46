"""`retake takes` and `retake score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug, Quiet, existing_file, text_or_file
from retake.console import working
from retake.settings import home, prepare_home


def add_takes(app: typer.Typer) -> None:
    app.command()(takes)
    app.command()(score)


def takes(
    speaker: Annotated[str | None, typer.Option("--speaker", "-s", help="Only takes of this speaker.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, newest first.")] = 50,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the takes that were made, newest first."""
    from retake.takes import store

    found = store.history(home(), speaker=speaker)[:limit]
    if as_json:
        cli_output.answer_json({"takes": [stored.model_dump(mode="json") for stored in found]})
        return
    if not found:
        print("No takes yet: see 'retake say --help'.")
        return
    rows = [
        (
            stored.take.id,
            f"{stored.created_at:%Y-%m-%d %H:%M}",
            stored.take.request.speaker,
            f"{stored.take.frames} @ {stored.take.rate}",
            _shortened(stored.take.request.text or f"[{Path(stored.take.request.audio or '').name}]"),
            stored.take.files.clip,
        )
        for stored in found
    ]
    cli_output.print_lines(cli_output.table(("take", "made (UTC)", "speaker", "frames", "line", "clip"), rows))


def score(
    clip: Annotated[Path, typer.Argument(help="The clip to measure.")],
    speaker: Annotated[str, typer.Option("--speaker", "-s", help="Whom it shows.")],
    text: Annotated[str | None, typer.Option("--text", help="What is said in it: a text file or the text itself.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure a clip: voice, words, lips, sound, against the speaker's reference."""
    path = existing_file(clip, "clip")
    words = None if text is None else text_or_file(text, "text")
    folder = prepare_home(home())
    from retake.speakers import store

    store.require(folder, speaker)
    from retake.takes.score import score as measure

    with working("score", folder, quiet=quiet) as progress:
        result = measure(path, speaker, home=folder, text=words, progress=progress)
    if as_json:
        cli_output.answer_json(result)
        return
    cli_output.print_lines(f"{name:24s} {_shown(value)}" for name, value in result.items())


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _shortened(text: str, longest: int = 48) -> str:
    line = cli_output.one_line(text)
    return line if len(line) <= longest else line[: longest - 3].rstrip() + "..."
