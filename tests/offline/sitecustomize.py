"""Loaded by Python at start-up when this folder is on its path: refuses every connection that would leave this machine.


An audit hook (PEP 578) sees name look-ups, connections and datagrams of the interpreter's own sockets, whichever module makes them.
Sockets that native code opens by itself do not pass through the interpreter; tests/test_offline.py watches the kernel's socket table for those.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_LOG = os.environ.get("RETAKE_TEST_REFUSED", "")
_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})


def _is_local(host: object) -> bool:
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    return name in _LOCAL or name.startswith("127.")


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    if event not in _EVENTS:
        return
    target: object = arguments[0] if event.startswith("socket.get") else arguments[1]
    if isinstance(target, str | bytes) and not event.startswith("socket.get"):
        return  # a path: sockets between processes of this machine
    host = target[0] if isinstance(target, tuple) and target else target
    if _is_local(host):
        return
    if _LOG:
        with Path(_LOG).open("a", encoding="utf-8") as file:
            file.write(f"{event} {target!r}\n")
    raise PermissionError(f"no connection may leave this machine: {event} {target!r}")


sys.addaudithook(_guard)
