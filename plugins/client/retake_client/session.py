"""A session: everything that a host program wants of the daemon, without ever waiting for it.

    session = Session(SessionSettings(folder="takes", name="my editor"))
    session.start()
    session.render(Order(id="7c1f...", key="line 12", request={"speaker": "anna", "text": "We ship on Friday."}))
    ...
    for update in session.poll():          # some times a second, in the host's main thread
        if update.state is OrderState.DONE:
            place(update.key, update.take)
    ...
    session.close()

Whatever happens to the daemon is a state, never an exception: an order waits for it and goes on when it is back, also at another port, also when it
was killed in the middle of a render. An order is known by its id: given again, by this session or a later one, it goes on instead of beginning again.
"""

from __future__ import annotations

import threading
import time

from .connection import default_home
from .desk import Desk
from .link import Link
from .orders import AnyOrder, EnrolOrder, FetchOrder, Order, OrderState, Question, SessionSettings, Status, Update
from .pool import Pool
from .states import ConnectionState
from .tickets import Book
from .withdrawals import Withdrawals

__all__ = [
    "ConnectionState",
    "EnrolOrder",
    "FetchOrder",
    "Order",
    "OrderState",
    "Question",
    "Session",
    "SessionSettings",
    "Status",
    "Update",
]

# What hangs longer than this when a session ends is left to itself: its threads end with the program.
CLOSE_SECONDS = 1.5


class Session:
    """One host's dealings with the daemon. All methods return at once, raise nothing, and may be called from any thread.

    Begins nothing before `start`. Its threads are called "retake link", "retake call N" and "retake transfer N".
    """

    def __init__(self, settings: SessionSettings | None = None) -> None:
        self.settings = settings or SessionSettings()
        self._closing = threading.Event()
        self._begun = False
        self._failures: list[Exception] = []
        self._book = Book()
        self._calls = Pool(2, name="retake call", failed=self._failures.append)
        self._transfers = Pool(2, name="retake transfer", failed=self._failures.append)
        folder = str(self.settings.folder) or str(default_home() / "fetched")
        home = default_home() if self.settings.home is None else self.settings.home
        self._desk = Desk(
            self.settings,
            self._book,
            calls=self._calls,
            transfers=self._transfers,
            closing=self._closing,
            folder=folder,
            withdrawals=Withdrawals(home, self.settings.name, self.settings.address),
        )
        self._link = Link(
            self.settings,
            self._calls,
            on_event=self._desk.on_event,
            on_up=self._desk.on_up,
            on_down=self._desk.on_down,
            wanted=self._is_wanted,
        )
        self._desk.way = self._link

    def start(self) -> None:
        """Begin to look for the daemon, and start one if that is allowed. A second call does nothing."""
        if self._begun or self._closing.is_set():
            return
        self._begun = True
        self._desk.take_up()
        self._calls.start()
        self._transfers.start()
        self._link.start()

    def close(self) -> None:
        """End within two seconds, whatever hangs. What the daemon works on goes on there; give the order again to get it."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._desk.put_down()
        for ticket in self._book.open_tickets():
            ticket.stop.set()
        self._calls.end()
        self._transfers.end()
        self._link.end()
        if not self._begun:
            return
        deadline = time.monotonic() + CLOSE_SECONDS
        for part in (self._link, self._calls, self._transfers):
            part.join(max(0.0, deadline - time.monotonic()))

    @property
    def status(self) -> Status:
        """How things stand, as a value that does not change. Cheap enough for every redraw."""
        return self._link.status

    def render(self, order: Order, *, again: bool = False) -> None:
        """Have a take made and brought here.

        Args:
            again: if the same order failed or was cancelled before, try it again; else it is told as it ended.
        """
        self._desk.give(order, again=again)

    def enrol(self, order: EnrolOrder, *, again: bool = False) -> None:
        """Have a speaker learnt from a video of this machine."""
        self._desk.give(order, again=again)

    def fetch(self, order: FetchOrder) -> None:
        """Bring a take that exists."""
        self._desk.give(order)

    def ask(self, question: Question) -> None:
        """Have something else asked of the daemon; the answer comes as an update."""
        self._desk.give(question)

    def takes_of(self, line: str, *, id_: str, key: str = "") -> None:
        """Ask for the takes of the line with the id `line`: the answer is a list of takes as `GET /v1/takes` has them, newest first."""
        self._desk.give(Question(id_, key or line, lambda client: client.takes(line=line, limit=500)["takes"]))

    def resume(self, order: AnyOrder, job_id: str = "") -> None:
        """Go on with an order of an earlier session. With the `job_id` that its updates told its job is found at once; else by the order's id."""
        self._desk.give(order, job_id=job_id)

    def cancel(self, order_id: str) -> None:
        """Take an order back. It stays cancelled, also if the daemon is away just now: it is told when it is back, by this session or a later one."""
        self._desk.cancel(order_id)

    def poll(self) -> list[Update]:
        """What happened since the last call, in order; of several steps of one order only the last. Each order ends with one update that is over."""
        return self._book.take_updates()

    def _is_wanted(self) -> bool:
        return bool(self._book.open_tickets())
