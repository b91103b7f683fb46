"""The running interface against its own description: whatever is generated from it gets an answer that it describes, and never a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import requests
import schemathesis
from api_daemon import TOKEN, Daemon, add_speaker, running
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from retake.settings import ServerSettings, Settings

# Valid by the schema and yet refused is what no schema can say: a speaker who is not there, words that cannot be spoken, a path outside the roots.
# 422, though, means that the schema itself was not met.
REFUSED = ["2xx", "400", "401", "403", "404", "405", "409", "413", "416", "429"]
STREAMS = "events$"  # never end; tests/test_api_events.py


def settings(examples: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder: Path = tmp_path_factory.mktemp("schemathesis")
    home = folder / "home"
    add_speaker(home)
    with running(home, Settings(server=ServerSettings(roots=(str(folder),)))) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def described(daemon: Daemon) -> schemathesis.BaseSchema:
    config = SchemathesisConfig.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": REFUSED}}})
    address = f"http://127.0.0.1:{daemon.port}/v1/openapi.json"
    return schemathesis.openapi.from_url(address, headers={"Authorization": f"Bearer {TOKEN}"}, config=config).exclude(path_regex=STREAMS)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_calls_are_answered_as_described(described: schemathesis.BaseSchema, mode: schemathesis.GenerationMode, pytestconfig: pytest.Config) -> None:
    """Calls that follow the schema, and calls that break it; with --slow many more of them."""
    often = settings(60 if pytestconfig.getoption("--slow") else 3)
    failures: list[str] = []
    tried: set[str] = set()
    told: list[str] = []
    with requests.Session() as session:
        for found in described.get_all_operations():
            operation = found.ok()

            @often
            @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
            def call(case: schemathesis.Case) -> None:
                tried.add(case.operation.label)
                answer = case.call(headers={"Authorization": f"Bearer {TOKEN}"}, session=session)
                told.append(f"{case.as_curl_command()}\n{answer.status_code} {answer.text[:500]}")
                case.validate_response(answer, headers={"Authorization": f"Bearer {TOKEN}"})

            try:
                call()
            except hypothesis.errors.Unsatisfiable:
                continue  # there is nothing about this call that could be wrong
            except FailureGroup as error:
                failures += [f"{operation.label}: {failure}\n{told[-1]}" for failure in error.exceptions]
    assert not failures, "\n\n".join(failures)
    assert len(tried) > 25
