from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "bootstrap.py"


@pytest.fixture
def bootstrap(tmp_path: Path) -> ModuleType:
    """bootstrap.py of a copy of the project in a folder with a space in its name."""
    folder = tmp_path / "my project"
    folder.mkdir()
    for name in ("bootstrap.py", "requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    spec = importlib.util.spec_from_file_location("bootstrap_copy", folder / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code] if code else [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd=Path(Path.cwd().anchor))


def test_only_the_standard_library() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    names = {alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("version", [(3, 8, 1), (3, 10, 14), (3, 14, 0)])
def test_another_python_is_told_what_to_do(version: tuple[int, int, int]) -> None:
    lines = (
        "import sys, runpy",
        f"sys.version_info = {(*version, 'final', 0)!r}",
        "sys.argv = ['bootstrap.py', 'demo']",
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')",
    )
    code = "\n".join(lines)
    done = run(code=code)
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
    assert f"Python 3.{version[1]}, and Retake needs Python 3.11 to 3.13" in done.stderr


def test_old_pythons_can_read_the_file() -> None:
    """The check of the version must be reached: nothing before or after it may be a syntax error for them."""
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_usage() -> None:
    assert run("--help").returncode == 0
    assert run().returncode == 2
    unknown = run("install")
    assert unknown.returncode == 2
    assert "setup, demo, test, retake" in unknown.stderr


def test_set_up_once_for_the_same_files(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[list[str]] = []
    bootstrap.venv_python().parent.mkdir(parents=True)
    bootstrap.venv_python().touch()
    monkeypatch.setattr(bootstrap, "make_venv", lambda: None)
    monkeypatch.setattr(bootstrap, "pip", lambda arguments, title, **options: done.append(arguments))
    bootstrap.set_up(dev=True)
    assert ["-r", str(bootstrap.DEV_LOCK)] in done
    count = len(done)
    bootstrap.set_up(dev=True)
    bootstrap.set_up()  # the developers' set holds the plain one
    assert len(done) == count
    bootstrap.LOCK.write_text(bootstrap.LOCK.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    bootstrap.set_up()
    assert len(done) > count


def test_an_interrupted_set_up_goes_on(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: list[str], title: str, **options: object) -> None:
        raise bootstrap.SetupError("no network")

    monkeypatch.setattr(bootstrap, "make_venv", lambda: None)
    monkeypatch.setattr(bootstrap, "pip", fail)
    assert bootstrap.main(["setup"]) == bootstrap.ENVIRONMENT
    assert not bootstrap.is_done(bootstrap.fingerprint([bootstrap.LOCK]))


def test_pips_own_words_reach_the_user(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "venv_python", lambda: Path(sys.executable))
    with pytest.raises(bootstrap.SetupError, match="no-such-file"):
        bootstrap.pip(["-r", "no-such-file.txt"], "Installing")


def test_a_failing_step_fails_the_tests(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "set_up", lambda dev=False: None)
    monkeypatch.setattr(bootstrap, "run", lambda command, folder=None, variables=None: commands.append(command) or int("pyright" in command))
    assert bootstrap.main(["test"]) == 1
    assert [command[2] for command in commands] == ["ruff", "ruff", "pyright", "pytest"]
    assert capsys.readouterr().err == "FAILED: pyright\n"


def pins(name: str) -> dict[str, Requirement]:
    lines = (line.strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", requirement.name.lower()): requirement for requirement in found}


def test_the_lock_pins_everything_that_is_required() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    run_time, development = pins("requirements.lock"), pins("requirements-dev.lock")
    assert all([part.operator for part in requirement.specifier] == ["=="] for requirement in [*run_time.values(), *development.values()])
    for text in project["dependencies"]:
        wanted = Requirement(text)
        locked = run_time[re.sub(r"[-_.]+", "-", wanted.name.lower())]
        assert wanted.specifier.contains(next(iter(locked.specifier)).version, prereleases=True), text
    for text in project["optional-dependencies"]["dev"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(next(iter(development[wanted.name].specifier)).version), text


def test_the_lock_is_complete() -> None:
    """Every package that a locked one needs on this machine is locked too, in a version that suits it."""
    import importlib.metadata

    locked = pins("requirements.lock") | pins("requirements-dev.lock")
    problems: list[str] = []
    for name, requirement in locked.items():
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        for text in importlib.metadata.requires(name) or ():
            needed = Requirement(text)
            if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
                continue
            key = re.sub(r"[-_.]+", "-", needed.name.lower())
            if key.startswith(("nvidia-", "triton", "cuda-")):
                continue  # parts of PyTorch's build with GPU support, pinned by PyTorch itself
            if key not in locked:
                problems.append(f"{name} needs {key}")
            elif not needed.specifier.contains(next(iter(locked[key].specifier)).version, prereleases=True):
                problems.append(f"{name} needs {needed}, locked is {locked[key]}")
    assert not problems
