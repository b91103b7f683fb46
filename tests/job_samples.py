"""Jobs in every state, for tests of the queue."""

from __future__ import annotations

from retake.domain.job import Job, JobError, JobEvent, JobResult, JobState, LineSpec, Priority
from retake.domain.take import TakeRequest
from retake.jobs import queue, records, running
from retake.jobs.database import WORKFLOW, Database
from retake.jobs.queue import Submission

CRASH = JobError(code="worker_crashed", kind="crash", cause="It died.", remedy="See its log.", exit_code=-9, log_tail=["last words"])
REFUSAL = JobError(code="text_empty", kind="bad_input", cause="There is nothing to say.", remedy="Give a text.")


def line(text: str = "Hello.", *, speaker: str = "anna") -> LineSpec:
    return LineSpec(request=TakeRequest(speaker=speaker, text=text))


def submit(database: Database, text: str = "Hello.", *, client: str = "editor", priority: Priority = Priority.INTERACTIVE) -> Job:
    return queue.submit(database, Submission(line(text), priority=priority, client=client))[0]


def submit_many(database: Database, count: int, *, client: str = "editor", priority: Priority = Priority.INTERACTIVE) -> list[Job]:
    made = queue.submit_all(database, [Submission(line(f"{client} {number}"), priority=priority, client=client) for number in range(count)])
    return [job for job, _ in made]


def claimed(database: Database, job: Job, worker: str = "w1") -> Job:
    """The job as its worker has it."""
    found = running.claim(database, job.id, job.generation, worker)
    assert found is not None
    return found


def in_state(database: Database, state: JobState) -> Job:
    """A job that has got into `state`."""
    job = submit(database, f"To be {state.value}.")
    if state is JobState.CANCELLED:
        queue.cancel(database, job.id)
    elif state is not JobState.QUEUED:
        job = claimed(database, job)
        if state is JobState.SUCCEEDED:
            assert running.succeed(database, job.id, job.generation, JobResult(takes=["0" * 16]))
        elif state is JobState.FAILED:
            assert running.fail(database, job.id, job.generation, REFUSAL)
    job = records.get(database, job.id)
    assert job.state is state
    return job


def happens(database: Database, job: Job, event: JobEvent) -> None:
    """Let `event` happen to a job, through the function that does it."""
    match event:
        case JobEvent.CLAIMED:
            running.claim(database, job.id, job.generation, "w2")
        case JobEvent.SUCCEEDED:
            running.succeed(database, job.id, job.generation, JobResult())
        case JobEvent.REFUSED:
            running.fail(database, job.id, job.generation, REFUSAL)
        case JobEvent.WORKER_LOST:
            running.lost(database, job.id, job.generation, CRASH)
        case JobEvent.INTERRUPTED:
            running.interrupted(database, "w1")
        case JobEvent.CANCELLED:
            queue.cancel(database, job.id)
            running.stopped(database, job.id, job.generation)
        case JobEvent.RETRIED:
            queue.retry(database, job.id)
        case JobEvent.WORKERS_LOST:
            raise AssertionError("comes of WORKER_LOST, too often")


def places(database: Database) -> list[str]:
    """Names of the places in DBOS's queue from which workers would take, in the order in which they would."""
    waiting = database.client.list_workflows(name=WORKFLOW, status="ENQUEUED")
    return [one.workflow_id for one in sorted(waiting, key=_turn)]


def _turn(status: object) -> tuple[int, int]:
    return (getattr(status, "priority", None) or 0, getattr(status, "created_at", None) or 0)
