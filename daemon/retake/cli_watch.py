"""`retake watch`: render what is dropped into a folder."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from retake.cli_options import Debug, Quiet
from retake.domain.errors import ErrorKind, RetakeError
from retake.settings import Settings, WatchSettings, home, load_settings, prepare_home

if TYPE_CHECKING:
    from retake.watch.work import Note


def add_watch(app: typer.Typer) -> None:
    app.command()(watch)


def watch(
    folder: Annotated[Path, typer.Argument(help="The folder; made if it does not exist.")],
    speaker: Annotated[
        str | None, typer.Option("--speaker", "-s", help="Who speaks where a file names nobody; may be left out with one speaker.")
    ] = None,
    polling: Annotated[
        bool | None, typer.Option("--polling/--no-polling", help="Look every second instead of being told; by itself only on network drives.")
    ] = None,
    render: Annotated[
        bool | None, typer.Option("--render/--no-render", help="Render in this command, or leave it to others; by itself only if no daemon runs.")
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Render text, scripts, subtitles, tables and timelines that are put into a folder, until Ctrl-C."""
    own = prepare_home(home())
    settings = load_settings(own)
    if speaker is not None:
        from retake.speakers import store

        store.load(own, speaker)
    folder = folder.expanduser().absolute()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise RetakeError(
            f"{folder} cannot be made ({error.strerror or error}).", "Choose another place.", kind=ErrorKind.ENVIRONMENT, code="not_writable"
        ) from error
    from retake.watch.layout import layout_of

    layout = layout_of(folder, own)
    wanted = WatchSettings(folder=str(layout.root), speaker=speaker or "", polling=polling)
    daemon = _daemon(own)
    if not quiet:
        print(f"Watching {layout.root}: put files there, takes appear in {layout.out}. Ctrl-C ends it.", flush=True)
        print(_who_renders(daemon, render), flush=True)
    _run(own, settings.model_copy(update={"watch": (wanted,)}), render=daemon is None if render is None else render, quiet=quiet)


def _who_renders(daemon: int | None, render: bool | None) -> str:
    if render is False:
        return "Others render: files wait until a daemon or a worker with the same database runs." if daemon is None else "The daemon renders."
    if daemon is not None:
        return f"The daemon (process {daemon}) renders." if render is None else f"This command renders, besides the daemon (process {daemon})."
    return "No daemon runs, so this command renders. With 'retake serve' a daemon does it, and also works when no folder is watched."


def _daemon(own: Path) -> int | None:
    """Process of the daemon that runs with this home folder."""
    from retake_client import Connection, NoDaemon

    try:
        return Connection.find(own).pid
    except NoDaemon:
        return None


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Details go into a file; people read what is printed. A daemon may be running, so its log is not used."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(path, maxBytes=2_000_000, backupCount=2, encoding="utf-8", errors="backslashreplace")
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.setLevel(logging.INFO)
    root.handlers[:] = [handler]
    try:
        yield
    finally:
        root.setLevel(before[0])
        root.handlers[:] = before[1]
        handler.close()


def _run(own: Path, settings: Settings, *, render: bool, quiet: bool) -> None:
    from retake.jobs.database import Database, default_url
    from retake.serve import Named, Services
    from retake.watch.service import WatchService

    stop = threading.Event()

    def stop_it(number: int, frame: FrameType | None) -> None:
        stop.set()

    def tell(note: Note) -> None:
        if not quiet or note.kind == "problem":
            print(" ".join(part for part in (note.name, f"{note.kind}:", note.text) if part), flush=True)

    with ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM):
            stack.callback(signal.signal, number, signal.signal(number, stop_it))
        if os.environ.get("RETAKE_DATABASE"):
            settings = settings.model_copy(update={"database": os.environ["RETAKE_DATABASE"]})
        stack.enter_context(_logging_to(own / "logs" / "watch.log"))
        database = Database(settings.database or default_url(own))
        stack.callback(database.close)
        database.create()
        services = [Named("watch folder", WatchService(own, database, settings, tell=tell), essential=True)]
        if render:
            from retake.jobs.supervisor import Supervisor

            services.insert(0, Named("workers", Supervisor(own, database, settings), essential=True))
        running = Services(services, give_up=stop.set)
        running.start()
        while not stop.wait(0.5):  # waiting without an end would not notice signals on Windows
            pass
        running.stop()
    if running.failure is not None:
        raise running.failure
