"""What killed processes leave is found by their number and removed; everything else stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from retake.media.folders import new_folder
from retake.media.strays import remove_dead, remove_of

WRITER = """
import os, sys
from pathlib import Path
from retake.media.files import atomic
from retake.media.folders import new_folder
folder = Path(sys.argv[1])
with new_folder(folder / "built") as inner, atomic(folder / "text.txt") as part:
    part.write_text("half")
    (inner / "file").write_text("half")
    os._exit(9)
"""


@pytest.fixture
def killed(tmp_path: Path) -> int:
    """Number of a process that died while it wrote a file and built a folder in `tmp_path`."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
    assert process.wait(600) == 9
    return process.pid


def test_strays_of_one_process(tmp_path: Path, killed: int) -> None:
    assert len(list(tmp_path.iterdir())) == 2
    assert remove_of(killed + 1, [tmp_path]) == []
    assert len(remove_of(killed, [tmp_path, tmp_path / "missing"])) == 2
    assert list(tmp_path.iterdir()) == []


def test_strays_of_all_dead_processes_but_not_of_the_living(tmp_path: Path, killed: int) -> None:
    (tmp_path / "good.txt").write_text("kept")
    with new_folder(tmp_path / "mine"):
        assert len(remove_dead([tmp_path])) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.txt", "mine"]
    assert os.getpid() != killed
