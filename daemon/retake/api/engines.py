"""The engines that takes can be made with: what each needs, on which terms it may be used, and whether it works here.

Told without importing any of them: the serving process stays small.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from retake.api.context import InContext
from retake.api.errors import documented
from retake.engines.models import face_landmarker_installed

router = APIRouter(prefix="/engines", tags=["engines"])


class Engine(BaseModel):
    """One engine."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "embedded",
                    "stage": "voice",
                    "version": "1",
                    "licence": "MIT; hibari-tts, hama and open-voicefilter-lite Apache-2.0",
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
    stage: Literal["voice", "lips"]
    version: str = Field(description="changes whenever what it makes does")
    licence: str = Field(description="of the code and everything that was learnt from data")
    commercial_use: bool = Field(description="whether the licences allow it")
    languages: list[str] = Field(description="BCP 47; empty: any")
    needs: str
    default: bool = Field(description="used where a request names none")
    available: bool
    missing: list[str] = Field(description="what would have to be installed")


class EngineList(BaseModel):
    """All engines by stage."""

    voice: list[Engine]
    lips: list[Engine]


@dataclass(frozen=True)
class _Known:
    name: str
    version: str
    licence: str
    needs: str
    packages: tuple[str, ...]  # import names
    languages: tuple[str, ...] = ()


VOICE = (
    _Known(
        name="embedded",
        version="1",
        licence="MIT; hibari-tts, hama and open-voicefilter-lite Apache-2.0",
        needs="a CPU; nothing is downloaded",
        packages=("torch", "hibari", "hama", "voicefilter_lite", "onnxruntime", "soxr"),
        languages=("en",),
    ),
)
LIPS = (
    _Known(
        name="embedded",
        version="1",
        licence="MIT; MediaPipe and its face landmark model Apache-2.0",
        needs="a CPU; the face landmark model for enrolling (3.8 MB, fetched once)",
        packages=("cv2", "mediapipe", "scipy"),
    ),
)


@router.get("", responses=documented(), response_model=EngineList)
def list_engines(context: InContext) -> EngineList:
    """Engines that speak and engines that draw the mouth, with their licences and whether they work here."""
    settings = context.settings
    model = [] if face_landmarker_installed() else ["the face landmark model (retake doctor --fix)"]
    return EngineList(
        voice=[_engine(known, "voice", settings.voice_engine, []) for known in VOICE],
        lips=[_engine(known, "lips", settings.lips_engine, model) for known in LIPS],
    )


def _engine(known: _Known, stage: Literal["voice", "lips"], default: str, missing: list[str]) -> Engine:
    # Looked for, not imported: importing them takes seconds and hundreds of megabytes.
    missing = missing + [name for name in known.packages if importlib.util.find_spec(name) is None]
    return Engine(
        name=known.name,
        stage=stage,
        version=known.version,
        licence=known.licence,
        commercial_use=True,
        languages=list(known.languages),
        needs=known.needs,
        default=known.name == default,
        available=not missing,
        missing=missing,
    )
