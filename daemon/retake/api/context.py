"""What the routes work with, made once by whoever starts the daemon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from retake.jobs.database import Database
from retake.jobs.fleet import WorkerStatus
from retake.settings import Settings


def no_workers() -> list[WorkerStatus]:
    return []


@dataclass(frozen=True)
class Context:
    """Everything a request may need.

    token: secret that every request but the health check carries.
    workers: the workers of this machine as they are now.
    secure: whether the daemon speaks HTTPS.
    """

    home: Path
    settings: Settings
    database: Database
    token: str = field(repr=False)
    workers: Callable[[], list[WorkerStatus]] = no_workers
    secure: bool = False
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))


async def context_of(request: Request) -> Context:
    """The context of the app that serves this request: `create_app` keeps it in `app.state.context`. A coroutine: others cost a thread each."""
    return request.app.state.context


InContext = Annotated[Context, Depends(context_of)]  # type of a route's parameter
