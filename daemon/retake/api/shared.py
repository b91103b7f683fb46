"""The place that several machines share (`settings.artefacts`), as the routes need it: nothing is imported or opened where nothing is shared."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from retake.api.context import Context

if TYPE_CHECKING:
    from retake.jobs.artefacts import Artefacts


def artefacts_of(context: Context) -> Artefacts | None:
    """The shared artefacts; None where there is one machine alone."""
    return _artefacts(context.settings.artefacts, context.home) if context.settings.artefacts.strip() else None


@lru_cache(maxsize=4)  # it keeps a connection
def _artefacts(url: str, home: Path) -> Artefacts:
    from retake.jobs.artefacts import Artefacts

    return Artefacts(url, home)
