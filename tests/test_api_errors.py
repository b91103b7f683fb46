"""Whatever fails is answered in one shape, with a status that follows from the error, and nothing of the inside gets out."""

from __future__ import annotations

import ast
import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_daemon import Daemon, error_of, running
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from retake.api import errors
from retake.domain.errors import ErrorKind, RetakeError

API = Path(errors.__file__).parent


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("errors") / "home") as daemon:
        add_traps(daemon.app)
        yield daemon


def add_traps(app: FastAPI) -> None:
    """Routes that fail in ways that no route of ours should."""

    @app.get("/v1/traps/unforeseen")
    def unforeseen() -> None:
        raise KeyError("the secret inside")

    @app.get("/v1/traps/later")
    async def later() -> None:
        await asyncio.sleep(0)
        raise RecursionError

    @app.get("/v1/traps/kind/{kind}")
    def of_kind(kind: str, code: str = "any_code") -> None:
        raise RetakeError("The cause.", "The remedy.", kind=ErrorKind[kind], code=code)

    @app.get("/v1/traps/half")
    def half() -> None:
        raise RetakeError("A half character \ud800 of a request.", "Leave it away.")


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("BAD_INPUT", "any_code", 400), ("BAD_INPUT", "wrong_state", 409), ("BAD_INPUT", "key_reused", 409), ("BAD_INPUT", "speaker_exists", 409),
        ("NOT_FOUND", "any_code", 404), ("REFUSED", "any_code", 403), ("CANCELLED", "cancelled", 409), ("ENVIRONMENT", "any_code", 503),
        ("ENVIRONMENT", "no_database", 503), ("ENVIRONMENT", "disk_full", 507), ("ENVIRONMENT", "not_writable", 507),
    ],
)  # fmt: skip
def test_the_status_follows_from_the_error(daemon: Daemon, kind: str, code: str, status: int) -> None:
    answer = daemon.client.get(f"/v1/traps/kind/{kind}", params={"code": code})
    assert answer.status_code == status
    assert answer.json() == {"error": {"code": code, "kind": kind.lower(), "cause": "The cause.", "remedy": "The remedy."}}
    assert ("retry-after" in answer.headers) == (status in {503, 507})


def test_every_kind_has_a_status() -> None:
    assert set(errors.STATUS_OF_KIND) == set(ErrorKind)


@pytest.mark.parametrize("path", ["unforeseen", "later"])
def test_what_nobody_foresaw_is_told_by_an_id_and_logged(daemon: Daemon, path: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="retake"):
        answer = daemon.client.get(f"/v1/traps/{path}")
    assert answer.status_code == 500
    error = error_of(answer)
    assert error["code"] == "internal"
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert error["id"] in error["remedy"]
    assert error["id"] in caplog.text
    assert "Traceback" in caplog.text


def test_what_cannot_be_sent_is_replaced(daemon: Daemon) -> None:
    answer = daemon.client.get("/v1/traps/half")
    assert answer.status_code == 400
    assert error_of(answer)["cause"] == "A half character ? of a request."


def test_addresses_and_methods(daemon: Daemon) -> None:
    for path in ("/", "/v1", "/v1/", "/v1/nothing", "/v2/jobs", "/v1/jobs/", "/v1//jobs", "/v1/jobs/a/b/c", "/v1/%2e%2e/etc/passwd", "/v1/jobs%00"):
        answer = daemon.client.get(path)
        assert answer.status_code in {404, 422}, path
        error_of(answer)
    answer = daemon.client.put("/v1/jobs")
    assert (answer.status_code, error_of(answer)["code"]) == (405, "wrong_method")
    assert answer.headers["allow"] == "GET, POST"
    assert daemon.client.patch("/v1/jobs/0123").headers["allow"] == "DELETE, GET"
    assert daemon.client.delete("/v1/jobs/queue/x").status_code == 404
    assert daemon.client.request("BREW", "/v1/jobs").status_code == 405
    assert daemon.client.options("/v1/jobs/batch").headers["allow"] == "POST"


def test_what_is_wrong_with_a_request_is_named(daemon: Daemon) -> None:
    answer = daemon.client.post("/v1/jobs", json={"spec": {"kind": "line", "request": {"speaker": "anna", "seed": -1, "colour": "red"}}})
    assert answer.status_code == 422
    error = error_of(answer)
    assert error["code"] == "invalid"
    assert {item["field"] for item in error["fields"]} == {"body.spec.line.request.seed", "body.spec.line.request.colour"}
    assert "red" not in answer.text  # what was sent is not repeated


def test_a_database_that_is_away(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any) -> Any:
        raise OperationalError("SELECT 1", {}, sqlite3.OperationalError("unable to open database file"))

    monkeypatch.setattr(daemon.database.engine, "connect", gone)
    for path in ("/v1/jobs", "/v1/ready", "/v1/jobs/0123", "/v1/metrics", "/v1/events"):
        answer = daemon.client.get(path)
        assert (answer.status_code, error_of(answer)["code"]) == (503, "no_database"), path
    assert daemon.client.get("/v1/health").status_code == 200


def test_no_route_raises_a_code_that_the_catalogue_does_not_know() -> None:
    """Problems take their status from the catalogue."""
    for path in API.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem" and node.args:
                code = node.args[0]
                assert not isinstance(code, ast.Constant) or code.value in errors.CATALOGUE, f"{path.name}: {ast.unparse(node)}"


def test_the_catalogue_says_cause_and_remedy() -> None:
    for code, (status, cause, remedy) in errors.CATALOGUE.items():
        assert 400 <= status < 600, code
        assert cause.endswith(".") and remedy.endswith("."), code


def test_the_documentation_names_every_code_at_its_status() -> None:
    page = (API.parent.parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| ") and line.split("|")[1].strip().isdigit()}
    missing = [f"{status}: {code}" for code, (status, _, _) in errors.CATALOGUE.items() if f"`{code}`" not in rows.get(str(status), "")]
    assert missing == []
