"""What Retake notes in the `customData` of markers, which people do not see, beside what other programs note there.

Ours is a JSON object {"retake": {"line": ID, ...}}. Another program's JSON object is kept and gains our name; another program's text is left as it
is, since that program looks for exactly this text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from retake_client.convention import is_line_id

NAME = "retake"
FORMAT = 1


def notes_of(data: str) -> dict[str, Any]:
    """What we noted; empty where we noted nothing."""
    if is_line_id(data) and data.startswith("retake."):  # plain, as a hand-made list of markers may have it
        return {"line": data}
    own = _object(data).get(NAME)
    return dict(own) if isinstance(own, Mapping) else {}


def line_id_of(data: str) -> str | None:
    found = notes_of(data).get("line")
    return found if is_line_id(found) else None


def with_notes(data: str, notes: Mapping[str, Any]) -> str | None:
    """`data` with our notes in it; None where another program's text stands there, which stays."""
    if data.strip() and not _object(data) and not notes_of(data):
        return None
    whole = dict(_object(data))
    whole[NAME] = {"format": FORMAT, **notes}
    return json.dumps(whole, ensure_ascii=False, sort_keys=True)


def derived_id(*parts: object) -> str:
    """A line id made from what does not change with the words, for lines that cannot carry one."""
    return hashlib.sha256("\n".join(str(part) for part in parts).encode("utf-8")).hexdigest()[:12]


def _object(data: str) -> dict[str, Any]:
    try:
        found = json.loads(data) if data.strip().startswith("{") else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
