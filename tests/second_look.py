"""For `bootstrap.py test`: what failed is written to a file, and a second run is of nothing but the tests named in one (docs/decisions/0009).

A pytest plugin, which tests/conftest.py registers where one of these variables is set:

* RETAKE_TEST_OUTCOMES: file that this run writes: {"failed": {test: its text}, "passed": [test, ...], "complete": whether it came to its end}.
* RETAKE_TEST_ONLY: file that an earlier run wrote: only what failed there is run.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

OUTCOMES = "RETAKE_TEST_OUTCOMES"
ONLY = "RETAKE_TEST_ONLY"


class Outcomes:
    """Collects how each test ended. A test that cannot be collected has failed under the name of its file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failed: dict[str, str] = {}
        self._passed: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._failed[report.nodeid] = report.longreprtext

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:  # also one whose fixtures fail, before it or behind it
            parts = [self._failed.get(report.nodeid, ""), f"[{report.when}, {report.duration:.1f} s]\n{report.longreprtext}"]
            parts += [f"--- {title} ---\n{text}" for title, text in report.sections]
            self._failed[report.nodeid] = "\n".join(part for part in parts if part)
        elif report.when == "call" and report.passed:
            self._passed.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        content: dict[str, object] = {"failed": self._failed, "passed": [test for test in self._passed if test not in self._failed]}
        content["complete"] = not (session.shouldfail or session.shouldstop)  # after -x, nobody knows what else would have failed
        self._path.write_text(json.dumps(content), encoding="utf-8")


class Only:
    """Leaves out all tests but those that failed in an earlier run."""

    def __init__(self, path: Path) -> None:
        self._wanted = set(json.loads(path.read_text(encoding="utf-8"))["failed"])

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        others = [item for item in items if item.nodeid not in self._wanted]
        items[:] = [item for item in items if item.nodeid in self._wanted]
        config.hook.pytest_deselected(items=others)


def register(config: pytest.Config) -> None:
    """Do what the environment asks for. Tests that run pytest themselves are not meant: the variables go."""
    outcomes, only = os.environ.pop(OUTCOMES, ""), os.environ.pop(ONLY, "")
    if outcomes:
        config.pluginmanager.register(Outcomes(Path(outcomes)), "retake outcomes")
    if only:
        config.pluginmanager.register(Only(Path(only)), "retake only")
