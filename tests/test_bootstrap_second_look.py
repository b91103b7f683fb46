"""Tests that fail get one second look, alone; what passes then is shown, and hides nothing (docs/decisions/0009)."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
from test_bootstrap import ROOT, bootstrap  # noqa: F401 - a fixture

CONFTEST = "import second_look\n\n\ndef pytest_configure(config):\n    second_look.register(config)\n"
# `once` fails the first time that it is run, and tells how often it was.
MODULE = """
from pathlib import Path
import os, pytest
def runs(name):
    path = Path(__file__).with_name(name + ".runs")
    path.write_text(path.read_text() + "." if path.exists() else ".")
    return len(path.read_text())
def once(name):
    assert runs(name) > 1, f"the machine was slow: {name}"
"""


class Project:
    """A copy of bootstrap.py with one module of tests beside it."""

    def __init__(self, script: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
        self.script = script
        self.root: Path = script.ROOT
        self.capfd = capfd
        (self.root / "tests").mkdir()
        shutil.copy(ROOT / "tests" / "second_look.py", self.root / "tests")
        (self.root / "tests" / "conftest.py").write_text(CONFTEST, encoding="utf-8")

    def test(self, body: str, *options: str) -> tuple[int, str]:
        """Exit code of the run, and all that was printed."""
        (self.root / "tests" / "test_it.py").write_text(MODULE + body, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
        code = self.script.run_tests(command)
        shown = self.capfd.readouterr()
        return code, shown.out + shown.err

    def runs(self, name: str) -> int:
        path = self.root / "tests" / f"{name}.runs"
        return len(path.read_text(encoding="utf-8")) if path.exists() else 0

    def notes(self) -> list[str]:
        return [path.read_text(encoding="utf-8") for path in sorted((self.root / ".retake-test").glob("unsteady-*.txt"))]


@pytest.fixture
def project(bootstrap: ModuleType, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Project:  # noqa: F811 - the fixture
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # quicker
    return Project(bootstrap, capfd)


def test_what_passes_alone_is_shown_loudly_and_kept(project: Project) -> None:
    code, shown = project.test(
        "def test_good():\n    runs('good')\n@pytest.mark.parametrize('text', ['a - b', 'é [x]'])\ndef test_odd(text):\n    once('odd' + text[0])\n"
    )
    assert code == 0, shown
    assert len(re.findall(r"^UNSTEADY: tests/test_it\.py::test_odd\[", shown, re.MULTILINE)) == 2
    assert "UNSTEADY: 2 of at most 3" in shown
    assert (project.runs("good"), project.runs("odda")) == (1, 2), "only what failed is run again"
    assert len(project.notes()) == 2
    assert all("the machine was slow: odd" in note for note in project.notes())


def test_what_fails_twice_fails_the_run(project: Project) -> None:
    code, shown = project.test("def test_once():\n    once('once')\ndef test_bad():\n    assert runs('bad') < 0\n")
    assert code == 1
    assert "UNSTEADY: tests/test_it.py::test_once" in shown and "UNSTEADY: tests/test_it.py::test_bad" not in shown
    assert project.runs("bad") == 2


def test_more_than_three_fail_at_once(project: Project) -> None:
    body = "@pytest.mark.parametrize('number', range(4))\ndef test_once(number):\n    once(f'once{number}')\n"
    code, shown = project.test(body)
    assert code == 1 and "UNSTEADY" not in shown and project.notes() == []
    assert project.runs("once0") == 1


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ("def test_skip():\n    if runs('skip') > 1:\n        pytest.skip('not today')\n    assert False\n", ()),
        ("def test_once():\n    once('once')\ndef test_behind():\n    assert False\n", ("-x",)),
        ("def test_once():\n    once('once')\ndef test_end():\n    os._exit(1)\n", ()),
        ("assert False\n", ()),
        ("@pytest.fixture\ndef broken():\n    yield\n    assert False\ndef test_broken(broken):\n    pass\n", ()),
    ],
    ids=["skipped the second time", "stopped before all were run", "pytest itself ended", "not collected", "broken behind the test"],
)
def test_no_second_look_makes_these_pass(project: Project, body: str, options: tuple[str, ...]) -> None:
    code, shown = project.test(body, *options)
    assert code != 0, shown
    assert "UNSTEADY" not in shown and project.notes() == []


def test_what_passes_at_once_is_run_once(project: Project) -> None:
    code, shown = project.test("def test_good():\n    runs('good')\n")
    assert code == 0 and project.runs("good") == 1 and "second look" not in shown
    assert list(project.root.joinpath(".retake-test").glob("unsteady-*")) == []
