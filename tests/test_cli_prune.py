"""`retake prune` and `retake takes delete`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from artefact_samples import listing, make_speaker, make_take

from retake.cli import run
from retake.jobs import queue
from retake.jobs.artefacts import Artefacts
from retake.jobs.database import Database, default_url
from retake.jobs.queue import Submission
from retake.settings import RetentionSettings, Settings, save_settings
from retake.speakers import store as speakers
from retake.takes import store as takes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def old_take(home: Path) -> str:
    take = make_take(home)
    then = time.time() - 10 * 86400
    os.utime(takes.take_folder(home, take.id) / takes.RECORD, (then, then))
    return take.id


def test_prune_shows_and_then_removes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_settings(home, Settings(retention=RetentionSettings(takes_days=7)))
    identifier = old_take(home)
    assert answer(capsys, "prune", "--dry-run")["takes"] == 1
    assert run(["prune", "--dry-run"]) == 0
    assert "Would remove" in capsys.readouterr().out
    assert takes.load(home, identifier)
    assert run(["prune"]) == 0
    assert "1 takes" in capsys.readouterr().out
    assert takes.history(home) == []
    assert run(["prune"]) == 0
    assert capsys.readouterr().out == "Nothing to remove.\n"
    assert not (home / "jobs.sqlite3").exists()


def test_prune_knows_the_jobs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from job_samples import line

    database = Database(default_url(home))
    database.create()
    job, _ = queue.submit(database, Submission(line()))
    queue.cancel(database, job.id)
    database.close()
    assert answer(capsys, "prune")["jobs"] == 0
    save_settings(home, Settings(retention=RetentionSettings(jobs_days=1e-9)))
    assert answer(capsys, "prune")["jobs"] == 1


def test_a_take_is_deleted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take = make_take(home)
    assert run(["takes"]) == 0
    assert take.id in capsys.readouterr().out
    assert run(["takes", "delete", take.id, "--yes"]) == 0
    assert takes.history(home) == []
    assert run(["takes", "delete", take.id, "--yes"]) == 4
    assert run(["takes", "delete", "../speakers", "--yes"]) == 4


def test_options_of_the_list_still_work(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_take(home)
    assert len(answer(capsys, "takes", "--speaker", "anna", "--limit", "5")["takes"]) == 1  # pyright: ignore[reportArgumentType]
    assert answer(capsys, "takes", "-s", "bert")["takes"] == []


def test_what_is_deleted_is_deleted_where_it_is_shared(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shared").mkdir()
    save_settings(home, Settings(artefacts=str(tmp_path / "shared")))
    shared = Artefacts(str(tmp_path / "shared"), home)
    make_speaker(home)
    shared.push_speaker("anna")
    take = make_take(home)
    shared.push_take(take.id)
    assert answer(capsys, "takes", "delete", take.id) == {"deleted": take.id}
    assert answer(capsys, "speakers", "delete", "anna") == {"deleted": "anna"}
    assert listing(shared) == ["deleted/speakers/anna.json", f"deleted/takes/{take.id}.json"]
    assert speakers.names(home) == []
