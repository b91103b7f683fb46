"""A speaker from a video of this machine: read in place by the daemon where it may, else uploaded; and what was learnt, with its report."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .client import Client
from .errors import ClientError, Conflict, LocalFault, NotFound, Refused
from .local_takes import runs_here
from .orders import EnrolOrder
from .paths import PathMap
from .sending import find_job
from .tickets import Ticket
from .transfers import Told

# What the daemon answers where it may not, or cannot, read the file in place.
_NOT_IN_PLACE = frozenset({"outside_roots", "missing_file", "not_a_file", "bad_request", "invalid"})


def send(client: Client, order: EnrolOrder, ticket: Ticket, paths: PathMap, told: Told) -> Mapping[str, Any]:
    """The job that learns the speaker, made if there is none. Raises ClientError, OSError."""
    if not order.consent.strip():
        raise Refused("The person's consent is missing.", "Write down their statement that they agree.", code="consent_missing")
    known = find_job(client, ticket.key, kind="enrol")
    if known is not None:
        return known
    file = Path(order.reference)
    if not file.is_file():
        raise LocalFault(f"{file} is not there, or no file.", "Choose the reference video again.", code="not_readable_here")
    for path in _in_place(client, file, paths):
        try:
            return _ask(client, order, ticket.key, path)
        except ClientError as error:
            if error.code not in _NOT_IN_PLACE:
                raise
    return _ask(client, order, ticket.key, _uploaded(client, file, ticket, told))


def learnt(client: Client, order: EnrolOrder, folder: str, stop: threading.Event) -> dict[str, Any]:
    """The speaker's record, with the report as a file of this machine (`report_file`). Raises ClientError, OSError."""
    view = client.speaker(order.name)
    record: dict[str, Any] = {**view["speaker"], "report_file": ""}
    if folder and view.get("report"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        target = Path(folder) / f"{order.name}-report.html"
        record["report_file"] = str(client.download(f"/v1/speakers/{quote(order.name, safe='')}/report", target, stop=stop))
    return record


def _in_place(client: Client, file: Path, paths: PathMap) -> list[str]:
    """How the daemon may name the file, as far as it may be able to read it."""
    absolute = str(file.resolve())
    mapped = paths.to_remote(absolute)
    if mapped is not None:
        return [mapped]
    return [absolute] if runs_here(client) else []


def _uploaded(client: Client, file: Path, ticket: Ticket, told: Told) -> str:
    """The reference of an upload of the file: one that was begun before is gone on with."""

    def begun(upload: str) -> None:
        ticket.upload = upload

    if ticket.upload:
        try:
            return str(client.upload(file, told=told, stop=ticket.stop, resume=ticket.upload)["reference"])
        except (NotFound, Conflict):
            ticket.upload = ""
    return str(client.upload(file, told=told, stop=ticket.stop, begun=begun)["reference"])


def _ask(client: Client, order: EnrolOrder, key: str, reference: str) -> Mapping[str, Any]:
    more: dict[str, Any] = {"replace": order.replace, "max_seconds": order.max_seconds, "recorded_by": order.recorded_by, "priority": order.priority}
    if order.transcript:
        more["transcript"] = order.transcript
    if order.label:
        more["label"] = order.label[:200]
    return client.enrol(order.name, reference, consent=order.consent, key=key, **more)
