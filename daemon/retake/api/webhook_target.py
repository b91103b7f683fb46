"""Where a webhook may go: only to hosts that the user configured, and only if their names lead where they say."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from retake.api.context import Context
from retake.api.errors import Problem
from retake.domain.errors import ErrorKind

LONGEST = 2000
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9]([a-z0-9_.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Target:
    """A checked address. `path` holds the query too; it may hold a secret, so it is for no log."""

    scheme: str
    host: str  # as configured; IPv6 in brackets
    port: int
    path: str

    @property
    def netloc(self) -> str:
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    def at(self, address: str) -> str:
        """The URL with the host replaced by an IP address, so that the name is looked up only once."""
        return f"{self.scheme}://{f'[{address}]' if ':' in address else address}:{self.port}{self.path}"


def check_address(context: Context, url: str) -> Target:
    """The parts of a webhook's address.

    `settings.server.webhook_hosts` holds names ("hooks.example.org": the usual port only) or names with a port ("localhost:9000").

    Raises Problem (bad_webhook, REFUSED) unless it is plain http(s) to one of them.
    """
    if len(url) > LONGEST or not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
        raise _refused("The webhook's address is too long or holds unusual characters.", "Give https://HOST/PATH.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused("The webhook's address cannot be read.", "Give https://HOST/PATH.") from error
    if parts.scheme not in _PORTS or "@" in parts.netloc or parts.fragment:
        raise _refused("A webhook's address is http or https, without a user name and without '#'.", "Give https://HOST/PATH.")
    # What stands in the address, not what a parser makes of it: both sides must read the same host.
    host = (parts.netloc.rsplit(":", 1)[0] if port is not None else parts.netloc.removesuffix(":")).lower()
    if not _HOST.fullmatch(host):
        raise _refused("The webhook's address names no host.", "Give https://HOST/PATH.")
    port = _PORTS[parts.scheme] if port is None else port
    allowed = {entry.strip().lower() for entry in context.settings.server.webhook_hosts}
    if f"{host}:{port}" not in allowed and not (host in allowed and port == _PORTS[parts.scheme]):
        shown = host if port == _PORTS[parts.scheme] else f"{host}:{port}"
        raise _refused(f"The host '{shown}' may not be told about jobs.", f"Add '{shown}' to server.webhook_hosts in settings.json.")
    return Target(parts.scheme, host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


async def resolve(target: Target) -> str:
    """The IP address to connect to. Raises OSError if there is none, Problem (bad_webhook) if it is not what the name says.

    A name that somebody else administers must not lead to this machine's own services or to a cloud's metadata: loopback is reached as
    "localhost" or in figures only, and link-local addresses in figures only.
    """
    literal = _literal(target.host)
    if literal is not None:
        return str(literal)
    found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = [address for entry in found if (address := _literal(str(entry[4][0]).partition("%")[0])) is not None]
    if not addresses:
        raise OSError(f"{target.host} has no address")
    for address in addresses:
        if not plausible(target.host, address):
            raise _refused(f"The host '{target.host}' leads to {address}.", "Configure that address itself if it is meant.")
    return str(addresses[0])


def plausible(host: str, address: Address) -> bool:
    """Whether `host` may lead to `address`."""
    plain = address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
    if host == "localhost":
        return plain.is_loopback
    return not (plain.is_loopback or plain.is_link_local or plain.is_multicast or plain.is_unspecified or plain.is_reserved)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _refused(cause: str, remedy: str) -> Problem:
    return Problem("bad_webhook", cause, remedy, kind=ErrorKind.REFUSED)
