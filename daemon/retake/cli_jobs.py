"""`retake jobs`: what the daemon has to do, does and did. Thin: every command is one call of `retake_client`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug
from retake.domain.errors import ErrorKind, RetakeError
from retake.settings import home

if TYPE_CHECKING:
    from retake_client import Client, ClientError

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or its first letters if they are enough.")]
STATES = ("queued", "running", "succeeded", "failed", "cancelled")
_ID_LENGTH = 32
_SHORT = 12  # letters of an id that lists show


def add_jobs(app: typer.Typer) -> None:
    group = typer.Typer(help="Show, cancel, retry or watch the daemon's jobs.", invoke_without_command=True, rich_markup_mode=None)
    group.callback()(list_default)
    group.command("list")(list_jobs)
    group.command("show")(show)
    group.command("log")(log)
    group.command("cancel")(cancel)
    group.command("retry")(retry)
    group.command("watch")(watch)
    app.add_typer(group, name="jobs")


@contextmanager
def daemon_client(name: str = "command line") -> Iterator[Client]:
    """The client of this user's daemon; its errors become ours."""
    from retake_client import Client, ClientError

    try:
        yield Client.local(home(), name=name)
    except ClientError as error:
        raise as_retake_error(error) from error


def as_retake_error(error: ClientError) -> RetakeError:
    """A client's error as one of ours, so that it is shown like any other."""
    kind = ErrorKind.__members__.get(error.kind.upper(), ErrorKind.ENVIRONMENT)
    return RetakeError(error.cause, error.remedy, kind=kind, code=error.code)


