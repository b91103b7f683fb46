"""`retake serve`, `stop`, `status`, `worker` and (in `cli_jobs`) `jobs`: the daemon from the command line."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retake import cli_output
from retake.cli_jobs import add_jobs, as_retake_error, progress_text
from retake.cli_options import AsJson, Debug
from retake.domain.errors import ErrorKind, RetakeError
from retake.settings import HOME_VARIABLE, home, load_settings, prepare_home, prepare_process

if TYPE_CHECKING:
    from retake.settings import Settings

# An address with a password in it would be seen by everybody who lists processes, so there are other ways to give it.
DatabaseOption = Annotated[
    str | None,
    typer.Option("--database", envvar="RETAKE_DATABASE", help="postgresql://USER@HOST/NAME, instead of a file in the home folder.", show_envvar=True),
]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=0, max=64, help="Jobs rendered at once; 0: one for each GPU, or one.")]

STOP_SECONDS = 20.0


def add_serve(app: typer.Typer) -> None:
    app.command()(serve)
    app.command()(stop)
    app.command()(status)
    app.command()(worker)
    add_jobs(app)


def serve(
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port to listen at; 0: any free one.")] = None,
    listen: Annotated[str | None, typer.Option("--listen", metavar="ADDRESS", help="Address to listen at, instead of this machine's own.")] = None,
    database: DatabaseOption = None,
    workers: WorkersOption = None,
    certificate: Annotated[Path | None, typer.Option("--cert", metavar="FILE", help="Certificate (PEM): speak HTTPS.")] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="The certificate's key (PEM).")] = None,
    at: Annotated[Path | None, typer.Option("--home", hidden=True, help="Retake's folder, where a variable cannot say so.")] = None,
    new_token: Annotated[bool, typer.Option("--new-token", help="Make a new token; plugins read it from the connection file.")] = False,
    install: Annotated[bool, typer.Option("--install", help="Start the daemon with this user's session, from now on.")] = False,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Do not start it by itself any more.")] = False,
    enable: Annotated[bool, typer.Option("--enable", help="With --install: also run the command that begins it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --install or --uninstall: only show what would be done.")] = False,
    debug: Debug = False,
) -> None:
    """Run the daemon: plugins, browsers and watch folders talk to it; jobs are rendered beside it."""
    if at is not None:
        os.environ[HOME_VARIABLE] = str(at)
        prepare_process(home())
    if install or uninstall:
        _service(install=install, uninstall=uninstall, enable=enable, dry_run=dry_run, options=_kept_options(port, listen, workers, certificate, key))
        return
    if dry_run or enable:
        raise RetakeError("--dry-run and --enable belong to --install.", "Add --install, or leave them away.", code="bad_option")
    from retake.serve import changed
    from retake.serve import serve as run

    folder = home()
    server = {"port": port, "listen": listen, "certificate": _absolute(certificate), "key": _absolute(key)}
    settings = changed(load_settings(folder), server=server, database=database, workers=workers)
    code = run(folder, settings, fixed_port=port is not None, new_token=new_token, say=_say)
    if code:
        raise typer.Exit(code)


def worker(
    database: DatabaseOption = None,
    artefacts: Annotated[str | None, typer.Option("--artefacts", metavar="URL", help="Folder or fsspec address that all machines share.")] = None,
    workers: WorkersOption = None,
    debug: Debug = False,
) -> None:
    """Render jobs of a daemon on another machine: workers alone, on the same database."""
    from retake.serve import changed, run_workers

    folder = home()
    settings: Settings = changed(load_settings(folder), database=database, artefacts=artefacts, workers=workers)
    if not settings.database:
        raise RetakeError(
            "A worker needs the database that it shares with the daemon.",
            "Give --database postgresql://USER@HOST/NAME, or set RETAKE_DATABASE. On the daemon's own machine, 'retake serve --workers N' is enough.",
            code="bad_database",
        )
    code = run_workers(folder, settings, say=_say)
    if code:
        raise typer.Exit(code)


def stop(
    force: Annotated[bool, typer.Option("--force", help="Kill it if it does not end by itself; jobs go on where they were later.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """End the daemon. Jobs that wait or run go on when it is started again."""
    from retake.stopping import stop_daemon

    pid = stop_daemon(home(), seconds=STOP_SECONDS, force=force)
    if as_json:
        cli_output.answer_json({"stopped": pid is not None, "pid": pid})
    else:
        print("No daemon runs." if pid is None else f"The daemon (process {pid}) has ended.")


def status(as_json: AsJson = False, debug: Debug = False) -> None:
    """Show whether the daemon runs, where, and what it is working on."""
    from retake_client import Client, ClientError, Connection, NoDaemon

    try:
        connection = Connection.find(home())
    except NoDaemon as error:
        if as_json:
            cli_output.answer_json({"running": False})
        else:
            print(f"{error.cause} {error.remedy}")
        raise typer.Exit(ErrorKind.NOT_FOUND.value) from None
    try:
        document = status_document(Client(connection, name="command line"))
    except ClientError as error:
        raise as_retake_error(error) from error
    if as_json:
        cli_output.answer_json(document)
    else:
        cli_output.print_lines(status_lines(document))


def status_document(client: Any) -> dict[str, Any]:
    """What `retake status --json` answers."""
    from retake_client import ServerFailed

    connection = client.connection
    try:
        workers = client.ready()["workers"]
    except ServerFailed as error:
        if error.code != "not_ready":
            raise
        workers = []
    running = client.jobs(states=("running",), limit=50)
    return {
        "running": True,
        "address": connection.address,
        "pid": connection.pid,
        "version": connection.version,
        "uptime": round(max(0.0, time.time() - connection.started), 1),
        "workers": workers,
        "jobs": running["counts"],
        "running_jobs": [{"id": job["id"], "label": job["label"], "worker": job["worker"], "progress": job["progress"]} for job in running["jobs"]],
    }


def status_lines(document: dict[str, Any]) -> list[str]:
    """The same for people."""
    from retake.console import clock_text

    begun = datetime.now(UTC).timestamp() - document["uptime"]
    counts = document["jobs"]
    lines = [
        f"Retake {document['version']} at {document['address']} (process {document['pid']})",
        f"  since    {datetime.fromtimestamp(begun):%Y-%m-%d %H:%M} ({clock_text(document['uptime'])})",
        f"  queue    {counts.get('queued', 0)} waiting, {counts.get('running', 0)} running",
    ]
    for one in document["workers"]:
        job = f" {one['job_id']}" if one.get("job_id") else ""
        restarts = f", {one['restarts']} restarts" if one.get("restarts") else ""
        lines.append(f"  worker   {one['id']} on {one['device']}: {one['state']}{job}{restarts}")
    for job in document["running_jobs"]:
        lines.append(f"  job      {job['id']} {job['label']}: {progress_text(job['progress'])}")
    return lines


def _service(*, install: bool, uninstall: bool, enable: bool, dry_run: bool, options: list[str]) -> None:
    from retake import service

    if install and uninstall:
        raise RetakeError("--install and --uninstall exclude each other.", "Give one of them.", code="bad_option")
    folder = home()
    wanted = service.for_this_machine(folder, options)
    if install and not dry_run:
        (prepare_home(folder) / "logs").mkdir(mode=0o700, exist_ok=True)
    lines = service.install(wanted, enable=enable, dry_run=dry_run) if install else service.uninstall(wanted, dry_run=dry_run)
    cli_output.print_lines(lines)


def _kept_options(port: int | None, listen: str | None, workers: int | None, certificate: Path | None, key: Path | None) -> list[str]:
    """What an installed service is started with. The database is not among it: its password belongs into settings.json."""
    given = {"--port": port, "--listen": listen, "--workers": workers, "--cert": _absolute(certificate), "--key": _absolute(key)}
    return [text for name, value in given.items() if value is not None for text in (name, str(value))]


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.expanduser().resolve())


def _say(line: str) -> None:
    print(line, flush=True)  # whoever started us waits for it
