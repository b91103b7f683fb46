"""What is under way: one ticket for each order, and the updates that the host has not yet collected. No calls are made here."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .orders import AnyOrder, EnrolOrder, FetchOrder, Order, OrderState, Update

_TRANSFER_PAUSE = 0.1  # between two updates of one transfer


@dataclass
class Ticket:
    """An order and how far it is. Changed by whoever holds the book's lock, or by the one thread that works on it.

    stop: ends its transfers.
    sent: it may have reached the daemon.
    attempt: grows when the order has to be made anew, since what came of it is gone.
    again: a job that failed or was cancelled is to be tried again.
    takes: of the job that is done.
    """

    order: AnyOrder
    job_id: str = ""
    again: bool = False
    state: OrderState = OrderState.WAITING_FOR_DAEMON
    stop: threading.Event = field(default_factory=threading.Event)
    sent: bool = False
    attempt: int = 0
    upload: str = ""
    takes: tuple[str, ...] = ()
    succeeded: bool = False
    cancelled: bool = False
    working: bool = False  # a thread is at it
    more: bool = False  # and shall look again when it is through
    failures: int = 0
    told_at: float = 0.0

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.order.id if not self.attempt else f"{self.order.id}~{self.attempt}"

    @property
    def transfers(self) -> bool:
        """Whether the next step is a long one."""
        return self.succeeded or (isinstance(self.order, EnrolOrder) and not self.job_id) or isinstance(self.order, FetchOrder)


class Book:
    """The tickets, and what is to be told about them. Safe for threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._tickets: dict[str, Ticket] = {}
        self._updates: list[Update] = []
        self._last: dict[str, Update] = {}

    def open(self, order: AnyOrder, *, job_id: str, again: bool) -> Ticket | None:
        """A ticket for the order; None if there is one already, whose state is told again."""
        with self.lock:
            known = self._tickets.get(order.id)
            if known is not None and not known.cancelled:
                last = self._last.get(order.id)
                if last is not None:
                    self._add(last)
                return None
            ticket = Ticket(order, job_id=job_id, again=again or known is not None)
            if isinstance(order, FetchOrder):
                ticket.takes, ticket.succeeded = (order.take_id,), True
            self._tickets[order.id] = ticket
            self._last.pop(order.id, None)
            self.tell(ticket, OrderState.WAITING_FOR_DAEMON)
            return ticket

    def cancel(self, order_id: str) -> Ticket | None:
        """Take an order back; returns its ticket if the daemon has to be told."""
        with self.lock:
            ticket = self._tickets.get(order_id)
            if ticket is None or ticket.cancelled:
                return None
            self.tell(ticket, OrderState.CANCELLED)
            ticket.cancelled = True
            ticket.stop.set()
            self._tickets[order_id] = ticket  # until the daemon knows
            return ticket

    def take_back(self, key: str, job_id: str) -> None:
        """A ticket for an order of an earlier session that is not wanted any more. The host hears nothing of it."""
        with self.lock:
            if key not in self._tickets:
                self._tickets[key] = Ticket(Order(key, "", {}), job_id=job_id, sent=True, cancelled=True, state=OrderState.CANCELLED)

    def close(self, ticket: Ticket) -> None:
        """Nothing is to be done for it any more."""
        with self.lock:
            if self._tickets.get(ticket.order.id) is ticket:
                del self._tickets[ticket.order.id]
                self._last.pop(ticket.order.id, None)

    def open_tickets(self) -> list[Ticket]:
        with self.lock:
            return list(self._tickets.values())

    def of_job(self, job_id: str, key: str = "") -> Ticket | None:
        """The ticket that a job was made for."""
        with self.lock:
            if key:
                found = self._tickets.get(key.rpartition("~")[0] if key not in self._tickets else key)
                if found is not None and found.key == key:
                    return found
            return next((ticket for ticket in self._tickets.values() if ticket.job_id and ticket.job_id == job_id), None)

    def tell(self, ticket: Ticket, state: OrderState, **facts: Any) -> None:
        """Tell the host; not about an order that is over, and not the same twice."""
        with self.lock:
            if ticket.cancelled or ticket.state.over:
                return
            ticket.state = state
            update = Update(ticket.order.id, ticket.order.key, state, job_id=ticket.job_id, **facts)
            if update == self._last.get(ticket.order.id):
                return
            self._last[ticket.order.id] = update
            self._add(update)
            if state.over:
                self.close(ticket)

    def tell_transfer(self, ticket: Ticket, state: OrderState, stage: str, done: int, total: int) -> None:
        """Tell how far a transfer is, some times a second."""
        now = time.monotonic()
        if now - ticket.told_at >= _TRANSFER_PAUSE or (total and done >= total):
            ticket.told_at = now
            self.tell(ticket, state, stage=stage, fraction=min(1.0, done / total) if total else 0.0)

    def tell_job(self, ticket: Ticket, job: Mapping[str, Any]) -> None:
        """Tell how far the job is that the order became."""
        progress: Mapping[str, Any] = job.get("progress") or {}
        if job.get("state") == "queued":
            self.tell(ticket, OrderState.QUEUED)
        elif job.get("state") == "running":
            self.tell(ticket, OrderState.RUNNING, **_facts(progress))

    def take_updates(self) -> list[Update]:
        """What the host has not seen; of several steps on the way of one order only the last one."""
        with self.lock:
            out, self._updates = self._updates, []
        return out

    def _add(self, update: Update) -> None:
        for index in range(len(self._updates) - 1, -1, -1):
            earlier = self._updates[index]
            if earlier.order_id == update.order_id:
                if not earlier.state.over:
                    del self._updates[index]
                break
        self._updates.append(update)


def _facts(progress: Mapping[str, Any]) -> dict[str, Any]:
    left = progress.get("seconds_left")
    return {
        "stage": str(progress.get("stage") or ""),
        "fraction": overall(progress),
        "seconds_left": float(left) if isinstance(left, (int, float)) else None,
    }


def overall(progress: Mapping[str, Any]) -> float:
    """How far a job is as a whole, 0 to 1, from its progress: stages count alike."""
    fraction = progress.get("fraction")
    part = min(1.0, max(0.0, float(fraction))) if isinstance(fraction, (int, float)) else 0.0
    step, steps = progress.get("step"), progress.get("steps")
    if isinstance(step, int) and isinstance(steps, int) and 1 <= step <= steps:
        return (step - 1 + part) / steps
    return part
