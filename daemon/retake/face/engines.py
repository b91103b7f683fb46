"""Which lips engine a name stands for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from retake.settings import home

from .protocol import LipsEngine


def lips_engine(name: str, *, folder: Path | None = None) -> LipsEngine:
    """The lips engine of that name.

    Args:
        folder: Retake's folder; None: the one of this process (`settings.home`).

    Raises RetakeError: unknown_engine names the ones there are, engine_not_installed the command that installs it.
    """
    if name == "embedded":
        return _embedded()
    from .hosted import HostedLips

    return HostedLips(folder or home(), name)


@lru_cache(maxsize=1)
def _embedded() -> LipsEngine:
    from .embedded import EmbeddedLips

    return EmbeddedLips()
