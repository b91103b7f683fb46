"""The zip of the Blender extension: the same bytes from the same input, wheels that Python accepts, and clear errors."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("blender_build_tool", ROOT / "plugins" / "blender" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.build(tmp_path_factory.mktemp("one"), (build.this_platform(),)).path


def test_the_same_input_gives_the_same_bytes(build: ModuleType, built: Path, tmp_path: Path) -> None:
    assert build.build(tmp_path, (build.this_platform(),)).path.read_bytes() == built.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [built.name], "nothing half-made is left"


def test_the_manifest_is_complete(build: ModuleType, built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        names = archive.namelist()
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    assert manifest["version"] == build.retake_version()
    assert sorted(name.removeprefix("./") for name in manifest["wheels"]) == sorted(name for name in names if name.endswith(".whl"))
    assert manifest["platforms"] == [build.this_platform()]
    assert not manifest["tagline"].endswith(".")
    assert {"LICENSE", "LICENSES/MIT.txt", "LICENSES/GPL-3.0-or-later.txt"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_own_wheels_install_and_import(built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        wheels = [archive.extract(name, tmp_path) for name in archive.namelist() if name.endswith("py3-none-any.whl")]
    assert len(wheels) == 2
    place = tmp_path / "site"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--disable-pip-version-check",
        "--target",
        str(place),
        *wheels,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    code = "import retake_client, retake_otio, sys; print(retake_client.__file__); print(retake_otio.__file__)"
    answer = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(place)}, capture_output=True, text=True, timeout=600, check=False)
    assert answer.stdout.count(str(place)) == 2, answer.stdout + answer.stderr


def test_a_wheel_that_the_lock_does_not_name_is_refused(build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "download", lambda _name, cache: (cache / "x-1-cp311-cp311-manylinux2014_x86_64.whl").write_bytes(b"not it"))
    with pytest.raises(build.BuildError, match=r"is not one that wheels\.lock names"):
        build.fetch_wheels(("linux-x64",), tmp_path)
