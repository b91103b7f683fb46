"""What is removed by itself and when, and that nothing is removed that a waiting or running job names."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from artefact_samples import listing, make_speaker, make_take

from retake.domain.errors import RetakeError
from retake.domain.job import EnrolSpec, Job, JobError, JobProgress, JobResult, LineSpec, TimelineSpec
from retake.domain.take import TakeRequest
from retake.jobs import events, queue, records, retention, running
from retake.jobs.artefacts import Artefacts
from retake.jobs.database import WORKFLOW, Database
from retake.jobs.queue import Submission
from retake.jobs.retention import Keeper
from retake.jobs.tables import events as event_table
from retake.jobs.tables import jobs as job_table
from retake.settings import RetentionSettings, Settings
from retake.speakers import store as speakers
from retake.takes import store as takes

DAY = 86400.0
NEVER = RetentionSettings(jobs_days=0, events_days=0, uploads_days=0, takes_days=0, takes_bytes=0, cache_bytes=0)


def keeper(home: Path, database: Database | None, *, artefacts: str = "", serves: bool = True, **limits: float) -> Keeper:
    wanted = RetentionSettings.model_validate(NEVER.model_dump() | limits)
    return Keeper(home, database, Settings(retention=wanted, artefacts=artefacts), serves=serves)


def submit(database: Database, text: str = "Hello.") -> Job:
    return queue.submit(database, Submission(LineSpec(request=TakeRequest(speaker="anna", text=text))))[0]


def finish(database: Database, job: Job) -> None:
    claimed = running.claim(database, job.id, job.generation, "w")
    assert claimed is not None
    running.report(database, job.id, job.generation, JobProgress(stage="Rendering"))
    assert running.succeed(database, job.id, job.generation, JobResult())


def age_job(database: Database, job: Job, days: float) -> None:
    with database.writing() as connection:
        older = {"finished_ms": job_table.c.finished_ms - int(days * DAY * 1000)}
        connection.execute(job_table.update().where(job_table.c.id == job.id).values(**older))


def age_events(database: Database, days: float) -> None:
    with database.writing() as connection:
        connection.execute(event_table.update().values(at_ms=event_table.c.at_ms - int(days * DAY * 1000)))


def age(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    for one in (path, *path.rglob("*")):
        os.utime(one, (then, then))


def a_file(path: Path, size: int = 1000, days: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    age(path, days)
    return path


def ids(database: Database) -> set[str]:
    return {job.id for job in records.find(database, records.Filter()).jobs}


# Jobs, events, and DBOS's records


def test_finished_jobs_go_with_all_that_is_theirs(database: Database, tmp_path: Path) -> None:
    old, young, waiting = (submit(database, text) for text in ("Old.", "Young.", "Waiting."))
    for job in (old, young):
        finish(database, job)
        a_file(tmp_path / "logs" / "jobs" / f"{job.id}.log")
        a_file(tmp_path / "results" / job.id / "script.otio")
    age_job(database, old, 91)
    swept = keeper(tmp_path, database, jobs_days=90).sweep()
    assert (swept.jobs, swept.bytes, swept.problems) == (1, 2000, [])
    assert ids(database) == {young.id, waiting.id}
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file() and path.suffix in {".log", ".otio"}) == sorted(
        [f"{young.id}.log", "script.otio"]
    )
    assert events.since(database, 0)[-1].type == "job.forgotten"


def test_a_job_that_was_retried_stays(database: Database, tmp_path: Path) -> None:
    job = submit(database)
    running.claim(database, job.id, 1, "w")
    running.fail(database, job.id, 1, JobError(code="bad_input", kind="bad_input", cause="No.", remedy="Other."))
    age_job(database, job, 100)
    queue.retry(database, job.id)
    assert keeper(tmp_path, database, jobs_days=90).sweep().jobs == 0
    assert ids(database) == {job.id}


def test_many_jobs_go_in_portions(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 7)
    made = [submit(database, f"Line {number}.") for number in range(20)]
    for job in made:
        queue.cancel(database, job.id)
        age_job(database, job, 3)
    assert keeper(tmp_path, database, jobs_days=2).sweep(dry_run=True).jobs == 20
    assert len(ids(database)) == 20
    assert keeper(tmp_path, database, jobs_days=2).sweep().jobs == 20
    assert ids(database) == set()


def test_progress_of_finished_jobs_goes_after_an_hour_and_other_events_after_days(database: Database, tmp_path: Path) -> None:
    done, busy = submit(database, "Done."), submit(database, "Busy.")
    finish(database, done)
    running.claim(database, busy.id, 1, "w")
    running.report(database, busy.id, 1, JobProgress(stage="Rendering"))
    assert keeper(tmp_path, database, events_days=2).sweep().events == 0
    age_events(database, 0.1)
    events.announce(database, "test", {})
    assert keeper(tmp_path, database, events_days=2).sweep().events == 1
    assert [(event.type, event.job_id) for event in events.since(database, 0) if event.type == "job.progress"] == [("job.progress", busy.id)]
    age_events(database, 2)
    kept = events.newest(database)
    assert keeper(tmp_path, database, events_days=2).sweep().events == 6
    assert [event.id for event in events.since(database, 0)] == [kept]


def test_ids_of_events_are_never_used_twice(database: Database, tmp_path: Path) -> None:
    for _ in range(3):
        events.announce(database, "test", {})
    last = events.newest(database)
    age_events(database, 10)
    keeper(tmp_path, database, events_days=1).sweep()
    with database.writing() as connection:
        connection.execute(event_table.delete())
    events.announce(database, "test", {})
    assert events.newest(database) > last


def workflows(database: Database) -> set[str]:
    return {status.workflow_id for status in database.client.list_workflows(name=WORKFLOW)}


def test_queue_records_go_when_the_table_says_it_all(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    gone, moved, waiting = (submit(database, text) for text in ("Gone.", "Moved.", "Waiting."))
    queue.cancel(database, gone.id)
    queue.move(database, moved.id, before=waiting.id)
    queue.move(database, moved.id)
    queue.cancel(database, moved.id)
    queue.retry(database, moved.id)
    forgotten = submit(database, "Forgotten.")
    queue.cancel(database, forgotten.id)
    queue.forget(database, forgotten.id)
    assert keeper(tmp_path, database).sweep().workflows == 0  # an hour has not passed
    monkeypatch.setattr(retention, "WORKFLOW_MS", -60_000)
    kept = {f"{moved.id}.{records.get(database, moved.id).generation}", f"{waiting.id}.1"}
    expected = len(workflows(database) - kept)
    assert expected >= 4
    assert keeper(tmp_path, database).sweep(dry_run=True).workflows == expected
    assert keeper(tmp_path, database).sweep().workflows == expected
    assert workflows(database) == kept
    assert queue.cancel(database, waiting.id).state.over


def test_a_machine_that_only_renders_leaves_the_history_alone(database: Database, tmp_path: Path) -> None:
    job = submit(database)
    queue.cancel(database, job.id)
    age_job(database, job, 100)
    age_events(database, 100)
    cached = a_file(tmp_path / "cache" / "speech" / "gone" / "1.json", days=2)
    swept = keeper(tmp_path, database, serves=False, jobs_days=1, events_days=1).sweep()
    assert (swept.jobs, swept.events, swept.cached_lines) == (0, 0, 1)
    assert ids(database) == {job.id} and not cached.exists()


def test_nothing_goes_while_the_database_cannot_be_asked(tmp_path: Path) -> None:
    cached = a_file(tmp_path / "cache" / "speech" / "gone" / "1.json", days=2)
    database = Database("postgresql://nobody:secret@127.0.0.1:1/none")
    swept = keeper(tmp_path, database, jobs_days=1).sweep()
    database.close()
    assert len(swept.problems) == 1 and "secret" not in swept.problems[0]
    assert not swept.anything and cached.exists()


# Files


def test_uploads_go_unless_a_job_needs_them(database: Database, tmp_path: Path) -> None:
    names = {name: str(number) * 32 for number, name in enumerate(["old", "young", "needed", "busy"], 1)}
    for name, identifier in names.items():
        a_file(tmp_path / "uploads" / identifier / "content.mp4")
        age(tmp_path / "uploads" / identifier, 0 if name == "young" else 3)
    reference = str(tmp_path / "uploads" / names["needed"] / "content.mp4")
    job, _ = queue.submit(database, Submission(EnrolSpec(reference=reference, name="anna", consent="Yes.")))
    locked = tmp_path / "uploads" / f".{names['busy']}.lock"
    receiving = subprocess.Popen(
        [sys.executable, "-c", f"from filelock import FileLock; lock = FileLock({str(locked)!r}); lock.acquire(); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert receiving.stdout is not None and receiving.stdout.readline()
        assert keeper(tmp_path, database, uploads_days=2).sweep().uploads == 1
    finally:
        receiving.communicate(b"\n", timeout=600)
    left = {path.name for path in (tmp_path / "uploads").iterdir() if path.is_dir()}
    assert left == {names["young"], names["needed"], names["busy"]}
    queue.cancel(database, job.id)
    assert keeper(tmp_path, database, uploads_days=2).sweep().uploads == 2


def test_locks_of_uploads_that_were_refused_go(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    kept, refused, young = (folder / f".{digit * 32}.lock" for digit in "123")
    a_file(folder / ("1" * 32) / "content.mp4")
    a_file(kept, days=3)
    a_file(refused, days=3)
    a_file(young)
    keeper(tmp_path, database, uploads_days=2).sweep()
    assert [path.exists() for path in (kept, refused, young)] == [True, False, True]


def test_fetched_inputs_go_unless_a_job_needs_them(database: Database, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    one, home = Artefacts(str(shared), tmp_path / "one"), tmp_path / "home"
    two = Artefacts(str(shared), home)
    references = [one.push_input(a_file(tmp_path / f"{number}.otio", size=number)) for number in (1, 2)]
    for reference in references:
        age(two.ensure_input(reference), 3)
        age(shared / "inputs" / reference.removeprefix("artefact:"), 3)
    job, _ = queue.submit(database, Submission(TimelineSpec(timeline=references[0])))
    swept = keeper(home, database, artefacts=str(shared), uploads_days=2).sweep()
    assert (swept.inputs, swept.shared) == (1, 1)
    assert listing(one) == [f"inputs/{references[0].removeprefix('artefact:')}"]
    queue.cancel(database, job.id)
    swept = keeper(home, database, artefacts=str(shared), uploads_days=2).sweep()
    assert (swept.inputs, swept.shared) == (1, 1)


def test_takes_that_nobody_asked_for_go(database: Database, tmp_path: Path) -> None:
    old, asked = make_take(tmp_path, "Old."), make_take(tmp_path, "Asked for.")
    for take in (old, asked):
        age(takes.take_folder(tmp_path, take.id), 10)
    assert takes.find(tmp_path, takes.load(tmp_path, asked.id).key) is not None
    assert keeper(tmp_path, database, takes_days=7).sweep(dry_run=True).takes == 1
    swept = keeper(tmp_path, database, takes_days=7).sweep()
    assert swept.takes == 1 and swept.bytes > 10_000
    assert [stored.take.id for stored in takes.history(tmp_path)] == [asked.id]
    event = events.since(database, 0)[-1]
    assert (event.type, event.data) == ("take.deleted", {"id": old.id, "speaker": "anna"})


def test_the_oldest_takes_go_when_space_is_short(database: Database, tmp_path: Path) -> None:
    made = [make_take(tmp_path, f"Line {number}.", size=100_000) for number in range(5)]
    for number, take in enumerate(made):
        age(takes.take_folder(tmp_path, take.id), 10 - number)
    assert keeper(tmp_path, database, takes_bytes=1_000_000).sweep().takes == 0
    assert keeper(tmp_path, database, takes_bytes=310_000).sweep().takes == 2
    assert {stored.take.id for stored in takes.history(tmp_path)} == {take.id for take in made[2:]}


def test_takes_of_a_job_that_runs_stay(database: Database, tmp_path: Path) -> None:
    job = submit(database)
    running.claim(database, job.id, 1, "w")
    make_take(tmp_path, size=100_000)
    assert keeper(tmp_path, database, takes_bytes=1000).sweep().takes == 0
    running.succeed(database, job.id, 1, JobResult())
    assert keeper(tmp_path, database, takes_bytes=1000).sweep().takes == 1


def test_takes_that_are_removed_are_removed_everywhere(database: Database, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    homes = [tmp_path / "one", tmp_path / "two"]
    one, two = (Artefacts(str(shared), home) for home in homes)
    take = make_take(homes[0])
    one.push_take(take.id)
    two.ensure_take(take.id)
    for home in homes:
        age(takes.take_folder(home, take.id), 10)
    assert keeper(homes[1], database, artefacts=str(shared), serves=False, takes_days=20).sweep().takes == 0
    assert keeper(homes[0], database, artefacts=str(shared), takes_days=7).sweep().takes == 1
    assert keeper(homes[1], database, artefacts=str(shared), serves=False).sweep().dropped == [f"takes/{take.id}"]
    assert takes.history(homes[1]) == []


def test_lines_used_longest_ago_go_first(database: Database, tmp_path: Path) -> None:
    make_speaker(tmp_path)
    folder = speakers.speech_folder(tmp_path, "anna")
    for number in range(4):
        for suffix, size in ((".json", 100), (".safetensors", 900)):
            a_file(folder / f"{number}{suffix}", size, days=number)
    age(folder / "3.json", 0)  # read just now
    assert keeper(tmp_path, database, cache_bytes=4000).sweep().cached_lines == 0
    swept = keeper(tmp_path, database, cache_bytes=2500).sweep()
    assert (swept.cached_lines, swept.bytes) == (2, 2000)
    assert sorted(path.name for path in folder.iterdir()) == ["0.json", "0.safetensors", "3.json", "3.safetensors"]


def test_lines_of_speakers_that_are_gone_go(database: Database, tmp_path: Path) -> None:
    make_speaker(tmp_path)
    kept = a_file(speakers.speech_folder(tmp_path, "anna") / "1.json", days=1)
    gone = a_file(speakers.speech_folder(tmp_path, "bert") / "1.json", days=1)
    beginning = a_file(speakers.speech_folder(tmp_path, "carl") / "1.json")
    assert keeper(tmp_path, database).sweep().cached_lines == 1
    assert (kept.exists(), gone.exists(), beginning.exists()) == (True, False, True)


def test_what_killed_processes_left_goes(database: Database, tmp_path: Path) -> None:
    job = submit(database)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(timeout=20)
    from retake.media.files import host_mark

    left = [
        a_file(tmp_path / "takes" / ".building-0123456789abcdef-00000000" / "take.mp4", days=2).parent,
        a_file(tmp_path / "speakers" / ".replaced-anna-00000000" / ".deleted", days=2).parent,
        a_file(tmp_path / "cache" / "speech" / "anna" / f".1.{host_mark()}-{dead.pid}-00000000.retake-part.json"),
        a_file(tmp_path / "work" / ("0" * 32) / "track.safetensors", days=1).parent,
    ]
    kept = [
        a_file(tmp_path / "takes" / ".building-fedcba9876543210-00000000" / "take.mp4").parent,
        a_file(tmp_path / "cache" / "speech" / "anna" / f".1.{host_mark()}-{os.getpid()}-00000000.retake-part.json"),
        a_file(tmp_path / "work" / job.id / "track.safetensors", days=9).parent,
        a_file(tmp_path / "speakers" / ".replaced-carl-00000000" / "speaker.json", days=2).parent,  # comes back: see media.folders.restore
    ]
    age(left[1], 2)
    assert keeper(tmp_path, database).sweep(dry_run=True).strays == 3
    assert all(path.exists() for path in left)
    assert keeper(tmp_path, database).sweep().strays >= 4
    assert [path for path in left if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []


def test_results_and_logs_that_no_job_belongs_to_go(database: Database, tmp_path: Path) -> None:
    job = submit(database)
    kept = [a_file(tmp_path / "results" / job.id / "a.otio", days=9), a_file(tmp_path / "logs" / "jobs" / f"{job.id}.log", days=9)]
    gone = [a_file(tmp_path / "results" / "other" / "a.otio", days=9), a_file(tmp_path / "logs" / "jobs" / "other.log", days=9)]
    gone.append(a_file(tmp_path / "logs" / "error-20260101-000000-1.log", days=9))
    young = a_file(tmp_path / "results" / "new" / "a.otio")
    age(tmp_path / "results" / "other", 9)
    keeper(tmp_path, database, jobs_days=7).sweep()
    assert [path for path in (*kept, young) if not path.exists()] == []
    assert [path for path in gone if path.exists()] == []


def test_links_are_not_followed(database: Database, tmp_path: Path) -> None:
    footage = a_file(tmp_path / "footage" / "precious.mp4", days=400)
    home = tmp_path / "home"
    for name in ("results", "work", "uploads", "takes"):
        (home / name).mkdir(parents=True)
        (home / name / "0123456789abcdef").symlink_to(footage.parent)
    (home / "cache").mkdir()
    (home / "cache" / "speech").symlink_to(footage.parent)
    keeper(home, database, jobs_days=1, uploads_days=1, takes_days=1, cache_bytes=10**9).sweep()
    assert footage.exists()


def test_by_default_takes_stay(database: Database, tmp_path: Path) -> None:
    take = make_take(tmp_path, created_at=datetime.now(UTC) - timedelta(days=4000))
    age(takes.take_folder(tmp_path, take.id), 4000)
    assert Keeper(tmp_path, database, Settings()).sweep().takes == 0


def test_with_zero_nothing_goes(database: Database, tmp_path: Path) -> None:
    job = submit(database)
    finish(database, job)
    age_job(database, job, 10_000)
    age_events(database, 10_000)
    make_take(tmp_path)
    files = [a_file(tmp_path / "results" / job.id / "a.otio", days=9999), a_file(tmp_path / "uploads" / ("1" * 32) / "part", days=9999)]
    swept = keeper(tmp_path, database).sweep()
    assert (swept.jobs, swept.uploads, swept.takes) == (0, 0, 0)
    assert all(path.exists() for path in files) and ids(database) == {job.id}
    assert swept.events == 1  # progress of a job that is over


def test_one_part_that_fails_does_not_keep_the_others(database: Database, tmp_path: Path) -> None:
    job = submit(database)
    queue.cancel(database, job.id)
    age_job(database, job, 100)
    swept = keeper(tmp_path, database, artefacts=str(tmp_path / "not mounted"), jobs_days=90).sweep()
    assert swept.jobs == 1 and ids(database) == set()
    assert swept.problems and "not mounted" in swept.problems[0]


def test_a_part_that_fails_as_nobody_foresaw_does_not_keep_the_others_either(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unforeseen(*arguments: object) -> int:
        raise KeyError("nobody foresaw this")

    cached = a_file(tmp_path / "cache" / "speech" / "gone" / "1.json", days=2)
    monkeypatch.setattr(retention.retention_files, "uploads", unforeseen)
    swept = keeper(tmp_path, database, uploads_days=1).sweep()
    assert swept.problems == ["KeyError: 'nobody foresaw this'"]
    assert not cached.exists()


def test_it_runs_by_itself_and_ends(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "FIRST_SECONDS", 0.0)
    database = Database(f"sqlite:///{sqlite_template.as_posix()}")
    cached = a_file(tmp_path / "cache" / "speech" / "gone" / "1.json", days=2)
    service = keeper(tmp_path, database)
    service.start()
    wait_for(lambda: not cached.exists())
    service.stop()
    database.close()


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_without_a_database_files_are_tidied(tmp_path: Path) -> None:
    cached = a_file(tmp_path / "cache" / "speech" / "gone" / "1.json", days=2)
    assert keeper(tmp_path, None, jobs_days=1).sweep().cached_lines == 1
    assert not cached.exists()


def test_a_cleared_history_does_not_bring_back_idempotency_keys_of_others(database: Database, tmp_path: Path) -> None:
    spec = LineSpec(request=TakeRequest(speaker="anna", text="Hello."))
    job, _ = queue.submit(database, Submission(spec, idempotency_key="k"))
    queue.cancel(database, job.id)
    age_job(database, job, 3)
    keeper(tmp_path, database, jobs_days=2).sweep()
    again, new = queue.submit(database, Submission(spec, idempotency_key="k"))
    assert new and again.id != job.id
    with pytest.raises(RetakeError):
        records.get(database, job.id)
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(job_table)).scalar() == 1
