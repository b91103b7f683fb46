"""One engine, described in one file: what it is, on which terms it may be used, and everything it needs. docs/engines.md explains every key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.fingerprint import fingerprint

Stage = Literal["voice", "lips", "transition"]
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_RESERVED = frozenset(["embedded", "manifests", "pythons"])  # the first is the engine that comes along; the others are folders beside engines


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Licence(_Group):
    """On which terms an engine and its weights may be used."""

    name: str = Field(min_length=1)
    url: str = ""
    commercial_use: bool
    accept: bool = Field(description="the user must say that they agree before it is installed")
    summary: str = Field(min_length=1, description="in plain words, one or two sentences")


class Memory(_Group):
    """What the loaded engine needs at most, in MB (of a million bytes)."""

    ram_mb: int = Field(gt=0)
    vram_mb: int = Field(default=0, ge=0, description="0: it does not use a GPU")


class Environment(_Group):
    """The engine's own Python and packages."""

    version: str = Field(description="which Pythons it works with, such as >=3.10,<3.14")
    requirements: list[str] = Field(default=[], description="each pinned with ==")
    source_only: list[str] = Field(default=[], description="names of packages without a wheel that are plain Python; nothing else is built here")
    size_mb: int = Field(default=50, gt=0, description="about what the packages take on disk")

    @field_validator("version")
    @classmethod
    def _version(cls, value: str) -> str:
        try:
            SpecifierSet(value)
        except InvalidSpecifier as error:
            raise ValueError(f"'{value}' is no range of Python versions, such as >=3.10,<3.14") from error
        return value

    @field_validator("requirements")
    @classmethod
    def _pinned(cls, value: list[str]) -> list[str]:
        for text in value:
            try:
                requirement = Requirement(text)
            except InvalidRequirement as error:
                raise ValueError(f"'{text}' is no requirement") from error
            if requirement.url or [part.operator for part in requirement.specifier] != ["=="] or "*" in str(requirement.specifier):
                raise ValueError(f"'{text}' is not pinned to one version with ==")
        return value


class WeightFile(_Group):
    """One file to fetch. An empty `sha256` or a `size` of 0 says that its makers' figure is not known here: see docs/engines.md."""

    path: str = Field(description="below the engine's folder of weights")
    url: str
    revision: str = Field(min_length=1, description="commit, tag or branch that the address names; a commit where it is known")
    size: int = Field(default=0, ge=0)
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str) -> str:
        parts = PurePosixPath(value).parts
        if not parts or value.startswith("/") or ".." in parts or "\\" in value or ":" in value or any(part.endswith(".part") for part in parts):
            raise ValueError(f"'{value}' is no path below the folder of weights")
        return value

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        # Plain HTTP only from this machine itself: a hash may be missing, and then the way is all there is to trust.
        if not value.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError(f"'{value}' is no https address")
        return value


class Lips(_Group):
    """What a lips engine is sent of each frame: a crop of the face, and what is heard. docs/lips-engines.md explains both."""

    size: int = Field(ge=32, le=1024, description="pixels of the square crop")
    sound: Literal["mel", "samples"] = Field(description="mel: 80 bands x 16 columns a frame; samples: the whole sound at 16 kHz, once")
    top: Literal["forehead", "mirrored"] = Field(description="its upper edge: on the forehead, or as far above the nose as the chin is below")
    below: float = Field(default=0.0, ge=0.0, le=0.5, description="what is added below the chin, as a share of the crop's height")


class Limits(_Group):
    """How long an engine may be silent before it counts as hanging, in seconds."""

    start_seconds: float = Field(default=300.0, gt=0)
    silence_seconds: float = Field(default=300.0, gt=0)
    idle_seconds: float = Field(default=600.0, gt=0, description="unloaded when nobody asked for so long")


class Manifest(_Group):
    """An engine."""

    format: Literal[1]
    name: str
    stage: Stage
    title: str = Field(min_length=1)
    version: str = Field(min_length=1, description="of manifest and adapter: changes whenever what they make does")
    languages: list[str] = Field(default=[], description="BCP 47; empty: any")
    devices: list[Literal["cpu", "cuda"]] = Field(min_length=1)
    adapter: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}\.py$", description="file beside the manifest")
    notes: str = ""
    tried: str = Field(default="", description="how far the adapter has been run, in words, where that is not with its real weights")
    licence: Licence
    memory: Memory
    python: Environment
    weights: list[WeightFile] = []
    limits: Limits = Limits()
    lips: Lips | None = Field(default=None, description="of a lips engine, and of no other")

    @model_validator(mode="after")
    def _lips_engines_say_what_they_are_sent(self) -> Manifest:
        if (self.stage == "lips") != (self.lips is not None):
            raise ValueError("a lips engine, and no other, has a table [lips]")
        return self

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value) or value in _RESERVED:
            raise ValueError(f"'{value}' cannot be an engine's name")
        return value

    @property
    def environment_key(self) -> str:
        """Changes when the environment has to be made anew."""
        return fingerprint(self.python.version, sorted(self.python.requirements), sorted(self.python.source_only))

    @property
    def needs(self) -> str:
        """What the engine needs, in words."""
        parts = [f"{self.memory.ram_mb / 1000:.1f} GB of memory"]
        if self.memory.vram_mb:
            parts.append(f"{self.memory.vram_mb / 1000:.1f} GB on a GPU{', or a CPU' if 'cpu' in self.devices else ''}")
        else:
            parts.append("a CPU")
        size = self.python.size_mb + sum(file.size for file in self.weights) / 1e6
        unknown = " and weights of unknown size" if any(not file.size for file in self.weights) else ""
        return f"{', '.join(parts)}; {size / 1000:.1f} GB on the disk{unknown}"


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file; raises RetakeError (bad_manifest) naming what is wrong with it."""
    try:
        manifest = Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        if manifest.name != path.stem:
            raise ValueError(f"the engine '{manifest.name}' belongs into {manifest.name}.toml")
        if not (path.parent / manifest.adapter).is_file():
            raise ValueError(f"the adapter {manifest.adapter} does not lie beside it")
    except ValidationError as error:
        first = error.errors()[0]
        raise _bad(path, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
    except (OSError, ValueError) as error:  # also TOML that is none, and text that is none
        raise _bad(path, str(error)) from error
    return manifest


def _bad(path: Path, reason: str) -> RetakeError:
    return RetakeError(
        f"The engine manifest {path} cannot be used: {reason}.", "Correct or remove the file.", kind=ErrorKind.ENVIRONMENT, code="bad_manifest"
    )
