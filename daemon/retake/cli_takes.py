"""`retake takes` and `retake score`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug, Quiet, existing_file, text_or_file
from retake.console import working
from retake.settings import home, load_settings, prepare_home

MEANINGS = {
    "faces": "share of frames in which a face was found",
    "closure": "share of P, B and M at which the lips meet; 1 is best",
    "closure_reference": "the same in the reference",
    "closures": "how many P, B and M there were",
    "amplitude": "how much the mouth moves, relative to the reference; 1 is alike",
    "jitter": "unrest of the mouth, relative to the reference; 1 is alike",
    "silence": "movement in pauses, relative to the reference; 1 or less is good",
    "lag_ms": "by how much the mouth is late; within 40 is good",
    "lag_confidence": "of that estimate, from 0 to 1",
    "phone_error_rate": "share of sounds that a recogniser hears as others; 0 is best",
    "loudness_difference_lu": "louder than the reference by so much; within 1 is good",
    "sharpness": "of the mouth, relative to the reference; 1 is alike",
    "lse_d": "distance of lips and sound to SyncNet; less is better",
    "lse_c": "how clearly they belong together; more is better",
    "offset": "frames of 1/25 s by which the picture is late",
    "windows": "stretches of 0.2 s that were compared",
}


def add_takes(app: typer.Typer) -> None:
    group = typer.Typer(help="List the takes that were made, or delete one.", invoke_without_command=True, rich_markup_mode=None)
    group.callback()(takes)
    group.command("delete")(delete)
    app.add_typer(group, name="takes")
    app.command()(score)


def takes(
    context: typer.Context,
    speaker: Annotated[str | None, typer.Option("--speaker", "-s", help="Only takes of this speaker.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, newest first.")] = 50,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the takes that were made, newest first; or delete one."""
    if context.invoked_subcommand is not None:
        return
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


def delete(
    take: Annotated[str, typer.Argument(help="The take's id, as 'retake takes' shows it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Delete a take, here and where machines share it; copies that were written elsewhere stay."""
    from retake.takes import store

    folder = home()
    stored = store.load(folder, take)
    if not yes and not as_json:
        line = _shortened(stored.take.request.text or Path(stored.take.request.audio or "").name)
        if not typer.confirm(f"Delete take {take} ('{line}')?", err=True):
            raise typer.Abort()
    shared = load_settings(folder).artefacts
    if shared:
        from retake.jobs.artefacts import Artefacts

        Artefacts(shared, folder).delete_take(take)
    store.delete(folder, take)
    if as_json:
        cli_output.answer_json({"deleted": take})
    else:
        print(f"Deleted take {take}.")


def score(
    clip: Annotated[Path, typer.Argument(help="The clip to measure.")],
    speaker: Annotated[str, typer.Option("--speaker", "-s", help="Whom it shows.")],
    text: Annotated[str | None, typer.Option("--text", help="What is said in it: a text file or the text itself.")] = None,
    syncnet: Annotated[Path | None, typer.Option("--syncnet", help="Weights of SyncNet, to measure LSE-D and LSE-C as well.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure a clip: voice, words, lips, sound, against the speaker's reference."""
    path = existing_file(clip, "clip")
    words = None if text is None else text_or_file(text, "text")
    weights = None if syncnet is None else existing_file(syncnet, "file of weights")
    folder = prepare_home(home())
    from retake.speakers import store

    store.require(folder, speaker)
    from retake.pipeline import score as measure

    with working("score", folder, quiet=quiet) as progress:
        result = measure(path, speaker, home=folder, text=words, progress=progress, syncnet=weights)
    if as_json:
        cli_output.answer_json(result)
        return
    cli_output.print_lines(score_lines(result))


def score_lines(figures: Mapping[str, Any]) -> list[str]:
    """Figures for the console: name, value, what it means. Groups are indented; a figure that could not be measured is a dash."""
    rows: list[tuple[str, str, str]] = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            rows.append((name, "", ""))
            rows += [
                (f"  {part}", _shown(figure), value.get(f"{part}_means") or MEANINGS.get(part, ""))
                for part, figure in value.items()
                if not part.endswith("_means")
            ]
        else:
            rows.append((name, _shown(value), MEANINGS.get(name, "")))
    return cli_output.table(("figure", "value", "meaning"), rows)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _shortened(text: str, longest: int = 48) -> str:
    line = cli_output.one_line(text)
    return line if len(line) <= longest else line[: longest - 3].rstrip() + "..."
