"""One wish, one job: an order that is sent again, by whoever and whenever, finds the job that it became before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .client import Client
from .errors import Conflict
from .orders import Order

_PAGES = 10
_PAGE = 100


def send_line(client: Client, order: Order, key: str) -> Mapping[str, Any]:
    """The job of a line, made if there is none. Raises ClientError (key_reused for an id that was used for another line)."""
    try:
        return client.submit({"kind": "line", "request": dict(order.request)}, priority=order.priority, label=order.label[:200], key=key)
    except Conflict as error:
        if error.code != "key_reused":
            raise
        # The daemon also compares who asked and how urgently, which a reopened file may say differently.
        job = find_job(client, key, kind="line", specs=True)
        if job is None or not _asks_for(job, order.request):
            raise
        return job


def find_job(client: Client, key: str, *, kind: str = "", specs: bool = False) -> Mapping[str, Any] | None:
    """The job with this idempotency key among the last thousand; None if there is none."""
    cursor: str | None = None
    for _ in range(_PAGES):
        page = client.jobs(kinds=(kind,) if kind else (), limit=_PAGE, cursor=cursor, specs=specs)
        for job in page.get("jobs") or ():
            if job.get("idempotency_key") == key:
                return job
        cursor = page.get("next")
        if not cursor:
            return None
    return None


def _asks_for(job: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether the job's request says the same wherever `request` says something."""
    spec: Mapping[str, Any] = job.get("spec") or {}
    asked: Mapping[str, Any] = spec.get("request") or {}
    return all(asked.get(name) == value for name, value in request.items() if name != "fps" or value is None)
