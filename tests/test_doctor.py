from __future__ import annotations

import ctypes
import importlib.metadata
import json
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from retake import cli, doctor
from retake.domain.errors import ErrorKind


def state(home: Path, name: str) -> doctor.Check:
    return next(check for check in doctor.examine(home) if check.name == name)


def test_a_working_machine(tmp_path: Path) -> None:
    checks = doctor.examine(tmp_path / "home")
    assert len({check.name for check in checks}) == len(checks) >= 10
    assert [check for check in checks if check.state == "failed" and check.name != "face model"] == []
    assert not list(tmp_path.iterdir())  # looking changes nothing


def test_everything_wrong_has_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ctypes.CDLL:
        raise OSError(name)

    monkeypatch.setenv("RETAKE_FACE_LANDMARKER", str(tmp_path / "missing.task"))
    monkeypatch.setattr(ctypes, "CDLL", missing)
    monkeypatch.setattr(doctor, "NATIVE_MODULES", ("no_such_module",))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 99, 1))
    monkeypatch.setattr(sys, "version_info", (3, 10, 0, "final", 0))
    original = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0.1" if name == "mediapipe" else original(name))
    (tmp_path / "settings.json").write_text("{", encoding="utf-8")
    wrong = {check.name: check for check in doctor.examine(tmp_path) if check.state == "failed"}
    expected = {"python", "packages", "native modules", "face model", "disk space", "settings"}
    assert expected <= set(wrong)
    assert all(check.remedy for check in wrong.values())
    assert "mediapipe is 0.0.1, wanted ==0.10.32" in wrong["packages"].detail
    if sys.platform == "linux":
        assert "libegl1 libgles2" in wrong["graphics libraries"].remedy


def test_exit_code_and_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "NATIVE_MODULES", ("no_such_module",))
    assert cli.run(["doctor", "--json"]) == ErrorKind.ENVIRONMENT.value
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert any(check["name"] == "native modules" and check["state"] == "failed" for check in document["checks"])
    assert cli.run(["doctor"]) == ErrorKind.ENVIRONMENT.value
    assert "no_such_module" in capsys.readouterr().out


def test_a_home_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = state(tmp_path / "file" / "home", "home folder")
    assert check.state == "failed"
    assert "RETAKE_HOME" in check.remedy
