"""What a host program asks of a session, and what it gets to know: plain values that may cross threads."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Union

from .client import PRIORITIES, Client
from .errors import BadRequest
from .local_takes import LocalTake
from .paths import PathMap
from .states import ConnectionState

_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True)
class SessionSettings:
    """How a session finds its daemon, and what it does with what arrives.

    home: Retake's folder; None: that of this user.
    address, token: of a daemon elsewhere ("http://render-box:7420"); then `home` is not looked at and nothing is started.
    certificate_sha256, authorities: as in `Connection`.
    paths: where the daemon's folders are on this machine.
    folder: where takes are put that are not within reach; orders may name another.
    copy: put all takes there, those within reach too, so that an edit does not miss what is removed from the daemon's store.
    may_start: start an installed daemon if none runs.
    command: how it is started ("/opt/retake/bin/retake",); empty: looked for.
    name: who asks ("blender"); it must stay the same, since orders of another name are other orders.
    """

    home: str | os.PathLike[str] | None = None
    address: str = ""
    token: str = field(default="", repr=False)
    paths: PathMap = PathMap()  # noqa: RUF009 - it cannot be changed
    folder: str | os.PathLike[str] = ""
    may_start: bool = True
    name: str = "retake_client"
    command: tuple[str, ...] = ()
    certificate_sha256: str = ""
    authorities: str = ""
    copy: bool = False


@dataclass(frozen=True)
class Status:
    """How things stand, for drawing.

    detail: what is special just now, as a sentence (the cause of a failure, how long the start takes); empty if the state says all.
    remedy: what to do about it; empty if nothing is to be done.
    version: of the daemon, empty if it is not known.
    speakers: as `GET /v1/speakers` lists them; those that were last seen while the daemon is away.
    jobs_waiting, jobs_running: of everybody.
    address: where the daemon is or was.
    """

    state: ConnectionState = ConnectionState.ABSENT
    detail: str = ""
    version: str = ""
    speakers: tuple[Mapping[str, Any], ...] = ()
    jobs_waiting: int = 0
    jobs_running: int = 0
    remedy: str = ""
    address: str = ""

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        told = self.detail or self.state.sentence
        return f"{told} {self.remedy}".strip()


class OrderState(Enum):
    """How far an order is."""

    WAITING_FOR_DAEMON = "waiting_for_daemon"
    SENDING = "sending"
    QUEUED = "queued"
    RUNNING = "running"
    FETCHING = "fetching"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in {OrderState.DONE, OrderState.FAILED, OrderState.CANCELLED}


@dataclass(frozen=True)
class Order:
    """One take that is wanted.

    id: stays the same for the same wish, across crashes and reopened files: a wish that was sent before is not made twice.
    key: whatever the host needs to know what it is for, for instance the line's id; it comes back in every update.
    request: a TakeRequest as JSON: speaker, text, and what else docs/api.md names.
    folder: where the take is put if it is not within reach; empty: the session's.
    priority: interactive, batch or background.
    label: one line for people, in queues.
    """

    id: str
    key: str
    request: Mapping[str, Any]
    folder: str | os.PathLike[str] = ""
    priority: str = "interactive"
    label: str = ""


@dataclass(frozen=True)
class EnrolOrder:
    """A speaker that is to be learnt.

    reference: a video of this machine. The daemon reads it in place where it can reach it; otherwise it is uploaded.
    consent: the person's own statement.
    folder: where the quality report is put (NAME-report.html); empty: the session's; no report if both are empty.
    """

    id: str
    name: str
    reference: str | os.PathLike[str]
    consent: str
    key: str = ""
    transcript: str | None = None
    replace: bool = False
    max_seconds: float = 60.0
    recorded_by: str = ""
    folder: str | os.PathLike[str] = ""
    priority: str = "interactive"
    label: str = ""


@dataclass(frozen=True)
class FetchOrder:
    """A take that exists is wanted as a file of this machine."""

    id: str
    key: str
    take_id: str
    folder: str | os.PathLike[str] = ""


@dataclass(frozen=True)
class Question:
    """Anything else: `ask` is called with the client, in a thread of the session and once there is a daemon; what it returns is the answer.

    It must not touch the host program. ClientError is what it may raise.
    """

    id: str
    key: str
    ask: Callable[[Client], Any]


AnyOrder = Union[Order, EnrolOrder, FetchOrder, Question]  # noqa: UP007 - evaluated by Python 3.9


@dataclass(frozen=True)
class Update:
    """What became of an order.

    stage, fraction, seconds_left: of a transfer or of the running job; fraction 0 to 1 of the stage.
    take: of an order that is done.
    speaker: of an enrolment that is done: the speaker's record (name, seconds, voice_similarity, quality, warnings with message and remedy, ...),
        with `report_file`, the path of the report on this machine, or "".
    answer: of a question.
    error: (cause, remedy, code) of an order that failed.
    """

    order_id: str
    key: str
    state: OrderState
    stage: str = ""
    fraction: float = 0.0
    seconds_left: float | None = None
    job_id: str = ""
    take: LocalTake | None = None
    speaker: Mapping[str, Any] | None = None
    answer: Any = None
    error: tuple[str, str, str] | None = None


def check_order(order: AnyOrder) -> None:
    """Raise BadRequest (bad_order) for an order that no daemon could take."""
    if not _KEY.fullmatch(order.id):
        raise _bad(f"'{order.id[:80]}' cannot be an order's id.", "Use up to 200 letters and digits without spaces.")
    if isinstance(order, (Order, EnrolOrder)) and order.priority not in PRIORITIES:
        raise _bad(f"There is no priority '{order.priority[:40]}'.", f"Use one of {', '.join(PRIORITIES)}.")
    if isinstance(order, Order) and not order.request.get("speaker"):
        raise _bad("No speaker is chosen.", "Choose who says the line.")


def _bad(cause: str, remedy: str) -> BadRequest:
    return BadRequest(cause, remedy, code="bad_order")
