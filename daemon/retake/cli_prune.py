"""`retake prune`: remove now what the daemon would remove in time."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug
from retake.settings import home, load_settings

if TYPE_CHECKING:
    from retake.jobs.retention import Swept

WHAT = {
    "jobs": "finished jobs with their logs and results",
    "events": "events",
    "workflows": "records of the queue",
    "uploads": "uploads",
    "inputs": "fetched inputs",
    "takes": "takes",
    "cached_lines": "cached lines of speech",
    "strays": "things that processes left behind",
    "shared": "files of the shared artefacts",
}


def add_prune(app: typer.Typer) -> None:
    app.command()(prune)


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Remove what the settings let go: old jobs, events, uploads, takes, caches. Nothing that a waiting or running job needs."""
    from retake.jobs.database import Database, default_url
    from retake.jobs.retention import Keeper

    folder = home()
    settings = load_settings(folder)
    # Where no daemon ever ran there is no database to make just for this.
    known = bool(settings.database) or (folder / "jobs.sqlite3").is_file()
    database = Database(settings.database or default_url(folder)) if known else None
    try:
        if database is not None:
            database.create()
        swept = Keeper(folder, database, settings).sweep(dry_run=dry_run)
    finally:
        if database is not None:
            database.close()
    if as_json:
        cli_output.answer_json({"dry_run": dry_run, **asdict(swept)})
    else:
        cli_output.print_lines(lines(swept, dry_run=dry_run))


def lines(swept: Swept, *, dry_run: bool) -> list[str]:
    """The same for people."""
    rows = [(str(count), meaning) for name, meaning in WHAT.items() if (count := getattr(swept, name))]
    out = [f"{count} {meaning}" for count, meaning in rows] + [f"{name}, deleted on another machine" for name in swept.dropped]
    if out:
        out.insert(0, f"{'Would remove' if dry_run else 'Removed'} ({swept.bytes / 1e6:.1f} MB in this home folder):")
    else:
        out.append("Nothing to remove.")
    return out + [f"Not done: {cli_output.one_line(problem)}" for problem in swept.problems]
