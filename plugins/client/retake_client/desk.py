"""Takes orders to the daemon and brings back what came of them. Runs in the session's threads; each order is worked on by one at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from . import enrolling, local_takes
from .client import OVER, Client
from .errors import BadRequest, ClientError, Conflict, NotFound, Unreachable, local_fault
from .events import Event
from .orders import AnyOrder, EnrolOrder, Order, OrderState, Question, SessionSettings, check_order
from .pool import Pool
from .sending import find_job, send_line
from .states import Problem, problem_of
from .tickets import Book, Ticket
from .withdrawals import Withdrawals

_SHORT_WAIT = 0.5
_LONGEST_WAIT = 10.0
# A take that was deleted on the daemon is made anew so many times.
_MOST_ATTEMPTS = 2
_PASSING = frozenset({Problem.UNREACHABLE, Problem.TOO_SLOW, Problem.NO_DAEMON, Problem.BUSY, Problem.NO_WORKER})


class Way(Protocol):
    """What is needed of the connection."""

    @property
    def client(self) -> Client | None: ...

    def look(self) -> None: ...

    def look_for_speakers(self) -> None: ...

    def hurry(self) -> None: ...


class Desk:
    """Works on the tickets of `book`.

    Args:
        way: to the daemon.
        calls: threads for short calls; transfers: for uploads and downloads, which may take long.
        closing: set when the session ends.
        folder: where takes are put if an order names no place.
        withdrawals: keeps what the daemon is still to be told when the session ends.
    """

    def __init__(
        self,
        settings: SessionSettings,
        book: Book,
        *,
        calls: Pool,
        transfers: Pool,
        closing: threading.Event,
        folder: str,
        withdrawals: Withdrawals,
    ) -> None:
        self.way: Way | None = None
        self._settings = settings
        self._book = book
        self._calls = calls
        self._transfers = transfers
        self._closing = closing
        self._folder = folder
        self._withdrawals = withdrawals

    def take_up(self) -> None:
        """Go on with what an earlier session could not tell the daemon."""
        for key, job_id in self._withdrawals.load().items():
            self._book.take_back(key, job_id)

    def put_down(self) -> None:
        """Keep for a later session what the daemon has not been told."""
        for ticket in self._book.open_tickets():
            self._keep(ticket)

    def give(self, order: AnyOrder, *, job_id: str = "", again: bool = False) -> None:
        """Begin, or go on with, an order. Returns at once."""
        ticket = self._book.open(order, job_id=job_id, again=again)
        if ticket is None:
            return
        self._withdrawals.remove(order.id)  # it is wanted again
        try:
            check_order(order)
        except ClientError as error:
            self._fail(ticket, error)
            return
        if self.way is not None:
            self.way.hurry()
        self._go(ticket)

    def cancel(self, order_id: str) -> None:
        """Take an order back: at once for the host, and on the daemon as soon as it can be told."""
        ticket = self._book.cancel(order_id)
        if ticket is not None:
            self._go(ticket)

    def on_event(self, event: Event) -> None:
        """Something happened on the daemon."""
        if event.type == "reset":
            self.on_up()
        elif event.type in {"job.progress", "job.cancelling"}:
            ticket = self._book.of_job(str(event.job_id or event.data.get("id") or ""))
            if ticket is not None and event.type == "job.progress":
                self._book.tell_job(ticket, {"state": "running", "progress": event.data.get("progress") or {}})
        elif event.type.startswith("job."):
            self._on_job(event)
        elif event.type.startswith("speaker.") and self.way is not None:
            self.way.look_for_speakers()

    def on_up(self) -> None:
        """The daemon answers (again), or something was missed: look at everything."""
        for ticket in self._book.open_tickets():
            self._go(ticket)

    def on_down(self) -> None:
        """The daemon is gone."""
        for ticket in self._book.open_tickets():
            if not ticket.working:
                self._book.tell(ticket, OrderState.WAITING_FOR_DAEMON)

    def _on_job(self, event: Event) -> None:
        job = event.data
        if self.way is not None:
            self.way.look()
            if event.type == "job.succeeded" and job.get("kind") == "enrol":
                self.way.look_for_speakers()
        ticket = self._book.of_job(str(job.get("id") or event.job_id or ""), str(job.get("idempotency_key") or ""))
        if ticket is None:
            return
        if job.get("state") in OVER or event.type == "job.forgotten" or ticket.cancelled:
            self._go(ticket)
        elif ticket.job_id:
            self._book.tell_job(ticket, job)

    # In the pools' threads

    def _go(self, ticket: Ticket, after: float = 0.0) -> None:
        pool = self._transfers if ticket.transfers and not ticket.cancelled else self._calls
        pool.soon(self._work, ticket, after=after)

    def _work(self, ticket: Ticket) -> None:
        with self._book.lock:
            if ticket.working:
                ticket.more = True
                return
            ticket.working = True
        try:
            self._step(ticket)
        finally:
            with self._book.lock:
                ticket.working = False
                more, ticket.more = ticket.more, False
        if more:
            self._go(ticket)

    def _step(self, ticket: Ticket) -> None:
        if ticket.state.over and not ticket.cancelled:
            return
        client = self.way.client if self.way is not None else None
        if client is None:
            self._keep(ticket)
            self._book.tell(ticket, OrderState.WAITING_FOR_DAEMON)
            return
        try:
            if ticket.cancelled:
                self._withdraw(client, ticket)
            else:
                self._forward(client, ticket)
            ticket.failures = 0
        except ClientError as error:
            self._failed(ticket, error)
        except OSError as error:
            self._failed(ticket, local_fault(error, self._place(ticket.order)))
        except Exception as error:  # noqa: BLE001 - an answer of an unknown shape, or a host's question: told as the order's failure
            cause = f"Something unforeseen went wrong ({type(error).__name__}: {str(error)[:200]})."
            self._failed(ticket, BadRequest(cause, "Update Retake; if that does not help, report it.", code="unforeseen", kind="internal"))

    def _forward(self, client: Client, ticket: Ticket) -> None:
        """The next step of an order."""
        order = ticket.order
        if isinstance(order, Question):
            self._book.tell(ticket, OrderState.SENDING)
            answer = order.ask(client)
            self._book.tell(ticket, OrderState.DONE, answer=answer)
            return
        if not ticket.succeeded:
            job = self._job(client, ticket)
            if ticket.again and job.get("state") in {"failed", "cancelled"}:
                job = client.retry(ticket.job_id)
            ticket.again = False
            self._seen(client, ticket, job)
            if ticket.succeeded:
                self._go(ticket)  # what is to be fetched is a matter of the other threads
        elif isinstance(order, EnrolOrder):
            self._book.tell(ticket, OrderState.FETCHING, stage="Fetching the report", fraction=0.0)
            speaker = enrolling.learnt(client, order, self._place(order), ticket.stop)
            self._book.tell(ticket, OrderState.DONE, stage="", fraction=1.0, speaker=speaker)
        else:
            self._fetch(client, ticket)

    def _job(self, client: Client, ticket: Ticket) -> Mapping[str, Any]:
        """The order's job: looked up, or asked for."""
        order = ticket.order
        if ticket.job_id:
            try:
                return client.job(ticket.job_id)
            except NotFound:
                ticket.job_id = ""  # forgotten, or of another daemon; its key tells whether there is one
        self._book.tell(ticket, OrderState.SENDING, stage="Sending")
        ticket.sent = True
        if isinstance(order, EnrolOrder):
            job = enrolling.send(client, order, ticket, self._settings.paths, self._told(ticket, OrderState.SENDING, "Uploading"))
        else:
            assert isinstance(order, Order)
            job = send_line(client, order, ticket.key)
        ticket.job_id = str(job["id"])
        return job

    def _seen(self, client: Client, ticket: Ticket, job: Mapping[str, Any]) -> None:
        """React to the job as it is."""
        state = job.get("state")
        if state == "succeeded":
            result: Mapping[str, Any] = job.get("result") or {}
            ticket.takes = tuple(str(take) for take in result.get("takes") or ())
            ticket.succeeded = True
        elif state == "failed":
            error: Mapping[str, Any] = job.get("error") or {}
            told = (str(error.get("cause") or "The job failed."), str(error.get("remedy") or "See the daemon's log."), str(error.get("code") or ""))
            self._book.tell(ticket, OrderState.FAILED, error=told)
        elif state == "cancelled":
            self._book.tell(ticket, OrderState.CANCELLED)
        else:
            self._book.tell_job(ticket, job)

    def _fetch(self, client: Client, ticket: Ticket) -> None:
        if not ticket.takes:
            raise Conflict("The job is done and made no take.", "Ask for it again.", code="wrong_state")
        self._book.tell(ticket, OrderState.FETCHING, stage="Fetching the take", fraction=0.0)
        told = self._told(ticket, OrderState.FETCHING, "Fetching the take")
        try:
            take = local_takes.bring(
                client,
                ticket.takes[0],
                self._place(ticket.order),
                paths=self._settings.paths,
                told=told,
                stop=ticket.stop,
                copy=self._settings.copy,
            )
        except NotFound as error:
            if not isinstance(ticket.order, Order) or error.code != "unknown_take" or ticket.attempt >= _MOST_ATTEMPTS:
                raise
            ticket.attempt += 1  # it was made once and deleted since: the same request makes it again
            ticket.job_id, ticket.succeeded, ticket.takes = "", False, ()
            self._go(ticket)
            return
        self._book.tell(ticket, OrderState.DONE, fraction=1.0, take=take)

    def _withdraw(self, client: Client, ticket: Ticket) -> None:
        """Tell the daemon that an order is not wanted any more."""
        order = ticket.order
        if isinstance(order, Order) and ticket.takes:
            local_takes.discard(ticket.takes[0], self._place(order))
        with contextlib.suppress(NotFound):
            if not ticket.job_id and ticket.sent and isinstance(order, (Order, EnrolOrder)):
                ticket.job_id = str((find_job(client, ticket.key) or {}).get("id", ""))
            if ticket.job_id:
                client.cancel(ticket.job_id)
            elif ticket.upload:
                client.delete_upload(ticket.upload)
        self._settle(ticket)

    def _keep(self, ticket: Ticket) -> None:
        """Write down an order that was taken back and may be known to the daemon."""
        if ticket.cancelled and (ticket.job_id or ticket.sent) and isinstance(ticket.order, (Order, EnrolOrder)):
            self._withdrawals.add(ticket.key, ticket.job_id)

    def _settle(self, ticket: Ticket) -> None:
        """Nothing is to be done for an order that was taken back."""
        self._book.close(ticket)
        self._withdrawals.remove(ticket.key)

    def _failed(self, ticket: Ticket, error: ClientError) -> None:
        if self._closing.is_set() or (error.code == "cancelled" and ticket.stop.is_set() and not ticket.cancelled):
            return
        if isinstance(error, Unreachable) or error.may_pass or problem_of(error) in _PASSING:
            ticket.failures += 1
            self._book.tell(ticket, OrderState.WAITING_FOR_DAEMON, stage="" if isinstance(error, Unreachable) else error.cause)
            if self.way is not None:
                self.way.look()
            self._go(ticket, after=min(_LONGEST_WAIT, _SHORT_WAIT * 2 ** (ticket.failures - 1)))
        elif ticket.cancelled:
            if error.code != "cancelled":
                self._settle(ticket)  # it cannot be taken back; nobody waits for it
        else:
            self._fail(ticket, error)

    def _fail(self, ticket: Ticket, error: ClientError) -> None:
        self._book.tell(ticket, OrderState.FAILED, error=(error.cause, error.remedy, error.code))

    def _told(self, ticket: Ticket, state: OrderState, stage: str) -> Callable[[int, int], None]:
        def told(done: int, total: int) -> None:
            self._book.tell_transfer(ticket, state, stage, done, total)

        return told

    def _place(self, order: AnyOrder) -> str:
        return str(getattr(order, "folder", "") or self._folder)
