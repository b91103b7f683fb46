"""Timelines over HTTP: sent, looked at, queued, and given back when they are filled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from api_samples import MAKE_LINKS, PRESENTER, client_of, code_of, make_context, make_speaker, upload
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from retake.api.context import Context
from retake.domain.job import Job, JobError, JobResult, JobSpec, JobState, LineSpec, TimelineSpec
from retake.domain.take import TakeRequest
from retake.jobs import queue, records, running
from retake.jobs.queue import Submission

OTIO = b'{"OTIO_SCHEMA": "Timeline.1", "name": "Lesson 1", "tracks": {"OTIO_SCHEMA": "Stack.1", "children": []}}'
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    (tmp_path / "media").mkdir()
    return make_context(tmp_path / "home", server={"roots": [str(tmp_path / "media")]})


@pytest.fixture
def client(context: Context) -> TestClient:
    make_speaker(context.home)
    return client_of(context)


def ask(client: TestClient, data: bytes = OTIO, **options: object):
    return client.post("/v1/timelines", content=data, headers=JSON, params=options)


def filled(context: Context, job_id: str, data: bytes = b'{"OTIO_SCHEMA": "Timeline.1", "name": "filled"}', *, path: Path | None = None) -> None:
    """What a worker does with a timeline job."""
    path = path or context.home / "results" / job_id / "timeline.otio"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    assert running.claim(context.database, job_id, 1, "w")
    assert running.succeed(context.database, job_id, 1, JobResult(timeline=str(path)))


def spec_of(context: Context, job_id: str):
    spec = records.get(context.database, job_id).spec
    assert spec.kind == "timeline"
    return spec


def test_a_timeline_is_sent_and_comes_back_filled(client: TestClient, context: Context) -> None:
    answer = ask(client, speaker="anna", seed=7, priority="batch")
    assert answer.status_code == 201, answer.text
    job_id = answer.json()["id"]
    spec = spec_of(context, job_id)
    assert Path(spec.timeline).read_bytes() == OTIO and Path(spec.timeline).suffix == ".otio"
    assert (spec.speaker, spec.seed, records.get(context.database, job_id).priority.name) == ("anna", 7, "BATCH")
    waiting = client.get(f"/v1/timelines/{job_id}")
    assert waiting.status_code == 202 and Job.model_validate(waiting.json()).state is JobState.QUEUED and "Retry-After" in waiting.headers
    filled(context, job_id)
    answer = client.get(f"/v1/timelines/{job_id}")
    assert answer.status_code == 200 and answer.json()["name"] == "filled" and answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == f'inline; filename="timeline-{job_id[:12]}.otio"'
    assert client.get(f"/v1/timelines/{job_id}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_options_of_filling_go_along(client: TestClient, context: Context) -> None:
    asked = {"conform": "ripple", "handles": 12, "markers": False, "refill": ["l1", "intro, take"], "again": True}
    in_query = ask(client, **asked)
    reference = upload(client, OTIO, "cut.otio")
    in_body = client.post("/v1/timelines", json={"timeline": reference, **asked})
    for answer in (in_query, in_body):
        assert answer.status_code == 201, answer.text
        assert asked.items() <= spec_of(context, answer.json()["id"]).model_dump().items()
    plain = spec_of(context, ask(client).json()["id"])
    assert (plain.conform, plain.handles, plain.markers, plain.refill, plain.again) == ("fit", None, True, [], False)
    for wrong in ({"conform": "squeeze"}, {"handles": 251}, {"handles": -1}, {"refill": [""]}, {"refill": ["x" * 65]}, {"refill": ["a\nb"]}):
        assert ask(client, **wrong).status_code == 422, wrong
        assert client.post("/v1/timelines", json={"timeline": reference, **wrong}).status_code == 422, wrong


def test_jobs_of_earlier_versions_still_load() -> None:
    stored = {"kind": "timeline", "timeline": "/a.otio", "speaker": "anna", "output": None, "seed": 3}
    spec = TypeAdapter(JobSpec).validate_python(stored)
    assert isinstance(spec, TimelineSpec)
    assert (spec.seed, spec.conform, spec.markers) == (3, "fit", True)


def test_the_same_timeline_with_the_same_key_is_the_same_job(client: TestClient) -> None:
    headers = {**JSON, "Idempotency-Key": "k1"}
    first, again = (client.post("/v1/timelines", content=OTIO, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200) and first.json()["id"] == again.json()["id"]
    other = client.post("/v1/timelines", content=OTIO.replace(b"Lesson 1", b"Lesson 2"), headers=headers)
    assert other.status_code == 409 and code_of(other) == "key_reused"


def test_an_uploaded_timeline_and_one_in_a_root(client: TestClient, context: Context, tmp_path: Path) -> None:
    reference = upload(client, OTIO, "cut 3.otio")
    answer = client.post("/v1/timelines", json={"timeline": reference, "speaker": "anna", "output": str(tmp_path / "media" / "out.otio")})
    assert answer.status_code == 201 and answer.json()["label"] == "Fill cut 3.otio"
    job_id = answer.json()["id"]
    filled(context, job_id, path=tmp_path / "media" / "out.otio")
    assert client.get(f"/v1/timelines/{job_id}").json()["name"] == "filled"
    (tmp_path / "media" / "cut.otio").write_bytes(OTIO)
    assert client.post("/v1/timelines", json={"timeline": str(tmp_path / "media" / "cut.otio")}).json()["label"] == "Fill cut.otio"


def test_bad_timelines_are_told_at_once(client: TestClient, context: Context) -> None:
    video = upload(client, PRESENTER.read_bytes())
    cases: dict[str, tuple[bytes, int, set[str]]] = {
        "cut off": (OTIO[:50], 400, {"bad_timeline"}),
        "another schema": (b'{"OTIO_SCHEMA": "Clip.2"}', 400, {"bad_timeline"}),
        "deep": (b'{"OTIO_SCHEMA": "Timeline.1", "a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400, {"bad_timeline"}),
        "deep and nothing else": (b"[" * 1_000_000, 400, {"bad_timeline"}),
        "no JSON": (b"#EXTM3U\nhttp://example.org", 400, {"bad_json"}),
        "empty": (b"", 400, {"bad_json"}),
        "a list": (b"[]", 422, {"invalid"}),
        "an unknown field": (b'{"timeline": "/media/a.otio", "x": 1}', 422, {"invalid"}),
        "outside": (b'{"timeline": "/etc/passwd"}', 403, {"outside_roots"}),
        "a video": (json.dumps({"timeline": video}).encode(), 400, {"wrong_upload"}),
        "half characters": (b'{"timeline": "\\ud800"}', 400, {"bad_json"}),
        "not UTF-8": (b'{"OTIO_SCHEMA": "Timeline.1", "name": "\xff\xfe"}', 400, {"bad_timeline"}),
    }
    for name, (data, status, codes) in cases.items():
        answer = ask(client, data)
        assert answer.status_code == status and code_of(answer) in codes, (name, answer.text)
    assert code_of(ask(client, speaker="nobody")) == "unknown_speaker"
    assert ask(client, seed=-1).status_code == 422
    assert code_of(ask(client, webhook="http://example.org/")) == "bad_webhook"
    assert client.post("/v1/timelines", content=OTIO, headers={"Content-Type": "text/plain"}).status_code == 415
    assert records.find(context.database, records.Filter()).total == 0


def test_nothing_that_a_timeline_names_is_touched(client: TestClient, context: Context, tmp_path: Path) -> None:
    """A timeline may name any file or address; sending it neither opens nor reveals them."""
    import os

    named = [tmp_path / "media" / "pipe.mp4", Path("/etc/passwd"), tmp_path / "nothing.mp4"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(named[0])  # whoever opened it would wait for ever
    children = [
        {"OTIO_SCHEMA": "Clip.2", "media_references": {"a": {"OTIO_SCHEMA": "ExternalReference.1", "target_url": str(url)}}}
        for url in [*named, "http://169.254.169.254/latest", "\\\\server\\share\\a.mp4"]
    ]
    data = json.dumps({"OTIO_SCHEMA": "Timeline.1", "tracks": {"OTIO_SCHEMA": "Stack.1", "children": children}}).encode()
    answer = ask(client, data)
    assert answer.status_code == 201 and Path(spec_of(context, answer.json()["id"]).timeline).read_bytes() == data


def test_a_job_that_did_not_end_well(client: TestClient, context: Context) -> None:
    job_id = ask(client).json()["id"]
    running.claim(context.database, job_id, 1, "w")
    running.fail(context.database, job_id, 1, JobError(code="no_placeholders", kind="bad_input", cause="There is no placeholder.", remedy="Add one."))
    answer = client.get(f"/v1/timelines/{job_id}")
    assert answer.status_code == 409 and code_of(answer) == "wrong_state" and "There is no placeholder." in answer.json()["error"]["remedy"]
    cancelled = ask(client).json()["id"]
    queue.cancel(context.database, cancelled)
    assert client.get(f"/v1/timelines/{cancelled}").status_code == 409


def test_other_jobs_are_no_timelines(client: TestClient, context: Context) -> None:
    line = queue.submit(context.database, Submission(LineSpec(request=TakeRequest(speaker="anna", text="Hello."))))[0]
    for job_id in (line.id, "0" * 32):
        assert code_of(client.get(f"/v1/timelines/{job_id}")) == "unknown_timeline"
    assert client.get("/v1/timelines/..%2f..%2fx").status_code in {404, 422}


def test_a_result_elsewhere_is_not_sent(client: TestClient, context: Context, tmp_path: Path) -> None:
    (tmp_path / "hidden").write_text("hidden words", encoding="utf-8")
    for path in (tmp_path / "hidden", context.home / "settings.json", context.home / "results" / "x" / ".." / ".." / "webhook.key"):
        job_id = ask(client).json()["id"]
        running.claim(context.database, job_id, 1, "w")
        running.succeed(context.database, job_id, 1, JobResult(timeline=str(path)))
        answer = client.get(f"/v1/timelines/{job_id}")
        assert answer.status_code == 404 and "hidden words" not in answer.text
    if MAKE_LINKS:
        job_id = ask(client).json()["id"]
        filled(context, job_id)
        result = context.home / "results" / job_id / "timeline.otio"
        result.unlink()
        result.symlink_to(tmp_path / "hidden")
        answer = client.get(f"/v1/timelines/{job_id}")
        assert answer.status_code == 404 and code_of(answer) == "missing_file"
