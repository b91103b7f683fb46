"""What plugins and the command line ask of the daemon, as methods. Answers are the JSON of docs/api.md, as dictionaries."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from . import transfers
from .connection import Connection
from .errors import BadRequest, ClientError, TimedOut, VersionMismatch
from .events import Event, follow
from .transport import ANSWER_SECONDS, API, Transport, as_json

OVER = ("succeeded", "failed", "cancelled")
PRIORITIES = ("interactive", "batch", "background")


class Client:
    """Calls to one daemon; safe for threads.

    Args:
        connection: where it is; `Connection.find()` for the one of this user.
        name: who calls ("blender:shot_010"): jobs of different names take turns.
        find: called to find the daemon again when it has gone, for instance ``Connection.find``; None: it is always where it was.
        timeout: seconds for an answer.

    All methods raise ClientError (see `retake_client.errors`).
    """

    def __init__(
        self,
        connection: Connection,
        *,
        name: str = "retake_client",
        find: Callable[[], Connection] | None = None,
        timeout: float = ANSWER_SECONDS,
    ) -> None:
        self._find = find
        self._name = name
        self._timeout = timeout
        self.transport = Transport(connection, name=name, timeout=timeout)

    @classmethod
    def local(cls, home: str | os.PathLike[str] | None = None, *, name: str = "retake_client", timeout: float = ANSWER_SECONDS) -> Client:
        """The client of this user's daemon; finds it again after a restart. Raises NoDaemon, UnsafeConnection."""

        def find() -> Connection:
            return Connection.find(home)

        return cls(find(), name=name, find=find, timeout=timeout)

    @property
    def connection(self) -> Connection:
        return self.transport.connection

    def reconnect(self) -> Transport:
        """The way to the daemon as it is now: it may have been restarted at another port."""
        if self._find is not None:
            found = self._find()
            if found != self.connection:
                self.transport = Transport(found, name=self._name, timeout=self._timeout)
        return self.transport

    # The daemon itself

    def health(self) -> dict[str, Any]:
        """Whether it answers at all (needs no token)."""
        return self.transport.call("GET", "/v1/health", timeout=5.0)

    def ready(self) -> dict[str, Any]:
        """Whether jobs would be worked on, and its workers. Raises ServerFailed (not_ready) while no worker is."""
        return self.transport.call("GET", "/v1/ready")

    def version(self) -> dict[str, Any]:
        """Versions of the daemon and of its interface."""
        return self.transport.call("GET", "/v1/version")

    def handshake(self) -> dict[str, Any]:
        """The same; raises VersionMismatch with what is to be updated if this client cannot work with the daemon."""
        answer = self.version()
        newest = answer.get("api", API)
        oldest = answer.get("oldest_api", newest)
        if not oldest <= API <= newest:
            older = "Retake on the daemon's machine" if newest < API else "the client (plugin)"
            spoken = f"version {newest}" if oldest == newest else f"versions {oldest} to {newest}"
            raise VersionMismatch(
                f"The client speaks version {API} of the interface, the daemon {spoken}.", f"Update {older}.", code="version_mismatch"
            )
        return answer

    def engines(self) -> dict[str, Any]:
        """The voice and lips engines there are."""
        return self.transport.call("GET", "/v1/engines")

    # Speakers

    def speakers(self) -> list[dict[str, Any]]:
        return self.transport.call("GET", "/v1/speakers")["speakers"]

    def speaker(self, name: str) -> dict[str, Any]:
        return self.transport.call("GET", f"/v1/speakers/{_part(name)}")

    def delete_speaker(self, name: str, *, takes: bool = False) -> dict[str, Any]:
        """Delete a speaker and everything learnt from the reference, and with `takes` the takes; returns what was deleted and what is left."""
        return self.transport.call("DELETE", f"/v1/speakers/{_part(name)}{'?takes=true' if takes else ''}")

    def enrol(self, name: str, reference: str, *, consent: str, key: str | None = None, **more: Any) -> dict[str, Any]:
        """Ask for a speaker to be learnt; returns the job.

        Args:
            reference: of an upload ("upload:ID"), or a path in one of the daemon's roots.
            consent: the person's statement that they agree.
            more: transcript, replace, max_seconds, recorded_by, priority, label, webhook.
        """
        return self._ask_once("/v1/speakers", {"name": name, "reference": reference, "consent": consent, **more}, key)

    # Files

    def upload(
        self,
        path: str | os.PathLike[str],
        *,
        name: str = "",
        told: transfers.Told | None = None,
        stop: threading.Event | None = None,
        resume: str | None = None,
        begun: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """Send a file; its "reference" is what job specs take. See `retake_client.transfers.upload`."""
        return transfers.upload(self.transport, path, name=name, told=told, stop=stop, resume=resume, begun=begun)

    def uploads(self) -> list[dict[str, Any]]:
        return self.transport.call("GET", "/v1/uploads")["uploads"]

    def delete_upload(self, id_: str) -> None:
        self.transport.call("DELETE", f"/v1/uploads/{_part(id_)}")

    # Jobs

    def submit(
        self,
        spec: Mapping[str, Any],
        *,
        priority: str = "interactive",
        label: str = "",
        key: str | None = None,
        webhook: str | None = None,
    ) -> dict[str, Any]:
        """Ask for a job; returns it.

        Args:
            spec: {"kind": "line", "request": {"speaker": ..., "text": ...}}, or kind enrol, script or timeline.
            priority: interactive, batch or background.
            key: idempotency key. One is made up if none is given, so that a call which is sent again because its answer got lost asks once.
        """
        body = _job_request(spec, priority, label, webhook)
        return self._ask_once("/v1/jobs", body, key)

    def submit_all(
        self, specs: Iterable[Mapping[str, Any]], *, priority: str = "batch", label: str = "", key: str | None = None
    ) -> list[dict[str, Any]]:
        """Ask for many jobs, all or none; at most 1000."""
        body = {"jobs": [_job_request(spec, priority, label, None) for spec in specs]}
        return self._ask_once("/v1/jobs/batch", body, key)["jobs"]

    def job(self, id_: str) -> dict[str, Any]:
        return self.transport.call("GET", f"/v1/jobs/{_part(id_)}")

    def jobs(
        self,
        *,
        states: Sequence[str] = (),
        kinds: Sequence[str] = (),
        client: str | None = None,
        speaker: str | None = None,
        search: str = "",
        limit: int = 50,
        cursor: str | None = None,
        specs: bool = False,
    ) -> dict[str, Any]:
        """A page of jobs, newest first: {"jobs": [...], "next": cursor or None, "total": n, "counts": {state: n}}."""
        query = [("state", state) for state in states] + [("kind", kind) for kind in kinds] + [("limit", str(limit))]
        given = {"client": client, "speaker": speaker, "search": search, "cursor": cursor, "specs": "true" if specs else ""}
        query += [(name, value) for name, value in given.items() if value]
        return self.transport.call("GET", f"/v1/jobs?{urlencode(query)}")

    def queue(self, *, limit: int = 100) -> dict[str, Any]:
        """The waiting jobs in the order in which they will be begun."""
        return self.transport.call("GET", f"/v1/jobs/queue?limit={limit}")

    def log(self, id_: str, *, lines: int = 200) -> list[str]:
        """The last lines of a job's log."""
        return self.transport.call("GET", f"/v1/jobs/{_part(id_)}/log?lines={lines}")["lines"]

    def cancel(self, id_: str) -> dict[str, Any]:
        return self.transport.call("POST", f"/v1/jobs/{_part(id_)}/cancel")

    def retry(self, id_: str) -> dict[str, Any]:
        return self.transport.call("POST", f"/v1/jobs/{_part(id_)}/retry")

    def move(self, id_: str, *, before: str | None = None, priority: str | None = None) -> dict[str, Any]:
        """Put a waiting job before another one, or behind all of a priority."""
        content = {name: value for name, value in {"before": before, "priority": priority}.items() if value is not None}
        return self.transport.call("POST", f"/v1/jobs/{_part(id_)}/move", content=content)

    def forget(self, id_: str) -> None:
        """Remove a job that is over from the history; its takes stay."""
        self.transport.call("DELETE", f"/v1/jobs/{_part(id_)}")

    def wait(
        self,
        id_: str,
        *,
        seconds: float | None = None,
        told: Callable[[dict[str, Any]], None] | None = None,
        stop: threading.Event | None = None,
    ) -> dict[str, Any]:
        """The job when it is over; survives restarts of the daemon.

        Args:
            seconds: how long to wait; None: for ever. TimedOut is raised then.
            told: gets the job's progress as it goes on.
            stop: set by another thread to give up waiting; the job as it is then is returned.
        """
        ended = _Deadline(stop, seconds)
        try:
            while True:
                for event in self.events(job=id_, stop=ended.event, until=_tells_an_end):
                    if told is not None and event.type == "job.progress":
                        told(event.data.get("progress", {}))
                job = self.reconnect().call("GET", f"/v1/jobs/{_part(id_)}")
                if job["state"] in OVER or (stop is not None and stop.is_set()):
                    return job
                if ended.event.is_set():
                    raise TimedOut(
                        f"The job is {job['state']} after {seconds or 0:.0f} s.",
                        "Wait longer, or look at it with 'retake jobs show'.",
                        code="timed_out",
                    )
        finally:
            ended.forget()

    def events(
        self,
        *,
        job: str | None = None,
        last: str | None = None,
        stop: threading.Event | None = None,
        until: Callable[[Event], bool] | None = None,
        on_state: Callable[[ClientError | None], None] | None = None,
    ) -> Iterator[Event]:
        """What happens, for ever; goes on behind the last event after a break. See `retake_client.events.follow`."""
        path = "/v1/events" if job is None else f"/v1/jobs/{_part(job)}/events"
        return follow(self.reconnect, path, last=last, stop=stop, until=until, on_state=on_state)

    # Takes

    def takes(
        self, *, speaker: str | None = None, line: str | None = None, text: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> dict[str, Any]:
        """A page of takes, newest first; only those of a speaker, of the line with the id `line`, or of exactly the words `text`."""
        given = {"speaker": speaker, "line": line, "text": text, "limit": str(limit), "cursor": cursor}
        return self.transport.call("GET", f"/v1/takes?{urlencode({name: value for name, value in given.items() if value})}")

    def take(self, id_: str) -> dict[str, Any]:
        return self.transport.call("GET", f"/v1/takes/{_part(id_)}")

    def download_take(
        self,
        id_: str,
        target: str | os.PathLike[str],
        *,
        part: str = "media",
        sha256: str = "",
        told: transfers.Told | None = None,
        stop: threading.Event | None = None,
        resume: bool = False,
    ) -> Path:
        """Write a file of a take to `target`: it appears when it is complete.

        Args:
            part: "media", "poster", "captions", "report" or "timeline".
            sha256: of the file, if known; that of the media is asked for.
            resume: go on with what an earlier process left behind.
        """
        if part == "media" and not sha256:
            sha256 = str(self.take(id_)["sha256"])
        return transfers.download(self.transport, f"/v1/takes/{_part(id_)}/{_part(part)}", target, sha256=sha256, told=told, stop=stop, resume=resume)

    def delete_take(self, id_: str) -> None:
        """Delete a take from the daemon's store; copies that were delivered elsewhere stay."""
        self.transport.call("DELETE", f"/v1/takes/{_part(id_)}")

    def ticket(self, path: str, *, seconds: int = 600) -> str:
        """An address that a player or browser may open for a while without the token, for instance of "/v1/takes/ID/media"."""
        answer = self.transport.call("POST", "/v1/tickets", content={"path": path, "seconds": seconds})
        return self.connection.address.rstrip("/") + answer["url"]

    # Timelines

    def fill_timeline(
        self,
        timeline: str | os.PathLike[str] | Mapping[str, Any],
        *,
        speaker: str | None = None,
        seed: int = 0,
        priority: str = "interactive",
        key: str | None = None,
    ) -> dict[str, Any]:
        """Have the placeholders of a timeline filled; returns the job.

        Args:
            timeline: an .otio file of this machine (its content is sent), or its content as JSON.
            speaker: for placeholders that name none.
        """
        content = timeline if isinstance(timeline, Mapping) else as_json(Path(timeline).read_bytes())
        given = {"speaker": speaker, "seed": str(seed), "priority": priority}
        query = urlencode({name: value for name, value in given.items() if value})
        return self._ask_once(f"/v1/timelines?{query}", content, key)

    def filled_timeline(self, job: str) -> dict[str, Any] | None:
        """The filled timeline of a job that `fill_timeline` returned; None while it waits or runs. Raises Conflict if it was not filled."""
        with self.transport.open("GET", f"/v1/timelines/{_part(job)}") as answer:
            content = as_json(answer.read_all())
        return content if answer.status == 200 else None

    # Anything else

    def call(self, method: str, path: str, content: Any = None) -> Any:
        """A call that this class has no method for."""
        return self.transport.call(method, path, content=content)

    def download(self, path: str, target: str | os.PathLike[str], **options: Any) -> Path:
        """Write what the daemon has at `path` to a file; options as those of `retake_client.transfers.download`."""
        return transfers.download(self.transport, path, target, **options)

    def _ask_once(self, path: str, body: Any, key: str | None) -> Any:
        """POST that may be repeated: the daemon knows the key."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        for pause in (0.3, 1.0, None):
            try:
                return self.transport.call("POST", path, content=body, headers=headers)
            except ClientError as error:
                if not error.may_pass or pause is None:
                    raise
                time.sleep(pause)
                self.reconnect()
        raise AssertionError("the last attempt returns or raises")


def _job_request(spec: Mapping[str, Any], priority: str, label: str, webhook: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"spec": dict(spec), "priority": priority, "label": label}
    return body if webhook is None else {**body, "webhook": webhook}


def _part(text: str) -> str:
    """One part of an address. Servers see a quoted slash as a slash, so that it would become two; no name has one."""
    if not text or "/" in text or set(text) <= {"."}:
        raise BadRequest(f"'{text[:100]}' is no name.", "Give the name or id as the daemon lists it.", code="bad_name")
    return quote(text, safe="")


def _tells_an_end(event: Event) -> bool:
    """Whether it is time to look at the job itself: it is over, or something was missed."""
    return event.type in {"reset", "job.forgotten", *(f"job.{state}" for state in OVER)}


class _Deadline:
    """An event that is set when the caller's is, or when time is up."""

    def __init__(self, stop: threading.Event | None, seconds: float | None) -> None:
        self.event = threading.Event()
        self._stop = stop
        self._end = None if seconds is None else time.monotonic() + seconds
        self._done = threading.Event()
        if stop is not None or seconds is not None:
            threading.Thread(target=self._watch, name="retake wait", daemon=True).start()

    def forget(self) -> None:
        self._done.set()

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            if (self._stop is not None and self._stop.is_set()) or (self._end is not None and time.monotonic() >= self._end):
                self.event.set()
                return
