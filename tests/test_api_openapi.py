"""The description of the interface: complete, true, with examples that work. And what the daemon tells of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_daemon import Daemon, add_speaker, error_of, running
from pydantic import TypeAdapter

from retake import __version__
from retake.api import errors, metrics, models
from retake.api.context import WorkerStatus
from retake.domain.job import JobResult
from retake.jobs import running as work

METHODS = {"get", "post", "put", "patch", "delete", "head"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("openapi") / "home"
    add_speaker(home)
    with running(home) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def document(daemon: Daemon) -> dict[str, Any]:
    return daemon.client.get("/v1/openapi.json").json()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, operation) for path, found in document["paths"].items() for method, operation in found.items() if method in METHODS]


def test_everything_is_there(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == __version__
    for part in ("health", "ready", "version", "metrics", "events", "jobs", "jobs/batch", "jobs/queue", "jobs/{job_id}", "jobs/{job_id}/events",
                 "jobs/{job_id}/log", "jobs/{job_id}/cancel", "jobs/{job_id}/retry", "jobs/{job_id}/move", "tickets", "uploads", "speakers", "takes",
                 "timelines", "engines"):  # fmt: skip
        assert f"/v1/{part}" in document["paths"]
    assert all(path.startswith("/v1/") for path in document["paths"])


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    known_tags = {tag["name"] for tag in document["tags"]}
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation.get("summary") and operation.get("description"), where
        assert set(operation["tags"]) <= known_tags, where
        assert any(status.startswith("2") for status in operation["responses"]), where
        for parameter in operation.get("parameters", []):
            assert "schema" in parameter, where


def test_every_operation_documents_its_errors(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert {"400", "401", "403", "421", "422", "426", "500", "503"} <= set(operation["responses"]), where
        if "requestBody" in operation:
            assert {"408", "413", "415"} <= set(operation["responses"]), where
        if "{" in path:
            assert "404" in operation["responses"], where
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")):
                content = response["content"]["application/json"]
                assert content["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}, f"{where} {status}"
                assert content["examples"], f"{where} {status}"
                for code, example in content["examples"].items():
                    found = errors.ErrorAnswer.model_validate(example["value"])
                    assert found.error.code == code
                    assert errors.CATALOGUE[code][0] == int(status)


def test_only_health_needs_no_token(document: dict[str, Any]) -> None:
    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    free = [path for path, _, operation in operations(document) if operation.get("security") == []]
    assert free == ["/v1/health"]


def test_bodies_have_examples_that_are_accepted(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind == "application/json" and path.startswith(("/v1/jobs", "/v1/tickets")):
                schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
                assert content.get("examples") or any("examples" in field for field in schema["properties"].values()), f"{method} {path}"
    for example in models.EXAMPLES.values():
        models.JobRequest.model_validate(example["value"])
    for example in models.BATCH_EXAMPLES.values():
        models.BatchRequest.model_validate(example["value"])


def test_patterns_of_parameters_are_patterns_everywhere(document: dict[str, Any]) -> None:
    """No lookarounds and the like, which generators of clients do not know."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("pattern"), str):
                yield value["pattern"]
            for part in value.values():
                yield from walk(part)
        elif isinstance(value, list):
            for part in value:
                yield from walk(part)

    found = set(walk(document))
    assert found
    for pattern in found:
        re.compile(pattern)
        assert "(?" not in pattern.replace("(?:", ""), pattern


def test_answers_are_as_described(daemon: Daemon) -> None:
    job = daemon.line()
    TypeAdapter(models.JobPage).validate_json(daemon.client.get("/v1/jobs?specs=true").content)
    TypeAdapter(models.JobPage).validate_json(daemon.client.get("/v1/jobs").content)
    TypeAdapter(models.QueueAnswer).validate_json(daemon.client.get("/v1/jobs/queue").content)
    models.Job.model_validate_json(daemon.client.get(f"/v1/jobs/{job['id']}").content)


# What the daemon tells of itself


def test_health_ready_version(daemon: Daemon) -> None:
    assert daemon.anonymous.get("/v1/health").json() == {"status": "ok", "version": __version__}
    assert daemon.client.get("/v1/version").json() == {"product": "retake", "version": __version__, "api": 1, "oldest_api": 1}
    ready = daemon.client.get("/v1/ready").json()
    assert ready["status"] == "ready"
    assert ready["workers"][0]["device"] == "cpu"


def test_ready_needs_a_worker(daemon: Daemon) -> None:
    before = list(daemon.workers)
    try:
        daemon.workers.clear()
        answer = daemon.client.get("/v1/ready")
        assert (answer.status_code, error_of(answer)["code"]) == (503, "not_ready")
        daemon.workers.append(WorkerStatus("host.2", "cuda:0", None, "starting"))
        assert daemon.client.get("/v1/ready").status_code == 200
    finally:
        daemon.workers[:] = before


def figures(daemon: Daemon) -> dict[str, float]:
    answer = daemon.client.get("/v1/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_metrics_count_jobs_calls_workers_and_listeners(daemon: Daemon) -> None:
    before = figures(daemon)
    job = daemon.line(priority="batch")
    work.claim(daemon.database, job["id"], 1, "host.1")
    daemon.line(priority="background")
    now = figures(daemon)
    queued = 'retake_jobs{kind="line",state="queued"}'
    assert now[queued] == before.get(queued, 0) + 1
    assert now['retake_jobs{kind="line",state="running"}'] == 1
    assert now['retake_queue_depth{priority="background"}'] == 1
    assert now['retake_workers{device="cpu",state="ready"}'] == 1
    assert now['retake_http_requests_total{method="POST",route="/v1/jobs",status="201"}'] >= 2
    assert now['retake_http_request_seconds_count{route="/v1/jobs"}'] >= 2
    assert f'retake_info{{version="{__version__}"}}' in now
    work.succeed(daemon.database, job["id"], 1, JobResult())
    done = 'retake_job_seconds_count{kind="line",state="succeeded"}'
    assert figures(daemon)[done] == now.get(done, 0) + 1
    assert figures(daemon)[done] == now.get(done, 0) + 1  # once
    with daemon.client.stream("GET", "/v1/events"):
        assert figures(daemon)["retake_event_streams"] == 1
    assert not any(job["id"] in name for name in now)  # ids are no labels


def test_metrics_of_strange_calls_do_not_grow(daemon: Daemon) -> None:
    for number in range(20):
        daemon.client.request(f"BREW{number}", f"/v1/nothing/{number}")
    strange = [name for name in figures(daemon) if "BREW" in name or "nothing" in name]
    assert strange == []


def test_each_application_counts_for_itself(tmp_path: Path) -> None:
    with running(tmp_path / "home") as daemon:
        assert isinstance(daemon.app.state.metrics, metrics.Metrics)
        assert not any("/v1/jobs" in name for name in figures(daemon))
