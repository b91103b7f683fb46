"""The connection file, the token and the lock: private, whole, and found again by the client."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from retake import connection, settings
from retake.connection import ConnectionRecord
from retake.domain.errors import RetakeError
from retake_client import Connection, NoDaemon, UnsafeConnection, default_home
from retake_client.connection import is_held

posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")
RECORD = ConnectionRecord("http://127.0.0.1:7420", "t" * 43, 4711, "0.1.0", 1, 1000.0)


def test_what_is_written_is_found(tmp_path: Path) -> None:
    with connection.only_daemon(tmp_path) as before:
        assert before is None
        connection.write_record(tmp_path, RECORD)
        found = Connection.find(tmp_path)
        assert (found.address, found.token, found.pid, found.version, found.started) == (RECORD.address, RECORD.token, 4711, "0.1.0", 1000.0)
        assert RECORD.token not in repr(found) + repr(RECORD)


def test_a_file_without_a_daemon_is_not_believed(tmp_path: Path) -> None:
    with connection.only_daemon(tmp_path):
        connection.write_record(tmp_path, RECORD)
    with pytest.raises(NoDaemon):
        Connection.find(tmp_path)
    with connection.only_daemon(tmp_path) as before:
        assert before == RECORD


def test_looking_at_the_lock_does_not_take_it(tmp_path: Path) -> None:
    lock = tmp_path / connection.LOCK_FILE
    assert not is_held(lock)
    with connection.only_daemon(tmp_path):
        assert is_held(lock)
    assert not is_held(lock)
    with connection.only_daemon(tmp_path):
        pass


def test_one_daemon_for_each_home(tmp_path: Path) -> None:
    with connection.only_daemon(tmp_path):
        connection.write_record(tmp_path, RECORD)
        with pytest.raises(RetakeError) as caught, connection.only_daemon(tmp_path):
            pass
    assert caught.value.code == "daemon_runs"
    assert "4711" in caught.value.cause
    assert RECORD.address in caught.value.cause
    assert RECORD.token not in str(caught.value)


def test_only_its_own_file_is_removed(tmp_path: Path) -> None:
    connection.write_record(tmp_path, RECORD)
    other = ConnectionRecord(RECORD.address, RECORD.token, RECORD.pid, RECORD.version, RECORD.api, 2000.0)
    assert not connection.remove_record(tmp_path, other)
    assert connection.remove_record(tmp_path, RECORD)
    assert not connection.remove_record(tmp_path, RECORD)


@posix
def test_a_file_is_private_from_its_first_byte_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    write = os.write

    def watched(handle: int, data: bytes) -> int:
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        return write(handle, data)

    monkeypatch.setattr(os, "write", watched)
    before = os.umask(0)
    try:
        connection.write_private(tmp_path / "secret", "x")
    finally:
        os.umask(before)
    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_the_token_is_kept(tmp_path: Path) -> None:
    token = connection.load_token(tmp_path)
    assert len(token) == 43
    assert connection.load_token(tmp_path) == token
    assert connection.load_token(tmp_path, new=True) != token


@posix
@pytest.mark.parametrize("wrong", ["readable", "link", "short", "binary"])
def test_a_token_that_may_be_known_or_is_none_is_replaced(tmp_path: Path, wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "token"
    known = "B" * 43
    if wrong == "link":
        (tmp_path / "elsewhere").write_text(known, encoding="ascii")
        (tmp_path / "elsewhere").chmod(0o600)
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_bytes({"readable": known.encode(), "short": b"abc", "binary": b"\xff" * 43}[wrong])
        path.chmod(0o644 if wrong == "readable" else 0o600)
    token = connection.load_token(tmp_path)
    assert token != known
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert not path.is_symlink()
    assert "takes" in caplog.text
    assert known not in caplog.text


@posix
@pytest.mark.parametrize("wrong", ["readable", "link", "folder", "broken", "incomplete"])
def test_the_client_refuses_a_file_that_is_not_safe(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / connection.CONNECTION_FILE
    with connection.only_daemon(tmp_path):
        connection.write_record(tmp_path, RECORD)
        if wrong == "readable":
            path.chmod(0o644)
        elif wrong == "link":
            path.rename(tmp_path / "other.json")
            path.symlink_to(tmp_path / "other.json")
        elif wrong == "folder":
            path.unlink()
            path.mkdir(mode=0o700)
        elif wrong == "broken":
            connection.write_private(path, "{")
        else:
            connection.write_private(path, json.dumps({"address": RECORD.address}))
        with pytest.raises(UnsafeConnection) as caught:
            Connection.find(tmp_path)
    assert caught.value.remedy
    assert RECORD.token not in str(caught.value)


@pytest.mark.parametrize("address", ["", "ftp://127.0.0.1", "127.0.0.1:7420", "http://"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(UnsafeConnection):
        Connection(address, "t")


def test_client_and_daemon_mean_the_same_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "a" / ".." / "b"))
    assert default_home() == settings.home()
    monkeypatch.delenv("RETAKE_HOME")
    assert default_home() == settings.home()
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        assert default_home() == settings.home() == tmp_path / "retake"


def test_windows_gets_a_list_with_the_user_alone() -> None:
    sid = connection.sid_in('"studio\\anna","S-1-5-21-1004336348-1177238915-682003330-512"\r\n')
    assert sid == "S-1-5-21-1004336348-1177238915-682003330-512"
    arguments = connection.icacls_arguments(Path("a b") / "token", sid)
    assert arguments[0] == "icacls"
    assert arguments[2:4] == ["/inheritance:r", "/grant:r"]
    assert arguments[4] == f"*{sid}:F"
    with pytest.raises(ValueError, match="identifier"):
        connection.sid_in("access denied")
