"""What the tests of the Blender extension share: every version of Blender there is, and the built zip installed into each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from host import ROOT, Blender, tool

VERSIONS = ("4.5", "5.0")


@pytest.fixture(scope="session", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Every version; skipped where its environment is absent, unless it was asked for."""
    name: str = request.param
    environments = tool("environments")
    if not environments.is_done(name):
        reason = f"there is no Blender {name} in {environments.folder(name)}: 'python3 bootstrap.py test --blender' makes it"
        if os.environ.get("RETAKE_TEST_BLENDER"):
            pytest.fail(reason)
        pytest.skip(reason)
    return name


@pytest.fixture(scope="session")
def zip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension for this machine, built from the working tree."""
    build = tool("build")
    try:
        built = build.build(tmp_path_factory.mktemp("zip"), (build.this_platform(),), cache=ROOT / "build" / "blender-wheels")
    except build.BuildError as error:
        pytest.fail(f"the extension could not be built: {error}")
    return built.path


@pytest.fixture(scope="session")
def installed(version: str, zip_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Blender:
    """A Blender whose user has installed the zip by Blender's own operator; for reading. See `blender`."""
    place = Blender(version, tmp_path_factory.mktemp(f"blender-{version}") / "user")
    answer = place.run("install", zip=str(zip_file), seconds=90)
    assert answer["enabled"] is True, answer
    return place


@pytest.fixture
def fresh(version: str, tmp_path: Path) -> Blender:
    """A Blender that has never seen the extension."""
    return Blender(version, tmp_path / "fresh-user")


@pytest.fixture
def blender(installed: Blender, tmp_path: Path) -> Callable[..., Blender]:
    """Makes users with the extension installed: ``blender(RETAKE_HOME=...)``; a test may change their preferences."""

    def make(**environment: str) -> Blender:
        target = tmp_path / f"user-{len(list(tmp_path.glob('user-*')))}"
        shutil.copytree(installed.resources, target, symlinks=True)
        return Blender(installed.version, target, environment)

    return make
