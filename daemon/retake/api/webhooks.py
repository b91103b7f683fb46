"""Webhooks: whoever asked for it is told when a job is over. Off until the user configures hosts (`server.webhook_hosts`).

The sender follows the log of events and remembers in the database how far it is, so that nothing is lost with the daemon. A receiver may be told
twice (if the daemon dies between telling and remembering) and knows it by the header `Retake-Event`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from retake import __version__
from retake.api.context import Context, InContext
from retake.api.errors import documented
from retake.api.webhook_target import Target, check_address, resolve
from retake.domain.errors import ErrorKind, RetakeError
from retake.jobs.database import Database
from retake.jobs.events import newest, tell
from retake.jobs.tables import events, facts
from retake.media.files import atomic

if TYPE_CHECKING:
    import httpx

__all__ = ["WebhookSender", "check_address", "router", "signature"]

log = logging.getLogger(__name__)
router = APIRouter(prefix="/webhooks", tags=["webhooks"])

OVER = ("job.succeeded", "job.failed", "job.cancelled")
FACT = "webhooks"  # how far the sender is
KEY_FILE = "webhook.key"
POLL_SECONDS = 0.5
# A receiver that is updated or restarted misses a minute; one whose machine is moved an hour. Then it is given up.
DELAYS = (2.0, 10.0, 60.0, 600.0, 3600.0)
SECONDS = 10.0  # for one try: look up, connect, send, answer
AT_ONCE, AT_ONCE_PER_HOST = 8, 2  # one receiver that does not answer must not keep the others waiting
MOST_WAITING = 1000
UNFORESEEN_SECONDS = 10.0
PASSED_OVER = 1000  # events
# What a receiver is told: not what was asked for, which may hold texts and names that are none of its business.
TOLD = ("id", "kind", "state", "label", "client", "created_at", "started_at", "finished_at", "attempt", "result", "error")


class WebhookInfo(BaseModel):
    """How webhooks are set up here."""

    model_config = ConfigDict(extra="forbid")

    hosts: list[str] = Field(description="server.webhook_hosts of the settings: only these may be told", examples=[["hooks.example.org"]])
    events: list[str] = Field(description="what is told", examples=[list(OVER)])
    key_file: str = Field(description="file on the daemon's machine with the key that signs what is sent", examples=["/home/anna/retake/webhook.key"])
    signature: str = Field(description="how the header Retake-Signature is made")


@router.get("", responses=documented(), response_model=WebhookInfo)
def info(context: InContext) -> WebhookInfo:
    """Which hosts may be told when a job is over, and how they know that it comes from here."""
    return WebhookInfo(
        hosts=list(context.settings.server.webhook_hosts),
        events=list(OVER),
        key_file=str(context.home / KEY_FILE),
        signature="t=UNIX_SECONDS,v1=HEX: HMAC-SHA256 of 'UNIX_SECONDS.BODY' with the content of the key file",
    )


def signing_key(home: Path) -> bytes:
    """The home folder's own key, made when it is first needed, for its owner's eyes only."""
    path = home / KEY_FILE
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes().strip()
        if key:  # one that is empty was left by a disk that was full; anybody could sign with it
            return key
    with atomic(path) as part, os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_hex(32).encode() + b"\n")
    return path.read_bytes().strip()


def signature(key: bytes, body: bytes, moment: int) -> str:
    """Value of the header `Retake-Signature`. The time is part of what is signed, so that a receiver can refuse what was recorded and sent again."""
    mac = hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()}"


@dataclass
class _Delivery:
    """One event that somebody is to be told."""

    id: int
    type: str
    at: str
    job: dict[str, Any]
    url: str
    tries: int = 0
    due: float = 0.0  # on the monotonic clock
    task: asyncio.Task[str | None] | None = None

    @property
    def body(self) -> bytes:
        content = {"id": self.id, "type": self.type, "at": self.at, "job": {name: self.job.get(name) for name in TOLD}}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class WebhookSender:
    """Tells receivers, in a thread of its own, from `start` to `stop`.

    Args:
        delays: seconds before the second try, the third, and so on; after the last one it is given up.
        seconds: for one try.
    """

    def __init__(self, context: Context, *, delays: Sequence[float] = DELAYS, seconds: float = SECONDS) -> None:
        self._context = context
        self._delays = tuple(delays)
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._read = 0  # events up to this one were looked at
        self._waiting: dict[int, _Delivery] = {}
        self._done: set[int] = set()  # told or given up, behind one that still waits
        self._settled = False  # something since it was written down how far it is
        self._saved = 0

    def start(self) -> None:
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop within a few seconds; what was not told is told after the next start."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=self._seconds)
            self._thread = None

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        import httpx

        # No proxies and no credentials from the environment, no redirects: they could lead elsewhere.
        limits = httpx.Limits(max_keepalive_connections=0)
        loaded = False
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=self._seconds, limits=limits) as client:
            while not self._stop.is_set():
                try:
                    if not loaded:
                        await asyncio.to_thread(self._load)
                        loaded = True
                    await self._turn(client)
                except RetakeError as error:  # the database is away for a while
                    log.warning("webhooks wait: %s", error.cause)
                    await asyncio.sleep(POLL_SECONDS * 4)
                except Exception as error:  # noqa: BLE001 - if this thread ended, nobody would be told of anything any more
                    _log_unforeseen(error)
                    await asyncio.sleep(UNFORESEEN_SECONDS)
                await asyncio.sleep(POLL_SECONDS / 5 if self._sending() else POLL_SECONDS)
            for delivery in self._sending():
                assert delivery.task is not None
                delivery.task.cancel()

    async def _turn(self, client: httpx.AsyncClient) -> None:
        for delivery in self._sending():
            assert delivery.task is not None
            if delivery.task.done():
                error = delivery.task.exception()
                if error is not None:
                    log.error("telling a receiver failed in a way that nobody foresaw", exc_info=error)
                await self._settle(delivery, "something of Retake's own went wrong" if error else delivery.task.result())
        if len(self._waiting) < MOST_WAITING:
            await asyncio.to_thread(self._look)
        busy = Counter(delivery.url.split("/")[2] for delivery in self._sending())
        for delivery in sorted(self._waiting.values(), key=_due):
            host = delivery.url.split("/")[2]
            if delivery.due > time.monotonic() or busy.total() >= AT_ONCE:
                break
            if delivery.task is None and busy[host] < AT_ONCE_PER_HOST:
                busy[host] += 1
                delivery.tries += 1
                delivery.task = asyncio.create_task(self._try(client, delivery))
        await asyncio.to_thread(self._save)

    def _sending(self) -> list[_Delivery]:
        return [delivery for delivery in self._waiting.values() if delivery.task is not None]

    async def _settle(self, delivery: _Delivery, problem: str | None) -> None:
        """Note what came of a try: None is success, a text beginning with "!" is final."""
        delivery.task = None
        if problem is not None and not problem.startswith("!") and delivery.tries <= len(self._delays):
            delivery.due = time.monotonic() + self._delays[delivery.tries - 1]
            return
        if problem is not None:
            reason, host = problem.removeprefix("!"), delivery.url.split("/")[2]
            log.warning("the webhook of job %s at %s was given up after %d tries: %s", delivery.job.get("id"), host, delivery.tries, reason)
            data = {"id": delivery.job.get("id"), "host": host, "tries": delivery.tries, "reason": reason, "event": delivery.id}
            await asyncio.to_thread(_tell, self._context.database, "webhook.failed", delivery.job.get("id"), data)
        del self._waiting[delivery.id]
        self._done.add(delivery.id)
        self._settled = True

    async def _try(self, client: httpx.AsyncClient, delivery: _Delivery) -> str | None:
        """Tell a receiver once; what went wrong in words, None if nothing."""
        import httpx

        try:
            target = check_address(self._context, delivery.url)  # the settings may have changed since it was asked for
            async with asyncio.timeout(self._seconds):
                status = await self._post(client, target, delivery)
        except RetakeError as error:
            return error.cause if error.kind is ErrorKind.ENVIRONMENT else f"!{error.cause}"
        except TimeoutError:
            return f"no answer within {self._seconds:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        if 200 <= status < 300:
            return None
        if status == 410:
            return "!it answered 410: nobody wants it any more"
        return f"it answered {status}" + (", and redirects are not followed" if 300 <= status < 400 else "")

    async def _post(self, client: httpx.AsyncClient, target: Target, delivery: _Delivery) -> int:
        body = delivery.body
        headers = {
            "Host": target.netloc,
            "Content-Type": "application/json",
            "User-Agent": f"Retake/{__version__}",
            "Retake-Event": str(delivery.id),
            "Retake-Signature": signature(signing_key(self._context.home), body, int(time.time())),
        }
        # The name was looked up and judged once; it is not looked up again, and the certificate must still be the name's.
        extensions = {"sni_hostname": target.host.strip("[]")} if target.scheme == "https" else {}
        request = client.build_request("POST", target.at(await resolve(target)), content=body, headers=headers, extensions=extensions)
        response = await client.send(request, stream=True)
        await response.aclose()  # what it says besides the status is not read
        return response.status_code

    def _load(self) -> None:
        with self._context.database.reading() as connection:
            text = connection.execute(sa.select(facts.c.value).where(facts.c.name == FACT)).scalar()
        try:
            known = json.loads(text or '{"position": 0, "done": []}')
            self._read, self._done = int(known["position"]), {int(number) for number in known["done"]}
        except (ValueError, KeyError, TypeError) as error:
            log.warning("how far webhooks are cannot be read (%s): receivers are told again of everything that is remembered", error)
        self._saved = self._read

    def _save(self) -> None:
        """Remember how far it is: everything up to the position is settled, and what is in `done` behind it."""
        position = min(self._waiting) - 1 if self._waiting else self._read
        # Events that concern nobody are passed over without writing each time; after a restart some are passed over again.
        if not self._settled and position - self._saved < PASSED_OVER:
            return
        self._done = {number for number in self._done if number > position}
        value = json.dumps({"position": position, "done": sorted(self._done)})
        with self._context.database.writing() as connection:
            if not connection.execute(facts.update().where(facts.c.name == FACT).values(value=value)).rowcount:
                connection.execute(facts.insert().values(name=FACT, value=value))
        self._saved, self._settled = position, False

    def _look(self) -> None:
        """Read what happened since, and note what is to be told."""
        database = self._context.database
        last = newest(database)
        if last <= self._read:
            return
        query = (
            sa.select(events).where(events.c.id > self._read, events.c.id <= last, events.c.type.in_(OVER)).order_by(events.c.id).limit(MOST_WAITING)
        )
        with database.reading() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            url = row.data.get("webhook")
            if isinstance(url, str) and url.count("/") >= 2 and row.id not in self._done:
                self._waiting[row.id] = _Delivery(row.id, row.type, _iso(row.at_ms), row.data, url)
        self._read = rows[-1].id if len(rows) == MOST_WAITING else last


def _log_unforeseen(error: Exception) -> None:
    log.error("webhooks go on after what nobody foresaw", exc_info=error)


def _due(delivery: _Delivery) -> float:
    return delivery.due


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def _tell(database: Database, kind: str, job_id: str | None, data: dict[str, Any]) -> None:
    with database.writing() as connection:
        tell(database, connection, kind, job_id=job_id, data=data)
