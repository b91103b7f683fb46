"""A way to the daemon on which connections break after a given number of bytes, or are slow, as networks and sleeping laptops have it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from waiting import PATIENCE

PIECE = 16 * 1024


@dataclass
class Proxy:
    """Forwards to `target`. `breaks` holds, for one connection after the other, after how many bytes up and down it breaks (None: never).

    rate: bytes a second that each connection brings down, while it is not 0. `carried`: bytes that came down so far.
    hold: after so many bytes down, a connection stands still until this is None again or all are cut.
    """

    port: int
    target: int
    breaks: list[tuple[int | None, int | None]] = field(default_factory=list)
    connections: int = 0
    refuse: bool = False
    rate: float = 0.0
    carried: int = 0
    hold: int | None = None
    open: set[socket.socket] = field(default_factory=set)

    def cut(self) -> None:
        """Break all connections, and refuse new ones until `refuse` is False again."""
        self.refuse = True
        for end in list(self.open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def breaking_proxy(target: int, *breaks: tuple[int | None, int | None]) -> Iterator[Proxy]:
    """Listen on a free port of the loopback and forward to the port `target`."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(listener.getsockname()[1], target, list(breaks))
    ended = threading.Event()

    def accept() -> None:
        while not ended.is_set():
            try:
                near, _ = listener.accept()
            except OSError:
                return
            proxy.connections += 1
            if proxy.refuse:
                near.close()
                continue
            up, down = proxy.breaks.pop(0) if proxy.breaks else (None, None)
            threading.Thread(target=_carry, args=(near, proxy, up, down), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield proxy
    finally:
        ended.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _carry(near: socket.socket, proxy: Proxy, up: int | None, down: int | None) -> None:
    try:
        far = socket.create_connection(("127.0.0.1", proxy.target), timeout=PATIENCE)
    except OSError:
        near.close()
        return
    far.settimeout(None)
    proxy.open |= {near, far}
    one = threading.Thread(target=_pump, args=(near, far, up), daemon=True)
    one.start()
    _pump(far, near, down, proxy)
    one.join(PATIENCE)
    proxy.open -= {near, far}
    near.close()
    far.close()


def _pump(source: socket.socket, sink: socket.socket, limit: int | None, proxy: Proxy | None = None) -> None:
    left, through = limit, 0
    try:
        while left is None or left > 0:
            piece = source.recv(PIECE if left is None else min(PIECE, left))
            if not piece:
                break
            sink.sendall(piece)
            if proxy is not None:
                proxy.carried += len(piece)
                through += len(piece)
                if proxy.rate:
                    time.sleep(len(piece) / proxy.rate)
                while proxy.hold is not None and through >= proxy.hold and not proxy.refuse:
                    time.sleep(0.005)
                if proxy.refuse:
                    break
            if left is not None:
                left -= len(piece)
    except OSError:
        pass
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
