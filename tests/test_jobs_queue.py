"""What is asked of the queue: submit, cancel, retry, move, forget, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from job_samples import REFUSAL, claimed, in_state, line, places, submit, submit_many

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import EnrolSpec, Job, JobResult, JobState, LineSpec, Priority, ScriptSpec, TimelineSpec
from retake.domain.take import TakeRequest
from retake.jobs import queue, records, running
from retake.jobs.database import Database
from retake.jobs.queue import Submission


def code_of(function: object, *arguments: object, **options: object) -> str:
    assert callable(function)
    with pytest.raises(RetakeError) as caught:
        function(*arguments, **options)
    return caught.value.code


def waiting(database: Database) -> list[str]:
    return [job.id for job in records.waiting(database)]


# Submit


def test_a_job_is_as_it_was_asked_for(database: Database) -> None:
    job, new = queue.submit(database, Submission(line("Good  morning."), Priority.BATCH, "blender", webhook="https://example.org/x"))
    assert new
    assert (job.state, job.kind, job.priority, job.client, job.generation, job.attempt) == (JobState.QUEUED, "line", Priority.BATCH, "blender", 1, 0)
    assert (job.label, job.webhook, job.spec) == ("anna: Good morning.", "https://example.org/x", job.spec)
    assert records.get(database, job.id) == job
    assert places(database) == [f"{job.id}.1"]


def test_all_jobs_of_a_batch_or_none(database: Database) -> None:
    queue.submit(database, Submission(line("First."), idempotency_key="k"))
    batch = [Submission(line("A.")), Submission(line("Other."), idempotency_key="k"), Submission(line("B."))]
    assert code_of(queue.submit_all, database, batch) == "key_reused"
    assert len(waiting(database)) == len(places(database)) == 1


def test_every_kind_of_job_comes_back(database: Database) -> None:
    request = TakeRequest(speaker="anna", text="Grüße, „Welt“ 🎬")
    specs = [
        EnrolSpec(reference="/a/b.mp4", name="anna", consent="Yes."),
        line(),
        ScriptSpec(title="Folge 1", requests=[request, request]),
        TimelineSpec(timeline="/a/b.otio", speaker="anna"),
    ]
    made = [job for job, _ in queue.submit_all(database, [Submission(spec) for spec in specs])]
    assert [records.get(database, job.id).spec for job in made] == specs


# Idempotency


def test_the_same_key_gives_the_same_job(database: Database) -> None:
    first, new = queue.submit(database, Submission(line(), idempotency_key="k"))
    second, again = queue.submit(database, Submission(line(), idempotency_key="k"))  # another made-up id of the line
    assert (new, again) == (True, False)
    assert second == first
    assert len(places(database)) == 1


@pytest.mark.parametrize(
    "other",
    [
        Submission(line("Other."), idempotency_key="k"),
        Submission(line(), Priority.BATCH, idempotency_key="k"),
        Submission(line(), client="other", idempotency_key="k"),
        Submission(line(), webhook="https://example.org", idempotency_key="k"),
    ],
)
def test_a_key_is_not_used_for_something_else(database: Database, other: Submission) -> None:
    queue.submit(database, Submission(line(), idempotency_key="k"))
    assert code_of(queue.submit, database, other) == "key_reused"


def test_options_that_came_later_change_no_request_that_lacks_them(database: Database) -> None:
    # What version 1 hashed: an option that is added has to be left out while it has its usual value (`_LATER`).
    assert set(queue.what_counts(TimelineSpec(timeline="/a.otio").model_dump(mode="json"))) == {"kind", "timeline", "speaker", "output", "seed"}
    asked = queue.what_counts(LineSpec(request=TakeRequest(speaker="anna", text="Hi.")).model_dump(mode="json"))["request"]
    assert set(asked) == {"format", "speaker", "text", "audio", "fps", "width", "height", "fit", "seed", "style", "voice_engine", "lips_engine"}
    queue.submit(database, Submission(TimelineSpec(timeline="/a.otio"), idempotency_key="t"))
    for wish in ({"strict": True}, {"again": True}, {"handles": 9}, {"conform": "keep"}, {"markers": False}, {"refill": ["a"]}):
        other = Submission(TimelineSpec.model_validate({"timeline": "/a.otio", **wish}), idempotency_key="t")
        assert code_of(queue.submit, database, other) == "key_reused", wish


def test_a_key_is_remembered_when_the_job_is_over(database: Database) -> None:
    job, _ = queue.submit(database, Submission(line(), idempotency_key="k"))
    running.succeed(database, job.id, claimed(database, job).generation, JobResult())
    again, new = queue.submit(database, Submission(line(), idempotency_key="k"))
    assert (again.id, again.state, new) == (job.id, JobState.SUCCEEDED, False)


def test_one_key_from_many_at_once_is_one_job(database: Database) -> None:
    gate = threading.Barrier(8)

    def one() -> tuple[Job, bool]:
        gate.wait(600)
        return queue.submit(database, Submission(line(), idempotency_key="k"))

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result(600) for future in [pool.submit(one) for _ in range(8)]]
    assert len({job.id for job, _ in answers}) == 1
    assert sum(new for _, new in answers) == 1


# Cancel, retry, forget


def test_a_waiting_job_is_cancelled_at_once(database: Database) -> None:
    job = submit(database)
    done = queue.cancel(database, job.id)
    assert done.state is JobState.CANCELLED and done.finished_at is not None
    assert places(database) == []
    assert running.claim(database, job.id, 1, "w") is None
    assert queue.cancel(database, job.id) == done


def test_a_running_job_is_asked_to_stop(database: Database) -> None:
    job = claimed(database, submit(database))
    asked = queue.cancel(database, job.id)
    assert (asked.state, asked.cancelling) == (JobState.RUNNING, True)
    assert running.orders(database, job.id, 1) == running.Orders(stop=True, stale=False)
    assert running.stopped(database, job.id, 1)
    done = records.get(database, job.id)
    assert (done.state, done.cancelling) == (JobState.CANCELLED, False)


def test_a_job_that_was_too_quick_to_be_cancelled_has_succeeded(database: Database) -> None:
    job = claimed(database, submit(database))
    queue.cancel(database, job.id)
    assert running.succeed(database, job.id, 1, JobResult(takes=["0" * 16]))
    done = queue.cancel(database, job.id)
    assert (done.state, done.cancelling) == (JobState.SUCCEEDED, False)


def test_a_retried_job_begins_anew_behind_what_its_client_has_waiting(database: Database) -> None:
    failed = in_state(database, JobState.FAILED)
    other = submit(database)
    again = queue.retry(database, failed.id)
    assert (again.state, again.generation, again.error, again.finished_at, again.started_at) == (JobState.QUEUED, 2, None, None, None)
    assert waiting(database) == [other.id, failed.id]
    assert [place for place in places(database) if place != f"{failed.id}.1"] == [f"{other.id}.1", f"{failed.id}.2"]
    assert running.claim(database, failed.id, 1, "w") is None
    assert claimed(database, again).attempt == failed.attempt + 1


def test_only_what_is_over_is_forgotten(database: Database) -> None:
    job = submit(database)
    assert code_of(queue.forget, database, job.id) == "wrong_state"
    queue.cancel(database, job.id)
    queue.forget(database, job.id)
    assert code_of(records.get, database, job.id) == "unknown_job"


@pytest.mark.parametrize("call", [queue.cancel, queue.retry, queue.forget, queue.move, records.get])
def test_a_job_that_there_is_not(database: Database, call: object) -> None:
    assert callable(call)
    with pytest.raises(RetakeError) as caught:
        call(database, "nosuch")
    assert (caught.value.code, caught.value.kind) == ("unknown_job", ErrorKind.NOT_FOUND)


# Move


def test_jobs_are_moved_before_others(database: Database) -> None:
    a, b, c, d = submit_many(database, 4)
    queue.move(database, d.id, before=a.id)
    assert waiting(database) == [d.id, a.id, b.id, c.id]
    queue.move(database, d.id, before=c.id)
    assert waiting(database) == [a.id, b.id, d.id, c.id]
    queue.move(database, a.id)
    assert waiting(database) == [b.id, d.id, c.id, a.id]
    queue.move(database, a.id, priority=Priority.BATCH)
    queue.move(database, c.id, before=a.id)
    assert waiting(database) == [b.id, d.id, c.id, a.id]
    assert records.get(database, c.id).priority is Priority.BATCH


def test_workers_take_in_the_order_that_is_shown(database: Database) -> None:
    made = submit_many(database, 4) + submit_many(database, 3, client="other") + submit_many(database, 2, priority=Priority.BATCH)
    queue.move(database, made[3].id, before=made[0].id)
    queue.move(database, made[8].id, priority=Priority.INTERACTIVE)
    queue.move(database, made[1].id, before=made[7].id)
    newest = {f"{job.id}.{job.generation}": job.id for job in records.waiting(database)}
    assert [newest[place] for place in places(database) if place in newest] == waiting(database)


def test_there_is_always_room_in_between(database: Database) -> None:
    first, *others = submit_many(database, 5)
    for job in others * 3:  # each time between the first one and the one that was moved there before
        before = [one for one in waiting(database) if one not in {first.id, job.id}]
        queue.move(database, job.id, before=before[0])
        assert waiting(database) == [first.id, job.id, *before]


def test_an_old_place_in_the_queue_is_worth_nothing(database: Database) -> None:
    a, b = submit_many(database, 2)
    moved = queue.move(database, b.id, before=a.id)
    assert running.claim(database, b.id, b.generation, "w") is None
    assert running.claim(database, b.id, moved.generation, "w") is not None


def test_moves_that_cannot_be(database: Database) -> None:
    a, busy, done = submit(database), claimed(database, submit(database)), in_state(database, JobState.SUCCEEDED)
    assert code_of(queue.move, database, a.id, before=a.id) == "bad_move"
    assert code_of(queue.move, database, a.id, before=busy.id) == "wrong_state"
    assert code_of(queue.move, database, busy.id, before=a.id) == "wrong_state"
    assert code_of(queue.move, database, done.id) == "wrong_state"
    assert code_of(queue.move, database, a.id, before="nosuch") == "unknown_job"


# Lists


def test_pages_filters_and_search(database: Database) -> None:
    made = submit_many(database, 5) + submit_many(database, 2, client="blender", priority=Priority.BATCH)
    [enrol] = [job for job, _ in queue.submit_all(database, [Submission(EnrolSpec(reference="/a.mp4", name="bert", consent="Yes."))])]
    running.fail(database, made[0].id, claimed(database, made[0]).generation, REFUSAL)
    everything = records.find(database, records.Filter(), limit=3)
    seen = [job.id for job in everything.jobs]
    assert (everything.total, everything.counts[JobState.FAILED], everything.counts[JobState.QUEUED]) == (8, 1, 7)
    page = everything
    while page.next is not None:
        page = records.find(database, records.Filter(), limit=3, before=page.next)
        seen += [job.id for job in page.jobs]
    assert seen == [job.id for job in reversed([*made, enrol])]

    def found(**wanted: object) -> set[str]:
        return {job.id for job in records.find(database, records.Filter(**wanted)).jobs}  # pyright: ignore[reportArgumentType]

    assert found(states=(JobState.FAILED,)) == {made[0].id}
    assert found(kinds=("enrol",)) == found(speaker="bert") == found(search="ENROL") == {enrol.id}
    assert found(client="blender") == {job.id for job in made[5:]}
    assert found(search="editor 3") == {made[3].id}
    assert found(search="100%") == found(search="_") == found(speaker="ber") == set()


@pytest.mark.parametrize("text", ["@bert", "Hello.\n@bert\nGood bye.", "Hello.\r@bert\u2028"])
def test_a_text_that_names_a_speaker_is_no_job_of_that_speaker(database: Database, text: str) -> None:
    queue.submit(database, Submission(line(text), label="@bert"))
    assert records.find(database, records.Filter(speaker="bert")).total == 0
    assert records.find(database, records.Filter(speaker="anna")).total == 1
    assert records.find(database, records.Filter(search="bert")).total == 1


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_the_database_in_the_home_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    made = Database(f"sqlite:///{tmp_path / 'jobs.sqlite3'}")
    made.create()
    submit(made)
    found = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    made.close()
    assert len(found) == 3
    assert set(found.values()) == {0o600}, found
