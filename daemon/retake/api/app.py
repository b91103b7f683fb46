"""The application: all routes, behind the guard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool

from retake import __version__
from retake.api import engines, errors, events, health, jobs, metrics, speakers, takes, tickets, timelines, uploads, webhooks
from retake.api.context import Context
from retake.api.events import Hub
from retake.api.security import Guard
from retake.domain.errors import RetakeError

log = logging.getLogger(__name__)

PREFIX = "/v1"
DESCRIPTION = """
Every call but `GET /v1/health` carries `Authorization: Bearer TOKEN`. Clients say their version in `X-Retake-Client-Version` and the version of this
interface that they speak in `X-Retake-Api`; the daemon says its own with every answer. Whatever fails is answered as `{"error": {...}}` with a stable
`code`, the `cause` and the `remedy`.
"""
TAGS = {
    "daemon": "Is it there, can it work, what does it do?",
    "jobs": "What was asked for and what came of it.",
    "events": "What happens, as it happens.",
    "uploads": "Files that are sent, in parts that can be resumed.",
    "speakers": "People who agreed to be reproduced.",
    "takes": "Finished clips.",
    "timelines": "Placeholders in an edit, filled.",
    "engines": "What takes are made with.",
    "webhooks": "Who is told when a job is over.",
    "tickets": "Addresses that open without the token's header.",
}


def create_app(context: Context) -> FastAPI:
    """The HTTP interface of the daemon.

    `app.state.hub.close()` ends the event streams; whoever stops the server calls it first, since it waits for them.
    """
    hub = Hub(context.database)
    app = FastAPI(
        title="Retake",
        version=__version__,
        summary="Change what a person says in a video without a reshoot.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # the pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.context = context
    app.state.hub = hub
    app.state.metrics = metrics.Metrics(context, hub)
    errors.install(app)
    # What is asked for most comes first: addresses are looked up in this order.
    for part in (jobs, events, health, metrics, tickets, uploads, speakers, takes, timelines, engines, webhooks):
        app.include_router(part.router, prefix=PREFIX)
    app.openapi = partial(_describe_once, app)
    app.add_middleware(Guard, context=context)
    app.add_middleware(metrics.Measured, metrics=app.state.metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Webhooks are sent by whoever starts the daemon: two senders would tell everything twice.
    prepared = asyncio.create_task(run_in_threadpool(_prepare, app))
    yield
    app.state.hub.close()
    await prepared


def _prepare(app: FastAPI) -> None:
    """Beside the first calls: the description takes a quarter of a second, which whoever asks first would else have everybody wait for."""
    app.openapi()
    try:
        app.state.metrics.begin()
    except RetakeError as error:
        log.warning("jobs are counted from the first look at the metrics on: %s", error)


def _describe_once(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = _describe(app)
    return app.openapi_schema


def _describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the token that every call but the health check needs."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": n, "description": d} for n, d in TAGS.items()],
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(errors.schemas())
    scheme = {"type": "http", "scheme": "bearer", "description": "The token of the connection file."}
    components["securitySchemes"] = {"token": scheme}
    document["security"] = [{"token": []}]
    return document
