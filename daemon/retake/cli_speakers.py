"""`retake speakers`: list, show, delete."""

from __future__ import annotations

from typing import Annotated

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug
from retake.settings import home, load_settings


def add_speakers(app: typer.Typer) -> None:
    group = typer.Typer(help="List the enrolled speakers, or show or delete one.", invoke_without_command=True, rich_markup_mode=None)
    group.callback()(list_all)
    group.command("list")(list_all_command)
    group.command("show")(show)
    group.command("delete")(delete)
    app.add_typer(group, name="speakers")


def list_all(context: typer.Context, as_json: AsJson = False, debug: Debug = False) -> None:
    """List the enrolled speakers, or show or delete one."""
    if context.invoked_subcommand is None:
        list_all_command(as_json)


def list_all_command(as_json: AsJson = False, debug: Debug = False) -> None:
    """List the enrolled speakers."""
    from retake.speakers import store

    folder = home()
    speakers = store.list_speakers(folder)
    if as_json:
        cli_output.answer_json({"speakers": [speaker.model_dump(mode="json") for speaker in speakers]})
        return
    if not speakers:
        print("No speaker is enrolled yet: see 'retake enrol --help', or try 'retake demo'.")
        return
    rows = [
        (
            speaker.name,
            f"{speaker.width}x{speaker.height}",
            speaker.rate,
            f"{speaker.seconds:.1f} s",
            "-" if speaker.voice_similarity is None else f"{speaker.voice_similarity:.2f}",
            f"{speaker.created_at:%Y-%m-%d}",
            speaker.consent.recorded_by,
        )
        for speaker in speakers
    ]
    cli_output.print_lines(cli_output.table(("name", "picture", "fps", "reference", "voice", "enrolled", "by"), rows))


def show(name: Annotated[str, typer.Argument(help="The speaker.")], as_json: AsJson = False, debug: Debug = False) -> None:
    """Show one speaker: reference, quality, consent."""
    from retake.speakers import store

    folder = home()
    speaker = store.load(folder, name)
    place = store.speaker_folder(folder, name)
    if as_json:
        cli_output.answer_json({"speaker": speaker.model_dump(mode="json"), "folder": str(place), "bytes": store.stored_bytes(folder, name)})
        return
    similarity = "none" if speaker.voice_similarity is None else f"{speaker.voice_similarity:.2f}"
    lines = [
        f"{speaker.name}: {speaker.width}x{speaker.height}, {speaker.rate} fps, {speaker.seconds:.1f} s, {speaker.language}",
        f"  enrolled  {speaker.created_at:%Y-%m-%d %H:%M} UTC by {speaker.consent.recorded_by} with version {speaker.product_version}",
        f"  consent   {cli_output.one_line(speaker.consent.statement)}",
        f"  reference SHA-256 {speaker.consent.reference_sha256}",
        f"  words     {speaker.transcript_source}: {cli_output.one_line(speaker.transcript)[:200]}",
        f"  voice     {speaker.voice_engine}, similarity {similarity}",
        f"  folder    {place} ({store.stored_bytes(folder, name) / 1e6:.1f} MB)",
    ]
    lines += [f"  warning   {finding.message} {finding.remedy}" for finding in speaker.warnings]
    cli_output.print_lines(lines)


def delete(
    name: Annotated[str, typer.Argument(help="The speaker.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Delete a speaker and everything learnt from the reference; takes stay."""
    from retake.speakers import store

    folder = home()
    store.require(folder, name)
    if not yes and not as_json and not typer.confirm(f"Delete speaker '{name}' and everything learnt?", err=True):
        raise typer.Abort()
    shared = load_settings(folder).artefacts
    if shared:
        from retake.jobs.artefacts import Artefacts

        Artefacts(shared, folder).delete_speaker(name)
    store.delete(folder, name)
    if as_json:
        cli_output.answer_json({"deleted": name})
    else:
        print(f"Deleted speaker '{name}'.")
