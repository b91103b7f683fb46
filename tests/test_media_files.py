"""Files appear complete or not at all, and failures say what to do."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from retake.domain.errors import Cancelled, ErrorKind, RetakeError
from retake.media import files


def test_appears_complete(tmp_path: Path) -> None:
    target = tmp_path / "a b ü.json"
    target.write_text("old")
    with files.atomic(target) as part:
        assert part.parent == target.parent
        assert part.suffix == target.suffix
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Cancelled, SystemExit])
def test_failure_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.txt"
    with pytest.raises(error), files.atomic(target) as part:
        part.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ValueError, match="x"), files.atomic(target) as part:
        part.write_text("half")
        raise ValueError("x")
    assert target.read_text() == "old"


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught, files.atomic(tmp_path / "none" / "a.txt"):
        raise AssertionError("not reached")
    assert (caught.value.code, caught.value.kind) == ("no_folder", ErrorKind.ENVIRONMENT)


def test_target_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught, files.atomic(tmp_path):
        raise AssertionError("not reached")
    assert caught.value.code == "is_folder"


@pytest.mark.skipif(sys.platform == "win32" or (hasattr(os, "geteuid") and os.geteuid() == 0), reason="the superuser may write anywhere")
def test_folder_not_writable(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RetakeError) as caught, files.atomic(tmp_path / "a.txt"):
            raise AssertionError("not reached")
    finally:
        tmp_path.chmod(0o700)
    assert caught.value.code == "not_writable"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EFBIG, "disk_full"),
        (errno.EACCES, "not_writable"),
        (errno.EROFS, "not_writable"),
        (errno.ENOENT, "no_folder"),
        (errno.EIO, "write_failed"),
    ],
)
def test_errors_of_the_system_are_explained(tmp_path: Path, number: int, code: str) -> None:
    with pytest.raises(RetakeError) as caught, files.atomic(tmp_path / "a.txt"):
        raise OSError(number, os.strerror(number))
    assert caught.value.code == code
    assert caught.value.kind is ErrorKind.ENVIRONMENT
    assert "a.txt" in caught.value.cause or code == "no_folder"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes to run into")
def test_disk_full_for_real(tmp_path: Path) -> None:
    """A process that may not write more than 4 kB fails with a reason and leaves nothing."""
    script = f"""
import resource
from retake.domain.errors import RetakeError
from retake.media.files import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with atomic({str(tmp_path / "a.bin")!r}) as part:
        part.write_bytes(bytes(10000))
except RetakeError as error:
    print(error.code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "disk_full"
    assert list(tmp_path.iterdir()) == []


def test_temporaries_of_dead_runs_are_removed(tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    dead, alive = int(child.stdout), os.getpid()
    host = files.host_mark()
    of_dead = tmp_path / f".talk.{host}-{dead}-0123abcd.retake-part.mp4"
    of_alive = tmp_path / f".talk.{host}-{alive}-0123abcd.retake-part.mp4"
    of_other_host = tmp_path / ".talk.ffffff-1-0123abcd.retake-part.mp4"
    old_of_other_host = tmp_path / ".old.ffffff-1-0123abcd.retake-part.mp4"
    unrelated = tmp_path / "my.retake-part.mp4"
    for path in (of_dead, of_alive, of_other_host, old_of_other_host, unrelated):
        path.write_text("x")
    os.utime(old_of_other_host, (1.0, 1.0))
    if sys.platform == "win32":
        os.utime(of_dead, (1.0, 1.0))
    files.atomic_text(tmp_path / "a.txt", "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in (of_alive, of_other_host, unrelated, tmp_path / "a.txt"))


def test_a_killed_run_leaves_only_what_the_next_one_removes(tmp_path: Path) -> None:
    script = f"""
import os
from retake.media.files import atomic
with atomic({str(tmp_path / "a.txt")!r}) as part:
    part.write_text("half")
    os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    assert not (tmp_path / "a.txt").exists()
    if sys.platform != "win32":
        files.atomic_text(tmp_path / "a.txt", "whole")
        assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_long_names(tmp_path: Path) -> None:
    target = tmp_path / ("ü" * 120 + ".json")
    files.atomic_json(target, {"a": [1, "ü"]})
    assert target.read_text(encoding="utf-8") == '{\n  "a": [\n    1,\n    "ü"\n  ]\n}\n'


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.atomic_json(tmp_path / "a.json", float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_space(tmp_path: Path) -> None:
    files.check_space(tmp_path, 1)
    with pytest.raises(RetakeError) as caught:
        files.check_space(tmp_path, 10**18)
    assert caught.value.code == "disk_full"
    with pytest.raises(RetakeError) as caught:
        files.check_space(tmp_path / "none", 1)
    assert caught.value.code == "no_folder"


def test_sha256(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert files.sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
