"""Records of speakers of whom nothing was learnt: enough for everything but rendering."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from retake.domain.speaker import Consent, Speaker

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def speaker_record(name: str, *, statement: str = "I agree to be reproduced.", **changes: Any) -> Speaker:
    """The record of a speaker; `changes` are fields that a test cares about."""
    fields: dict[str, Any] = {
        "name": name,
        "consent": Consent(statement=statement, recorded_by="tests", recorded_at=LONG_AGO, reference_sha256="0" * 64),
        "created_at": LONG_AGO,
        "product_version": "0",
        "transcript": "",
        "transcript_source": "none",
        "rate": "25",
        "frames": 500,
        "width": 64,
        "height": 64,
        "seconds": 20.0,
        "voice_engine": "embedded",
        "voice_similarity": None,
        "loudness_lufs": None,
        "lag_seconds": 0.0,
        "lag_confidence": 0.0,
    }
    return Speaker(**{**fields, **changes})
