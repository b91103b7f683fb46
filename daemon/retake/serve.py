"""The serving process: answers HTTP, watches over the workers, never renders. Everything heavy happens in the workers' processes."""

from __future__ import annotations

import gc
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from retake import __version__
from retake.connection import API, ConnectionRecord, load_token, only_daemon, remove_record, stored_record, write_record
from retake.daemon_log import logging_to, told
from retake.domain.errors import ErrorKind, RetakeError
from retake.settings import Settings, prepare_home

if TYPE_CHECKING:
    from fastapi import FastAPI

    from retake.api.context import Context
    from retake.jobs.database import Database

log = logging.getLogger(__name__)

# Seconds for all services together to end; who is later is left behind, and workers end by themselves when this process is gone.
STOP_SECONDS = 3.0
FAILED = ErrorKind.ENVIRONMENT.value


class Service(Protocol):
    """Something that runs beside the HTTP server, in threads or processes of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Named:
    """A service and what it is called in the log. Without an essential one the daemon ends."""

    name: str
    service: Service
    essential: bool = False


class Services:
    """Starts services one after the other in a thread, so that HTTP does not wait for them, and ends them all at once within a time limit."""

    def __init__(self, services: Sequence[Named], *, give_up: Callable[[], None]) -> None:
        self._services = services
        self._give_up = give_up
        self._started: list[Named] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: RetakeError | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._start_all, name="services", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = STOP_SECONDS) -> list[str]:
        """End what was started; returns the names of those that did not end in time."""
        self._stopping.set()
        deadline = time.monotonic() + seconds
        if self._thread is not None:
            self._thread.join(seconds)
        threads = [(named, threading.Thread(target=_end, args=(named,), name=f"stop {named.name}", daemon=True)) for named in self._started]
        for _, thread in threads:
            thread.start()
        for _, thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [named.name for named, thread in threads if thread.is_alive()]

    def _start_all(self) -> None:
        for named in self._services:
            if self._stopping.is_set():
                return
            try:
                self._started.append(named)  # one that fails half-way is ended as well
                named.service.start()
            except RetakeError as error:
                self._failed(named, error)
            except Exception as error:  # noqa: BLE001 - a thread has nobody to raise it to; it is in the log, and the daemon says so
                self._failed(named, _unforeseen(named.name, error), error)

    def _failed(self, named: Named, error: RetakeError, reason: Exception | None = None) -> None:
        log.error("%s: %s", named.name, told(error), exc_info=reason)
        if named.essential and self.failure is None:
            self.failure = error
            self._give_up()


def serve(home: Path, settings: Settings, *, fixed_port: bool = False, new_token: bool = False, say: Callable[[str], None] = print) -> int:
    """Run the daemon of the home folder `home` until it is told to stop; returns the exit code.

    Args:
        settings: with what the command line changed (`settings.server` says where to listen).
        fixed_port: refuse to start if the port is taken, instead of using another one.
        new_token: from now on another token is asked for.
        say: shows a line to the user.

    Raises RetakeError (daemon_runs, port_taken, bad_address, bad_certificate, no_database, ...) when it cannot start.
    """
    gc.disable()  # until it answers: what is loaded stays, and looking through it again and again takes a tenth of the start
    from retake import http_server
    from retake.api.context import Context
    from retake.jobs.database import Database, default_url

    prepare_home(home)
    with ExitStack() as stack:
        left_behind = stack.enter_context(only_daemon(home))
        token = load_token(home, new=new_token)
        logfile = stack.enter_context(logging_to(home, [token, *passwords_in(settings.database)]))
        if left_behind is not None:
            log.warning("the daemon before (process %d) ended without saying so; its jobs go on", left_behind.pid)
        tls = http_server.tls_context(settings.server.certificate, settings.server.key) if settings.server.certificate else None
        http_server.allow_files()
        sockets = http_server.bind(settings.server.listen, settings.server.port, fixed=fixed_port)
        for made in sockets:
            stack.callback(made.close)
        database = Database(settings.database or default_url(home))
        stack.callback(database.close)
        database.create()
        address = http_server.address_of(sockets[0], secure=tls is not None)
        settings = changed(settings, server={"port": sockets[0].getsockname()[1]})
        daemon = _Daemon(Context(home, settings, database, token, secure=tls is not None), tls, address)
        stack.callback(daemon.forget)
        if http_server.beyond_loopback(sockets):
            log.warning("other machines can reach the daemon; every call needs the token in %s", home / "token")
            if tls is None:
                log.warning("without a certificate (--cert, --key) the token and the videos cross the network readable for everybody")
        say(f"Retake {__version__} at {address} (process {os.getpid()}). Log: {logfile}")
        return daemon.run(sockets)


class _Daemon:
    """One run of the daemon, from bound sockets to the last service ended."""

    def __init__(self, context: Context, tls: ssl.SSLContext | None, address: str) -> None:
        from retake import http_server
        from retake.api.app import create_app

        self._home = context.home
        certificate = context.settings.server.certificate
        fingerprint = http_server.certificate_fingerprint(certificate) if tls is not None else ""
        self._record = ConnectionRecord(address, context.token, os.getpid(), __version__, API, context.started_at.timestamp(), fingerprint)
        services, workers = services_of(context.home, context.database, context.settings)
        context = replace(context, workers=workers)
        self._services = Services(services + services_of_context(context), give_up=self.stop)
        app = create_app(context)
        add_shutdown(app, self.stop)
        self._server = http_server.Server(
            http_server.configure(app, tls, self._keep_findable), started=self._on_started, stopping=app.state.hub.close
        )

    def run(self, sockets: list[socket.socket]) -> int:
        """Serve until told to stop; returns the exit code."""
        try:
            self._server.run(sockets=sockets)
        except SystemExit as error:  # uvicorn's way to say that the application did not start; it has logged why
            raise _unforeseen("the HTTP server", error) from error
        finally:
            late = self._services.stop()
            self.forget()
            if late:
                log.warning("left behind: %s did not end within %.0f s", ", ".join(late), STOP_SECONDS)
            log.info("stopped")
        if self._services.failure is not None:
            raise self._services.failure
        if late:
            _leave_threads_behind()
        return 0

    def stop(self) -> None:
        """Begin to end; safe for any thread."""
        self._server.should_exit = True

    def forget(self) -> None:
        """Take the connection file away."""
        remove_record(self._home, self._record)

    async def _keep_findable(self) -> None:
        """Write the connection file again if somebody took it away (a clean-up of old files, a backup played back)."""
        if stored_record(self._home) != self._record:
            log.warning("the connection file was gone or another one; it is written again")
            try:
                write_record(self._home, self._record)
            except RetakeError as error:
                log.error("%s", told(error))

    def _on_started(self) -> None:
        write_record(self._home, self._record)
        log.info("%s answers, version %s", self._record.address, __version__)
        gc.freeze()
        gc.enable()
        self._services.start()


def services_of(home: Path, database: Database, settings: Settings) -> tuple[list[Named], Callable[[], list[Any]]]:
    """What runs beside the HTTP server, in the order in which it is started, and how to ask for the state of the workers."""
    from retake.jobs.retention import Keeper
    from retake.jobs.supervisor import Supervisor
    from retake.watch.service import WatchService

    supervisor = Supervisor(home, database, settings)
    services = [
        Named("workers", supervisor, essential=True),
        Named("watch folders", WatchService(home, database, settings)),
        Named("retention", Keeper(home, database, settings)),
    ]
    return services, supervisor.status


def services_of_context(context: Context) -> list[Named]:
    """Services that need what the routes need."""
    from retake.api.webhooks import WebhookSender

    return [Named("webhooks", WebhookSender(context))]


def add_shutdown(app: FastAPI, stop: Callable[[], None]) -> None:
    """``POST /v1/shutdown``, with which `retake stop` ends the daemon (on Windows there is no signal for it). No part of the public interface."""

    def shutdown() -> dict[str, int]:
        log.info("asked to stop")
        stop()
        return {"pid": os.getpid()}

    app.add_api_route("/v1/shutdown", shutdown, methods=["POST"], status_code=202, include_in_schema=False)


def run_workers(home: Path, settings: Settings, *, say: Callable[[str], None] = print) -> int:
    """Workers without HTTP, for further machines: run until SIGINT or SIGTERM; returns the exit code. Raises RetakeError."""
    from retake.http_server import handled
    from retake.jobs.database import Database, default_url, hidden
    from retake.jobs.retention import Keeper
    from retake.jobs.supervisor import Supervisor

    prepare_home(home)
    stop = threading.Event()

    def stop_it(number: int, frame: FrameType | None) -> None:
        stop.set()

    with ExitStack() as stack:
        stack.enter_context(handled(stop_it))
        stack.enter_context(logging_to(home, passwords_in(settings.database)))
        database = Database(settings.database or default_url(home))
        stack.callback(database.close)
        database.create()
        beside = [
            Named("workers", Supervisor(home, database, settings), essential=True),
            Named("retention", Keeper(home, database, settings, serves=False)),
        ]
        services = Services(beside, give_up=stop.set)
        say(f"Retake {__version__}: workers for {hidden(database.url)} (process {os.getpid()}). Ctrl-C ends them.")
        services.start()
        while not stop.wait(0.5):  # waiting without an end would not notice signals on Windows
            pass
        late = services.stop()
    if services.failure is not None:
        raise services.failure
    if late:
        _leave_threads_behind()
    return 0


def changed(settings: Settings, *, server: dict[str, Any] | None = None, **values: Any) -> Settings:
    """Settings with some values changed, checked like those in the file; raises RetakeError (bad_option). None leaves a value as it is."""
    from pydantic import ValidationError

    content = settings.model_dump()
    content |= {name: value for name, value in values.items() if value is not None}
    content["server"] |= {name: value for name, value in (server or {}).items() if value is not None}
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][-1])
        raise RetakeError(f"--{name}: {first.get('input')!r} is not possible.", f"{first['msg']}.", code="bad_option") from error


def passwords_in(database: str) -> list[str]:
    """The password in an address of a database, as it stands there and as it is meant; for taking it out of logs."""
    from urllib.parse import unquote, urlsplit

    try:
        password = urlsplit(database).password
    except ValueError:
        return []
    return [password, unquote(password)] if password else []


def _end(named: Named) -> None:
    try:
        named.service.stop()
    except RetakeError as error:
        log.error("%s: %s", named.name, told(error))
    except Exception as error:  # noqa: BLE001 - the others are to be ended all the same
        _log_failure(f"{named.name} could not be ended", error)


def _log_failure(what: str, error: Exception) -> None:
    log.error(what, exc_info=error)


def _unforeseen(what: str, error: BaseException) -> RetakeError:
    return RetakeError(
        f"The daemon cannot run: {what} failed ({type(error).__name__}).",
        "The log of the daemon says more; 'retake doctor' looks for what is wrong.",
        kind=ErrorKind.ENVIRONMENT,
        code="daemon_failed",
    )


def _leave_threads_behind() -> None:
    """End the process without waiting for threads that hang. Everything of ours is written, and workers notice that their parent is gone."""
    logging.shutdown()
    os._exit(0)
