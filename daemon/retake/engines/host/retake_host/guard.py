"""A host has no business on the network: its weights are there, and what it is given are people's voices."""

from __future__ import annotations

import sys
from typing import Any

_LOCAL = ("127.", "localhost")
REFUSED = "refused connection: "


class NetworkRefused(PermissionError):
    """An engine tried to reach another machine."""


def refuse_network() -> None:
    """Let Python code of this process connect to and look up nothing but this machine itself, for as long as the process lives."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        host = arguments[-1]
        if not isinstance(host, tuple):
            return  # a socket of this machine (AF_UNIX), or one that is connected already
        host = host[0]
    elif event == "socket.gethostbyname":
        host = arguments[0]
    else:
        return
    name = host.decode(errors="replace") if isinstance(host, bytes) else str(host or "localhost")
    if name != "::1" and not name.startswith(_LOCAL):
        sys.stderr.write(f"{REFUSED}{name}\n")  # libraries often swallow the error: the log keeps that they tried
        raise NetworkRefused(f"Engines may not use the network, and this one tried to reach {name}.")
