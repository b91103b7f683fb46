"""Do client and daemon understand each other? Clients say their version with every call; the daemon says its own with every answer."""

from __future__ import annotations

import re
from collections.abc import Mapping

from retake import __version__
from retake.api.errors import Problem

# The interface is counted apart from the product: up by one when something is taken away or means something else, never for additions.
API_VERSION = 1
OLDEST_API_VERSION = 1
CLIENT_HEADER = "X-Retake-Client-Version"
CLIENT_API_HEADER = "X-Retake-Api"
SERVER_HEADER = "X-Retake-Version"
_VERSION = re.compile(r"(\d{1,6})(?:\.\d{1,6}){0,3}(?:[-+.]?[0-9A-Za-z.+-]{1,40})?")


def check(headers: Mapping[str, str]) -> None:
    """Raise Problem (version_mismatch, bad_request) for a client that cannot work with this daemon; one that says nothing may try.

    Args:
        headers: of the request, names in lower case.
    """
    interface = headers.get(CLIENT_API_HEADER.lower())
    if interface is not None:
        if not interface.isascii() or not interface.isdigit() or len(interface) > 6:
            raise Problem("bad_request", f"{CLIENT_API_HEADER} is not a number.", f"Send {CLIENT_API_HEADER}: {API_VERSION}, or leave it away.")
        spoken = int(interface)
        if spoken > API_VERSION:
            raise _mismatch(
                f"The client speaks version {spoken} of the interface, the daemon (Retake {__version__}) version {API_VERSION}.",
                "Update Retake on the daemon's machine and start it again.",
            )
        if spoken < OLDEST_API_VERSION:
            raise _mismatch(
                f"The client speaks version {spoken} of the interface; the daemon (Retake {__version__}) needs {OLDEST_API_VERSION} or later.",
                "Update the client (plugin) to the daemon's version.",
            )
    version = headers.get(CLIENT_HEADER.lower())
    if version is not None:
        match = _VERSION.fullmatch(version)
        if match is None:
            raise Problem("bad_request", f"{CLIENT_HEADER} is not a version.", f"Send one such as {__version__}, or leave it away.")
        ours, theirs = int(__version__.partition(".")[0]), int(match[1])
        if theirs > ours:
            raise _mismatch(
                f"The client is of Retake {version}, the daemon of Retake {__version__}.",
                "Update Retake on the daemon's machine and start it again.",
            )
        if theirs < ours:
            raise _mismatch(
                f"The client is of Retake {version}, the daemon of Retake {__version__}.", "Update the client (plugin) to the daemon's version."
            )


def _mismatch(cause: str, remedy: str) -> Problem:
    return Problem("version_mismatch", cause, remedy, headers={"Upgrade": f"retake/{API_VERSION}", "Connection": "Upgrade"})
