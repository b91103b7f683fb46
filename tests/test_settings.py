from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from retake import settings
from retake.domain.errors import RetakeError


def test_home_follows_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "my home"))
    assert settings.home() == (tmp_path / "my home").resolve()
    monkeypatch.setenv("RETAKE_HOME", " ")
    assert settings.home().name == "retake"
    assert settings.home().is_absolute()


def test_defaults_without_a_file(tmp_path: Path) -> None:
    assert settings.load_settings(tmp_path) == settings.Settings()
    assert not list(tmp_path.iterdir())


def test_round_trip(tmp_path: Path) -> None:
    wanted = settings.Settings(threads=3, account="Anna")
    settings.save_settings(tmp_path / "new", wanted)
    assert settings.load_settings(tmp_path / "new") == wanted


@pytest.mark.parametrize("content", ["", "{", '{"thread": 2}', '{"threads": "many"}', '{"threads": -1}', "\xff"])
def test_a_wrong_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.json").write_text(content, encoding="latin-1")
    with pytest.raises(RetakeError) as caught:
        settings.load_settings(tmp_path)
    assert caught.value.code == "bad_settings"
    assert "settings.json" in caught.value.cause


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps user folders to their users by other means")
def test_home_is_its_owners(tmp_path: Path) -> None:
    """It holds faces and voices. A folder that somebody made on purpose keeps its permissions."""
    assert settings.prepare_home(tmp_path / "a" / "home").stat().st_mode & 0o077 == 0
    (tmp_path / "shared").mkdir(mode=0o755)
    (tmp_path / "shared").chmod(0o755)
    assert settings.prepare_home(tmp_path / "shared").stat().st_mode & 0o777 == 0o755


def test_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RetakeError) as caught:
        settings.prepare_home(tmp_path / "file" / "home")
    assert caught.value.code == "home_not_writable"


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
def test_a_quota_limits_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = len(os.sched_getaffinity(0))
    for text, expected in (("150000 100000", 2), ("max 100000", 0), ("garbage", 0)):
        monkeypatch.setattr(Path, "read_text", lambda self, *args, text=text, **kwargs: text)
        assert settings._control_group_quota() == expected
    monkeypatch.undo()
    assert 1 <= settings.available_cores() <= everything


def test_users_thread_variables_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert settings.use_cores(3) == 3
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert os.environ["MKL_NUM_THREADS"] == "3"
    for name in settings.THREAD_VARIABLES:
        monkeypatch.delenv(name)  # before monkeypatch puts the old ones back


def test_telemetry_stays_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*settings.QUIET_ENVIRONMENT, "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "0")
    settings.quiet_environment(tmp_path)
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["MPLCONFIGDIR"] == "0"


def test_nothing_happens_at_import() -> None:
    import subprocess

    code = "import os; a = dict(os.environ); import retake.settings, retake.cli; assert a == dict(os.environ)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)
