"""The run of bench/scale_out.py, shorter: two machines on one PostgreSQL, one killed in the middle of a job."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from enrolled import EnrolledHome


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes are stopped with signals")
def test_jobs_of_a_killed_machine_are_done_once_by_the_other(presenter_home: EnrolledHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "bench"))
    from scale_out import scale_out

    shutil.copytree(presenter_home.path / "speakers", tmp_path / "home" / "speakers")
    outcome = scale_out(tmp_path / "home", tmp_path, count=6, after=1, timeout=300.0)
    assert outcome.problems == []
    assert outcome.victim_job in outcome.begun_twice
    assert outcome.machines[outcome.victim_job] == "second"  # the first may have been killed in its first job
