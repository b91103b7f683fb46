"""Speakers over HTTP: consent first, the report, and deleting everything that was learnt."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest
from api_samples import CONSENT, MAKE_LINKS, PRESENTER, client_of, code_of, make_context, make_speaker, make_take, upload
from fastapi.testclient import TestClient

from retake.api.context import Context
from retake.domain.job import JobResult, JobState, LineSpec
from retake.domain.take import TakeRequest
from retake.jobs import queue, records, running
from retake.jobs.events import since
from retake.jobs.queue import Submission
from retake.speakers import store

MOVIE = PRESENTER.read_bytes()


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return make_context(tmp_path / "home")


@pytest.fixture
def client(context: Context) -> TestClient:
    return client_of(context)


def line(speaker: str) -> Submission:
    return Submission(LineSpec(request=TakeRequest(speaker=speaker, text="Hello.")))


def test_without_consent_nothing_is_looked_at(client: TestClient, context: Context) -> None:
    make_speaker(context.home)
    for consent in ({}, {"consent": ""}, {"consent": "   \n"}):
        # Neither the file nor the name would do; that is not even said.
        answer = client.post("/v1/speakers", json={"name": "anna", "reference": "/etc/passwd", **consent})
        assert answer.status_code == 403 and code_of(answer) == "consent_missing"
    answer = client.post("/v1/speakers", json={"name": "ben", "reference": upload(client, MOVIE), "consent": "?!"})
    assert answer.status_code == 403 and code_of(answer) == "consent_missing"
    assert records.find(context.database, records.Filter()).total == 0


def test_no_zero_characters_in_a_statement(client: TestClient) -> None:
    """PostgreSQL could not keep them."""
    body = {"name": "anna", "reference": f"upload:{'0' * 32}", "consent": "I agree.\x00"}
    assert client.post("/v1/speakers", json=body).status_code == 422


def test_enrolling_is_a_job(client: TestClient, context: Context) -> None:
    body = {"name": "anna", "reference": upload(client, MOVIE, "talk.mp4"), "consent": CONSENT, "max_seconds": 30.0, "priority": "batch"}
    answer = client.post("/v1/speakers", json=body, headers={"Idempotency-Key": "k1", "X-Retake-Client": "tests"})
    assert answer.status_code == 201, answer.text
    job = records.get(context.database, answer.json()["id"])
    assert job.kind == "enrol" and job.state is JobState.QUEUED and job.client == "tests" and job.priority.name == "BATCH"
    assert job.spec.kind == "enrol" and Path(job.spec.reference).read_bytes() == MOVIE and job.spec.consent == CONSENT and job.spec.max_seconds == 30
    again = client.post("/v1/speakers", json=body, headers={"Idempotency-Key": "k1", "X-Retake-Client": "tests"})
    assert again.status_code == 200 and again.json()["id"] == job.id


def test_what_cannot_be_enrolled(client: TestClient, context: Context) -> None:
    make_speaker(context.home)
    good = {"name": "ben", "reference": upload(client, MOVIE), "consent": CONSENT}
    text = upload(client, b"Hello there.")
    cases = [
        ({"name": "anna"}, 409, "speaker_exists"),
        ({"name": "nul"}, 400, "bad_name"),
        ({"name": "../ben"}, 422, "invalid"),
        ({"reference": "/etc/passwd"}, 403, "outside_roots"),
        ({"reference": "upload:" + "0" * 32}, 404, "unknown_upload"),
        ({"reference": text}, 400, "wrong_upload"),
        ({"webhook": "http://169.254.169.254/"}, 403, "bad_webhook"),
        ({"unknown": 1}, 422, "invalid"),
        ({"max_seconds": 0}, 422, "invalid"),
        ({"consent": "I agree." * 2000}, 422, "invalid"),
    ]
    for change, status, code in cases:
        answer = client.post("/v1/speakers", json={**good, **change})
        assert (answer.status_code, code_of(answer)) == (status, code), change
    assert records.find(context.database, records.Filter()).total == 0


def test_lists_and_details(client: TestClient, context: Context) -> None:
    assert client.get("/v1/speakers").json() == {"speakers": []}
    speaker = make_speaker(context.home)
    make_speaker(context.home, "ben")
    (context.home / "speakers" / "ben" / "speaker.json").write_text("{", encoding="utf-8")
    anna, ben = client.get("/v1/speakers").json()["speakers"]
    assert anna["name"] == "anna" and anna["problem"] is None and anna["seconds"] == 20.0
    assert ben["name"] == "ben" and "cannot be read" in ben["problem"]
    body = client.get("/v1/speakers/anna").json()
    assert body["speaker"] == json.loads(speaker.model_dump_json()) and body["bytes"] > 100
    assert body["report"] == "/v1/speakers/anna/report" and body["poster"] is None
    for name, status in (("carla", 404), ("..", 404), ("%2e%2e", 422), ("Anna", 422), ("nul", 400), ("ben", 503)):
        assert client.get(f"/v1/speakers/{name}").status_code == status, name


def test_the_report_is_a_page_that_can_do_nothing(client: TestClient, context: Context, tmp_path: Path) -> None:
    make_speaker(context.home)
    answer = client.get("/v1/speakers/anna/report")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html") and "<title>Report" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script-src" not in policy
    assert client.get("/v1/speakers/anna/report", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.get("/v1/speakers/anna/report", headers={"Authorization": ""}).status_code == 401
    if MAKE_LINKS:
        (tmp_path / "hidden").write_text("hidden words", encoding="utf-8")
        page = context.home / "speakers" / "anna" / "report.html"
        page.unlink()
        page.symlink_to(tmp_path / "hidden")
        answer = client.get("/v1/speakers/anna/report")
        assert answer.status_code == 404 and "hidden words" not in answer.text


def test_the_poster_if_there_is_one(client: TestClient, context: Context) -> None:
    make_speaker(context.home)
    assert code_of(client.get("/v1/speakers/anna/poster")) == "no_poster"
    (context.home / "speakers" / "anna" / "poster.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert client.get("/v1/speakers/anna").json()["poster"] == "/v1/speakers/anna/poster"
    assert client.get("/v1/speakers/anna/poster").headers["Content-Type"] == "image/png"


def test_deleting_takes_everything_that_was_learnt(client: TestClient, context: Context) -> None:
    home, database = context.home, context.database
    reference = upload(client, MOVIE)
    enrolled = client.post("/v1/speakers", json={"name": "anna", "reference": reference, "consent": CONSENT}).json()["id"]
    make_speaker(home)
    make_speaker(home, "ben")
    make_speaker(home, "anna-b")
    made, other = make_take(home, 1, clip=b"x"), make_take(home, 2, speaker="ben", clip=b"x")
    waiting = queue.submit(database, line("anna"))[0].id
    stays = queue.submit(database, line("ben"))[0].id
    aside = home / "speakers" / ".replaced-anna-0123abcd"
    half = home / "speakers" / ".building-anna-0123abcd"
    fresh = home / "speakers" / ".building-anna-b-0123abcd"
    for folder in (aside, half, fresh):
        folder.mkdir()
        (folder / "reference.mp4").write_bytes(b"x")
    os.utime(half, (time.time() - 7200,) * 2)

    body = client.delete("/v1/speakers/anna").json()
    assert set(body["cancelled_jobs"]) == {enrolled, waiting} and body["takes"] == [] and body["notes"] == []
    assert body["uploads"] == [reference.removeprefix("upload:")]
    assert records.get(database, waiting).state is JobState.CANCELLED and records.get(database, stays).state is JobState.QUEUED
    left = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file() and "anna" in str(path.relative_to(home))]
    assert {path.split("/")[1] for path in left if not path.startswith("cache")} == {"anna-b", ".building-anna-b-0123abcd"}, left
    assert not (home / "cache" / "speech" / "anna").exists() and (home / "cache" / "speech" / "ben").exists()
    assert client.get(f"/v1/takes/{made.id}").status_code == 200, "takes stay unless they are meant"
    assert client.get(f"/v1/uploads/{reference.removeprefix('upload:')}").status_code == 404
    [event] = [event for event in since(database, 0) if event.type == "speaker.deleted"]
    assert event.data == {"name": "anna", "takes": []}
    assert client.delete("/v1/speakers/anna").status_code == 404
    assert client.get(f"/v1/takes/{other.id}").status_code == 200


def test_deleting_with_takes(client: TestClient, context: Context) -> None:
    home, database = context.home, context.database
    make_speaker(home)
    made, other = make_take(home, 1, clip=b"x"), make_take(home, 2, speaker="ben", clip=b"x")
    done = queue.submit(database, line("anna"))[0]
    running.claim(database, done.id, 1, "w")
    running.succeed(database, done.id, 1, JobResult(takes=[made.id]))
    results = home / "results" / done.id
    results.mkdir(parents=True)
    (results / "001-a.mp4").write_bytes(b"x")
    body = client.delete("/v1/speakers/anna", params={"takes": "true"}).json()
    assert body["takes"] == [made.id] and body["cancelled_jobs"] == []
    assert client.get(f"/v1/takes/{made.id}").status_code == 404 and client.get(f"/v1/takes/{other.id}").status_code == 200
    assert not results.exists()


def test_a_job_that_does_not_stop_is_named(client: TestClient, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retake.api.speakers.PATIENCE", 0.3)
    make_speaker(context.home)
    job = queue.submit(context.database, line("anna"))[0]
    running.claim(context.database, job.id, 1, "w")
    body = client.delete("/v1/speakers/anna").json()
    assert body["cancelled_jobs"] == [job.id] and job.id in body["notes"][0]
    assert records.get(context.database, job.id).cancelling
    assert not store.exists(context.home, "anna")


def test_an_upload_that_others_need_stays(client: TestClient, context: Context) -> None:
    reference = upload(client, MOVIE)
    for name in ("anna", "ben"):
        assert client.post("/v1/speakers", json={"name": name, "reference": reference, "consent": CONSENT}).status_code == 201
    make_speaker(context.home)
    body = client.delete("/v1/speakers/anna").json()
    assert body["uploads"] == [] and reference.removeprefix("upload:") in body["notes"][0]
    assert client.get(f"/v1/uploads/{reference.removeprefix('upload:')}").status_code == 200


def test_an_upload_is_known_by_its_content(client: TestClient, context: Context) -> None:
    """The history of jobs may be gone; the speaker's record says what was learnt from."""
    reference, other = upload(client, MOVIE), upload(client, MOVIE + b"x")
    speaker = make_speaker(context.home)
    consent = speaker.consent.model_copy(update={"reference_sha256": hashlib.sha256(MOVIE).hexdigest()})
    store.save(store.speaker_folder(context.home, "anna"), speaker.model_copy(update={"consent": consent}))
    assert client.delete("/v1/speakers/anna").json()["uploads"] == [reference.removeprefix("upload:")]
    assert client.get(f"/v1/uploads/{other.removeprefix('upload:')}").status_code == 200


def test_engines_are_told_honestly_and_lightly(client: TestClient) -> None:
    from retake.face.embedded import EmbeddedLips
    from retake.speech.embedded import EmbeddedVoice

    body = client.get("/v1/engines").json()
    for stage, real in (("voice", EmbeddedVoice), ("lips", EmbeddedLips)):
        engine = body[stage][0]
        assert (engine["name"], engine["version"], engine["stage"]) == (real.name, real.version, stage)
        assert engine["default"] and engine["available"] == (engine["missing"] == []) and "MIT" in engine["licence"]
    assert tuple(body["voice"][0]["languages"]) == EmbeddedVoice.languages
    for engine in body["voice"][1:]:  # not installed here
        assert not engine["available"] and f"retake engines install {engine['name']}" in engine["missing"][0]
