"""The client runs where editors run: Python 3.9."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

import retake_client

SOURCES = sorted(Path(retake_client.__file__).parent.glob("*.py"))


def old_python() -> str | None:
    """A Python 3.9 of this machine that runs."""
    candidates = [*map(str, Path.home().glob(".pyenv/versions/3.9.*/bin/python")), shutil.which("python3.9")]
    for candidate in filter(None, candidates):
        done = subprocess.run([candidate, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True, timeout=600, check=False)
        if done.stdout.strip() == "(3, 9)":
            return candidate
    return None


OLD = old_python()
# Newer than 3.9, and not seen by looking at the grammar.
TOO_NEW = {"StrEnum", "zip_strict", "pairwise", "ExceptionGroup", "TaskGroup", "UTC", "TypeAlias", "TypeGuard", "Self", "override"}

EXERCISE = """
import importlib, pkgutil, sys, tempfile, threading, time
from pathlib import Path
import retake_client
for module in pkgutil.iter_modules(retake_client.__path__):
    importlib.import_module("retake_client." + module.name)
from retake_client.convention import format_line, parse_line, read_marker
from retake_client.doctor import examine, text_of
from retake_client.paths import PathMap
from retake_client.session import ConnectionState, EnrolOrder, Order, OrderState, Session, SessionSettings
from retake_client.starting import find_command, launch
assert parse_line(format_line("anna", "Hello.")).speaker == "anna"
assert PathMap.parse("/mnt/a=Z:/a").to_local("/mnt/a/b") == "Z:\\\\a\\\\b"
home = Path(tempfile.mkdtemp())
session = Session(SessionSettings(home=home, folder=home / "takes", may_start=False))
session.start()
session.render(Order("a", "k", {"speaker": "anna", "text": "Hello."}))
deadline = time.monotonic() + 300
while session.status.state is not ConnectionState.ABSENT:
    assert time.monotonic() < deadline, session.status
    time.sleep(0.02)
assert [update.state for update in session.poll()] == [OrderState.WAITING_FOR_DAEMON]
session.cancel("a")
assert [update.state for update in session.poll()] == [OrderState.CANCELLED]
session.close()
assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("retake")]
assert text_of(examine(SessionSettings(home=home)))
print("%d.%d" % sys.version_info[:2], retake_client.VERSION)
"""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_its_grammar_is_that_of_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    assert any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body) or path.name == "__init__.py"
    for node in ast.walk(tree):
        if isinstance(node, ast.Match) or (isinstance(node, ast.ImportFrom) and TOO_NEW & {alias.name for alias in node.names}):
            raise AssertionError(f"line {node.lineno}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"isinstance", "issubclass"}:
            assert not isinstance(node.args[1], ast.BinOp), f"line {node.lineno}: isinstance with |"
        if isinstance(node, ast.Call) and any(word.arg in {"slots", "kw_only", "strict"} for word in node.keywords):
            raise AssertionError(f"line {node.lineno}: a parameter that 3.9 does not know")


@pytest.mark.skipif(OLD is None, reason="no Python 3.9 on this machine")
def test_it_runs_in_3_9(tmp_path: Path) -> None:
    assert OLD is not None
    environment = {
        "PYTHONPATH": str(Path(retake_client.__file__).parent.parent),
        "PATH": "/nonexistent",
        "HOME": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run([OLD, "-W", "error", "-c", EXERCISE], env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3.9", retake_client.VERSION]
