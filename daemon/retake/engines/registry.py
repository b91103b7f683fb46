"""Which engines there are, and which of them are installed. Nothing of an engine is loaded to tell.

engines/manifests/NAME.toml     comes along with Retake, with the adapter beside it
HOME/engines/manifests/         engines that a user added, the same way
HOME/engines/NAME/              one that is installed: env/, weights/, cache/, installed.json
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.fingerprint import fingerprint

from .failures import not_installed
from .manifest import Manifest, Stage, read_manifest

SHIPPED = Path(__file__).parent / "manifests"
RECORD = "installed.json"


class StoredWeight(BaseModel):
    """A file of weights as it was when it came. `known` tells whether the manifest had its hash, or it was only recorded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    size: int
    sha256: str
    known: bool


class Installed(BaseModel):
    """The record of an installation: the lock of what a user has, and what they agreed to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str
    version: str
    installed_at: datetime
    licence: str
    accepted_at: datetime | None  # None where nothing has to be accepted
    accepted_by: str
    python: str
    environment_key: str
    packages: tuple[str, ...]  # everything in the environment, name==version
    weights: tuple[StoredWeight, ...]


class Engine(BaseModel):
    """An engine that there is, and its installation if it has one."""

    model_config = ConfigDict(frozen=True)

    manifest: Manifest
    source: Path  # folder of manifest and adapter
    folder: Path
    installed: Installed | None
    problem: str = ""  # why the installation cannot be used, in words

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def ready(self) -> bool:
        return self.installed is not None and not self.problem

    @property
    def adapter(self) -> Path:
        return self.source / self.manifest.adapter

    @property
    def weights(self) -> Path:
        return self.folder / "weights"

    @property
    def sound_version(self) -> str:
        """Part of cache keys: changes with manifest version, packages, weights and adapter."""
        found = self.installed
        parts = [self.manifest.version, self.adapter.read_text(encoding="utf-8")]
        parts += [] if found is None else [*found.packages, *(weight.sha256 for weight in found.weights)]
        return f"{self.manifest.version}-{fingerprint(parts)[:8]}"


def engines_folder(home: Path) -> Path:
    return home / "engines"


def user_manifests(home: Path) -> Path:
    return engines_folder(home) / "manifests"


def manifests(home: Path) -> dict[str, Path]:
    """Files of all manifests by the engine's name. A user's cannot take the name of one that comes along."""
    found: dict[str, Path] = {}
    for folder in (SHIPPED, user_manifests(home)):
        for path in sorted(folder.glob("*.toml")) if folder.is_dir() else []:
            found.setdefault(path.stem, path)
    return found


def engine(home: Path, name: str) -> Engine:
    """The engine of that name, installed or not. Raises RetakeError naming the ones there are, or for a manifest that cannot be used."""
    known = manifests(home)
    if name not in known:
        raise RetakeError(f"There is no engine '{name}'.", f"Engines: {', '.join(['embedded', *known])}.", code="unknown_engine")
    manifest = read_manifest(known[name])
    folder = engines_folder(home) / name
    installed, problem = _installed(folder, manifest)
    return Engine(manifest=manifest, source=known[name].parent, folder=folder, installed=installed, problem=problem)


def engines(home: Path, stage: Stage | None = None) -> list[Engine]:
    """All engines with a manifest that can be used, by name; those that cannot are left to `engine` to explain."""
    out: list[Engine] = []
    for name in manifests(home):
        try:
            found = engine(home, name)
        except RetakeError:
            continue
        if stage is None or found.manifest.stage == stage:
            out.append(found)
    return sorted(out, key=lambda one: one.name)


def ready_engine(home: Path, name: str, stage: Stage) -> Engine:
    """The installed engine of that name and stage; otherwise RetakeError with the command that installs it, or with the names there are."""
    known = manifests(home)
    found = engine(home, name) if name in known else None
    if found is None or found.manifest.stage != stage:
        names = ["embedded", *(one.name for one in engines(home, stage))]
        raise RetakeError(f"There is no {stage} engine '{name}'.", f"Engines: {', '.join(names)}.", code="unknown_engine")
    if found.installed is None:
        raise not_installed(name, stage)
    if found.problem:
        cause = f"The {stage} engine '{name}' cannot be used: {found.problem}."
        raise RetakeError(cause, f"Run 'retake engines install {name}'.", kind=ErrorKind.ENVIRONMENT, code="engine_outdated")
    return found


def _installed(folder: Path, manifest: Manifest) -> tuple[Installed | None, str]:
    try:
        record = Installed.model_validate_json((folder / RECORD).read_bytes())
    except FileNotFoundError:
        return None, ""
    except (OSError, ValidationError):
        return None, "its record is damaged"
    if record.environment_key != manifest.environment_key:
        return record, "this version of Retake needs other packages for it"
    stored = {weight.path: weight for weight in record.weights}
    for file in manifest.weights:
        weight = stored.get(file.path)
        path = folder / "weights" / file.path
        if weight is None or (file.sha256 and file.sha256 != weight.sha256):
            return record, "this version of Retake needs other weights for it"
        if not path.is_file() or path.stat().st_size != weight.size:
            return record, f"its file {file.path} is missing or incomplete"
    return record, ""
