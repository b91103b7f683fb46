"""Jobs over HTTP: asked for once, seen by filter and page, stopped, tried again, put in another order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_daemon import Daemon, add_speaker, error_of, running

from retake.domain.job import JobError, JobProgress, JobResult
from retake.jobs import running as work
from retake.jobs.logs import job_log
from retake.settings import ServerSettings, Settings


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    home, media = tmp_path / "home", tmp_path / "media"
    media.mkdir()
    (media / "talk.mp4").write_bytes(b"a video")
    (media / "cut.otio").write_text('{"OTIO_SCHEMA":"Timeline.1"}', encoding="utf-8")
    add_speaker(home, "anna")
    add_speaker(home, "ben")
    with running(home, Settings(server=ServerSettings(roots=(str(media),)))) as daemon:
        yield daemon


def refused(daemon: Daemon, spec: dict[str, Any], **fields: Any) -> tuple[int, str]:
    answer = daemon.client.post("/v1/jobs", json={"spec": spec, **fields})
    return answer.status_code, error_of(answer)["code"]


def request(**fields: Any) -> dict[str, Any]:
    return {"kind": "line", "request": {"speaker": "anna", "text": "We ship on Friday.", **fields}}


def enrol(**fields: Any) -> dict[str, Any]:
    return {"kind": "enrol", "reference": "/x", "name": "carla", "consent": "I agree to be reproduced.", **fields}


# Asking


def test_a_line_is_queued(daemon: Daemon) -> None:
    body = {"spec": request(seed=7, fps="29.97", width=1280, height=720), "priority": "batch", "label": "Take 3"}
    answer = daemon.client.post("/v1/jobs", json=body, headers={"X-Retake-Client": "blender:demo"})
    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["priority"], job["client"], job["label"]) == ("queued", 1, "blender:demo", "Take 3")
    assert job["spec"]["request"]["fps"] == "30000/1001"
    assert daemon.client.get(answer.headers["location"]).json() == job


def test_the_other_kinds(daemon: Daemon, tmp_path: Path) -> None:
    media = tmp_path / "media"
    specs = [
        {"kind": "enrol", "reference": str(media / "talk.mp4"), "name": "carla", "consent": "I agree to be reproduced."},
        {
            "kind": "script",
            "title": "Lesson",
            "requests": [request()["request"], {"speaker": "ben", "text": "Yes."}],
            "output_folder": str(media / "out"),
        },
        {"kind": "timeline", "timeline": str(media / "cut.otio"), "speaker": "ben", "output": str(media / "filled.otio")},
    ]
    for spec in specs:
        answer = daemon.client.post("/v1/jobs", json={"spec": spec})
        assert answer.status_code == 201, answer.text
        assert answer.json()["kind"] == spec["kind"]
    assert daemon.client.get("/v1/jobs").json()["total"] == 3


def test_what_cannot_work_is_told_at_once(daemon: Daemon, tmp_path: Path) -> None:
    talk = str(tmp_path / "media" / "talk.mp4")
    cases: list[tuple[dict[str, Any], int, str]] = [
        (request(speaker="nobody"), 404, "unknown_speaker"),
        (request(text=""), 400, "text_empty"),
        (request(text="..."), 400, "text_empty"),
        (request(text="Καλημέρα σε όλους"), 400, "text_language"),
        (request(text="Guten Tag.", language="de"), 400, "engine_language"),
        (request(language="sp eak"), 422, "invalid"),
        (request(text="word " * 3000), 400, "text_too_long"),
        (request(voice_engine="loud"), 400, "unknown_engine"),
        (request(lips_engine="wide"), 400, "unknown_engine"),
        (request(fps="0"), 400, "bad_rate"),
        (request(width=640), 400, "bad_size"),
        (request(width=641, height=360), 400, "bad_size"),
        (request(audio="/etc/passwd"), 403, "outside_roots"),
        (request(audio=f"{talk}.wav"), 404, "missing_file"),
        (request(audio="upload:0123"), 404, "unknown_upload"),
        (request(line_id="../../x"), 422, "invalid"),
        (request(speaker="../ben"), 422, "invalid"),
        (request(speaker="con"), 400, "bad_name"),
        (request(seed="1"), 422, "invalid"),
        (request(seed=True), 422, "invalid"),
        (request(seed=2**31), 422, "invalid"),
        (request(fit=-1), 422, "invalid"),
        (request(text="a\x00b"), 422, "invalid"),
        (request(text="a\ud800b"), 422, "invalid"),
        (request(colour="red"), 422, "invalid"),
        ({"kind": "revise"}, 422, "invalid"),
        ({**request(), "output": "/etc/out.mp4"}, 403, "outside_roots"),
        (enrol(), 403, "outside_roots"),
        (enrol(name="anna"), 409, "speaker_exists"),
        (enrol(name="Anna K"), 422, "invalid"),
        (enrol(consent="   "), 403, "consent_missing"),
        ({"kind": "timeline", "timeline": "/x", "speaker": "nobody"}, 404, "unknown_speaker"),
        ({"kind": "script", "requests": []}, 422, "invalid"),
    ]
    for spec, status, code in cases:
        body = {"spec": spec}
        # Lone surrogates cannot be written by the client's own JSON.
        content = json.dumps(body).encode()
        answer = daemon.client.post("/v1/jobs", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, error_of(answer)["code"]) == (status, code), (spec, answer.text)
    assert daemon.client.get("/v1/jobs").json()["total"] == 0


def test_another_language_names_who_speaks_it_and_how_to_get_them(daemon: Daemon) -> None:
    german = request(text="Guten Tag.", language="de-at")
    told = error_of(daemon.client.post("/v1/jobs", json={"spec": german}))
    assert told["cause"] == "The engine 'embedded' does not speak German (de-at); it speaks English (en)."
    assert "xtts (CPML 1.0" in told["remedy"] and "Run 'retake engines install " in told["remedy"]
    script = {"kind": "script", "requests": [request()["request"], german["request"]]}
    assert error_of(daemon.client.post("/v1/jobs", json={"spec": script}))["cause"].startswith("Line 2 ('Guten Tag.'): The engine 'embedded'")
    # What only reads like another language is no reason to refuse it: the take says so in a note.
    assert daemon.client.post("/v1/jobs", json={"spec": request(text="Vielen Dank für Ihre Aufmerksamkeit.")}).status_code == 201
    assert daemon.client.post("/v1/jobs", json={"spec": request(language="en-GB")}).json()["spec"]["request"]["language"] == "en-gb"


def test_errors_of_a_script_name_the_line(daemon: Daemon) -> None:
    good, bad = request()["request"], request(speaker="nobody")["request"]
    answer = daemon.client.post("/v1/jobs", json={"spec": {"kind": "script", "requests": [good, bad]}})
    assert error_of(answer)["cause"].startswith("Line 2 ('We ship on Friday.'): There is no speaker 'nobody'.")


@pytest.mark.parametrize(
    "fields", [{"priority": 0}, {"priority": "urgent"}, {"label": "a\nb"}, {"client": " "}, {"webhook": "ftp://x/"}, {"state": "running"}]
)
def test_the_rest_of_a_request(daemon: Daemon, fields: dict[str, Any]) -> None:
    assert refused(daemon, request(), **fields) == (422, "invalid")


def test_webhooks_go_to_configured_hosts_only(daemon: Daemon) -> None:
    assert refused(daemon, request(), webhook="https://hooks.example.org/x") == (403, "bad_webhook")


def test_the_same_key_gives_the_same_job(daemon: Daemon) -> None:
    body, key = {"spec": request()}, {"Idempotency-Key": "a-key"}
    first = daemon.client.post("/v1/jobs", json=body, headers=key)
    again = daemon.client.post("/v1/jobs", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    other = daemon.client.post("/v1/jobs", json={"spec": request(seed=1)}, headers=key)
    assert (other.status_code, error_of(other)["code"]) == (409, "key_reused")
    assert daemon.client.post("/v1/jobs", json=body, headers={"Idempotency-Key": "x" * 201}).status_code == 422


def test_a_key_answers_as_before_when_the_same_could_not_be_asked_for_any_more(daemon: Daemon, tmp_path: Path) -> None:
    body = {"spec": enrol(reference=str(tmp_path / "media" / "talk.mp4"))}
    first = daemon.client.post("/v1/jobs", json=body, headers={"Idempotency-Key": "once"})
    add_speaker(daemon.context.home, "carla")  # what the job was for
    again = daemon.client.post("/v1/jobs", json=body, headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert daemon.client.post("/v1/jobs", json=body, headers={"Idempotency-Key": "twice"}).status_code == 409


def test_a_batch_is_queued_as_a_whole_or_not_at_all(daemon: Daemon) -> None:
    good = {"spec": request()}
    answer = daemon.client.post("/v1/jobs/batch", json={"jobs": [good, good, {"spec": request(speaker="nobody")}]})
    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_speaker")
    assert error_of(answer)["cause"].startswith("Job 3 of the batch: ")
    assert daemon.client.get("/v1/jobs").json()["total"] == 0
    answer = daemon.client.post("/v1/jobs/batch", json={"jobs": [good, {"spec": request(seed=3)}]}, headers={"Idempotency-Key": "b"})
    assert answer.status_code == 201
    jobs = answer.json()["jobs"]
    assert [job["spec"]["request"]["seed"] for job in jobs] == [0, 3]
    again = daemon.client.post("/v1/jobs/batch", json={"jobs": [good, {"spec": request(seed=3)}]}, headers={"Idempotency-Key": "b"})
    assert [job["id"] for job in again.json()["jobs"]] == [job["id"] for job in jobs]
    for other in ([good], [good, {"spec": request(seed=3)}, good]):
        refused = daemon.client.post("/v1/jobs/batch", json={"jobs": other}, headers={"Idempotency-Key": "b"})
        assert (refused.status_code, error_of(refused)["code"]) == (409, "key_reused")
    assert daemon.client.post("/v1/jobs/batch", json={"jobs": []}).status_code == 422
    assert daemon.client.post("/v1/jobs/batch", json={"jobs": [good] * 1001}).status_code == 422
    assert daemon.client.get("/v1/jobs").json()["total"] == 2


# Seeing


def test_listing_by_filter_and_page(daemon: Daemon) -> None:
    jobs = [daemon.line(f"Line number {number}.", client="a" if number % 2 else "b") for number in range(7)]
    daemon.client.post("/v1/jobs", json={"spec": {"kind": "script", "requests": [{"speaker": "ben", "text": "Something else."}]}})
    daemon.client.post(f"/v1/jobs/{jobs[0]['id']}/cancel")

    def found(**query: Any) -> list[str]:
        return [job["id"] for job in daemon.client.get("/v1/jobs", params=query).json()["jobs"]]

    assert len(found()) == 8
    assert found(state="cancelled") == [jobs[0]["id"]]
    assert len(found(state=["cancelled", "queued"])) == 8
    assert len(found(kind="script")) == 1
    assert len(found(client="a")) == 3
    assert len(found(speaker="ben")) == 1
    assert found(search="number 3") == [jobs[3]["id"]]
    assert found(search="%") == []
    page = daemon.client.get("/v1/jobs", params={"limit": 3}).json()
    assert (page["total"], page["counts"]["queued"], page["counts"]["cancelled"], page["counts"]["failed"]) == (8, 7, 1, 0)
    seen = [job["id"] for job in page["jobs"]]
    while page["next"]:
        daemon.line("One that comes meanwhile.")
        page = daemon.client.get("/v1/jobs", params={"limit": 3, "cursor": page["next"]}).json()
        seen += [job["id"] for job in page["jobs"]]
    assert seen[1:] == [job["id"] for job in reversed(jobs)]
    assert page["jobs"][0]["spec"] is None
    with_specs = daemon.client.get("/v1/jobs", params={"specs": "true", "limit": 1}).json()["jobs"]
    assert with_specs[0]["spec"]["kind"] == "line"


@pytest.mark.parametrize(
    "query",
    [
        "state=asleep",
        "limit=0",
        "limit=501",
        "limit=x",
        "cursor=x",
        "cursor=-1",
        "cursor=9999999999999999999",
        "kind=revise",
        "speaker=A B",
        "search=%00",
        "specs=maybe",
    ],
)
def test_filters_that_are_none(daemon: Daemon, query: str) -> None:
    assert daemon.client.get(f"/v1/jobs?{query}").status_code == 422


def test_the_queue_shows_whose_turn_it_is(daemon: Daemon) -> None:
    batch = daemon.line("Batch.", priority="batch", client="a")
    first = [daemon.line(f"A{number}.", client="a") for number in range(2)]
    second = daemon.line("B0.", client="b")
    queue = daemon.client.get("/v1/jobs/queue").json()
    assert queue["total"] == 4
    assert [entry["position"] for entry in queue["jobs"]] == [1, 2, 3, 4]
    assert [entry["id"] for entry in queue["jobs"]] == [first[0]["id"], second["id"], first[1]["id"], batch["id"]]
    assert len(daemon.client.get("/v1/jobs/queue?limit=1").json()["jobs"]) == 1


def test_progress_and_result_are_seen(daemon: Daemon) -> None:
    job = daemon.line()
    assert daemon.client.get("/v1/jobs/0123").status_code == 404
    assert daemon.client.get("/v1/jobs/a-b").status_code == 422
    work.claim(daemon.database, job["id"], 1, "host.1")
    work.report(daemon.database, job["id"], 1, JobProgress(stage="Rendering", fraction=0.5, step=3, steps=4, fps=41.5, seconds_left=2.5))
    seen = daemon.client.get(f"/v1/jobs/{job['id']}").json()
    assert (seen["state"], seen["worker"], seen["attempt"]) == ("running", "host.1", 1)
    assert seen["progress"] == {"stage": "Rendering", "fraction": 0.5, "detail": "", "step": 3, "steps": 4, "fps": 41.5, "seconds_left": 2.5}
    work.succeed(daemon.database, job["id"], 1, JobResult(takes=["0123456789abcdef"]))
    assert daemon.client.get(f"/v1/jobs/{job['id']}").json()["result"]["takes"] == ["0123456789abcdef"]


def test_a_jobs_log(daemon: Daemon) -> None:
    job = daemon.line()
    path = f"/v1/jobs/{job['id']}/log"
    assert daemon.client.get(path).json() == {"lines": [], "complete": True}
    log = job_log(daemon.context.home, job["id"])
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {number}\n" for number in range(300)), encoding="utf-8")
    assert daemon.client.get(f"{path}?lines=2").json() == {"lines": ["line 298", "line 299"], "complete": False}
    assert len(daemon.client.get(path).json()["lines"]) == 200
    assert daemon.client.get(f"{path}?lines=300").json()["complete"] is True
    assert daemon.client.get(f"{path}?lines=0").status_code == 422
    assert daemon.client.get("/v1/jobs/0123/log").status_code == 404
    log.write_text("first\n" + f"{'x' * 200}\n" * 900, encoding="utf-8")  # more than what explains a failure
    answer = daemon.client.get(path, params={"lines": 1000}).json()
    assert answer["complete"] and len(answer["lines"]) == 901 and answer["lines"][0] == "first"
    log.write_text("first\n" + f"{'x' * 2000}\n" * 900, encoding="utf-8")
    answer = daemon.client.get(path, params={"lines": 1000}).json()
    assert not answer["complete"], "there are earlier lines"


# Changing


def test_cancel_and_retry(daemon: Daemon) -> None:
    job = daemon.line()
    path = f"/v1/jobs/{job['id']}"
    assert error_of(daemon.client.post(f"{path}/retry"))["code"] == "wrong_state"
    assert daemon.client.post(f"{path}/cancel").json()["state"] == "cancelled"
    assert daemon.client.post(f"{path}/cancel").json()["state"] == "cancelled"
    again = daemon.client.post(f"{path}/retry").json()
    assert (again["state"], again["generation"]) == ("queued", 2)
    work.claim(daemon.database, job["id"], 2, "host.1")
    stopping = daemon.client.post(f"{path}/cancel").json()
    assert (stopping["state"], stopping["cancelling"]) == ("running", True)
    work.stopped(daemon.database, job["id"], 2)
    assert daemon.client.get(path).json()["state"] == "cancelled"
    for verb in ("cancel", "retry"):
        assert daemon.client.post(f"/v1/jobs/0123/{verb}").status_code == 404


def test_a_failed_job_says_why(daemon: Daemon) -> None:
    job = daemon.line()
    work.claim(daemon.database, job["id"], 1, "host.1")
    why = JobError(code="crashed", kind="crash", cause="The worker died.", remedy="Try again.", exit_code=-9, log_tail=["Killed"])
    work.fail(daemon.database, job["id"], 1, why)
    assert daemon.client.get(f"/v1/jobs/{job['id']}").json()["error"] == why.model_dump()
    assert daemon.client.post(f"/v1/jobs/{job['id']}/retry").json()["error"] is None


def test_moving(daemon: Daemon) -> None:
    jobs = [daemon.line(f"Line {number}.")["id"] for number in range(3)]

    def order() -> list[str]:
        return [entry["id"] for entry in daemon.client.get("/v1/jobs/queue").json()["jobs"]]

    def move(job: str, **body: Any) -> int:
        return daemon.client.post(f"/v1/jobs/{job}/move", json=body).status_code

    assert move(jobs[2], before=jobs[0]) == 200
    assert order() == [jobs[2], jobs[0], jobs[1]]
    assert move(jobs[2]) == 200
    assert order() == jobs
    assert move(jobs[0], priority="background") == 200
    assert order() == [jobs[1], jobs[2], jobs[0]]
    assert move(jobs[0], before=jobs[0]) == 400
    assert move(jobs[0], before=jobs[1], priority="batch") == 400
    assert move(jobs[0], before="0123") == 404
    assert move("0123") == 404
    assert move(jobs[0], priority=0) == 422
    daemon.client.post(f"/v1/jobs/{jobs[1]}/cancel")
    assert move(jobs[1]) == 409
    assert move(jobs[0], before=jobs[1]) == 409


def test_forgetting(daemon: Daemon) -> None:
    job = daemon.line()
    path = f"/v1/jobs/{job['id']}"
    answer = daemon.client.delete(path)
    assert (answer.status_code, error_of(answer)["code"]) == (409, "wrong_state")
    daemon.client.post(f"{path}/cancel")
    assert daemon.client.delete(path).status_code == 204
    assert daemon.client.delete(path).status_code == 404
    assert daemon.client.get("/v1/jobs").json()["total"] == 0
