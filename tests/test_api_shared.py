"""The API on one of several machines: what others learnt and made is there, and what is deleted is gone for all."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_samples import CONSENT, OCTETS, PRESENTER, client_of, code_of, make_context, upload
from artefact_samples import listing, make_speaker, make_take
from fastapi.testclient import TestClient

from retake.api.context import Context
from retake.api.shared import artefacts_of
from retake.domain.job import JobResult
from retake.jobs import records, running
from retake.jobs.artefacts import Artefacts


@pytest.fixture
def other(tmp_path: Path) -> Artefacts:
    """The machine that did the work."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "other").mkdir()
    return Artefacts(str(tmp_path / "shared"), tmp_path / "other")


@pytest.fixture
def context(tmp_path: Path, other: Artefacts) -> Context:
    return make_context(tmp_path / "home", artefacts=str(tmp_path / "shared"))


@pytest.fixture
def client(context: Context) -> TestClient:
    return client_of(context)


def test_a_machine_alone_shares_nothing(tmp_path: Path) -> None:
    assert artefacts_of(make_context(tmp_path / "alone")) is None


def test_a_speaker_that_another_machine_learnt(client: TestClient, other: Artefacts) -> None:
    make_speaker(other.home)
    other.push_speaker("anna")
    [listed] = client.get("/v1/speakers").json()["speakers"]
    assert listed["name"] == "anna" and listed["here"] is False and listed["seconds"] is None
    body = {"spec": {"kind": "line", "request": {"speaker": "anna", "text": "Hello there."}}}
    assert client.post("/v1/jobs", json=body).status_code == 201
    assert client.get("/v1/speakers/anna").json()["speaker"]["seconds"] == 1.0
    assert client.get("/v1/speakers/anna/report").text == "<p>fine</p>"
    [listed] = client.get("/v1/speakers").json()["speakers"]
    assert listed["here"] is True and listed["seconds"] == 1.0
    assert code_of(client.get("/v1/speakers/ben")) == "unknown_speaker"


def test_deleting_a_speaker_deletes_it_for_all(client: TestClient, other: Artefacts) -> None:
    make_speaker(other.home)
    other.push_speaker("anna")
    take = make_take(other.home)
    other.push_take(take.id)
    assert client.get(f"/v1/takes/{take.id}").status_code == 200
    assert client.delete("/v1/speakers/anna", params={"takes": "true"}).json()["takes"] == [take.id]
    assert not [key for key in listing(other) if key.startswith(("speakers/", "takes/"))]
    assert client.get("/v1/speakers").json()["speakers"] == [] and client.get(f"/v1/takes/{take.id}").status_code == 404


def test_a_take_that_another_machine_made(client: TestClient, other: Artefacts) -> None:
    take = make_take(other.home)
    other.push_take(take.id)
    answer = client.get(f"/v1/takes/{take.id}/media", headers={"Range": "bytes=0-9"})
    assert answer.status_code == 206 and answer.content == b"c" * 10
    assert client.delete(f"/v1/takes/{take.id}").status_code == 204
    assert client.get(f"/v1/takes/{take.id}/media").status_code == 404


def test_files_of_jobs_are_shared(client: TestClient, context: Context, other: Artefacts) -> None:
    reference = upload(client, PRESENTER.read_bytes())
    answer = client.post("/v1/speakers", json={"name": "anna", "reference": reference, "consent": CONSENT})
    assert answer.status_code == 201, answer.text
    spec = records.get(context.database, answer.json()["id"]).spec
    assert spec.kind == "enrol" and spec.reference.startswith("artefact:")
    localised = other.localise(spec)
    assert list((other.home / "inputs").iterdir())
    assert localised.kind == "enrol" and Path(localised.reference).read_bytes() == PRESENTER.read_bytes()


def test_a_timeline_that_another_machine_filled(client: TestClient, context: Context, other: Artefacts) -> None:
    sent = client.post("/v1/timelines", content=b'{"OTIO_SCHEMA": "Timeline.1"}', headers={**OCTETS, "Content-Type": "application/json"})
    job_id = sent.json()["id"]
    folder = other.home / "results" / job_id
    folder.mkdir(parents=True)
    (folder / "timeline.otio").write_text('{"OTIO_SCHEMA": "Timeline.1", "name": "filled"}', encoding="utf-8")
    other.push_results(job_id)
    running.claim(context.database, job_id, 1, "elsewhere")
    running.succeed(context.database, job_id, 1, JobResult(timeline=str(folder / "timeline.otio")))
    answer = client.get(f"/v1/timelines/{job_id}")
    assert answer.status_code == 200 and answer.json()["name"] == "filled"
