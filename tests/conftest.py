"""What all tests share: long ones only when asked for, a home folder of their own, and one enrolled presenter."""

from __future__ import annotations

import hashlib
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import second_look
from enrolled import PACKAGE, ROOT, EnrolledHome, face_model, run_retake
from filelock import FileLock
from postgres import database, postgres_server, postgres_spares, postgres_template, postgres_url, sqlite_template  # noqa: F401 - fixtures

# What an enrolled speaker depends on: a change here enrols the presenter again.
ENROLMENT = ("domain", "engines", "face", "media", "motion", "script", "speakers", "speech", "assets")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


def pytest_configure(config: pytest.Config) -> None:
    second_look.register(config)
    # Who starts a test run in the background (a shell's &) has it ignore Ctrl-C, and so all processes that tests start and then interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow") or "slow" in str(config.getoption("-m")):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: run with --slow"))


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's speakers and settings; the face model, which is only read, stays where it is installed."""
    model = face_model()
    if model is not None:
        monkeypatch.setenv("RETAKE_FACE_LANDMARKER", str(model))
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path_factory.getbasetemp() / "home"))


@pytest.fixture(scope="session")
def presenter_home(pytestconfig: pytest.Config) -> Iterator[EnrolledHome]:
    """The presenter, enrolled through the command line without a network: once for every state of the code that enrols.

    The folder is kept between runs (in pytest's cache) and must only be read: copy it to change something, see `copy_of_presenter_home`.
    """
    root = Path(pytestconfig.cache.mkdir("retake-presenter")) if pytestconfig.cache is not None else ROOT / ".pytest_cache" / "retake-presenter"
    folder = root / enrolment_key()
    log = folder / "refused.txt"
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "enrolling.lock", timeout=3600):  # of two test runs at once one enrols, the other waits for it
        if not (folder / "complete").exists():
            for old in root.iterdir():
                if old.is_dir() and (time.time() - old.stat().st_mtime > 3600 or old == folder):
                    shutil.rmtree(old, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            assets = PACKAGE / "assets" / "presenter"
            arguments = ["enrol", str(assets / "presenter.mp4"), "--name", "presenter", "--transcript", str(assets / "presenter.txt")]
            done = run_retake([*arguments, "--consent", "Synthetic presenter, nobody's likeness.", "--replace"], folder / "home", log=log)
            assert done.returncode == 0, f"enrolling the presenter failed:\n{done.stdout}\n{done.stderr}"
            (folder / "enrol.txt").write_text(done.stdout, encoding="utf-8")
            (folder / "complete").touch()
    refused = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    yield EnrolledHome(folder / "home", refused)


@pytest.fixture
def copy_of_presenter_home(presenter_home: EnrolledHome, tmp_path: Path) -> Path:
    """A home folder with the presenter in it that a test may write to."""
    shutil.copytree(presenter_home.path, tmp_path / "home")
    return tmp_path / "home"


def enrolment_key() -> str:
    digest = hashlib.sha256()
    for part in ENROLMENT:
        for path in sorted((PACKAGE / part).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(PACKAGE)).encode())
                digest.update(path.read_bytes())
    digest.update((ROOT / "requirements.lock").read_bytes())
    return digest.hexdigest()[:16]
