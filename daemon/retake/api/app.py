"""The application: all routes, behind the guard."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from retake import __version__
from retake.api import errors, events, health, jobs, metrics, tickets
from retake.api.context import Context
from retake.api.events import Hub
from retake.api.security import Guard

PREFIX = "/v1"
RESOURCES = ("uploads", "speakers", "takes", "timelines", "engines")


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
    for router in (health.router, metrics.router, tickets.router, events.router, jobs.router):
        app.include_router(router, prefix=PREFIX)
    for name in RESOURCES:
        if importlib.util.find_spec(f"retake.api.{name}") is not None:
            app.include_router(importlib.import_module(f"retake.api.{name}").router, prefix=PREFIX)
    app.add_middleware(Guard, context=context)
    app.add_middleware(metrics.Measured, metrics=app.state.metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.hub.close()


def server_options() -> dict[str, Any]:
    """Options for uvicorn that belong to the safety of the interface."""
    return {
        "server_header": False,
        "proxy_headers": False,
        "access_log": False,  # addresses may hold tickets; metrics count calls
        "lifespan": "on",
        "timeout_keep_alive": 30,
        "timeout_graceful_shutdown": 5,
        "h11_max_incomplete_event_size": 64 * 1024,
    }
