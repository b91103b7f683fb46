"""Tickets: addresses that a browser may open without the token's header, for a short while.

`<video src>` and `EventSource` cannot send headers, and a token in an address would end up in histories and logs. A ticket opens one address, for
reading, for at most an hour; it is signed with the token, so that nothing is stored and a new token ends all of them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from retake.api.context import InContext
from retake.api.errors import documented
from retake.api.models import whole

LONGEST_SECONDS = 3600
# What is shown or listened to. Everything else goes with the token.
PATH_PATTERN = r"^/v1/(events|jobs/[0-9a-f]{1,64}/events|(takes|speakers|timelines)(/[A-Za-z0-9][A-Za-z0-9_.-]{0,99}){1,4})$"
_PATH = re.compile(PATH_PATTERN)
_TICKET = re.compile(r"([0-9]{1,12})\.([0-9a-f]{64})")

router = APIRouter(tags=["tickets"])


class TicketRequest(BaseModel):
    """Which address shall be opened."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    path: str = Field(pattern=PATH_PATTERN, examples=["/v1/takes/5f1c3a9e0b7d2468/media"])
    seconds: Annotated[int, Field(ge=1, le=LONGEST_SECONDS, description="how long it may be opened"), BeforeValidator(whole)] = 600


class Ticket(BaseModel):
    """An address that opens without a token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(examples=["/v1/takes/5f1c3a9e0b7d2468/media?ticket=1767225600.9f86d0…"])
    expires_at: datetime


def signed(token: str, path: str, expires: int) -> str:
    """The ticket that opens `path` until `expires` (seconds since 1970)."""
    mac = hmac.new(token.encode(), f"retake ticket\n{path}\n{expires}".encode(), hashlib.sha256)
    return f"{expires}.{mac.hexdigest()}"


def valid(token: str, ticket: str, method: str, path: str, now: float) -> bool:
    """Whether `ticket` opens `path` at the time `now`."""
    match = _TICKET.fullmatch(ticket)
    if match is None or method not in {"GET", "HEAD"} or not _PATH.fullmatch(path):
        return False
    expires = int(match[1])
    genuine = hmac.compare_digest(signed(token, path, expires), ticket)
    return genuine and now < expires <= now + LONGEST_SECONDS + 1


@router.post("/tickets", summary="Open an address without the token's header", responses=documented(body=True))
def create_ticket(body: TicketRequest, context: InContext) -> Ticket:
    """For `<video src>` and `EventSource`, which cannot send headers: opens one address, for reading, for a short while."""
    expires = int(time.time()) + body.seconds
    ticket = signed(context.token, body.path, expires)
    return Ticket(url=f"{quote(body.path)}?ticket={ticket}", expires_at=datetime.fromtimestamp(expires, UTC))
