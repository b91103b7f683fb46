"""What tests of the watch folder share: a home with a speaker's record, and a worker that "renders" by putting small takes into the store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from speaker_samples import speaker_record as sample

from retake.domain.errors import RetakeError
from retake.domain.job import Job, JobError, JobResult
from retake.domain.rate import FrameRate
from retake.domain.speaker import Speaker
from retake.domain.take import Take, TakeRequest
from retake.jobs import records, running
from retake.jobs.database import Database, default_url
from retake.settings import Settings, WatchSettings
from retake.speakers import store as speakers
from retake.takes import store as takes
from retake.takes.finish import files_in, write_timeline
from retake.watch.folder import FolderWatcher
from retake.watch.work import Note


def make_home(folder: Path, *names: str, rate: str = "25") -> Path:
    """A home folder with speakers that have only their records."""
    for name in names or ("anna",):
        with speakers.building(folder, name) as building:
            speakers.save(building, speaker_record(name, rate))
    return folder


def speaker_record(name: str, rate: str = "25") -> Speaker:
    return sample(name, rate=rate, frames=250, width=128, height=128, seconds=10.0, loudness_lufs=-23.0, lag_confidence=1.0, fingerprint=f"of {name}")


def make_database(home: Path) -> Database:
    database = Database(default_url(home))
    database.create()
    return database


def make_take(home: Path, request: TakeRequest, *, content: bytes = b"clip") -> Take:
    """A take as the pipeline stores it, with a clip that is none. The same request gives the same take."""
    fps = request.fps or speakers.load(home, request.speaker).rate
    rate = FrameRate.parse(fps)
    frames = rate.frames(request.fit) if request.fit is not None else 10 + len(request.text)
    key = takes.request_key(request, {"speaker": request.speaker})
    found = takes.find(home, key)
    if found is not None:
        return found
    identifier = takes.take_id(key)
    take = Take(
        id=identifier,
        request=request,
        files=files_in(takes.take_folder(home, identifier)),
        frames=frames,
        rate=str(rate),
        width=128,
        height=128,
        sha256="0" * 64,
    )
    with takes.building(home, key) as folder:
        files = files_in(folder)
        Path(files.clip).write_bytes(content + request.text.encode())
        for path in (files.captions, files.poster):
            Path(path).write_text(request.text, encoding="utf-8")
        write_timeline(Path(files.timeline), take)
        report = {
            "format": 1,
            "take": identifier,
            "synthetic": True,
            "request": request.model_dump(mode="json"),
            "clip": {"frames": frames, "rate": str(rate), "width": 128, "height": 128, "sha256": "0" * 64},
        }
        Path(files.report).write_text(json.dumps(report), encoding="utf-8")
        takes.save(folder, take, key, home=home)
    return take


def render_waiting(home: Path, database: Database, *, fail: Callable[[Job], RetakeError | None] | None = None, limit: int | None = None) -> int:
    """Do the queued jobs, as a worker would; returns how many."""
    done = 0
    for job in records.waiting(database):
        if limit is not None and done >= limit:
            break
        claimed = running.claim(database, job.id, job.generation, "tester")
        assert claimed is not None
        error = None if fail is None else fail(claimed)
        if error is not None:
            assert running.fail(database, job.id, job.generation, JobError.of(error))
        elif claimed.spec.kind == "line":
            take = make_take(home, claimed.spec.request)
            assert running.succeed(database, job.id, job.generation, JobResult(takes=[take.id]))
        else:
            assert claimed.spec.kind == "timeline"
            filled = home / "results" / job.id / "filled.otio"
            filled.parent.mkdir(parents=True)
            filled.write_text(Path(claimed.spec.timeline).read_text("utf-8"), "utf-8")
            assert running.succeed(database, job.id, job.generation, JobResult(timeline=str(filled)))
        done += 1
    return done


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Watched:
    """A watched folder without threads: tests say when time passes and when jobs are rendered."""

    home: Path
    root: Path
    database: Database
    speaker: str = ""
    clock: Clock = field(default_factory=Clock)
    notes: list[Note] = field(default_factory=list)
    watcher: FolderWatcher | None = None

    def start(self) -> FolderWatcher:
        self.root.mkdir(exist_ok=True)
        watch = WatchSettings(folder=str(self.root), speaker=self.speaker, polling=True)
        self.watcher = FolderWatcher(self.home, self.database, Settings(), watch, tell=self.notes.append, ring=_nothing, clock=self.clock)
        return self.watcher

    def restart(self) -> FolderWatcher:
        """As after kill -9: nothing of the old one is asked any more but its lock, which the system takes away."""
        if self.watcher is not None:
            self.watcher._ownership.release()
        return self.start()

    def drop(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def ticks(self, count: int = 6, *, seconds: float = 0.6) -> None:
        watcher = self.watcher or self.start()
        for _ in range(count):
            watcher.tick()
            self.clock.now += seconds

    def settle(self, **options: object) -> None:
        """Look, render everything, deliver, write timelines."""
        self.ticks()
        while render_waiting(self.home, self.database, **options):  # type: ignore[arg-type]
            self.ticks()
        self.ticks(12)

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.root / folder).iterdir() if not path.name.startswith("."))

    def error(self, name: str) -> str:
        return (self.root / "failed" / f"{name}.error.txt").read_text(encoding="utf-8")

    def jobs(self) -> list[Job]:
        return records.find(self.database, records.Filter(), limit=500).jobs


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


def _nothing() -> None:
    return
