"""The line to the daemon: found, started where that is allowed, watched, and found again. One thread; what it knows is in `status`."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import starting
from .client import Client
from .connection import LOCK_FILE, Connection, default_home, is_held, lives
from .errors import ClientError, Unreachable
from .events import Event
from .orders import SessionSettings, Status
from .pool import Pool
from .states import ConnectionState, state_of

# How long a daemon that has not answered yet is taken to be starting.
PATIENCE = 60.0
LOOK_SECONDS = 5.0  # between two looks at a daemon that answers
_POOR_SECONDS = 2.0  # and at one that nothing renders for
_GATHER_SECONDS = 0.2  # many events, one look
ANSWER_SECONDS = 10.0
_PAUSES = {ConnectionState.STARTING: 0.2, ConnectionState.ABSENT: 0.5, ConnectionState.UNREACHABLE: 1.0}
_LONG_PAUSE = 2.0
# A second start comes no sooner than this after one that failed.
_START_AGAIN = 60.0


class Link:
    """Keeps one connection.

    Args:
        pool: for calls beside the event stream.
        on_event: gets every event, in the link's thread.
        on_up: told whenever an event stream was opened: what was missed is to be looked up.
        on_down: told when the daemon is gone.
        wanted: whether somebody waits for the daemon, so that one that went is started again.
    """

    def __init__(
        self,
        settings: SessionSettings,
        pool: Pool,
        *,
        on_event: Callable[[Event], None],
        on_up: Callable[[], None],
        on_down: Callable[[], None],
        wanted: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._on_event, self._on_up, self._on_down, self._wanted = on_event, on_up, on_down, wanted
        self._home = default_home() if settings.home is None else Path(settings.home)
        self._lock = threading.Lock()
        self._status = Status(ConnectionState.STARTING, detail="Looking for Retake.", address=settings.address)
        self._client: Client | None = None  # while the daemon answers
        self._trying: Client | None = None
        self._listed: Client | None = None  # the connection whose speakers were read
        self._answered: Connection | None = None  # the last one that did
        self._stop = threading.Event()
        self._broken = threading.Event()  # ends the stream that is open
        self._wake = threading.Event()
        self._waiting_since = 0.0
        self._started_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._start_error: ClientError | None = None
        self._looking = False
        self._thread = threading.Thread(target=self._run, name="retake link", daemon=True)

    @property
    def status(self) -> Status:
        return self._status

    @property
    def client(self) -> Client | None:
        """The way to the daemon; None while there is none."""
        return self._client

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Begin to end; nothing waits."""
        self._stop.set()
        self._broken.set()
        self._wake.set()
        for client in (self._client, self._trying):
            if client is not None:
                client.transport.end()

    def join(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def look(self) -> None:
        """Ask the daemon how it is, soon."""
        with self._lock:
            if self._looking or self._client is None:
                return
            self._looking = True
        self._pool.soon(self._look, self._client, after=_GATHER_SECONDS)

    def look_for_speakers(self) -> None:
        """The list of speakers may be another one."""
        if self._client is not None:
            self._pool.soon(self._fetch_speakers, self._client)

    def hurry(self) -> None:
        """Somebody wants the daemon now."""
        self._wake.set()

    # The thread

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                client, version = self._connect()
            except ClientError as error:
                self._down(error)
                self._pause()
                continue
            self._follow(client, version)

    def _connect(self) -> tuple[Client, str]:
        settings = self._settings
        if settings.address:
            connection = Connection(
                settings.address, settings.token, certificate_sha256=settings.certificate_sha256, authorities=settings.authorities
            )
        else:
            connection = Connection.find(self._home)
        client = Client(connection, name=settings.name, timeout=ANSWER_SECONDS)
        self._trying = client
        answer = client.handshake()
        return client, str(answer.get("version", ""))

    def _follow(self, client: Client, version: str) -> None:
        """Be connected until the daemon is gone."""
        self._broken.clear()
        if self._stop.is_set():
            return

        def on_state(error: ClientError | None) -> None:
            if error is None:
                self._up(client, version)
            else:
                self._broken.set()

        refused: ClientError | None = None
        try:
            for event in client.events(stop=self._broken, on_state=on_state):
                self._on_event(event)
        except ClientError as error:
            refused = error
        self._client = None
        client.transport.end()
        if self._stop.is_set():
            return
        self._on_down()
        if refused is not None:  # a lost one is looked for at once
            self._down(refused)
            self._pause()

    def _up(self, client: Client, version: str) -> None:
        self._answered = client.connection
        self._waiting_since = self._started_at = 0.0
        self._start_error = None
        self._client = client
        with self._lock:
            self._status = replace(self._status, version=version, address=client.connection.address)
        self._pool.soon(self._beat, client)
        self._on_up()

    def _look(self, client: Client) -> None:
        with self._lock:
            self._looking = False
        self._check(client)

    def _beat(self, client: Client) -> None:
        """Look again and again for as long as this is the connection."""
        if self._client is not client:
            return
        self._check(client)
        self._pool.soon(self._beat, client, after=LOOK_SECONDS if self._status.state is ConnectionState.READY else _POOR_SECONDS)

    def _check(self, client: Client) -> None:
        state = ConnectionState.READY
        try:
            if self._listed is not client:  # so that they are known to whoever sees that it is ready
                self._read_speakers(client)
            try:
                client.ready()
            except ClientError as error:
                if error.code != "not_ready":
                    raise
                state = ConnectionState.NO_WORKER
            counts: dict[str, Any] = client.jobs(limit=1).get("counts") or {}
        except ClientError as error:
            self._doubted(client, error)
            return
        remedy = "" if state is ConnectionState.READY else state.remedy
        self._tell(client, state=state, detail="", remedy=remedy, waiting=int(counts.get("queued", 0)), running=int(counts.get("running", 0)))

    def _doubted(self, client: Client, error: ClientError) -> None:
        """A call failed while the stream is open: if nobody is there, the stream is given up."""
        if isinstance(error, Unreachable) or state_of(error) in {ConnectionState.REFUSED, ConnectionState.MISMATCH}:
            if self._client is client:
                self._broken.set()
        else:
            self._tell(client, state=ConnectionState.READY, detail=error.cause, remedy=error.remedy)

    def _fetch_speakers(self, client: Client) -> None:
        with contextlib.suppress(ClientError):  # the next look says what is the matter
            self._read_speakers(client)

    def _read_speakers(self, client: Client) -> None:
        speakers = tuple(client.speakers())
        with self._lock:
            if self._client is client:
                self._status = replace(self._status, speakers=speakers)
                self._listed = client

    def _tell(
        self, client: Client, *, state: ConnectionState, detail: str, remedy: str, waiting: int | None = None, running: int | None = None
    ) -> None:
        with self._lock:
            if self._client is not client:
                return
            before = self._status
            self._status = replace(
                before,
                state=state,
                detail=detail,
                remedy=remedy,
                jobs_waiting=before.jobs_waiting if waiting is None else waiting,
                jobs_running=before.jobs_running if running is None else running,
            )

    # Without a daemon

    def _down(self, error: ClientError) -> None:
        """Say why there is no connection; start a daemon if that is what is missing."""
        state = state_of(error)
        if not self._settings.address and state in {ConnectionState.ABSENT, ConnectionState.UNREACHABLE}:
            state, error = self._at_home(state, error)
        if state is not ConnectionState.STARTING:
            self._waiting_since = 0.0
        detail = _waiting_words(time.monotonic() - self._waiting_since) if state is ConnectionState.STARTING else error.cause
        # What the daemon says of a token is meant for programs.
        remedy = state.remedy if state in {ConnectionState.STARTING, ConnectionState.REFUSED} else error.remedy
        with self._lock:
            self._status = replace(self._status, state=state, detail=detail, remedy=remedy, jobs_waiting=0, jobs_running=0)

    def _at_home(self, state: ConnectionState, error: ClientError) -> tuple[ConnectionState, ClientError]:
        """Whether a daemon of this machine that does not answer is about to."""
        now = time.monotonic()
        held = is_held(self._home / LOCK_FILE)
        if state is ConnectionState.ABSENT and not held:
            self._start_if_wanted(now)
            ended = self._process is not None and self._process.poll() is not None
            if ended:
                assert self._process is not None
                self._start_error = _ended_at_once(self._home, self._process.returncode)
                self._process = None
            if self._start_error is not None:
                return ConnectionState.ABSENT, self._start_error
            if not self._started_at or now - self._started_at > PATIENCE:
                return state, error
        elif state is ConnectionState.UNREACHABLE and self._is_the_one_that_answered():
            return state, error
        if not self._waiting_since:
            self._waiting_since = now
        if now - self._waiting_since > PATIENCE:
            late = Unreachable(
                f"Retake has been starting for more than {PATIENCE:.0f} s and does not answer.",
                f"See {self._home / 'logs' / 'daemon.log'}, or restart it: 'retake stop', then 'retake serve'.",
                code="unreachable",
            )
            return ConnectionState.UNREACHABLE, late
        return ConnectionState.STARTING, error

    def _is_the_one_that_answered(self) -> bool:
        """Whether the file is about a daemon that we have spoken to and that may still be there; one that was killed leaves its file behind."""
        try:
            found = Connection.find(self._home)
        except ClientError:
            return False
        return found == self._answered and lives(found.pid)

    def _start_if_wanted(self, now: float) -> None:
        if not self._settings.may_start or (self._answered is not None and not self._wanted()):
            return  # a daemon that was here and went was probably ended on purpose
        if self._started_at and now - self._started_at < _START_AGAIN:
            return
        self._started_at = now
        self._start_error = None
        try:
            self._process = starting.launch(self._home, self._settings.command or None)
        except ClientError as error:
            self._start_error = error

    def _pause(self) -> None:
        self._wake.wait(_PAUSES.get(self._status.state, _LONG_PAUSE))
        self._wake.clear()


def _waiting_words(seconds: float) -> str:
    return "Retake is starting." if seconds < 5 else f"Retake is starting ({seconds:.0f} s)."


def _ended_at_once(home: Path, code: int) -> ClientError:
    words = starting.last_words(home)
    told = f" It said: {words}" if words else ""
    return starting.CannotStart(
        f"Retake was started and ended at once (exit code {code}).{told}", "Start it with 'retake serve' and read what it says.", code="not_started"
    )
