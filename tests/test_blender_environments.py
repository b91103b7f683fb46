"""The environments with Blender as a module: what is said where they cannot be made, and when one counts as made."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def environments() -> ModuleType:
    spec = importlib.util.spec_from_file_location("blender_environments_tool", ROOT / "plugins" / "blender" / "environments.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_another_python_is_told_which_one_is_needed(environments: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "PYTHON", (3, 10))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(environments.BlenderSetupError, match=r"needs exactly Python 3\.10; this is .* or run the tests without --blender"):
        environments.python_3_11()


def test_a_full_disk_is_told_before_anything_is_made(environments: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "python_3_11", lambda: sys.executable)
    monkeypatch.setattr(environments, "NEEDED_BYTES", 10**18)
    with pytest.raises(environments.BlenderSetupError, match="Free some space"):
        environments.make("4.5", tmp_path)
    assert not environments.folder("4.5", tmp_path).exists()


def test_an_environment_that_lacks_packages_is_not_done(environments: ModuleType, tmp_path: Path) -> None:
    python = environments.python_of("4.5", tmp_path)
    assert not environments.is_done("4.5", tmp_path)
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)  # a Python without bpy
    assert not environments.is_done("4.5", tmp_path)


@pytest.mark.parametrize("version", ["4.5", "5.0"])
def test_everything_is_pinned_by_hash(environments: ModuleType, version: str) -> None:
    lock = environments.lock_of(version).read_text(encoding="utf-8")
    entries = [entry for entry in lock.replace("\\\n", " ").splitlines() if entry and not entry.startswith("#")]
    assert any(entry.startswith(f"bpy=={version}.") for entry in entries)
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
