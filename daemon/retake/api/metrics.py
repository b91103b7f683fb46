"""Figures for Prometheus: what is in the queue, how long jobs took, and how the interface is used."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retake import __version__
from retake.api.context import Context
from retake.api.errors import documented
from retake.api.events import Hub
from retake.domain.job import JobState, Priority
from retake.jobs import events as event_log
from retake.jobs.database import now_ms
from retake.jobs.tables import events, jobs

router = APIRouter(tags=["daemon"])

ANSWER_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
JOB_SECONDS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0)
_OVER = tuple(f"job.{state.value}" for state in JobState if state.over)


class Metrics:
    """The registry of one application."""

    def __init__(self, context: Context, hub: Hub) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.requests = Counter("retake_http_requests", "Answered calls.", ("method", "route", "status"), registry=registry)
        self.seconds = Histogram(
            "retake_http_request_seconds", "Time to the end of the answer.", ("route",), buckets=ANSWER_SECONDS, registry=registry
        )
        self._durations = Histogram(
            "retake_job_seconds", "Time from the first begin to the end of jobs.", ("kind", "state"), buckets=JOB_SECONDS, registry=registry
        )
        Gauge("retake_info", "Version of the daemon.", ("version",), registry=registry).labels(__version__).set(1)
        registry.register(_State(context, hub))
        self._context = context
        self._lock = threading.Lock()
        self._seen: int | None = None

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        with self._lock:
            self._observe_jobs()
            return generate_latest(self.registry)

    def begin(self) -> None:
        """Count jobs that end from now on."""
        with self._lock:
            if self._seen is None:
                self._seen = event_log.newest(self._context.database)

    def _observe_jobs(self) -> None:
        if self._seen is None:
            self._seen = event_log.newest(self._context.database)
            return
        query = sa.select(events.c.id, events.c.data).where(events.c.id > self._seen, events.c.type.in_(_OVER)).order_by(events.c.id)
        with self._context.database.reading() as connection:
            last = connection.execute(sa.select(sa.func.max(events.c.id))).scalar()
            for row in connection.execute(query):
                self._observe_job(row.data)
        self._seen = max(self._seen, last or 0)

    def _observe_job(self, data: dict[str, object]) -> None:
        from datetime import datetime

        started, finished = data.get("started_at"), data.get("finished_at")
        if isinstance(started, str) and isinstance(finished, str):
            seconds = (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
            self._durations.labels(str(data.get("kind")), str(data.get("state"))).observe(max(0.0, seconds))


class _State(Collector):
    """What is read when somebody asks."""

    def __init__(self, context: Context, hub: Hub) -> None:
        self._context = context
        self._hub = hub

    def describe(self) -> list[Metric]:
        return []  # else the database would be asked when this is registered

    def collect(self) -> Iterator[Metric]:
        database = self._context.database
        by_state = sa.select(jobs.c.kind, jobs.c.state, sa.func.count()).group_by(jobs.c.kind, jobs.c.state)
        queued = jobs.c.state == JobState.QUEUED.value
        by_priority = sa.select(jobs.c.priority, sa.func.count(), sa.func.min(jobs.c.created_ms)).where(queued).group_by(jobs.c.priority)
        with database.reading() as connection:
            states = connection.execute(by_state).all()
            waiting = {row[0]: (row[1], row[2]) for row in connection.execute(by_priority)}
        family = GaugeMetricFamily("retake_jobs", "Jobs in the history.", labels=("kind", "state"))
        for kind, state, count in states:
            family.add_metric((kind, state), count)
        yield family
        depth = GaugeMetricFamily("retake_queue_depth", "Jobs that wait.", labels=("priority",))
        for priority in Priority:
            depth.add_metric((priority.name.lower(),), waiting.get(int(priority), (0, 0))[0])
        yield depth
        oldest = min((created for _, created in waiting.values()), default=None)
        age = 0.0 if oldest is None else max(0.0, (now_ms() - oldest) / 1000)
        yield GaugeMetricFamily("retake_queue_oldest_seconds", "Age of the job that has waited longest.", value=age)
        workers = GaugeMetricFamily("retake_workers", "Workers of this machine.", labels=("device", "state"))
        counted: dict[tuple[str, str], int] = {}
        restarts = 0
        for worker in self._context.workers():
            counted[(worker.device, worker.state)] = counted.get((worker.device, worker.state), 0) + 1
            restarts += worker.restarts
        for (device, state), count in counted.items():
            workers.add_metric((device, state), count)
        yield workers
        yield GaugeMetricFamily("retake_worker_restarts", "How often workers of this machine were started anew.", value=restarts)
        yield GaugeMetricFamily("retake_event_streams", "Clients that listen to events.", value=self._hub.listening)


class Measured:
    """ASGI middleware: counts calls and the time they take."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        start = time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = _route(scope)
            self._metrics.requests.labels(_method(scope), route, str(status)).inc()
            if not route.endswith("/events"):  # streams last as long as somebody listens
                self._metrics.seconds.labels(route).observe(time.perf_counter() - start)


def _route(scope: Scope) -> str:
    """The pattern of the address, so that ids do not become labels."""
    path = getattr(scope.get("route"), "path", None)
    return "none" if not path else path if path.startswith("/v1/") else f"/v1{path}"


def _method(scope: Scope) -> str:
    method = scope["method"]
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"description": "Figures", "content": {"text/plain": {"schema": {"type": "string"}}}}, **documented()},
)
def show_metrics(request: Request) -> Response:
    """In the text format of Prometheus."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)
