from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from retake.domain.errors import RetakeError
from retake.media.folders import new_folder, remove_folder, restore


def entries(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_appears_complete(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a" / "b") as folder:
        (folder / "file").write_text("1", encoding="utf-8")
        assert not (tmp_path / "a" / "b").exists()
    assert (tmp_path / "a" / "b" / "file").read_text(encoding="utf-8") == "1"
    assert entries(tmp_path / "a") == ["b"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_one_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    with new_folder(tmp_path / "b") as folder:
        (folder / "file").write_text("old", encoding="utf-8")
    with pytest.raises(error), new_folder(tmp_path / "b") as folder:
        (folder / "file").write_text("new", encoding="utf-8")
        raise error()
    assert (tmp_path / "b" / "file").read_text(encoding="utf-8") == "old"
    assert entries(tmp_path) == ["b"]


def test_replaces(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with new_folder(tmp_path / "b") as folder:
            (folder / text).touch()
    assert entries(tmp_path / "b") == ["new"]
    assert entries(tmp_path) == ["b"]


def test_comes_back_after_an_interrupted_exchange(tmp_path: Path) -> None:
    with new_folder(tmp_path / "b") as folder:
        (folder / "file").touch()
    (tmp_path / "b").rename(tmp_path / ".replaced-b-01234567")  # as if the machine had stopped between the two renames
    assert restore(tmp_path / "b")
    assert (tmp_path / "b" / "file").exists()
    assert not restore(tmp_path / "c")


def test_a_removed_folder_does_not_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_folder(tmp_path / "b") as folder:
        (folder / "file").touch()
    monkeypatch.setattr("shutil.rmtree", lambda *args, **kwargs: None)  # interrupted while its content was removed
    remove_folder(tmp_path / "b")
    assert not restore(tmp_path / "b")


def test_leftovers_of_killed_processes_go(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".building-x-01234567", tmp_path / ".building-y-01234567"
    for folder in (old, fresh):
        folder.mkdir()
    yesterday = time.time() - 2 * 24 * 3600
    os.utime(old, (yesterday, yesterday))
    with new_folder(tmp_path / "b"):
        pass
    assert entries(tmp_path) == [fresh.name, "b"]


def test_two_at_once_both_succeed(tmp_path: Path) -> None:
    """The second one finds the place taken between its question and its renaming, as two processes do that make the same thing."""
    barrier = threading.Barrier(4)
    failed: list[BaseException] = []

    def make(number: int) -> None:
        try:
            for _ in range(20):
                with new_folder(tmp_path / "b") as folder:
                    (folder / str(number)).touch()
                    barrier.wait(timeout=600)
        except BaseException as error:  # noqa: BLE001 - shown in the test's own thread
            failed.append(error)
            barrier.abort()

    threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(entries(tmp_path / "b")) == 1
    with new_folder(tmp_path / "c"):
        pass
    assert entries(tmp_path) == ["b", "c"]


def test_what_came_first_may_stay(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with new_folder(tmp_path / "b", unless=(tmp_path / "b").exists) as folder:
            (folder / text).touch()
    assert entries(tmp_path / "b") == ["old"]
    assert entries(tmp_path) == ["b"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RetakeError) as caught, new_folder(tmp_path / "file" / "b"):
        pass
    assert caught.value.code == "not_writable"
