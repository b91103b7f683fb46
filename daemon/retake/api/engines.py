"""The engines that takes can be made with: what each needs, on which terms it may be used, and whether it works here."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from retake.api.context import InContext
from retake.api.errors import documented
from retake.engines.listing import Listed, listing

router = APIRouter(prefix="/engines", tags=["engines"])


class EngineList(BaseModel):
    """All engines by stage."""

    voice: list[Listed]
    lips: list[Listed]
    transition: list[Listed]


@router.get("", responses=documented(), response_model=EngineList)
def list_engines(context: InContext) -> EngineList:
    """Engines of every stage, with their licences and whether they work here."""
    settings = context.settings
    found = listing(context.home, voice=settings.voice_engine, lips=settings.lips_engine)
    return EngineList(
        voice=[one for one in found if one.stage == "voice"],
        lips=[one for one in found if one.stage == "lips"],
        transition=[one for one in found if one.stage == "transition"],
    )