def list_default(context: typer.Context, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show, cancel, retry or watch the daemon's jobs."""
    if context.invoked_subcommand is None:
        list_jobs(as_json=as_json)


def list_jobs(
    state: Annotated[list[str] | None, typer.Option("--state", help="Only jobs in this state; may be given several times.")] = None,
    speaker: Annotated[str | None, typer.Option("--speaker", "-s", help="Only jobs for this speaker.")] = None,
    search: Annotated[str, typer.Option("--search", help="Only jobs with these words.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="At most so many, newest first.")] = 20,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List jobs, newest first."""
    unknown = [name for name in state or () if name not in STATES]
    if unknown:
        raise RetakeError(f"There is no state '{unknown[0]}'.", f"States: {', '.join(STATES)}.", code="bad_option")
    with daemon_client() as client:
        page = client.jobs(states=tuple(state or ()), speaker=speaker, search=search, limit=limit)
    if as_json:
        cli_output.answer_json(page)
        return
    if not page["jobs"]:
        print("No jobs.")
        return
    rows = [(job["id"][:_SHORT], _moment(job["created_at"]), job["client"], state_text(job), job["label"]) for job in page["jobs"]]
    cli_output.print_lines(cli_output.table(("job", "asked for", "by", "state", "what"), rows))
    if page["total"] > len(rows):
        print(f"... and {page['total'] - len(rows)} more.")


def show(id_: JobId, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show one job."""
    with daemon_client() as client:
        job = client.job(whole_id(client, id_))
    if as_json:
        cli_output.answer_json(job)
    else:
        cli_output.print_lines(job_lines(job))


def log(
    id_: JobId,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=1000, help="The last so many lines.")] = 200,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show what a job wrote while it ran."""
    with daemon_client() as client:
        found = client.log(whole_id(client, id_), lines=lines)
    if as_json:
        cli_output.answer_json({"lines": found})
    else:
        cli_output.print_lines(found)


def cancel(id_: JobId, as_json: AsJson = False, debug: Debug = False) -> None:
    """Stop a job that waits or runs."""
    with daemon_client() as client:
        _answer(client.cancel(whole_id(client, id_)), as_json)


def retry(id_: JobId, as_json: AsJson = False, debug: Debug = False) -> None:
    """Do a failed or cancelled job again."""
    with daemon_client() as client:
        _answer(client.retry(whole_id(client, id_)), as_json)


def watch(id_: JobId, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show a job's progress until it is over; the exit code says how it ended."""
    import sys

    def told(progress: dict[str, Any]) -> None:
        print(progress_text(progress), file=sys.stderr, flush=True)

    with daemon_client() as client:
        job = client.wait(whole_id(client, id_), told=told)
    if job["state"] == "failed" and not as_json:
        error = job["error"] or {}
        kind = ErrorKind.__members__.get(str(error.get("kind", "")).upper(), ErrorKind.ENVIRONMENT)
        raise RetakeError(error.get("cause", "The job failed."), error.get("remedy", ""), kind=kind, code=error.get("code", "failed"))
    _answer(job, as_json)
    if job["state"] != "succeeded":
        raise typer.Exit(1 if job["state"] == "failed" else ErrorKind.CANCELLED.value)


def whole_id(client: Client, begun: str) -> str:
    """The id of the one job that begins with `begun`; raises RetakeError (unknown_job, bad_option)."""
    if len(begun) >= _ID_LENGTH:
        return begun
    cursor: str | None = None
    found: list[str] = []
    while True:
        page = client.jobs(limit=500, cursor=cursor)
        found += [job["id"] for job in page["jobs"] if job["id"].startswith(begun.lower())]
        cursor = page["next"]
        if cursor is None or len(found) > 1:
            break
    if not found:
        raise RetakeError(
            f"There is no job that begins with '{begun}'.", "List them with 'retake jobs'.", kind=ErrorKind.NOT_FOUND, code="unknown_job"
        )
    if len(found) > 1:
        raise RetakeError(f"Several jobs begin with '{begun}'.", "Give more of the id.", code="bad_option")
    return found[0]


def state_text(job: dict[str, Any]) -> str:
    """Where a job is, in a few words."""
    if job["cancelling"]:
        return "stopping"
    if job["state"] == "running":
        return progress_text(job["progress"])
    return job["state"]


def progress_text(progress: dict[str, Any]) -> str:
    """A job's progress in a few words."""
    from retake.console import clock_text

    parts = [f"{progress.get('stage') or 'starting'} {progress.get('fraction', 0.0):.0%}"]
    if progress.get("steps"):
        parts.insert(0, f"{progress.get('step', 0)}/{progress['steps']}")
    if progress.get("fps"):
        parts.append(f"{progress['fps']:.1f} frames/s")
    if progress.get("seconds_left") is not None:
        parts.append(f"{clock_text(progress['seconds_left'])} left")
    return ", ".join(parts)


def job_lines(job: dict[str, Any]) -> list[str]:
    """A job for people."""
    lines = [f"{job['id']}: {job['label']}", f"  state     {state_text(job)}", f"  asked     {_moment(job['created_at'])} by {job['client']}"]
    if job["started_at"]:
        ended = f", ended {_moment(job['finished_at'])}" if job["finished_at"] else ""
        lines.append(f"  began     {_moment(job['started_at'])}{ended}")
    if job["crashes"]:
        lines.append(f"  crashes   {job['crashes']}")
    if job["error"]:
        lines.append(f"  error     {cli_output.one_line(job['error']['cause'])} {cli_output.one_line(job['error']['remedy'])}")
        lines += [f"            {line}" for line in job["error"]["log_tail"]]
    result = job["result"] or {}
    lines += [f"  take      {take}" for take in result.get("takes", [])]
    lines += [f"  {name:<9} {result[name]}" for name in ("speaker", "timeline") if result.get(name)]
    lines += [f"  file      {file}" for file in result.get("files", [])]
    lines += [f"  note      {cli_output.one_line(note)}" for note in result.get("notes", [])]
    return lines


def _answer(job: dict[str, Any], as_json: bool) -> None:
    if as_json:
        cli_output.answer_json(job)
    else:
        cli_output.print_lines(job_lines(job))


def _moment(text: str) -> str:
    """A time as the daemon sends it, in this machine's time zone."""
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"
