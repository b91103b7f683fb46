"""Is the daemon there, can it work, and which version is it?"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from retake import __version__
from retake.api.context import InContext
from retake.api.errors import Problem, documented
from retake.api.handshake import API_VERSION, OLDEST_API_VERSION
from retake.domain.errors import ErrorKind

router = APIRouter(tags=["daemon"])

ABLE = frozenset({"starting", "ready", "busy", "restarting"})


class Health(BaseModel):
    """That the daemon answers. Nothing else is told without the token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["ok"] = "ok"
    version: str = Field(examples=["0.1.0"])


class Worker(BaseModel):
    """A worker of this machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    device: str = Field(examples=["cpu", "cuda:0"])
    state: str = Field(description="starting, ready, busy, restarting, or failing: it dies before it is ready")
    pid: int | None
    job_id: str | None
    restarts: int


class Ready(BaseModel):
    """That jobs are taken and worked on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["ready"] = "ready"
    workers: list[Worker]
    started_at: datetime


class Version(BaseModel):
    """What the daemon speaks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    product: Literal["retake"] = "retake"
    version: str
    api: int = Field(description="version of this interface")
    oldest_api: int = Field(description="oldest version of the interface that clients may speak")


@router.get("/health", summary="Does the daemon answer?", responses=documented(), openapi_extra={"security": []})
async def health() -> Health:
    """The only address that answers without the token."""
    return Health(version=__version__)


@router.get("/ready", summary="Can jobs be done?", responses=documented("not_ready"))
def ready(context: InContext) -> Ready:
    """The database answers and at least one worker is there or starting."""
    with context.database.reading() as connection:
        connection.execute(sa.select(sa.literal(1)))
    workers = context.workers()
    if not any(worker.state in ABLE for worker in workers):
        raise Problem("not_ready", kind=ErrorKind.ENVIRONMENT)
    shown = [Worker(id=w.id, device=w.device, state=w.state, pid=w.pid, job_id=w.job_id, restarts=w.restarts) for w in workers]
    return Ready(workers=shown, started_at=context.started_at)


@router.get("/version", summary="Which version is it?", responses=documented())
async def version() -> Version:
    """Answers clients of every version, so that they can tell their users what to update."""
    return Version(version=__version__, api=API_VERSION, oldest_api=OLDEST_API_VERSION)
