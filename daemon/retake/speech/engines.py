"""Which voice engine a name stands for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from retake.settings import home

from .protocol import VoiceEngine


def voice_engine(name: str, *, folder: Path | None = None) -> VoiceEngine:
    """The voice engine of that name; the same one for the same name, because engines keep networks and voices in memory.

    Args:
        folder: Retake's folder; None: the one of this process (`settings.home`).

    Raises RetakeError: unknown_engine names the ones there are, engine_not_installed the command that installs it.
    """
    if name == "embedded":
        return _embedded()
    return _hosted(folder or home(), name)


@lru_cache(maxsize=1)
def _embedded() -> VoiceEngine:
    from .embedded import EmbeddedVoice

    return EmbeddedVoice()


@lru_cache(maxsize=16)
def _hosted(folder: Path, name: str) -> VoiceEngine:
    from .hosted import HostedVoice

    return HostedVoice(folder, name)
