"""Server-sent events: parse the stream, and go on after a break where it broke off."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .errors import ClientError, Damaged
from .transport import Answer, Transport

# The daemon sends a comment every 15 s where nothing happens; three that are missing mean that nobody is there any more.
SILENCE_SECONDS = 45.0
FIRST_WAIT = 0.25
LONGEST_WAIT = 5.0
_LARGEST_EVENT = 8 * 1024 * 1024


@dataclass(frozen=True)
class Event:
    """Something that happened: "job.queued", "job.progress", "speaker.deleted", ... (docs/api.md lists them).

    id: to be given as `last` to go on behind it.
    data: of a change of a job's state the whole job, of progress its id and progress.
    """

    id: str
    type: str
    data: dict[str, Any] = field(default_factory=dict)
    job_id: str | None = None
    at: str = ""


def parse(lines: Iterator[str]) -> Iterator[Event]:
    """Events in the lines of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html). Lines come without their ends."""
    last_id, kind, data = "", "", []
    size = 0
    for line in lines:
        if not line:
            if data:
                yield _event(last_id, kind or "message", "\n".join(data))
            kind, data, size = "", [], 0
            continue
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "id" and "\0" not in value:
            last_id = value
        elif name == "event":
            kind = value
        elif name == "data":
            size += len(value)
            if size > _LARGEST_EVENT:
                raise Damaged("An event is larger than expected.", "Update Retake.", code="bad_answer")
            data.append(value)


def follow(
    transport: Callable[[], Transport],
    path: str,
    *,
    last: str | None = None,
    stop: threading.Event | None = None,
    until: Callable[[Event], bool] | None = None,
    on_state: Callable[[ClientError | None], None] | None = None,
) -> Iterator[Event]:
    """Yield events for ever, or until `stop` is set, `until` says that an event was the last one, or the daemon that there is nothing to come.

    Reconnects by itself. After a break that may have hidden something an event of type "reset" comes: read the state anew then.

    Args:
        transport: gives the way to the daemon, which may have moved since the last time; may raise NoDaemon.
        last: id of the last event that was seen; None: only what happens from now on.
        on_state: told None when the stream is open, and the error when it is lost.

    Raises ClientError for what waiting does not mend (wrong token, no such job, another version).
    """
    stop = stop or threading.Event()
    wait = FIRST_WAIT
    broken = False
    while not stop.is_set():
        try:
            headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
            if last is not None:
                headers["Last-Event-ID"] = last
            with transport().open("GET", path, headers=headers, timeout=SILENCE_SECONDS) as answer, _abort_when(stop, answer):
                if answer.status == 204:
                    return
                if on_state is not None:
                    on_state(None)
                if broken and last is None:
                    yield Event("", "reset", {"reason": "the connection broke before anything was seen"})
                broken = True
                for event in parse(_lines(answer.read_line, stop)):
                    wait = FIRST_WAIT
                    last = event.id or last
                    yield event
                    if until is not None and until(event):
                        return
        except ClientError as error:
            if stop.is_set():
                return
            if not error.may_pass and error.code != "no_daemon":
                raise
            if on_state is not None:
                on_state(error)
        # The stream ended (the daemon stops) or could not be opened: wait a little, longer each time.
        stop.wait(wait)
        wait = min(LONGEST_WAIT, wait * 2)


@contextmanager
def _abort_when(stop: threading.Event, answer: Answer) -> Iterator[None]:
    """While the context is open, `stop` ends the stream at once, however long nothing comes."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            if stop.is_set():
                answer.abort()
                return

    thread = threading.Thread(target=watch, name="retake events", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _lines(read_line: Callable[[], bytes], stop: threading.Event) -> Iterator[str]:
    while not stop.is_set():
        raw = read_line()
        if not raw.endswith(b"\n"):
            return  # the end, or a line that was cut off by it: an event counts when its empty line is there
        yield raw.decode("utf-8", "replace").rstrip("\r\n")


def _event(id_: str, kind: str, text: str) -> Event:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise Damaged("An event is not JSON.", "Update Retake.", code="bad_answer") from error
    if not isinstance(content, dict):
        return Event(id_, kind, {"value": content})
    data = content.get("data")
    return Event(id_, kind, data if isinstance(data, dict) else {}, content.get("job_id"), str(content.get("at") or ""))
